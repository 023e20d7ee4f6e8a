package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// traces takes what the nodes send by OTLP over HTTP, as it comes.
type traces struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (t *traces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b, err := readAll(r.Body); err == nil {
		t.mu.Lock()
		t.bodies = append(t.bodies, b)
		t.mu.Unlock()
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
}

// canary is what must be nowhere but in the vault, in messages, and on pages for those
// who may see it.
type canary struct {
	words []string // a name, a number, an endpoint, a token
	found []string
	looks map[string]int // at how many bytes of each kind
}

// look searches one body for the canary, also in capitals and without the plus.
func (c *canary) look(where string, body []byte) {
	c.looks[where] += len(body)
	lower := bytes.ToLower(body)
	for i, w := range c.words {
		if w != "" && bytes.Contains(lower, []byte(strings.ToLower(strings.TrimPrefix(w, "+")))) {
			c.found = append(c.found, fmt.Sprintf("%s holds %s", where, [...]string{"the name", "the number", "the endpoint", "the token", "the bootstrap token"}[i]))
		}
	}
}

// search looks everywhere that is not the vault: logs, metrics, subjects and payloads of
// every stream but the people's, pages of errors, traces.
func (c *canary) search(ctx context.Context, s *scene, id string) error {
	logs, err := filepath.Glob(filepath.Join(s.folder, "*.log"))
	if err != nil {
		return err
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c.look("a log", b)
	}
	for _, u := range s.urls {
		for _, path := range []string{"/metrics", "/readyz"} {
			if err := get(ctx, u+path, func(b []byte) { c.look("a metric or a probe", b) }); err != nil {
				return fmt.Errorf("%s of a node: %w", path, err)
			}
		}
		token := c.words[3]
		for _, path := range []string{"/r/" + token + "x", "/t/" + token, "/r/" + token + "/none", "/nowhere/" + token, "/api/v1/people/" + canaryMobile, "/api/v1/announcements/" + id + "/recipients?q=" + canaryMobile + "&limit=x"} {
			shape, _, _ := strings.Cut(path[1:], "/")
			_ = get(ctx, u+path, func(b []byte) { c.look("the page of an error below /"+shape, b) }) // any status is one
		}
		res, err := http.Post(u+"/hooks/twilio/message", "application/x-www-form-urlencoded", strings.NewReader("From=%2B"+canaryMobile[1:]+"&Body=1")) //nolint:noctx // forged, and answered at once
		if err != nil {
			return err
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		c.look("a page of an error", b)
	}
	s.traces.mu.Lock()
	for _, b := range s.traces.bodies {
		c.look("a trace", b)
	}
	s.traces.mu.Unlock()
	return c.streams(ctx, s)
}

// streams reads every message of every stream, but those of the vault, whose values are
// encrypted: of it the subjects.
func (c *canary) streams(ctx context.Context, s *scene) error {
	js, err := jetstream.New(s.direct)
	if err != nil {
		return err
	}
	listed := js.StreamNames(ctx) // which ends after 5 s, however slowly its names are taken
	var names []string
	for name := range listed.Name() {
		names = append(names, name)
	}
	if err := listed.Err(); err != nil {
		return fmt.Errorf("list the streams: %w", err)
	}
	for _, name := range names {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("open the stream %s: %w", name, err)
		}
		for seq := uint64(1); ; seq++ {
			m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(">"))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				break
			} else if err != nil {
				return fmt.Errorf("read the stream %s: %w", name, err)
			}
			seq = m.Sequence
			c.look("a subject", []byte(m.Subject))
			c.look("a payload of "+name, m.Data) // the vault's are encrypted: then they hold nothing either
		}
	}
	return nil
}
