package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Behaviour says how the outside world misbehaves. The zero value behaves well.
type Behaviour struct {
	Channel string `json:"channel,omitempty"` // "sms" or "push"; empty is both

	// Fail is what happens to the share of messages: "500", "429", "404" and
	// "410" (push), "401", "lost" (taken, and then answered with 500), "reset" (taken,
	// and then the connection ends without an answer), a Twilio error code of 2xxxx for a refusal, or 3xxxx for a failure after sending.
	Fail       string                `json:"fail,omitempty"`
	Share      float64               `json:"share,omitempty"`       // 0..1 of the messages; 0 with Fail means all
	RetryAfter announcement.Duration `json:"retry_after,omitempty"` // sent with 429 and 500

	Delay   announcement.Duration `json:"delay,omitempty"`        // before a message arrives and before each callback
	Answer  announcement.Duration `json:"answer_delay,omitempty"` // before the provider takes the message
	Late    announcement.Duration `json:"late,omitempty"`         // between taking the message and answering: callbacks come first
	Repeat  int                   `json:"repeat,omitempty"`       // each callback is posted so often
	Reorder bool                  `json:"reorder,omitempty"`      // callbacks come in reverse order
}

func (b Behaviour) validate() error {
	if b.Share < 0 || b.Share > 1 {
		return errors.New("share must be 0 to 1")
	}
	if b.Repeat < 0 || b.Repeat > 20 {
		return errors.New("repeat must be 0 to 20")
	}
	switch b.Channel {
	case "", "sms", "push":
	default:
		return errors.New("channel must be sms or push")
	}
	if b.Fail != "" && b.Fail != "lost" && b.Fail != "reset" {
		if n, err := strconv.Atoi(b.Fail); err != nil || n < 400 {
			return errors.New(`fail must be an HTTP status, a Twilio code, "lost" or "reset"`)
		}
	}
	for _, d := range []announcement.Duration{b.RetryAfter, b.Delay, b.Answer, b.Late} {
		if d < 0 {
			return errors.New("a duration is negative")
		}
	}
	return nil
}

// fault decides what happens to one message of a channel. Exactly the share of
// messages fails, spread evenly, so that a test can count them.
func (s *Sandbox) fault(channel string) (b Behaviour, fail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b = s.behave
	if b.Channel != "" && b.Channel != channel {
		return Behaviour{}, ""
	}
	if b.Fail == "" {
		return b, ""
	}
	share := b.Share
	if share == 0 {
		share = 1
	}
	s.owed += share
	if s.owed > 1-1e-9 {
		s.owed--
		return b, b.Fail
	}
	return b, ""
}

// answerLate is what follows once a message is taken: the provider may be slow to say
// so, say that it failed, or say nothing. It reports whether there is an answer to give.
func (s *Sandbox) answerLate(r *http.Request, b Behaviour, fail string) bool {
	if !s.wait(r.Context(), time.Duration(b.Late)) {
		return false
	}
	if fail == "reset" {
		panic(http.ErrAbortHandler) // how a handler of net/http ends its connection
	}
	return true
}

func (s *Sandbox) showBehave(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	b := s.behave
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, b)
}

func (s *Sandbox) setBehave(w http.ResponseWriter, r *http.Request) {
	var b Behaviour
	err := decode(w, r, &b, func(f url.Values) error {
		b = Behaviour{Channel: f.Get("channel"), Fail: f.Get("fail"), Reorder: f.Get("reorder") == "true" || f.Get("reorder") == "on"}
		var errs [7]error
		b.Share, errs[0] = number(f.Get("share"))
		b.Repeat, errs[1] = whole(f.Get("repeat"))
		b.RetryAfter, errs[2] = duration(f.Get("retry_after"))
		b.Delay, errs[3] = duration(f.Get("delay"))
		b.Answer, errs[4] = duration(f.Get("answer_delay"))
		return errors.Join(errs[:]...)
	})
	if err == nil {
		err = b.validate()
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.mu.Lock()
	s.behave, s.owed = b, 0
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, b)
}

// decode reads a body of JSON into v, or hands a form to form.
func decode(w http.ResponseWriter, r *http.Request, v any, form func(url.Values) error) error {
	r.Body = http.MaxBytesReader(w, r.Body, 32<<20)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && form != nil {
		if err := r.ParseForm(); err != nil {
			return fmt.Errorf("read form: %w", err)
		}
		return form(r.PostForm)
	}
	if err := json.NewDecoder(r.Body).Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader has gone: nobody is left to tell
}

func number(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseFloat(s, 64)
}

func whole(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.Atoi(s)
}

func duration(s string) (announcement.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	return announcement.Duration(d), err
}
