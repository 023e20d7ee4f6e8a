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
	// apart is how far jobs come back from the queue after each other, so that they come
	// in their order.
	apart = 50 * time.Millisecond
	// triesOfOne is how often in a row one message may end without an answer before another
	// job tries: it may be this one that the provider cannot bear. No connection and a
	// locked account are no message's fault, so that the oldest keeps its turn.
	triesOfOne = 4
)

// circuit stands before a channel that has one provider, and opens when that is down:
// then calls wait, none is lost and none fails. Every asksEvery the oldest that waits is
// tried; when the provider has answered it, the others follow, in each lane the oldest
// job first, and an emergency before routine.
//
// While it is open one job of each lane stays with its worker. The others go back to the
// queue for so long, because their workers are wanted: for the second provider, say.
//
// gobreaker counts and decides; what it has not is the waiting, and the order in it.
type circuit struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	now     func() time.Time
	retryAt atomic.Int64 // Unix nanoseconds: when it was opened, and asksEvery

	mu      sync.Mutex
	news    chan struct{}      // closed and replaced when those who wait may look again
	backlog []*place           // of jobs here that met it open, in the order in which they go on
	met     map[string]meeting // jobs that met it open, here or back in the queue, by name
}

// place is where a job stands in a circuit while this node works on it.
type place struct {
	job  string
	lane announcement.Lane
	at   time.Time // when its round was decided
	lo   int
	in   bool // it is in the backlog

	tried, times int  // the target that tried the provider last, and how often in a row
	aside        bool // it has let another job try, and comes again after that
}

// meeting is when a job last met an open circuit.
type meeting struct {
	*place
	seen time.Time
}

// before is the order of a backlog.
func (p *place) before(other *place) int {
	return cmp.Or(cmp.Compare(slices.Index(Lanes, p.lane), slices.Index(Lanes, other.lane)), p.at.Compare(other.at), cmp.Compare(p.lo, other.lo), cmp.Compare(p.job, other.job))
}

// newCircuit returns a closed one. changed hears when it opens and closes.
func newCircuit(now func() time.Time, changed func(away bool)) *circuit {
	c := &circuit{now: now, news: make(chan struct{}), met: map[string]meeting{}}
	c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      asksEvery,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= opensAfter },
		IsSuccessful: func(err error) bool { return !outage(err) },
		IsExcluded:   func(err error) bool { return err != nil && !outage(err) && !answered(err) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				c.retryAt.Store(now().Add(asksEvery).UnixNano())
				if from == gobreaker.StateClosed {
					changed(true)
				}
			case gobreaker.StateClosed:
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

// turn waits until a call of target n of the job may begin, or ctx ends. done must hear
// how the call went: nil, the error of the sender, or errNotCalled. Where done is nil the job
// shall come again after a while: another one waits here for its lane.
func (c *circuit) turn(ctx context.Context, p *place, n int) (done func(error), after time.Duration) {
	for {
		c.mu.Lock()
		if p.aside = p.aside || c.away() && p.times >= triesOfOne && len(c.met) > 1; p.aside {
			c.drop(p)
			c.tell()
			after = c.untilRetry() + asksEvery
			c.mu.Unlock()
			return nil, after
		}
		if c.met[p.job].place != nil || c.away() {
			c.join(p)
		}
		away, first := c.away(), c.first(p)
		if away && !first {
			after = c.comeAgain(p)
			c.mu.Unlock()
			return nil, after
		}
		if !p.in || first && (!away || c.backlog[0] == p) {
			finish, refused := c.breaker.Allow()
			if refused == nil {
				c.mu.Unlock()
				return func(err error) { finish(err); c.heard(p, n, err) }, 0
			}
		}
		news, wait := c.news, c.untilRetry()
		c.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-news:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, 0
		}
	}
}

// untilRetry is how long until one call may try the provider; a while where one does.
func (c *circuit) untilRetry() time.Duration {
	if wait := time.Unix(0, c.retryAt.Load()).Sub(c.now()); wait > 0 {
		return wait + time.Millisecond // it says so a moment late rather than early
	}
	return time.Second
}

// first reports whether no older job of its lane is here. mu is held.
func (c *circuit) first(p *place) bool {
	i := slices.IndexFunc(c.backlog, func(other *place) bool { return other.lane == p.lane })
	return i >= 0 && c.backlog[i] == p
}

// join puts a job in its place among those that wait here. mu is held.
func (c *circuit) join(p *place) {
	c.met[p.job] = meeting{p, c.now()}
	if p.in {
		return
	}
	p.in = true
	i, _ := slices.BinarySearchFunc(c.backlog, p, (*place).before)
	c.backlog = slices.Insert(c.backlog, i, p)
	c.tell() // who was first may be so no more
}

// comeAgain takes a job from here and returns after how long it shall come again: when
// the provider has been tried, one after the other in their order. mu is held.
func (c *circuit) comeAgain(p *place) time.Duration {
	c.drop(p)
	older := 0
	for name, m := range c.met {
		switch {
		case c.now().Sub(m.seen) > forgetAfter:
			delete(c.met, name) // another node has it
		case m.before(p) < 0:
			older++
		}
	}
	return c.untilRetry() + min(apart, asksEvery/time.Duration(len(c.met)+1))*time.Duration(older)
}

// leave ends a job's part in it for now.
func (c *circuit) leave(p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drop(p); !c.away() {
		delete(c.met, p.job)
	}
	c.tell()
}

// drop takes a job from the backlog. mu is held.
func (c *circuit) drop(p *place) {
	p.in = false
	c.backlog = slices.DeleteFunc(c.backlog, func(other *place) bool { return other == p })
}

// heard notes how a call went.
func (c *circuit) heard(p *place, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if outage(err) {
		unanswered := channel.ReasonOf(err) == channel.Ambiguous
		if p.tried != n || !unanswered {
			p.tried, p.times = n, 0
		}
		if unanswered {
			p.times++
		}
	}
	c.tell()
}

// tell lets those who wait look again. mu is held.
func (c *circuit) tell() {
	if len(c.backlog) > 0 {
		close(c.news)
		c.news = make(chan struct{})
	}
}
