// Package client is the command line's way to a running Kentongan: its API.
//
// Every failure says what happened and, where there is something to do, a hint
// (HintOf), because the person who reads it may be in the middle of an alarm.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// callTimeout bounds one call. The longest is the import of a full file.
	callTimeout = 2 * time.Minute
	// silence is how long a stream may say nothing: the server sends a sign of
	// life every 15 s, so three in a row have been lost.
	silence = 45 * time.Second
	// maxAnswer bounds what is read of an answer. A refused import lists every
	// faulty cell of the file.
	maxAnswer = 64 << 20
)

// Client talks to one installation.
type Client struct {
	URL   string // of the installation, without a path
	Token string // bearer token
	HTTP  *http.Client
}

// Failure is an error with a hint of what to do about it.
type Failure struct {
	Err  error
	Hint string
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Problem is an answer that says no (RFC 9457), as the operator should read it.
type Problem struct {
	Status int     `json:"status"`
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors"`
	Report *Report `json:"report"` // of an import that was refused

	foreign  bool   // the answer is none of Kentongan's
	location string // where a redirect leads
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location"`
	Message  string `json:"message"`
	Value    any    `json:"value"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	switch {
	case p.location != "":
		fmt.Fprintf(&b, "the server sends us on to %s (%d)", p.location, p.Status)
	case p.foreign:
		fmt.Fprintf(&b, "this is not the API of Kentongan: it answers %d", p.Status)
	default:
		text := p.Detail
		if text == "" {
			text = p.Title
		}
		fmt.Fprintf(&b, "the server says no (%d): %s", p.Status, text)
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %s", strings.TrimPrefix(e.Location, "body."))
		if s, ok := e.Value.(string); ok && s != "" {
			fmt.Fprintf(&b, " %q", s)
		}
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	return b.String()
}

func (p *Problem) hint() string {
	switch {
	case p.location != "":
		return "give that address with --url or KENTONGAN_PUBLIC_URL"
	case p.foreign:
		return "check --url or KENTONGAN_PUBLIC_URL, and the proxy in front of the server"
	}
	switch p.Status {
	case http.StatusUnauthorized:
		return "set KENTONGAN_TOKEN, or KENTONGAN_BOOTSTRAP_TOKEN as the server has it"
	case http.StatusForbidden:
		return "use the token of a sender: `kentongan token create NAME --role sender`"
	case http.StatusNotFound:
		return "`kentongan status` lists the announcements"
	case http.StatusServiceUnavailable:
		return "nothing is done twice: try again; the server's /readyz says what is missing"
	}
	if p.Status >= 500 {
		return "the log of the server says why"
	}
	return "nothing was sent or changed: mend this and try again"
}

// HintOf returns what to do about err, or "".
func HintOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Hint
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.hint()
	}
	return ""
}

// Call sends a request and decodes the JSON answer into out, unless out is nil.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body io.Reader, out any, headers ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := c.open(ctx, method, path, contentType, body, headers...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// Download sends a request and copies the answer to w, however long that takes.
func (c *Client) Download(ctx context.Context, method, path string, w io.Writer) error {
	res, err := c.open(ctx, method, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// JSON is Call with a JSON body.
func (c *Client) JSON(ctx context.Context, method, path string, in, out any, headers ...string) error {
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return c.Call(ctx, method, path, "application/json", bytes.NewReader(b), out, headers...)
}

func (c *Client) open(ctx context.Context, method, path, contentType string, body io.Reader, headers ...string) (*http.Response, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &Failure{fmt.Errorf("%q is not an http or https address", c.URL), "set --url or KENTONGAN_PUBLIC_URL, such as https://siaga.example"}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	// A redirected POST becomes a GET: an alarm would seem sent and is not.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		var in *url.Error
		if errors.As(err, &in) {
			err = in.Err // without the address, which is said once
		}
		return nil, &Failure{fmt.Errorf("reach %s: %w", c.URL, err), "is `kentongan serve` running there? set --url or KENTONGAN_PUBLIC_URL"}
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, problemOf(res)
	}
	return res, nil
}

func problemOf(res *http.Response) *Problem {
	p := &Problem{}
	b, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	p.foreign = !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(b, p) != nil
	p.Status = res.StatusCode
	if res.StatusCode < 400 {
		p.location = res.Header.Get("Location")
	}
	return p
}

// Event is one event of a stream.
type Event struct {
	Name string
	ID   string // give the last one back to go on from there
	Data []byte
}

// Watch calls fn with every event after the one named by last ("" for the
// present) until fn or the stream fails, or the stream ends (nil).
func (c *Client) Watch(ctx context.Context, path, last string, fn func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	res, err := c.open(ctx, http.MethodGet, path, "", nil, "Accept", "text/event-stream", "Last-Event-ID", last)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var e Event
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		alive.Reset(silence)
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.Data != nil {
				if err := fn(e); err != nil {
					return err
				}
			}
			e = Event{}
		case name == "event":
			e.Name = value
		case name == "id":
			e.ID = value
		case name == "data":
			if e.Data != nil {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}
