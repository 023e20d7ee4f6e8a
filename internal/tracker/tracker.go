// Package tracker keeps who has confirmed and who has not, and decides who must
// be called next, until everyone is accounted for.
//
// # Guarantees
//
// The working state is a fold of the ledger and may be emptied at any moment:
// that is noticed at the next record, read or tick, and the state is rebuilt.
// Nobody is called while it is behind the ledger. No step is taken early, and
// each is decided once, whatever number of nodes runs.
//
// # Decisions
//
// Every node follows the ledger from its beginning, because texts and rosters
// are kept in memory; the store ignores what it has already applied. Records
// hold up to 500 facts, so a million facts are a few thousand records. Revisit
// when a ledger has grown so large that a start takes more than a minute.
//
// Positions are chained per announcement: each Apply names the record before
// it, so that a gap cannot pass unseen.
//
// A timer in the store is a hint of when to look, leased so that nodes take
// turns; what is due follows from the ledger alone, and the ledger lets one
// decision win.
package tracker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// Options say what a Tracker works with. Ledger and Store must be set.
type Options struct {
	Ledger    ledger.Ledger
	Store     Store
	Now       func() time.Time
	Log       *slog.Logger
	Active    func(announcement.PersonID) bool // still employed; nil: everybody
	Left      func(announcement.PersonID) bool // known to have left; nil: nobody. Somebody unknown has not left
	Reachable func(announcement.PersonID) bool // has a contact point; nil: everybody
	// Who is to join an open announcement with a living audience: those of its audience
	// who are not known as recipients yet. nil: nobody.
	Joining func(a *announcement.Announcement, known func(announcement.PersonID) bool) []announcement.Joiner
	// Above returns who leads somebody now, the nearest first. nil: as when it was sent.
	Above func(announcement.PersonID) []announcement.PersonID
	Zone  func(announcement.PersonID) string // by which somebody lives; nil or "": the announcement's
	// StandIn reports who is away, and who answers for their people meanwhile. nil: nobody is.
	StandIn func(announcement.PersonID) (by announcement.PersonID, away bool)
	// Senders are the people who may send, but whoever has just sent. nil: nobody.
	Senders  func(by announcement.Actor) []announcement.PersonID
	OnRecord func(ledger.Record) // after it was applied
	Node     string              // in logs
	Tick     time.Duration       // how often timers are looked at; default 500 ms
}

// lease is how long a node has for a step before another takes over.
const lease = 15 * time.Second

// keptFor is how long closed announcements are listed for the people they concern.
const keptFor = 30 * 24 * time.Hour

// Tracker follows the ledger. Safe for concurrent use.
type Tracker struct {
	o Options

	mu      sync.RWMutex
	entries map[announcement.ID]*entry
	order   []announcement.ID                 // oldest first, committed ones
	places  map[announcement.PersonID][]Place // oldest first
	seq     uint64                            // followed and applied
	moved   chan struct{}                     // closed and replaced when seq moves
	ready   bool                              // caught up once

	progress progress

	written atomic.Int64 // facts of its own
	asking  sync.Mutex   // held by the one question for the end of the ledger
	endMu   sync.Mutex   // guards toAsk
	toAsk   *inquiry     // the next question, which has not begun

	telling sync.Mutex                     // guards what follows; whoever tells of a change may hold locks of the directory
	changed map[announcement.PersonID]bool // people about whom something changed since it was last looked
	resolve bool                           // something else changed that decides who belongs to an audience
	alarm   string                         // why nothing escalates
	fault   error                          // the last failure of following, nil when it goes on
}

// New returns a Tracker; Run makes it work.
func New(o Options) *Tracker {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Tick = cmp.Or(o.Tick, 500*time.Millisecond)
	everybody := func(announcement.PersonID) bool { return true }
	if o.Active == nil {
		o.Active = everybody
	}
	if o.Left == nil {
		o.Left = func(announcement.PersonID) bool { return false }
	}
	if o.Reachable == nil {
		o.Reachable = everybody
	}
	if o.Zone == nil {
		o.Zone = func(announcement.PersonID) string { return "" }
	}
	return &Tracker{o: o, entries: map[announcement.ID]*entry{}, places: map[announcement.PersonID][]Place{}, moved: make(chan struct{}),
		changed: map[announcement.PersonID]bool{}}
}

// Run follows the ledger and escalates until ctx ends.
func (t *Tracker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.keepOn(ctx, "follow", t.follow) })
	g.Go(func() error { return t.keepOn(ctx, "react", t.react) })
	g.Go(func() error { return t.tick(ctx) })
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// keepOn repeats work that failed, after a pause, until ctx ends: a store that
// is away for a while must not end the watch.
func (t *Tracker) keepOn(ctx context.Context, what string, work func(context.Context) error) error {
	for {
		err := work(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.mu.Lock()
		t.fault = err
		t.mu.Unlock()
		t.o.Log.Error("tracker interrupted; trying again", "reason", err, "step", what)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// follow applies records from where this node stands.
func (t *Tracker) follow(ctx context.Context) error {
	if err := t.checkEpoch(ctx); err != nil {
		return err
	}
	t.mu.RLock()
	after := t.seq
	t.mu.RUnlock()
	last, err := t.o.Ledger.Last(ctx)
	if err != nil {
		return err
	}
	now := &reading{}
	if after < last {
		now = t.beginReading("", last)
		defer t.endReading(now)
	}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	read := make(chan ledger.Record, ledger.MaxPack)
	var applying sync.WaitGroup
	applying.Go(func() {
		if err := t.applyRead(run, read, now); err != nil {
			stop(err)
		}
	})
	err = t.o.Ledger.Follow(run, after, func(r ledger.Record) error {
		select {
		case read <- r:
			return nil
		case <-run.Done():
			return context.Cause(run)
		}
	})
	close(read)
	applying.Wait()
	if cause := context.Cause(run); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// applyRead applies what is read: as many facts at a time as a full record has, if so many
// wait. An answer by SMS, and what a network says of it, is a record of its own, and each
// would be a round trip: a node that is behind would stay behind.
func (t *Tracker) applyRead(ctx context.Context, read <-chan ledger.Record, now *reading) error {
	var waiting []ledger.Record
	facts := 0
	apply := func() error {
		if len(waiting) == 0 {
			return nil
		}
		if err := t.take(ctx, waiting); err != nil {
			return err
		}
		for _, r := range waiting {
			t.hasRead(now, r)
		}
		waiting, facts = nil, 0
		return nil
	}
	for r := range read {
		if len(waiting) > 0 && (waiting[0].Announcement != r.Announcement || facts+len(r.Facts) > ledger.MaxPack || len(waiting) == ledger.MaxPack) {
			if err := apply(); err != nil {
				return err
			}
		}
		waiting, facts = append(waiting, r), facts+len(r.Facts)
		if len(read) > 0 {
			continue
		}
		if err := apply(); err != nil {
			return err
		}
	}
	return nil
}

// checkEpoch compares the ledger with the one that the store has seen: a ledger
// that was lost must raise an alarm, not an empty board.
func (t *Tracker) checkEpoch(ctx context.Context) error {
	epoch, err := t.o.Ledger.Epoch(ctx)
	if err != nil {
		return err
	}
	last, err := t.o.Ledger.Last(ctx)
	if err != nil {
		return err
	}
	seen, seq, err := t.o.Store.Cursor(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.alarm = ""
	switch {
	case seen != "" && seen != epoch:
		t.alarm = "this is another ledger than the working state knows: restore the ledger, or empty Redis if it is meant to be new"
	case seq > last:
		t.alarm = "the ledger is shorter than it was: restore it, or empty Redis if that is meant"
	}
	return nil
}

// take folds records of one announcement, in their order, into memory and the store.
func (t *Tracker) take(ctx context.Context, records []ledger.Record) error {
	id, last := records[0].Announcement, records[len(records)-1].Seq
	t.mu.Lock()
	if last <= t.seq {
		t.mu.Unlock()
		return nil
	}
	if id == announcement.House { // the audit trail: nobody is called for it, and it is not kept in memory
		t.seq, t.fault = last, nil
		close(t.moved)
		t.moved = make(chan struct{})
		t.mu.Unlock()
		return nil
	}
	e := t.entries[id]
	if e == nil {
		e = &entry{}
		t.entries[id] = e
	}
	t.mu.Unlock()

	e.work.Lock()
	defer e.work.Unlock()
	t.mu.Lock()
	prev := e.applied
	var changes []Change
	for _, r := range records {
		if r.Seq > e.seq { // else it comes again because the store failed
			was, listed := e.committed(), 0
			if was {
				listed = len(e.Roster.Recipients)
			}
			e.fold(r)
			if e.committed() {
				t.list(id, e, was, listed)
			}
		}
		changes = append(changes, Change{r.Seq, e.ops(r)})
	}
	t.mu.Unlock()

	err := t.o.Store.Apply(ctx, id, prev, changes)
	if errors.Is(err, ErrLost) {
		err = t.replay(ctx, id, e)
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	e.applied, t.seq, t.fault = last, last, nil
	close(t.moved)
	t.moved = make(chan struct{})
	t.mu.Unlock()
	if t.o.OnRecord != nil {
		for _, r := range records {
			t.o.OnRecord(r)
		}
	}
	return nil
}

// list makes a committed announcement visible, and who joined it since. t.mu is held.
func (t *Tracker) list(id announcement.ID, e *entry, already bool, listed int) {
	if !already {
		t.order = append(t.order, id)
	}
	for n, r := range e.Roster.Recipients[listed:] {
		t.places[r.Person] = append(t.places[r.Person], Place{ID: id, Number: listed + n})
	}
}

// replay rebuilds the working state of one announcement from the ledger, up to
// where this node has followed. e.work is held.
func (t *Tracker) replay(ctx context.Context, id announcement.ID, e *entry) error {
	t.o.Log.Warn("rebuilding working state", "announcement", id, "reason", ErrLost)
	t.mu.RLock()
	upTo := e.seq
	t.mu.RUnlock()
	var stood uint64
	for range 100 { // emptied again and again while we rebuild: give up and come back later
		now := t.beginReading(id, upTo)
		err := t.fold(ctx, id, e, upTo, t.o.Store, func(r ledger.Record) { t.hasRead(now, r) })
		t.endReading(now)
		if !errors.Is(err, ErrLost) {
			return err
		}
		// It was emptied again, or another node begins anew; or the position there belongs to
		// no record of ours, and then nobody moves it. Only that is removed: what another
		// node has folded meanwhile is as good as ours, and two would undo each other's work.
		there, err := t.o.Store.Look(ctx, id, nil, nil)
		if err != nil {
			return err
		}
		if there.Applied > 0 && there.Applied == stood {
			if err := t.o.Store.Forget(ctx, id); err != nil {
				return err
			}
		}
		stood = there.Applied
	}
	return fmt.Errorf("rebuild %s: %w", id, ErrLost)
}

// fold applies an announcement's records up to a position to a store; applied hears of each.
func (t *Tracker) fold(ctx context.Context, id announcement.ID, e *entry, upTo uint64, into Store, applied func(ledger.Record)) error {
	var prev uint64
	var changes []Change
	var waiting []ledger.Record
	size := 0               // how many ops
	apply := func() error { // many facts at a time, as follow does
		if err := into.Apply(ctx, id, prev, changes); err != nil {
			return err
		}
		for _, r := range waiting {
			applied(r)
		}
		prev, changes, waiting, size = changes[len(changes)-1].Seq, nil, nil, 0
		return nil
	}
	err := t.o.Ledger.Read(ctx, id, func(r ledger.Record) error {
		if r.Seq > upTo {
			return nil
		}
		t.mu.RLock()
		ops := e.ops(r)
		t.mu.RUnlock()
		changes, waiting, size = append(changes, Change{r.Seq, ops}), append(waiting, r), size+len(ops)
		if size < ledger.MaxPack && len(waiting) < ledger.MaxPack {
			return nil
		}
		return apply()
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	return apply()
}

// CatchUp waits until everything that is in the ledger at the time of the call
// is reflected here. Run must be running.
func (t *Tracker) CatchUp(ctx context.Context) error {
	last, err := t.end(ctx)
	if err != nil {
		return fmt.Errorf("ask the ledger for its end: %w", err)
	}
	if err := t.Reach(ctx, last); err != nil {
		return err
	}
	t.mu.Lock()
	t.ready = true
	t.mu.Unlock()
	return nil
}

// inquiry is one question for the end of the ledger, asked for everybody who wanted to know
// before it was asked.
type inquiry struct {
	done chan struct{}
	last uint64
	err  error
}

// end asks the ledger for its end, one question at a time: each answer of thousands asks,
// and a server that has much to do would answer the last of them after seconds.
func (t *Tracker) end(ctx context.Context) (uint64, error) {
	t.endMu.Lock()
	q := t.toAsk
	if q == nil {
		q = &inquiry{done: make(chan struct{})}
		t.toAsk = q
		go t.inquire(q) //nolint:gosec // for everybody who asks, whoever of them goes first
	}
	t.endMu.Unlock()
	select {
	case <-q.done:
		return q.last, q.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (t *Tracker) inquire(q *inquiry) {
	t.asking.Lock()
	defer t.asking.Unlock()
	t.endMu.Lock()
	t.toAsk = nil // who comes from here on may have written something since
	t.endMu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	q.last, q.err = t.o.Ledger.Last(ctx)
	close(q.done)
}

// askLimit bounds one question for the end of the ledger.
const askLimit = 5 * time.Second

// Reach waits until the record at seq is reflected here: what was just written
// is waited for without asking the ledger.
func (t *Tracker) Reach(ctx context.Context, seq uint64) error {
	for {
		t.mu.RLock()
		there, moved := t.seq, t.moved
		t.mu.RUnlock()
		if there >= seq {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("catch up with the ledger: %w", ctx.Err())
		case <-moved:
		}
	}
}

// Ready reports whether the tracker reflects the ledger and may escalate, and
// if not, what to do.
func (t *Tracker) Ready() (bool, string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch {
	case t.alarm != "":
		return false, t.alarm
	case t.fault != nil:
		return false, "the working state cannot be reached: check Redis and NATS; nothing is lost, and it goes on by itself"
	case !t.ready:
		hint := "still reading the ledger"
		if far := t.Rebuilding(); far != "" {
			hint += ": " + far
		}
		return false, hint
	}
	return true, ""
}

// Begun reports whether this node has read the ledger to its end once. From then
// on it knows who was asked what, whatever becomes of the working state.
func (t *Tracker) Begun() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ready
}

// IDs returns every announcement, newest first.
func (t *Tracker) IDs() []announcement.ID {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ids := slices.Clone(t.order)
	slices.Reverse(ids)
	return ids
}

// View returns an announcement as the ledger tells it.
func (t *Tracker) View(id announcement.ID) (View, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil || !e.committed() {
		return View{}, false
	}
	v := e.View
	v.Rounds = slices.Clip(v.Rounds)
	v.RoundsAt = slices.Clip(v.RoundsAt)
	return v, true
}

// Place is a person's seat in an announcement.
type Place struct {
	ID     announcement.ID
	Number int
	Open   bool
}

// OpenFor returns the open announcements that concern a person, and those closed
// within 30 days, newest first.
func (t *Tracker) OpenFor(p announcement.PersonID) []Place { return t.placesOf(p, keptFor) }

// PlacesOf returns every announcement that asked a person, newest first.
func (t *Tracker) PlacesOf(p announcement.PersonID) []Place { return t.placesOf(p, math.MaxInt64) }

func (t *Tracker) placesOf(p announcement.PersonID, within time.Duration) []Place {
	now := t.o.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []Place
	for _, place := range slices.Backward(t.places[p]) {
		e := t.entries[place.ID]
		place.Open = e.Status == announcement.StatusOpen
		if place.Open || now.Sub(e.ClosedAt) < within {
			out = append(out, place)
		}
	}
	return out
}

// errUnknown is returned for an announcement that is not in the ledger.
var errUnknown = errors.New("no such announcement")

// known returns a committed entry and its last applied position.
func (t *Tracker) known(id announcement.ID) (*entry, View, uint64, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil || !e.committed() {
		return nil, View{}, 0, errUnknown
	}
	return e, e.View, e.applied, nil
}

// mend rebuilds the working state unless somebody here is at it already.
func (t *Tracker) mend(ctx context.Context, id announcement.ID, e *entry) (busy bool, err error) {
	if !e.work.TryLock() {
		return true, nil
	}
	defer e.work.Unlock()
	return false, t.replay(ctx, id, e)
}
