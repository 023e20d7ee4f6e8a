// Package client is the command line's way to a running Kentongan: its API.
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
	"strings"
)

// Client talks to one installation.
type Client struct {
	URL   string // of the installation, without a path
	Token string // bearer token
	HTTP  *http.Client
}

// Problem is an answer that says no (RFC 9457), as the operator should read it.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the server says no (%d)", p.Status)
	if text := p.Title + " " + p.Detail; strings.TrimSpace(text) != "" {
		b.WriteString(": " + strings.TrimSpace(text))
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", e.Location, e.Message)
	}
	if p.Status == http.StatusUnauthorized {
		b.WriteString("\nhint: set KENTONGAN_TOKEN, or KENTONGAN_BOOTSTRAP_TOKEN as the server has it")
	}
	return b.String()
}

// Call sends a request and decodes the JSON answer into out, unless out is nil.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body io.Reader, out any, headers ...string) error {
	res, err := c.open(ctx, method, path, contentType, body, headers...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// JSON is Call with a JSON body.
func (c *Client) JSON(ctx context.Context, method, path string, in, out any, headers ...string) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.Call(ctx, method, path, "application/json", bytes.NewReader(b), out, headers...)
}

func (c *Client) open(ctx context.Context, method, path, contentType string, body io.Reader, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w\nhint: is `kentongan serve` running? set --url or KENTONGAN_PUBLIC_URL", c.URL, err)
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		p := &Problem{}
		b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = json.Unmarshal(b, p)
		p.Status = res.StatusCode
		return nil, p
	}
	return res, nil
}

// Watch calls fn with the data of every event until the stream or ctx ends.
func (c *Client) Watch(ctx context.Context, path string, fn func(event string, data []byte) error) error {
	res, err := c.open(ctx, http.MethodGet, path, "", nil, "Accept", "text/event-stream")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	event := ""
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "event":
			event = strings.TrimSpace(value)
		case "data":
			if err := fn(event, []byte(strings.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}
