package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kentongan/internal/client"
	"kentongan/internal/sandbox"
)

// recorder stands outside the product and writes down what people saw: every message
// that a phone got, and every answer with whether it was thanked for.
type recorder struct {
	box  string
	file *os.File // every message, a line each

	mu       sync.Mutex
	messages []sandbox.Entry
	seen     uint64
	given    []sandbox.Given
	sums     int      // how often a node was asked for its counts and answered
	wrong    []string // counts that did not add up
}

func newRecorder(folder, box string) (*recorder, error) {
	f, err := os.Create(filepath.Join(folder, "phones.jsonl"))
	return &recorder{box: box, file: f}, err
}

// listen writes down until ctx ends.
func (r *recorder) listen(ctx context.Context) {
	for ctx.Err() == nil {
		_ = r.read(ctx)
		sleep(ctx, 500*time.Millisecond)
	}
}

// read takes what has come since.
func (r *recorder) read(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var news []sandbox.Entry
	if err := call(ctx, http.MethodGet, r.box, fmt.Sprintf("/sandbox/log?after=%d", r.seen), nil, &news); err != nil {
		return err
	}
	for _, e := range news {
		r.seen = max(r.seen, e.Seq)
		r.messages = append(r.messages, e)
		if err := json.NewEncoder(r.file).Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// answers takes every answer that was given so far.
func (r *recorder) answers(ctx context.Context) ([]sandbox.Given, error) {
	var given []sandbox.Given
	err := call(ctx, http.MethodGet, r.box, "/sandbox/answers", nil, &given)
	if err == nil {
		r.mu.Lock()
		r.given = given
		r.mu.Unlock()
	}
	return given, err
}

// all returns the messages so far.
func (r *recorder) all() []sandbox.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[:len(r.messages):len(r.messages)]
}

// counts are those of an announcement, as the API tells them.
type counts struct {
	Recipients, Confirmed, Opened, Unreachable int
	NeedHelp                                   int `json:"need_help"`
	NotOnSite                                  int `json:"not_on_site"`
	NoAnswer                                   int `json:"no_answer"`
}

func (c counts) sum() int {
	return c.NeedHelp + c.Confirmed + c.NotOnSite + c.Opened + c.NoAnswer + c.Unreachable
}

type summary struct {
	ID       string
	Status   string
	ClosedAs string `json:"closed_as"`
	Counts   counts
}

// audit asks each node every second whether everybody is counted, until ctx ends.
func (r *recorder) audit(ctx context.Context, urls []string, id string, people int) {
	for ctx.Err() == nil {
		for i, u := range urls {
			s, err := ask(ctx, u, id)
			if err != nil {
				continue // nobody is told anything wrong
			}
			r.mu.Lock()
			r.sums++
			if s.Counts.sum() != people || s.Counts.Recipients != people {
				r.wrong = append(r.wrong, fmt.Sprintf("node %d said %+v", i+1, s.Counts))
			}
			r.mu.Unlock()
		}
		sleep(ctx, time.Second)
	}
}

// ask reads the counts from one node.
func ask(ctx context.Context, node, id string) (s summary, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s, call(ctx, http.MethodGet, node, "/api/v1/announcements/"+id, nil, &s)
}

// a message is a repetition of another with the same key.
type key struct{ phone, channel, what string }

// identify returns what a message is, and its round; ok is false for thanks and other
// words that no round sends.
func identify(e sandbox.Entry) (k key, round string, ok bool) {
	if e.Kind == "reply" || e.Channel == "sms" && e.Back == "" {
		return key{}, "", false
	}
	what := fmt.Sprint(e.Round)
	round = what
	if e.Channel == "sms" {
		u, err := url.Parse(e.Back)
		if err != nil {
			return key{}, "", false
		}
		_, what, ok = strings.Cut(u.Query().Get("d"), ".")
		if !ok {
			return key{}, "", false
		}
		round, _, _ = strings.Cut(what, ".")
	}
	return key{e.Phone, e.Channel, what}, round, true
}

// call asks the sandbox or a node.
func call(ctx context.Context, method, base, path string, in, out any) error {
	c := &client.Client{URL: base, Token: token}
	if in == nil {
		return c.Call(ctx, method, path, "", nil, out)
	}
	return c.JSON(ctx, method, path, in, out)
}

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, 256<<20)) }
