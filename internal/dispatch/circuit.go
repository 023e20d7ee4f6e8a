package dispatch

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const (
	// opensAfter so many calls in a row that failed for the provider's sake.
	opensAfter = 5
	// asksEvery is how often a provider that is down is tried with one call. It is also
	// how long after its recovery the first call goes out at the latest.
	asksEvery = 15 * time.Second
)

// circuit stands before a channel that has one provider, and opens when that is down:
// then calls wait here, none is lost and none fails. Every asksEvery the oldest that
// waits is tried; when the provider has answered it, the others follow, in each lane
// the oldest job first, and an emergency before routine.
//
// gobreaker counts and decides; what it has not is the waiting, and the order in it.
type circuit struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	now     func() time.Time
	retryAt atomic.Int64 // Unix nanoseconds: when it was opened, and asksEvery

	mu      sync.Mutex
	news    chan struct{} // closed and replaced when those who wait may look again
	backlog []*place      // of jobs that met it open, in the order in which they go on
}

// place is where a job stands in a circuit while this node works on it.
type place struct {
	lane announcement.Lane
	at   time.Time // when its round was decided
	lo   int
	in   bool // it has met the circuit open, and goes on in its turn
}

// before is the order of a backlog.
func (p *place) before(other *place) int {
	return cmp.Or(cmp.Compare(slices.Index(Lanes, p.lane), slices.Index(Lanes, other.lane)), p.at.Compare(other.at), cmp.Compare(p.lo, other.lo))
}

// newCircuit returns a closed one. changed hears when it opens and closes.
func newCircuit(now func() time.Time, changed func(away bool)) *circuit {
	c := &circuit{now: now, news: make(chan struct{})}
	c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      asksEvery,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= opensAfter },
		IsSuccessful: func(err error) bool { return !outage(err) },
		IsExcluded:   func(err error) bool { return err != nil && !outage(err) && !answered(err) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen:
				c.retryAt.Store(now().Add(asksEvery).UnixNano())
				if from == gobreaker.StateClosed {
					changed(true)
				}
			case to == gobreaker.StateClosed:
				changed(false)
			}
		},
	})
	return c
}

// errNotCalled tells a circuit that a call did not come to pass.
var errNotCalled = errors.New("not called")

// outage reports whether a call failed in a way that says that the provider is down,
// or lets us in no more. What is the matter with one number says nothing about it, nor
// that it is busy: then it answers.
func outage(err error) bool {
	var e *channel.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Reason == channel.Temporary || e.Reason == channel.Ambiguous || e.Reason == channel.Unauthorized
}

// answered reports whether a failure shows that the provider works.
func answered(err error) bool {
	var e *channel.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Reason == channel.InvalidNumber || e.Reason == channel.OptedOut || e.Reason == channel.Blocked
}

// away reports whether the provider is down, as far as this node knows.
func (c *circuit) away() bool { return c.breaker.State() != gobreaker.StateClosed }

// turn waits until a call of the job may begin, or ctx ends. done must hear how the
// call went: nil, the error of the sender, or errNotCalled.
func (c *circuit) turn(ctx context.Context, p *place) (done func(error), err error) {
	for {
		c.mu.Lock()
		news, wait := c.news, asksEvery
		if c.isNext(p) {
			finish, refused := c.breaker.Allow()
			if refused == nil {
				c.mu.Unlock()
				return func(err error) { finish(err); c.tell() }, nil
			}
			c.join(p)
			if errors.Is(refused, gobreaker.ErrOpenState) { // and not before: it says so a moment late rather
				wait = time.Unix(0, c.retryAt.Load()).Sub(c.now()) + time.Millisecond
			}
		}
		c.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-news:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// isNext reports whether no other job comes before this one. mu is held.
func (c *circuit) isNext(p *place) bool {
	if c.away() {
		c.join(p)
		return c.backlog[0] == p
	}
	i := slices.IndexFunc(c.backlog, func(other *place) bool { return other.lane == p.lane })
	return !p.in || c.backlog[i] == p // who comes after the recovery waits for nobody
}

// join puts a job in its place among those that wait. mu is held.
func (c *circuit) join(p *place) {
	if p.in {
		return
	}
	p.in = true
	i, _ := slices.BinarySearchFunc(c.backlog, p, (*place).before)
	c.backlog = slices.Insert(c.backlog, i, p)
}

// leave ends a job's part in it.
func (c *circuit) leave(p *place) {
	c.mu.Lock()
	c.backlog = slices.DeleteFunc(c.backlog, func(other *place) bool { return other == p })
	c.mu.Unlock()
	c.tell()
}

// tell lets those who wait look again.
func (c *circuit) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.backlog) > 0 {
		close(c.news)
		c.news = make(chan struct{})
	}
}
