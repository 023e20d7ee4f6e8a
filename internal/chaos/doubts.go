package chaos

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
)

// doubts are the messages that a provider took while its answers may have been lost: each
// may be sent once more.
type doubts struct {
	unclear func() (lost, lied bool)

	mu    sync.Mutex
	taken map[string]int // by mobile number, or by push device
}

// watchProviders stands between the wires and the providers. unclear says whether answers
// may be lost now, and whether a provider says 500 of what it took.
func watchProviders(s *http.Server, unclear func() (lost, lied bool)) *doubts {
	d := &doubts{unclear: unclear, taken: map[string]int{}}
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := ""
		switch {
		case r.Method != http.MethodPost:
		case strings.HasPrefix(r.URL.Path, "/push/"):
			to = path.Base(r.URL.Path)
		case strings.HasPrefix(r.URL.Path, "/twilio/"):
			body, err := readAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if form, perr := url.ParseQuery(string(body)); err == nil && perr == nil {
				to = form.Get("To")
			}
		}
		if to == "" {
			next.ServeHTTP(w, r)
			return
		}
		lost, lied := unclear()
		said := &status{ResponseWriter: w}
		defer func() { // also when the connection ends without an answer
			stillLost, stillLied := unclear()
			took := said.code == http.StatusCreated || said.code == 0 || said.code == http.StatusInternalServerError && (lied || stillLied)
			if took && (lost || stillLost) || r.Context().Err() != nil {
				d.mu.Lock()
				d.taken[to]++
				d.mu.Unlock()
			}
		}()
		next.ServeHTTP(said, r)
	})
	return d
}

// status remembers what was answered; 0: nothing.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// phone is one as the sandbox lists it.
type phone struct {
	Number  string
	Devices []string
}

// of returns how many messages to somebody on a channel are in doubt.
func (d *doubts) of(people []person, phones []phone) map[[2]string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[[2]string]int{}
	for _, p := range people {
		out[[2]string{p.number, "sms"}] = d.taken[p.mobile]
	}
	for _, p := range phones {
		for _, device := range p.Devices {
			out[[2]string{p.Number, "webpush"}] += d.taken[device]
		}
	}
	return out
}
