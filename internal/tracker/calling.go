package tracker

import (
	"context"
	"fmt"
	"slices"

	"kentongan/internal/announcement"
)

// Round returns a round that was decided.
func (t *Tracker) Round(_ context.Context, id announcement.ID, round int64) (announcement.Round, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil || !e.committed() {
		return announcement.Round{}, errUnknown
	}
	out := announcement.Round{Announcement: e.Announcement, Roster: e.Roster, At: e.OpenedAt, Version: e.Version}
	if round == 0 {
		out.Decided = e.first()
		return out, nil
	}
	for i, d := range e.Rounds {
		if d.Round == round {
			out.Decided, out.At = d, e.RoundsAt[i]
			return out, nil
		}
	}
	return announcement.Round{}, fmt.Errorf("round %d of %s is not in the ledger", round, id)
}

// Settled returns which targets [lo, hi) were already called on this channel in
// this round, as of everything in the ledger at the time of the call.
func (t *Tracker) Settled(ctx context.Context, id announcement.ID, round int64, c announcement.Channel, lo, hi int) ([]bool, error) {
	if err := t.CatchUp(ctx); err != nil {
		return nil, err
	}
	e, _, seq, err := t.known(id)
	if err != nil {
		return nil, err
	}
	for range 3 {
		bits, applied, err := t.o.Store.Settled(ctx, id, round, c)
		if err != nil {
			return nil, err
		}
		if applied >= seq {
			out := make([]bool, max(hi-lo, 0))
			for i := range out {
				out[i] = bits.Get(lo + i)
			}
			return out, nil
		}
		if _, err := t.mend(ctx, id, e); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("settled calls of %s: %w", id, ErrLost)
}

// Uncalled returns those recipients for whom the alert that counts is to go out on a
// channel, and has not been handed over, nor failed; only says whom to look at.
func (t *Tracker) Uncalled(ctx context.Context, id announcement.ID, c announcement.Channel, only func(n int) bool) ([]int, error) {
	_, v, _, err := t.known(id)
	if err != nil {
		return nil, err
	}
	settled := map[int64]Bitmap{}
	var out []int
	for n := range v.Roster.Recipients {
		round := v.AlertTo(n)
		channels := round.Channels
		if len(channels) == 0 {
			channels = v.Announcement.Channels
		}
		if !slices.Contains(channels, c) || !only(n) {
			continue
		}
		if _, ok := settled[round.Round]; !ok {
			if settled[round.Round], _, err = t.o.Store.Settled(ctx, id, round.Round, c); err != nil {
				return nil, err
			}
		}
		if !settled[round.Round].Get(n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// AlertTo is the round that told recipient n the text that counts: round 0, to whoever
// joined since too, or that of a material revision.
func (v *View) AlertTo(n int) announcement.Decided {
	if n < v.Asked {
		for _, d := range v.Rounds {
			if d.Version == v.Version && isAlert(d) {
				return d
			}
		}
	}
	return announcement.Decided{}
}

// MayCall reports whether target n of the round may be called on a channel now, and names
// the reason when not. It costs one round trip to the store.
//
// A call for help goes out after the close too: a person may be dying.
func (t *Tracker) MayCall(ctx context.Context, r announcement.Round, c announcement.Channel, n int) (bool, string, error) {
	id, d := r.Announcement.ID, r.Decided
	if n < 0 || n >= r.Targets() {
		return false, "no_such_target", nil
	}
	e, v, seq, err := t.known(id)
	if err != nil {
		return false, "", err
	}
	if !t.o.Active(r.Target(n)) {
		return false, "inactive", nil
	}
	if d.Only == "" && d.Message == announcement.SayHelp {
		return true, "", nil
	}
	// Round 0 is for whoever joins too, whatever the text is by then; that it is night for
	// them, Quiet says.
	joined := d.Round == 0 && n >= v.Asked
	asks := d.Only == announcement.OnlyOutstanding || d.Only == announcement.OnlyFailed || d.Only == announcement.OnlyAsked
	if (asks || d.Message == announcement.SayDigest) && max(d.Version, 1) != v.Version && !joined {
		return false, "revised", nil // everybody is asked again, with the new text
	}
	closing := d.Message == announcement.SayCorrection || d.Message == announcement.SayAllClear
	if d.Only == "" && (closing || d.Message == announcement.SayUpdate) {
		if !closing && v.Status == announcement.StatusClosed {
			return false, "closed", nil
		}
		if called, err := t.wasCalled(ctx, id, v, d.Round, r.Target(n)); !called || err != nil {
			return false, announcement.NeverCalled, err
		}
		return true, "", nil
	}
	var p Peek
	for range 3 {
		if p, err = t.o.Store.Peek(ctx, id, n, d.Round, c); err != nil {
			return false, "", err
		}
		if p.Applied >= seq {
			break
		}
		if _, err := t.mend(ctx, id, e); err != nil {
			return false, "", err
		}
	}
	if p.Applied < seq {
		return false, "", fmt.Errorf("look before a call for %s: %w", id, ErrLost)
	}
	// A job that its worker held for too long, because the queue was away or the process
	// stood still, is seen through by another meanwhile.
	if p.Settled {
		return false, announcement.AlreadyCalled, nil
	}
	if d.Only != "" && len(d.Zones) > 0 && !joined && !slices.Contains(d.Zones, v.ZoneOf(n)) {
		return false, "other_time_zone", nil
	}
	switch {
	case !closing && (p.Closed || v.Status == announcement.StatusClosed):
		return false, "closed", nil
	case asks && p.Excused:
		return false, "excused", nil
	case asks && p.Answered && !(d.Only == announcement.OnlyAsked && p.Help):
		return false, "answered", nil
	case asks && v.asleep(n, t.o.Now()):
		return false, "asleep", nil // a reminder by hand: they hear of it in their morning
	case d.Message == announcement.SayDigest && r.Announcement.Waits():
		standing, err := t.Recent(ctx, id)
		if err != nil {
			return false, "", err
		}
		// It may have waited for the manager's own morning.
		if _, outstanding := standing.WaitingOf(v.TeamOf(d.To[n])); outstanding == 0 {
			return false, "answered", nil
		}
	case d.Only == announcement.OnlyFailed:
		details, err := t.Details(ctx, id, []int{n})
		if err == nil && details[0].Rebuilding {
			err = ErrLost
		}
		if err != nil {
			return false, "", err
		}
		if !details[0].FailedFor(d) {
			return false, "not_failed", nil
		}
	case d.Only == announcement.OnlyCalled && !p.Called:
		return false, announcement.NeverCalled, nil
	}
	return true, "", nil
}
