// Package sandbox stands in for the outside world on one machine: an SMS
// provider that speaks Twilio's API, a push service that decrypts what it is
// sent, and a page of phones that people, or chance, can answer on.
//
// # Decisions
//
// It talks to the product over plain HTTP only, as the real world does: no call
// into another package can make a test pass that a provider would fail. Where a
// real push service cannot notice a fault (it holds no keys), this one refuses
// with 400, so that a fault is found on the developer's machine.
//
// Memory is bounded: old messages of a phone, old log entries and old message
// records fall off.
package sandbox

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what is remembered.
const (
	maxPhones   = 50_000
	maxDevices  = 4      // per phone
	keepOnPhone = 30     // messages per phone
	keepLog     = 50_000 // log entries, and SMS records
	keepAnswers = 50_000
)

// Options configures a Sandbox.
type Options struct {
	PublicURL  string // of the product: links are opened, and inbound SMS posted, there
	BaseURL    string // of this sandbox as the product reaches it: the origin of push endpoints
	AccountSID string
	AuthToken  string
	From       string        // sender of messages sent through a messaging service; default +15005550006
	Pace       time.Duration // between two statuses of an SMS; default 300 ms
	HTTP       *http.Client  // for calls to the product; default has a timeout of 20 s
	Now        func() time.Time
	Log        *slog.Logger
}

// Sandbox is the outside world. It is an http.Handler for the paths /twilio/,
// /push/, /phones and /sandbox/.
type Sandbox struct {
	o   Options
	mux http.Handler

	ctx    context.Context // ends all background work
	cancel context.CancelFunc
	out    chan struct{} // bounds calls to the product that run at once

	runMu   sync.Mutex
	stopped bool
	work    sync.WaitGroup

	mu       sync.Mutex
	phones   []*phone
	byNumber map[string]*phone
	byMobile map[string][]*phone
	devices  map[string]*device
	gone     map[string]bool // devices removed: the push service answers 410
	goneIDs  ring[string]    // the same, so that the oldest can be forgotten
	log      ring[Entry]
	answers  ring[Given]
	sms      ring[*smsRecord]
	bySID    map[string]*smsRecord
	optedOut map[string]bool
	behave   Behaviour
	owed     float64 // share of calls due to misbehave
	auto     auto
	acting   atomic.Int64  // answers on their way
	changed  chan struct{} // closed when auto is another
	version  uint64        // changes whenever a page would look different
}

// New returns a sandbox that serves at once. Run stops its background work.
func New(o Options) *Sandbox {
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.From == "" {
		o.From = "+15005550006"
	}
	if o.Pace <= 0 {
		o.Pace = 300 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}
	}
	s := &Sandbox{
		o: o, out: make(chan struct{}, 64), changed: make(chan struct{}),
		byNumber: map[string]*phone{}, byMobile: map[string][]*phone{}, devices: map[string]*device{},
		bySID: map[string]*smsRecord{}, optedOut: map[string]bool{},
		gone: map[string]bool{}, goneIDs: ring[string]{max: keepLog}, log: ring[Entry]{max: keepLog}, answers: ring[Given]{max: keepAnswers}, sms: ring[*smsRecord]{max: keepLog},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())

	mux := http.NewServeMux()
	mux.HandleFunc("POST /twilio/2010-04-01/Accounts/{sid}/Messages.json", s.createSMS)
	mux.HandleFunc("GET /twilio/2010-04-01/Accounts/{sid}/Messages.json", s.listSMS)
	mux.HandleFunc("GET /twilio/2010-04-01/Accounts/{sid}/Messages/{message}", s.getSMS)
	mux.HandleFunc("POST /push/{device}", s.receivePush)
	mux.HandleFunc("GET /phones", s.showPhones)
	mux.HandleFunc("GET /phones/grid", s.showGrid)
	mux.HandleFunc("GET /phones/state", s.showState)
	mux.HandleFunc("POST /phones/act", s.actFromPage)
	mux.HandleFunc("POST /phones/auto", s.setAuto)
	mux.HandleFunc("POST /sandbox/phones", s.registerPhones)
	mux.HandleFunc("GET /sandbox/phones", s.listPhones)
	mux.HandleFunc("POST /sandbox/act", s.actFromAPI)
	mux.HandleFunc("GET /sandbox/behave", s.showBehave)
	mux.HandleFunc("POST /sandbox/behave", s.setBehave)
	mux.HandleFunc("GET /sandbox/log", s.showLog)
	mux.HandleFunc("GET /sandbox/answers", s.showAnswers)
	mux.HandleFunc("DELETE /sandbox/log", s.clearLog)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/phones", http.StatusSeeOther)
	})
	s.mux = http.NewCrossOriginProtection().Handler(mux)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Run waits until ctx ends, then stops every background goroutine and waits for
// them. A sandbox that was stopped starts no new work.
func (s *Sandbox) Run(ctx context.Context) error {
	<-ctx.Done()
	s.runMu.Lock()
	s.stopped = true
	s.runMu.Unlock()
	s.cancel()
	s.work.Wait()
	s.o.HTTP.CloseIdleConnections()
	return nil
}

// spawn runs f in the background, unless the sandbox was stopped.
func (s *Sandbox) spawn(f func(ctx context.Context)) {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	if s.stopped {
		return
	}
	s.work.Go(func() { f(s.ctx) })
}

// wait returns false when the sandbox stops before d has passed.
func (s *Sandbox) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// do calls the product, with a bound on how many calls run at once.
func (s *Sandbox) do(c *http.Client, r *http.Request) (*http.Response, error) {
	select {
	case s.out <- struct{}{}:
		defer func() { <-s.out }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return c.Do(r)
}

// ring keeps the newest max values.
type ring[T any] struct {
	max   int
	items []T
	start int
}

// push adds v and returns the value that fell off, if any.
func (r *ring[T]) push(v T) (old T, fell bool) {
	if len(r.items) < r.max {
		r.items = append(r.items, v)
		return old, false
	}
	old, r.items[r.start] = r.items[r.start], v
	r.start = (r.start + 1) % r.max
	return old, true
}

// all returns the values, oldest first.
func (r *ring[T]) all() []T {
	return append(append(make([]T, 0, len(r.items)), r.items[r.start:]...), r.items[:r.start]...)
}

// each yields the values in place, oldest first.
func (r *ring[T]) each(yield func(*T) bool) {
	for i := range r.items {
		if !yield(&r.items[(r.start+i)%len(r.items)]) {
			return
		}
	}
}

func (r *ring[T]) clear() { r.items, r.start = nil, 0 }

const hexDigits = "0123456789abcdef"

// newID returns 32 random hex digits. Ids here are unique, not secret.
func newID() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = hexDigits[rand.IntN(16)]
	}
	return string(b)
}
