package app

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
)

// What is traced stands around the interfaces of the other packages, which know
// nothing of it: the ledger sees every fact, the queue every job, a sender every call.

// tracedLedger tells of what is written.
type tracedLedger struct {
	ledger.Ledger
	*traces
}

func (l tracedLedger) Accept(ctx context.Context, facts []announcement.Fact) (uint64, error) {
	start := l.now()
	seq, err := l.Ledger.Accept(ctx, facts)
	if len(facts) == 0 {
		return seq, err
	}
	id := facts[0].Announcement
	s := span{id: id, name: spanAccept, own: causeOf(id, 0), start: start}
	if err != nil { // it is tried again, and only one that goes through begins the trace
		s.own, s.parent, s.fault = trace.SpanID{}, causeOf(id, 0), "not_recorded"
	}
	var about []attribute.KeyValue
	if a := facts[0].Announced; a != nil {
		about = append(about, attribute.String("kentongan.mode", string(a.Mode)), attribute.String("kentongan.lane", string(a.Lane())))
	}
	if c := facts[len(facts)-1].Committed; c != nil {
		about = append(about, attribute.Int("kentongan.recipients", c.Recipients))
	}
	l.tell(s, about...)
	return seq, err
}

func (l tracedLedger) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	start := l.now()
	seq, err := l.Ledger.Append(ctx, facts...)
	for _, f := range facts {
		l.written(ctx, start, f, err)
	}
	return seq, err
}

func (l tracedLedger) Once(ctx context.Context, key string, f announcement.Fact) (uint64, error) {
	start := l.now()
	seq, err := l.Ledger.Once(ctx, key, f)
	if !errors.Is(err, ledger.ErrAlready) { // else whoever was first tells of it
		l.written(ctx, start, f, err)
	}
	return seq, err
}

// written tells of a fact: what somebody asked of us from the moment of the request on.
func (l tracedLedger) written(ctx context.Context, start time.Time, f announcement.Fact, err error) {
	s := span{id: f.Announcement, parent: causeOf(f.Announcement, 0), start: start}
	if err != nil {
		s.fault = "not_recorded"
	}
	var about []attribute.KeyValue
	if on, ok := ctx.Value(visitKey{}).(*visit); ok {
		s.start = on.start
		about = append(about, attribute.String("http.route", on.request.Pattern)) // the pattern: the path may hold a token
	}
	switch {
	case f.Called != nil:
		if job, ok := ctx.Value(tallyKey{}).(*tally); ok && err == nil {
			job.note(strings.TrimSpace(f.Called.Rank.String() + " " + f.Called.Failure))
		}
	case f.Receipt != nil:
		s.name = "receipt"
		l.tellOne(s, append(about, attribute.String("kentongan.channel", string(f.Receipt.Channel)), attribute.String("kentongan.rank", f.Receipt.Rank.String()))...)
	case f.Answered != nil: // not what they said
		s.name = "answer"
		l.tellOne(s, append(about, attribute.String("kentongan.way", string(f.Answered.Via)))...)
	case f.Vouched != nil:
		s.name = "vouch"
		l.tellOne(s, about...)
	case f.Decided != nil:
		s.name = spanDecide
		if err == nil {
			s.own = causeOf(f.Announcement, f.Decided.Round)
		}
		l.tell(s, append(about, by(f.Actor), attribute.Int64("kentongan.round", f.Decided.Round), attribute.Int("kentongan.step", f.Decided.Step),
			attribute.String("kentongan.message", string(f.Decided.Message)), attribute.Int("kentongan.targets", len(f.Decided.To)))...)
	case f.Closed != nil:
		s.name = "close"
		l.tell(s, append(about, by(f.Actor), attribute.String("kentongan.as", string(f.Closed.As)))...)
	}
}

// by tells of what kind an actor is, not who.
func by(a announcement.Actor) attribute.KeyValue {
	kind, _, _ := strings.Cut(string(a), ":")
	return attribute.String("kentongan.by", kind)
}

type visitKey struct{}

// visit is a request that is being answered.
type visit struct {
	start   time.Time
	request *http.Request // its Pattern is set on the way to its handler
}

// requests lets the ledger know by which route something came. A nil t changes nothing.
func (t *traces) requests(handler http.Handler) http.Handler {
	if t == nil {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{start: t.now()}
		v.request = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		handler.ServeHTTP(w, v.request)
	})
}

// tracedQueue tells of what is planned, and how each job went.
type tracedQueue struct {
	dispatch.Queue
	*traces
}

func (q tracedQueue) Publish(ctx context.Context, jobs []dispatch.Job) error {
	start := q.now()
	err := q.Queue.Publish(ctx, jobs)
	if len(jobs) == 0 {
		return err
	}
	first, last := jobs[0], jobs[len(jobs)-1]
	s := span{id: first.Announcement, name: spanPlan, parent: causeOf(first.Announcement, first.Round), start: start}
	if err != nil {
		s.fault = "not_queued"
	} else if first.Lo == 0 { // those who join later have jobs of their own
		s.own = spanOf(first.Announcement, spanPlan, first.Round)
	}
	q.tell(s, attribute.Int64("kentongan.round", first.Round), attribute.String("kentongan.lane", string(first.Lane)), attribute.Int("kentongan.jobs", len(jobs)),
		attribute.Int("kentongan.lo", first.Lo), attribute.Int("kentongan.hi", last.Hi))
	return err
}

func (q tracedQueue) Work(ctx context.Context, c announcement.Channel, parallel int, fn func(context.Context, dispatch.Job, int) dispatch.Outcome) error {
	return q.Queue.Work(ctx, c, parallel, func(ctx context.Context, job dispatch.Job, attempt int) dispatch.Outcome {
		out := q.begin(span{id: job.Announcement, name: "job", parent: spanOf(job.Announcement, spanPlan, job.Round), start: q.now()},
			attribute.Int64("kentongan.round", job.Round), attribute.String("kentongan.channel", string(job.Channel)), attribute.String("kentongan.lane", string(job.Lane)),
			attribute.Int("kentongan.lo", job.Lo), attribute.Int("kentongan.hi", job.Hi), attribute.Int("kentongan.attempt", attempt))
		t := &tally{id: job.Announcement, span: out.SpanContext().SpanID(), counts: map[string]int{}}
		outcome := fn(context.WithValue(ctx, tallyKey{}, t), job, attempt)
		out.SetAttributes(t.attributes()...)
		if outcome.Again {
			out.SetAttributes(attribute.String("kentongan.outcome", "again"), attribute.Int64("kentongan.after_ms", outcome.After.Milliseconds()))
		} else {
			out.SetAttributes(attribute.String("kentongan.outcome", "done"))
		}
		q.end(out, "")
		return outcome
	})
}

type tallyKey struct{}

// tally counts what a job does, so that 5,000 people are no 5,000 spans.
type tally struct {
	id   announcement.ID
	span trace.SpanID

	mu      sync.Mutex
	counts  map[string]int // receipts, by how the provider took the call
	calls   int
	failed  int
	slowest time.Duration
}

func (t *tally) note(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// called counts a call of a provider, and says whether it is one to tell of.
func (t *tally) called(took time.Duration, err error) (nth int, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	t.slowest = max(t.slowest, took)
	if err != nil {
		t.failed++
	}
	return t.calls, t.calls%tracedEach == 1 || err != nil && t.failed == 1
}

func (t *tally) attributes() []attribute.KeyValue {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []attribute.KeyValue{attribute.Int("kentongan.calls", t.calls), attribute.Int("kentongan.calls_failed", t.failed), attribute.Int64("kentongan.slowest_ms", t.slowest.Milliseconds())}
	for what, n := range t.counts {
		out = append(out, attribute.Int("kentongan.called."+strings.ReplaceAll(what, " ", "."), n))
	}
	return out
}

// tracedSender counts the calls of a job, and tells of some.
type tracedSender struct {
	channel.Sender
	*traces
}

// sender returns s, traced; what it can be asked it can be asked still. A nil t
// changes nothing.
func (t *traces) sender(s channel.Sender) channel.Sender {
	if t == nil {
		return s
	}
	if witness, ok := s.(channel.Witness); ok {
		return struct {
			tracedSender
			asked
		}{tracedSender{s, t}, asked{witness}}
	}
	return tracedSender{s, t}
}

func (s tracedSender) Send(ctx context.Context, sendID string, to announcement.ContactPoints, message announcement.Message) (channel.Handed, error) {
	start := s.now()
	handed, err := s.Sender.Send(ctx, sendID, to, message)
	job, ok := ctx.Value(tallyKey{}).(*tally)
	if !ok || err != nil && channel.ReasonOf(err) == channel.NoContactPoint { // somebody tries a channel out, or there is nobody to call
		return handed, err
	}
	if nth, tell := job.called(s.now().Sub(start), err); tell {
		fault := ""
		if err != nil {
			fault = cmp.Or(string(channel.ReasonOf(err)), "failed")
		}
		s.tell(span{id: job.id, name: "send", parent: job.span, start: start, fault: fault}, attribute.String("kentongan.channel", string(s.Channel())), attribute.Int("kentongan.nth", nth))
	}
	return handed, err
}
