package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/ledger"
)

const (
	// DefaultInFlight is how many calls are on their way at most, and so how many
	// a crash repeats at most.
	DefaultInFlight = 32

	// jobsAtOnce is how many jobs of a channel and lane a node works on at once.
	// The calls of one job already overlap; a few jobs let a second announcement
	// pass one whose provider is slow.
	jobsAtOnce = 4

	// roundTries and roundWait bound how long planning waits for the tracker to
	// learn of a round that the ledger already has, before it is given again.
	roundTries = 20
	roundWait  = 50 * time.Millisecond
)

// Options configures New. Ledger, Queue, Tracker, People and Composer must be set.
type Options struct {
	Ledger   ledger.Ledger
	Queue    Queue
	Tracker  Tracker
	People   People
	Composer Composer
	Senders  []channel.Sender // one per channel; a channel without one fails as misconfigured
	InFlight int              // calls on their way at most; 0 is DefaultInFlight

	// PushInFlight gives web pushes a bound of their own: one that comes again after
	// a crash replaces the first on the phone. 0: they count with the others.
	PushInFlight int

	Now func() time.Time
	Log *slog.Logger

	// OnSent hears of every call for metrics: how the provider took it, and the
	// reason if it did not; rank is Queued when it is tried again. May be nil.
	OnSent func(c announcement.Channel, rank announcement.Rank, reason string)

	// OnTaken hears what the provider calls a message that it took, and to which call
	// it belongs. May be nil.
	OnTaken func(c announcement.Channel, sendID, sid string, second bool)

	// OnAway hears when the provider of a channel goes down, and when it is back. It
	// must not block, nor ask Away. May be nil.
	OnAway func(c announcement.Channel, away bool)
}

// Dispatcher plans rounds into jobs and works on them.
type Dispatcher struct {
	Options
	senders map[announcement.Channel]channel.Sender
	slots   map[announcement.Channel]*slots
	tries   *tries
	pauses  *pauses
	inHand  struct { // jobs that this process works on
		sync.Mutex
		jobs map[string]bool
	}

	// circuits are of the senders with one provider, the second SMS provider apart.
	circuits map[provider]*circuit
}

// provider is who takes the calls of a channel.
type provider struct {
	channel announcement.Channel
	second  bool
}

// New returns a dispatcher; Run starts it.
func New(o Options) *Dispatcher {
	if o.InFlight <= 0 {
		o.InFlight = DefaultInFlight
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnSent == nil {
		o.OnSent = func(announcement.Channel, announcement.Rank, string) {}
	}
	if o.OnTaken == nil {
		o.OnTaken = func(announcement.Channel, string, string, bool) {}
	}
	if o.OnAway == nil {
		o.OnAway = func(announcement.Channel, bool) {}
	}
	d := &Dispatcher{
		Options:  o,
		senders:  map[announcement.Channel]channel.Sender{},
		slots:    map[announcement.Channel]*slots{},
		tries:    newTries(),
		pauses:   newPauses(),
		circuits: map[provider]*circuit{},
	}
	d.inHand.jobs = map[string]bool{}
	for _, s := range o.Senders {
		c := s.Channel()
		d.senders[c] = s
		if _, ok := s.(channel.Witness); ok {
			for _, second := range []bool{false, true} {
				d.circuits[provider{c, second}] = newCircuit(o.Now, func(away bool) { d.turned(c, second, away) })
			}
		}
	}
	together := announcement.Channels
	if o.PushInFlight > 0 {
		d.slots[announcement.WebPush] = newSlots(o.PushInFlight, []announcement.Channel{announcement.WebPush})
		together = slices.DeleteFunc(slices.Clone(together), func(c announcement.Channel) bool { return c == announcement.WebPush })
	}
	shared := newSlots(o.InFlight, together)
	for _, c := range together {
		d.slots[c] = shared
	}
	return d
}

// turned notes that a provider went down, or is back.
func (d *Dispatcher) turned(c announcement.Channel, second, away bool) {
	if away {
		d.Log.Warn("the provider is down: calls wait, and none of them fails", "step", "circuit", "channel", c, "second", second)
	} else {
		d.Log.Info("the provider is back: what waited goes out, the oldest first", "step", "circuit", "channel", c, "second", second)
	}
	d.OnAway(c, away)
}

// Away reports whether calls of a channel wait for its provider on this node.
func (d *Dispatcher) Away(c announcement.Channel) bool {
	return slices.ContainsFunc([]bool{false, true}, func(second bool) bool {
		k := d.circuits[provider{c, second}]
		return k != nil && k.away()
	})
}

// Run plans and works until ctx ends. Then it starts no more calls, writes down
// those that are on their way, gives the rest back to the queue, and returns.
func (d *Dispatcher) Run(ctx context.Context) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		return d.Ledger.Share(running, "dispatch", []announcement.Kind{announcement.KindCommitted, announcement.KindDecided, announcement.KindJoined}, d.plan)
	})
	for _, c := range announcement.Channels {
		g.Go(func() error { return d.Queue.Work(running, c, jobsAtOnce, d.work) })
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	return nil
}

// plan publishes the jobs of every round that the record decided. It may run
// twice for the same record: the jobs have the same names.
func (d *Dispatcher) plan(ctx context.Context, rec ledger.Record) error {
	for i, f := range rec.Facts {
		var round int64
		lo, hi := 0, -1
		switch {
		case f.Committed != nil: // round 0, the announcement itself
		case f.Joined != nil: // round 0 for those who joined
			var err error
			if lo, hi, err = d.joined(ctx, rec, i); err != nil {
				return fmt.Errorf("plan round: %w", err)
			}
		case f.Decided != nil:
			round = f.Decided.Round
		default:
			continue
		}
		r, err := d.round(ctx, rec.Announcement, round)
		if err != nil {
			return fmt.Errorf("plan round: %w", err)
		}
		if hi < 0 {
			hi = r.Targets()
			if f.Committed != nil {
				hi = f.Committed.Recipients // whoever joined since has jobs of their own
			}
		}
		if err := d.Queue.Publish(ctx, jobsOf(r, lo, hi)); err != nil {
			return fmt.Errorf("plan round: %w", err)
		}
		d.Log.InfoContext(ctx, "round planned", "announcement", rec.Announcement, "step", r.Decided.Step, "round", round, "targets", hi-lo)
	}
	return nil
}

// Again publishes the jobs of a round that have one of these targets once more, after
// they were lost. Whoever was called is not called again.
func (d *Dispatcher) Again(ctx context.Context, id announcement.ID, round int64, c announcement.Channel, targets []int) error {
	r, err := d.round(ctx, id, round)
	if err != nil {
		return fmt.Errorf("publish lost jobs: %w", err)
	}
	jobs := slices.DeleteFunc(jobsOf(r, 0, r.Targets()), func(j Job) bool {
		return j.Channel != c || !slices.ContainsFunc(targets, func(n int) bool { return n >= j.Lo && n < j.Hi })
	})
	if err := d.Queue.Publish(ctx, jobs); err != nil {
		return fmt.Errorf("publish lost jobs: %w", err)
	}
	d.Log.WarnContext(ctx, "calls that were in no queue are put there again", "announcement", id, "round", round, "channel", c, "targets", len(targets))
	return nil
}

// round asks the tracker for a round that is in the ledger, a few times: the
// tracker follows the same ledger and may be a moment behind.
func (d *Dispatcher) round(ctx context.Context, id announcement.ID, n int64) (announcement.Round, error) {
	for try := 1; ; try++ {
		r, err := d.Tracker.Round(ctx, id, n)
		if err == nil || try == roundTries || ctx.Err() != nil {
			return r, err
		}
		pause(ctx, roundWait)
	}
}

// joined asks the tracker whom a fact that is in the ledger added, as round does.
func (d *Dispatcher) joined(ctx context.Context, rec ledger.Record, i int) (lo, hi int, err error) {
	for try := 1; ; try++ {
		lo, hi, ok := d.Tracker.Joined(rec.Announcement, rec.Seq, i)
		switch {
		case ok:
			return lo, hi, nil
		case try == roundTries || ctx.Err() != nil:
			return 0, 0, errors.New("whoever joined is not known yet")
		}
		pause(ctx, roundWait)
	}
}

// jobsOf splits the targets [from, to) of a round into jobs of at most JobSize, a
// channel each.
func jobsOf(r announcement.Round, from, to int) []Job {
	channels := r.Decided.Channels
	if len(channels) == 0 {
		channels = r.Announcement.Channels
	}
	var jobs []Job
	for lo := from; lo < to; lo += JobSize {
		for _, c := range announcement.Channels { // in this order: push before SMS
			if slices.Contains(channels, c) {
				jobs = append(jobs, Job{
					Announcement: r.Announcement.ID,
					Round:        r.Decided.Round,
					Channel:      c,
					Lane:         laneOf(r),
					Lo:           lo,
					Hi:           min(lo+JobSize, to),
				})
			}
		}
	}
	return jobs
}

// laneOf returns the lane of a round: the announcement's, except that a real
// call for help is an emergency whatever the announcement was about.
func laneOf(r announcement.Round) announcement.Lane {
	if r.Decided.Message == announcement.SayHelp && r.Announcement.Mode == announcement.Live {
		return announcement.Emergency
	}
	return r.Announcement.Lane()
}

// SendID names one call in a provider's callback.
func SendID(id announcement.ID, round int64, number int) string {
	return fmt.Sprintf("%s.%d.%d", id, round, number)
}

// ParseSendID is the inverse of SendID.
func ParseSendID(s string) (id announcement.ID, round int64, number int, err error) {
	if n, scanErr := fmt.Sscanf(s, "%16s.%d.%d", &id, &round, &number); scanErr != nil || n != 3 || !id.Valid() || round < 0 || number < 0 || SendID(id, round, number) != s {
		return "", 0, 0, errors.New("not a send id")
	}
	return id, round, number, nil
}
