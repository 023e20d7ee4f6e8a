package tracker

import (
	"context"
	"errors"
	"strconv"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// closingRound is the round of the closing word: one per announcement, above
// every reminder that a person asks for and below every call for help.
const closingRound = int64(1) << 31

// AllClearRound is the round of an all clear that is said while those who have
// not answered are still asked: one per announcement, so that closing it later
// does not say it again.
const AllClearRound = closingRound

// sentRound is the round that tells who may send that somebody has sent: one per
// announcement.
const sentRound = closingRound + 1

// sentNews is how long it is news that an alert was sent. A node that comes back
// after a day does not wake anybody for it.
const sentNews = 10 * time.Minute

// tick looks at the timers until ctx ends.
func (t *Tracker) tick(ctx context.Context) error {
	ticker := time.NewTicker(t.o.Tick)
	defer ticker.Stop()
	for {
		if err := t.runOnce(ctx); err != nil && ctx.Err() == nil {
			t.o.Log.Error("escalation interrupted; trying again", "reason", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// runOnce notices an emptied store, sets missing timers, and evaluates what is
// due. Nothing happens before this node and the store reflect the ledger.
func (t *Tracker) runOnce(ctx context.Context) error {
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	if ok, _ := t.Ready(); !ok {
		return nil
	}
	if err := t.noteCursor(ctx); err != nil {
		return err
	}
	var errs []error
	who := t.takeChanged()
	for _, id := range t.open() {
		errs = append(errs, t.attend(ctx, id, who))
	}
	now := t.o.Now()
	due, err := t.o.Store.Due(ctx, now, now.Add(lease), 100)
	errs = append(errs, err)
	for _, id := range due {
		if err := t.evaluate(ctx, id); err != nil {
			// Whoever looks next need not wait for the lease to end.
			errs = append(errs, err, t.o.Store.Arm(ctx, id, now, false))
		}
	}
	return errors.Join(errs...)
}

func (t *Tracker) noteCursor(ctx context.Context) error {
	epoch, err := t.o.Ledger.Epoch(ctx)
	if err != nil {
		return err
	}
	t.mu.RLock()
	seq := t.seq
	t.mu.RUnlock()
	return t.o.Store.SetCursor(ctx, epoch, seq)
}

func (t *Tracker) open() []announcement.ID {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []announcement.ID
	for _, id := range t.order {
		if t.entries[id].Status == announcement.StatusOpen {
			out = append(out, id)
		}
	}
	return out
}

// attend keeps the timer of an open announcement set, and evaluates at once what
// changed: the last answer closes it.
func (t *Tracker) attend(ctx context.Context, id announcement.ID, who people) error {
	t.mu.Lock()
	e := t.entries[id]
	at, dirty, applied := e.next(), e.dirty, e.applied // before the store is asked: meanwhile it may only gain
	e.dirty = false
	e.toLook = e.toLook.and(who)
	t.mu.Unlock()
	evaluated := !dirty
	defer func() {
		if !evaluated {
			t.mu.Lock()
			e.dirty = true
			t.mu.Unlock()
		}
	}()
	if err := t.o.Store.Arm(ctx, id, at, !dirty); err != nil {
		return err
	}
	peek, err := t.o.Store.Peek(ctx, id, 0, 0, announcement.SMS)
	if err != nil {
		return err
	}
	if peek.Applied < applied {
		_, err := t.mend(ctx, id, e)
		return err
	}
	if err := t.accompany(ctx, id, e, people{}); err != nil {
		return err
	}
	if dirty {
		_, err := t.closeIfOver(ctx, id)
		evaluated = err == nil
		return err
	}
	return nil
}

// next returns when to look at an open announcement again.
func (e *entry) next() time.Time {
	at := e.expires()
	if due, _, ok := e.due(); ok && due.Before(at) {
		at = due
	}
	return at
}

// closeIfOver closes an announcement in which nobody is outstanding, or whose
// time is up.
func (t *Tracker) closeIfOver(ctx context.Context, id announcement.ID) (over bool, err error) {
	standing, err := t.Standing(ctx, id)
	if err == nil && standing.Rebuilding {
		err = ErrLost
	}
	if err != nil {
		return false, err
	}
	t.mu.RLock()
	expires, unread := t.entries[id].expires(), t.entries[id].Unread
	t.mu.RUnlock()
	as, reason := announcement.AsAccounted, "nobody_outstanding"
	// Of somebody who is counted as safe here another version may have written that they are
	// not: it closes, or a person does. Until then people are called as before.
	if standing.Counts().Outstanding() > 0 || unread > 0 {
		if t.o.Now().Before(expires) {
			return false, nil
		}
		as, reason = announcement.AsExpired, "expired"
	}
	return true, t.once(ctx, "closed", announcement.Fact{Announcement: id, Kind: announcement.KindClosed, Reason: reason,
		Closed: &announcement.Closed{As: as}})
}

// evaluate takes at most one step of an announcement. This node has just caught up.
func (t *Tracker) evaluate(ctx context.Context, id announcement.ID) error {
	t.mu.RLock()
	e := t.entries[id]
	if e == nil || !e.committed() || e.Status != announcement.StatusOpen {
		t.mu.RUnlock()
		return t.o.Store.Disarm(ctx, id)
	}
	at, next, left := e.due()
	v := e.View
	t.mu.RUnlock()
	written := t.written.Load()
	if err := t.accompany(ctx, id, e, everybody); err != nil {
		return err
	}
	if t.written.Load() != written { // else there is nothing new to wait for, and a step is late already
		if err := t.CatchUp(ctx); err != nil {
			return err
		}
	}
	if over, err := t.closeIfOver(ctx, id); over || err != nil {
		return err
	}
	if !left || t.o.Now().Before(at) {
		t.mu.RLock()
		next := e.next()
		t.mu.RUnlock()
		return t.o.Store.Arm(ctx, id, next, false)
	}
	s, err := t.situation(ctx, id)
	if err != nil {
		return err
	}
	d, reason := decide(s, &v, []run{next.run}, next.step), whyMorning
	switch {
	case d.Message == announcement.SayRevised:
		reason = whyRevised
	case next.step > 0:
		reason = "step_" + string(s.Announcement.Policy.Steps[next.step-1].Whom)
	}
	t.o.Log.Info("step taken", "announcement", id, "step", next.step, "reason", reason)
	return t.once(ctx, strconv.FormatInt(d.Round, 10), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Reason: reason, Decided: &d})
}

// ErrNoStep says that every step which calls somebody else was taken.
var ErrNoStep = errors.New("no step of the escalation is left")

// Next is the step that Escalate would take now: whom it calls, and about how
// many people. ErrNoStep when none is left.
func (t *Tracker) Next(ctx context.Context, id announcement.ID) (announcement.Decided, error) {
	s, err := t.situation(ctx, id)
	if err != nil {
		return announcement.Decided{}, err
	}
	for i := range s.Announcement.Policy.Steps {
		if runs := t.callsOthersAt(id, s, i+1); len(runs) > 0 {
			return decide(s, t.viewOf(id), runs, i+1), nil
		}
	}
	return announcement.Decided{}, ErrNoStep
}

// callsOthersAt returns the runs that have begun and in which a step (1-based) was not
// taken yet, if it calls somebody else than the recipients.
func (t *Tracker) callsOthersAt(id announcement.ID, s Situation, step int) []run {
	if s.Announcement.Policy.Steps[step-1].Whom == announcement.CallRecipient {
		return nil
	}
	now := t.o.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	var out []run
	for _, r := range e.course() {
		if !r.start.After(now) && e.firedAt(r, step).IsZero() {
			out = append(out, r)
		}
	}
	return out
}

// viewOf returns an announcement that is known.
func (t *Tracker) viewOf(id announcement.ID) *View {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v := t.entries[id].View
	return &v
}

// Escalate takes a step that calls managers or the duty list now, because actor
// asks for it, and returns how many people it calls: 0 when the step was taken
// already, by the clock, another person or the same press. Step 0 is the next one.
func (t *Tracker) Escalate(ctx context.Context, id announcement.ID, step int, actor announcement.Actor) (int, error) {
	if err := t.CatchUp(ctx); err != nil {
		return 0, err
	}
	s, err := t.situation(ctx, id)
	if err != nil {
		return 0, err
	}
	for i := range s.Announcement.Policy.Steps {
		runs := t.callsOthersAt(id, s, i+1)
		if step != 0 && step != i+1 || len(runs) == 0 {
			continue
		}
		d := decide(s, t.viewOf(id), runs, i+1)
		_, err := t.o.Ledger.Once(ctx, strconv.FormatInt(d.Round, 10), announcement.Fact{Announcement: id, Kind: announcement.KindDecided,
			At: t.o.Now().UTC(), Actor: actor, Reason: "escalated_by_hand", Decided: &d})
		if errors.Is(err, ledger.ErrAlready) {
			continue // taken at this moment by the clock or another person
		}
		return len(d.To), err
	}
	if step > 0 && step <= len(s.Announcement.Policy.Steps) {
		return 0, nil
	}
	return 0, ErrNoStep
}

func (t *Tracker) situation(ctx context.Context, id announcement.ID) (Situation, error) {
	standing, err := t.Standing(ctx, id)
	if err != nil {
		return Situation{}, err
	}
	if standing.Rebuilding {
		return Situation{}, ErrLost
	}
	_, v, _, err := t.known(id)
	if err != nil {
		return Situation{}, err
	}
	return Situation{Announcement: v.Announcement, Roster: v.Roster, Outstanding: standing.Outstanding,
		Active: t.o.Active, Reachable: t.o.Reachable, StandIn: t.o.StandIn}, nil
}

// once writes a decision; that another node was first is as good.
func (t *Tracker) once(ctx context.Context, key string, f announcement.Fact) error {
	f.At, f.Actor = t.o.Now().UTC(), announcement.ByPolicy
	t.written.Add(1)
	_, err := t.o.Ledger.Once(ctx, key, f)
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return err
	}
	return nil
}

// react decides the rounds that a start, answers, closes and other rounds cause. Nodes share
// the work; a record comes again until it went through.
func (t *Tracker) react(ctx context.Context) error {
	return t.o.Ledger.Share(ctx, "tracker", []announcement.Kind{announcement.KindCommitted, announcement.KindAnswered, announcement.KindVouched,
		announcement.KindClosed, announcement.KindDecided, announcement.KindJoined, announcement.KindMoved}, t.respond)
}

func (t *Tracker) respond(ctx context.Context, r ledger.Record) error {
	for i, f := range r.Facts {
		switch {
		case f.Committed != nil:
			if err := t.tellSenders(ctx, r.Announcement, f.At); err != nil {
				return err
			}
		case f.Answered != nil && f.Answered.Answer == announcement.NeedHelp:
			if err := t.callHelp(ctx, r, i, f.Answered.Number); err != nil {
				return err
			}
		case f.Vouched != nil && f.Vouched.Answer == announcement.NeedHelp:
			if err := t.callHelp(ctx, r, i, f.Vouched.Number); err != nil {
				return err
			}
		case f.Decided != nil && (f.Decided.Only == announcement.OnlyCalled || f.Decided.Message == announcement.SayRevised):
			if err := t.tellResponders(ctx, r.Announcement, *f.Decided); err != nil {
				return err
			}
		case f.Joined != nil || f.Moved != nil:
			if err := t.tellOfChange(ctx, r, i, f); err != nil {
				return err
			}
		case f.Closed != nil:
			if err := t.closingWord(ctx, r.Announcement, f.Closed.As); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellSenders tells the duty list of a real alert that a person has sent. A call
// for help from outside an alert goes to them anyway.
func (t *Tracker) tellSenders(ctx context.Context, id announcement.ID, at time.Time) error {
	if t.o.Now().Sub(at) > sentNews {
		return nil
	}
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	_, v, _, err := t.known(id)
	if err != nil {
		return err
	}
	if v.Announcement.Mode != announcement.Live || v.By == announcement.ByNetwork || v.Status != announcement.StatusOpen {
		return nil
	}
	var senders []announcement.PersonID
	if t.o.Senders != nil {
		senders = t.o.Senders(v.By)
	}
	d := DecideSent(Situation{Announcement: v.Announcement, Roster: v.Roster, Active: t.o.Active, Reachable: t.o.Reachable}, senders)
	if len(d.To) == 0 {
		return nil
	}
	return t.once(ctx, strconv.FormatInt(sentRound, 10), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Reason: whySent, Decided: &d})
}

// callHelp calls responders for the fact by which recipient n came to need help:
// their own answer, or what a named person says of them. A second press while
// they need it changes nothing.
func (t *Tracker) callHelp(ctx context.Context, r ledger.Record, i, n int) error {
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	_, v, _, err := t.known(r.Announcement)
	if errors.Is(err, errUnknown) || err == nil && (n < 0 || n >= len(v.Roster.Recipients)) {
		t.o.Log.Error("call for help from nobody we know", "announcement", r.Announcement, "recipient", n)
		return nil // no later try would find them
	}
	if err != nil {
		return err
	}
	details, err := t.Details(ctx, r.Announcement, []int{n})
	if err == nil && details[0].Rebuilding {
		err = ErrLost // nobody's call for help is dropped because the state is incomplete
	}
	if err != nil {
		return err
	}
	if details[0].State != announcement.NeedsHelp || details[0].helpCause != cause(r.Seq, i) {
		return nil
	}
	s, err := t.situation(ctx, r.Announcement)
	if err != nil {
		return err
	}
	d := DecideHelp(s, n, announcement.HelpRound(r.Seq, i))
	return t.once(ctx, strconv.FormatInt(d.Round, 10), announcement.Fact{Announcement: r.Announcement, Kind: announcement.KindDecided,
		Reason: whyHelp, Decided: &d})
}

// closingWord tells exactly those who were called that it is over, or that it
// was an error.
func (t *Tracker) closingWord(ctx context.Context, id announcement.ID, as announcement.ClosedAs) error {
	say := map[announcement.ClosedAs]announcement.MessageKind{
		announcement.AsCorrected: announcement.SayCorrection, announcement.AsAllClear: announcement.SayAllClear}[as]
	if say == "" {
		return nil
	}
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	_, v, _, err := t.known(id)
	if errors.Is(err, errUnknown) {
		return nil // closed before it was committed: nobody was called
	}
	if err != nil {
		return err
	}
	return t.once(ctx, strconv.FormatInt(closingRound, 10), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Reason: string(as),
		Decided: &announcement.Decided{Round: closingRound, Message: say, Channels: v.Announcement.Channels, Only: announcement.OnlyCalled}})
}
