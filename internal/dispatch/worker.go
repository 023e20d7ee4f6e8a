package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const (
	sendTimeout = time.Minute      // of one call, with the wait for the provider's rate
	sendGrace   = 10 * time.Second // what calls on their way get when the node stops
	recordGrace = 20 * time.Second // and what writing them down gets, from the same moment

	// onTheirWay is how long a call that was begun before a round may take until it
	// is written down. Until then it is not known who was called: a false alarm is
	// corrected while it still goes out.
	onTheirWay = sendTimeout + recordGrace

	inHandWait = 5 * time.Second // before a job is looked at again that this process has

	recordTimeout = 10 * time.Second // of one try to write
	recordWait    = 50 * time.Millisecond
	maxRecordWait = 5 * time.Second
)

// pass is one pass over the unsettled targets of a job.
type pass struct {
	*Dispatcher
	job     Job
	round   announcement.Round
	circuit *circuit // nil: the channel has none
	place   *place
	log     *slog.Logger

	met atomic.Bool // another has called a target meanwhile: it has the job too

	mu     sync.Mutex
	again  bool          // some target is unsettled
	after  time.Duration // the shortest wait among those
	counts map[string]int
	broken string // where the program failed at the one target of this job
}

// work sees a job through as far as it comes now: every unsettled target is
// called, or left for the next pass.
func (d *Dispatcher) work(ctx context.Context, job Job, attempt int) Outcome {
	log := d.Log.With("announcement", job.Announcement, "round", job.Round, "channel", job.Channel, "attempt", attempt)
	if wait := d.pauses.left(job.Channel, d.Now()); wait > 0 {
		return Outcome{Again: true, After: wait}
	}
	if !d.take(job.ID()) { // the queue was away for so long that it gave the job out again
		return Outcome{Again: true, After: jitter(inHandWait)}
	}
	defer d.give(job.ID())
	r, err := d.round(ctx, job.Announcement, job.Round)
	if err != nil {
		log.WarnContext(ctx, "round not known yet", "step", "round", "reason", err.Error())
		o := Outcome{Again: true, After: backoff(attempt)}
		if attempt >= roundMost && ctx.Err() == nil {
			o.Broken = Unknown
		}
		return o
	}
	hi := min(job.Hi, r.Targets())
	settled, err := d.Tracker.Settled(ctx, job.Announcement, job.Round, job.Channel, job.Lo, hi)
	if err == nil && len(settled) != hi-job.Lo {
		err = errors.New("settled does not cover the job")
	}
	if err != nil {
		log.WarnContext(ctx, "cannot see what is settled", "step", "settled", "reason", err.Error())
		return Outcome{Again: true, After: backoff(attempt)}
	}

	p := &pass{Dispatcher: d, job: job, round: r, log: log, counts: map[string]int{},
		circuit: d.circuits[provider{job.Channel, r.Decided.Second}], place: &place{job: job.ID(), lane: job.Lane, at: r.At, lo: job.Lo}}
	func() {
		if p.circuit != nil {
			defer p.circuit.leave(p.place)
		}
		p.run(ctx, settled)
	}()
	if p.broken != "" {
		return Outcome{Again: true, After: brokenWait, Broken: Panicked, Place: p.broken}
	}
	if p.again {
		log.WarnContext(ctx, "job comes again", "step", "job", "reason", p.summary(), "after", p.after)
		return Outcome{Again: true, After: p.after}
	}
	d.tries.forget(job.ID())
	log.InfoContext(ctx, "job done", "step", "job", "reason", p.summary())
	return Outcome{}
}

// take marks a job as in the hands of this process, unless it is already.
func (d *Dispatcher) take(job string) bool {
	d.inHand.Lock()
	defer d.inHand.Unlock()
	if d.inHand.jobs[job] {
		return false
	}
	d.inHand.jobs[job] = true
	return true
}

func (d *Dispatcher) give(job string) {
	d.inHand.Lock()
	defer d.inHand.Unlock()
	delete(d.inHand.jobs, job)
}

// run starts a call for every unsettled target as soon as there is a slot, and
// waits for all of them.
func (p *pass) run(ctx context.Context, settled []bool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	// Another node may hold the same job, because the queue was away or a process stood still.
	// In two orders drawn by chance they meet soon, and then one leaves it to the other.
	for _, i := range rand.Perm(len(settled)) {
		n := p.job.Lo + i
		before := p.tries.of(p.job.ID(), n)
		if settled[i] || before.apart {
			continue
		}
		if wait := before.notBefore.Sub(p.Now()); wait > 0 {
			p.leave(wait, "waiting")
			continue
		}
		exit, ok := p.enter(ctx, n)
		if !ok {
			return
		}
		if p.met.Load() {
			exit(errNotCalled)
			p.leave(jitter(inHandWait), "another_has_it")
			return
		}
		wg.Go(func() {
			for ok {
				gone, err := p.callSafely(ctx, n)
				exit(err) // not before: the receipt is durable, or nothing was sent
				p.retire(ctx, n, gone)
				if !p.holds(ctx, n, err) {
					return
				}
				exit, ok = p.enter(ctx, n) // waits here, and not at the end of the queue
			}
		})
	}
}

// enter waits until a call of target n may begin: the provider is there, and a slot is free. exit
// must hear how it went. Where ok is false the rest of the job is left for another pass.
func (p *pass) enter(ctx context.Context, n int) (exit func(error), ok bool) {
	done := func(error) {}
	if p.circuit != nil {
		var after time.Duration
		if done, after = p.circuit.turn(ctx, p.place, n); done == nil {
			p.leave(after, "provider_away")
			return nil, false
		}
	}
	release, err := p.slots[p.job.Channel].acquire(ctx, p.job.Lane, p.job.Channel)
	if err != nil {
		done(errNotCalled)
		p.leave(0, "stopping")
		return nil, false
	}
	if wait := p.pauses.left(p.job.Channel, p.Now()); wait > 0 {
		release()
		done(errNotCalled)
		p.leave(wait, "paused")
		return nil, false
	}
	return func(err error) { release(); done(err) }, true
}

// holds reports whether a call that failed for the provider's sake is tried again in
// this pass: it waits at the circuit, or until it has been tried so often that the
// circuit would have opened. Else it is left for the next pass, so that no job is held
// for the sake of one number.
func (p *pass) holds(ctx context.Context, n int, err error) bool {
	if p.circuit == nil || !outage(err) {
		return false
	}
	next := p.tries.of(p.job.ID(), n)
	wait := next.notBefore.Sub(p.Now())
	switch {
	case ctx.Err() != nil:
	case p.circuit.away():
		return true
	case next.count < opensAfter:
		pause(ctx, wait)
		return true
	}
	p.leave(wait, string(channel.ReasonOf(err)))
	return false
}

// callSafely is call. Where the program fails at one target, that target goes on as a job
// of its own, and keeps nobody else waiting: should it fail again and again, this one
// alone is set aside.
func (p *pass) callSafely(ctx context.Context, n int) (gone []string, went error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		gone, went = nil, errNotCalled
		place := placeOf(v)
		p.log.ErrorContext(ctx, "the program failed at a call", "recipient", n, "step", "call", "reason", place)
		if p.job.Hi-p.job.Lo == 1 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.broken = place
			return
		}
		one := p.job
		one.Lo, one.Hi = n, n+1
		if err := p.Queue.Publish(ctx, []Job{one}); err != nil {
			p.log.WarnContext(ctx, "a call that failed is not in the queue yet", "recipient", n, "step", "call", "reason", err.Error())
			p.leave(brokenWait, "panicked")
			return
		}
		before := p.tries.of(p.job.ID(), n)
		before.apart = true
		p.tries.note(p.job.ID(), n, p.Now(), before)
		p.count("panicked")
	}()
	return p.call(ctx, n)
}

// call calls target n and writes down how the provider took it. It returns the
// contact points found gone, and how the call went for the circuit.
func (p *pass) call(ctx context.Context, n int) (gone []string, went error) {
	switch ok, why, err := p.Tracker.MayCall(ctx, p.round, p.job.Channel, n); {
	case err != nil && ctx.Err() != nil:
		p.leave(0, "stopping")
		return nil, errNotCalled
	case err != nil:
		if p.leave(backoff(1), "tracker") == 1 { // the others fail for the same reason
			p.log.WarnContext(ctx, "cannot see whether to call", "step", "may_call", "reason", err.Error())
		}
		return nil, errNotCalled
	case !ok && why == announcement.NeverCalled && p.Now().Sub(p.round.At) < onTheirWay:
		p.leave(max(time.Second, p.Now().Sub(p.round.At)), why)
		return nil, errNotCalled
	case !ok:
		if why == announcement.AlreadyCalled {
			p.met.Store(true)
		}
		p.count(why)
		return nil, errNotCalled
	}
	if wait := p.Tracker.Quiet(p.round, n); wait > 0 {
		p.leave(wait, "quiet_hours")
		return nil, errNotCalled
	}
	before, began := p.tries.of(p.job.ID(), n), p.Now()
	handed, err := p.send(ctx, n, before)
	if err == nil {
		p.record(ctx, n, announcement.Called{Rank: announcement.Accepted, Points: handed.Points, Doubt: before.doubts > 0})
		if handed.SID != "" {
			p.OnTaken(p.job.Channel, SendID(p.job.Announcement, p.job.Round, n), handed.SID, p.round.Decided.Second)
		}
		return handed.Retired, nil
	}
	failure := asError(err)
	next, giveUp := before.after(p.Now(), failure, p.circuit != nil)
	if next.doubts > 0 && next.doubted.IsZero() {
		next.doubted = began
	}
	if failure.Reason == channel.RateLimited {
		p.pauses.pause(p.job.Channel, next.notBefore)
	}
	if failure.Reason == channel.OptedOut {
		// The provider knows before us: without this the person would look reachable.
		if err := p.People.StopSMS(context.WithoutCancel(ctx), p.round.Target(n), true); err != nil {
			p.log.WarnContext(ctx, "opt-out not noted", "recipient", n, "step", "stop_sms", "reason", err.Error())
		}
	}
	if giveUp || errors.Is(err, errNoSender) {
		p.record(ctx, n, announcement.Called{Rank: announcement.Failed, Failure: string(failure.Reason), Doubt: next.doubts > 0})
		return failure.Retired, failure
	}
	p.tries.note(p.job.ID(), n, p.Now(), next)
	p.OnSent(p.job.Channel, announcement.Queued, string(failure.Reason))
	if p.circuit == nil || !outage(failure) { // else it may wait at the circuit
		p.leave(next.notBefore.Sub(p.Now()), string(failure.Reason))
	}
	return failure.Retired, failure
}

// send hands the message for target n to the channel, unless it cannot be of
// use, or the provider took it already. Once begun it is not cut off when ctx ends,
// within sendGrace.
func (p *pass) send(ctx context.Context, n int, before try) (channel.Handed, error) {
	to, lang, ok := p.People.ContactPoints(p.round.Target(n))
	if !ok {
		return channel.Handed{}, &channel.Error{Reason: channel.NoContactPoint}
	}
	m := p.Composer.Compose(p.round, n, lang)
	if m.Expires.IsZero() {
		m.Expires = p.round.At.Add(announcement.DefaultLife)
	}
	if !p.Now().Before(m.Expires) {
		return channel.Handed{}, &channel.Error{Reason: channel.Expired}
	}
	sender := p.senders[p.job.Channel]
	if sender == nil {
		// settled at once so that somebody sees it, not queued without end
		return channel.Handed{}, errNoSender
	}
	ctx, stop := outlive(ctx, sendGrace)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if witness, ok := sender.(channel.Witness); ok && before.doubts > 0 {
		if handed, took, err := witness.Took(ctx, to, m, before.doubted); took || err != nil {
			return handed, asked(err)
		}
	}
	return sender.Send(ctx, SendID(p.job.Announcement, p.job.Round, n), to, m)
}

// asked is how a question failed: nothing was sent by it, so that nothing more is in
// doubt than was.
func asked(err error) error {
	if channel.ReasonOf(err) != channel.Ambiguous {
		return err
	}
	return &channel.Error{Reason: channel.Temporary, Err: err}
}

// errNoSender fails a call on a channel that this installation does not have.
var errNoSender = &channel.Error{Reason: channel.Misconfigured, Err: errors.New("channel is not set up")}

// asError returns err as the typed error that every Sender promises; one without
// a type is temporary, as channel.ReasonOf says.
func asError(err error) *channel.Error {
	var e *channel.Error
	if !errors.As(err, &e) {
		e = &channel.Error{Reason: channel.ReasonOf(err), Err: err}
	}
	return e
}

// record writes the receipt of a call, as often as it takes: the slot is not
// free until it is durable. When ctx has ended it gives up after recordGrace,
// and the call will be repeated.
func (p *pass) record(ctx context.Context, n int, c announcement.Called) {
	c.Round, c.Channel, c.Number = p.job.Round, p.job.Channel, n
	if p.round.Version > 1 {
		c.Version = p.round.Version
	}
	fact := announcement.Fact{
		Announcement: p.job.Announcement,
		Kind:         announcement.KindCalled,
		At:           p.Now().UTC(),
		Actor:        announcement.ByNetwork,
		Called:       &c,
	}
	keep, stop := outlive(ctx, recordGrace)
	defer stop()
	for wait := recordWait; ; wait = min(2*wait, maxRecordWait) {
		write, cancel := context.WithTimeout(keep, recordTimeout)
		_, err := p.Ledger.Append(write, fact)
		cancel()
		if err == nil {
			p.OnSent(p.job.Channel, c.Rank, c.Failure)
			p.count(strings.TrimSpace(c.Rank.String() + " " + c.Failure))
			return
		}
		if keep.Err() != nil {
			p.log.ErrorContext(ctx, "receipt not written, the person will be called again", "recipient", n, "step", "record", "reason", err.Error())
			p.leave(0, "unrecorded")
			return
		}
		p.log.WarnContext(ctx, "receipt not written, trying again", "recipient", n, "step", "record", "reason", err.Error())
		pause(keep, wait)
	}
}

// retire tells the directory which contact points are gone. If that fails the
// next call finds them gone again.
func (p *pass) retire(ctx context.Context, n int, gone []string) {
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil { // the call itself is written down
			p.log.ErrorContext(ctx, "contact points not retired", "recipient", n, "step", "retire", "reason", placeOf(v))
		}
	}()
	if err := p.People.Retire(ctx, p.round.Target(n), gone); err != nil {
		p.log.WarnContext(ctx, "contact points not retired", "recipient", n, "step", "retire", "reason", err.Error())
	}
}

// leave leaves a target, or the rest of the job, for a pass after wait. It returns how
// many were left for the same reason.
func (p *pass) leave(wait time.Duration, why string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait = max(0, wait); !p.again || wait < p.after {
		p.after = wait
	}
	p.again = true
	p.counts[why]++
	return p.counts[why]
}

func (p *pass) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[what]++
}

// summary says how many targets ended how, for the log.
func (p *pass) summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.counts)
}

// outlive returns a context that ends grace after ctx does, not with it.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		pause(longer, grace)
		cancel()
	})
	return longer, func() { stop(); cancel() }
}
