package app

import (
	"context"
	"slices"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// lost finds calls of an open announcement that ought to go out, and are in no queue: what
// kept the queue was damaged, or somebody deleted it. The ledger knows for whom they were,
// so their jobs are published once more. It returns to how many people.
//
// Only a channel on which nothing waits is looked at, so nobody is in two jobs, and only
// what was just counted against the ledger, so nobody is called for a wrong count.
func (w *watch) lost(ctx context.Context, id announcement.ID, v tracker.View, q queued) (people int, err error) {
	if w.now().Sub(v.OpenedAt) < mayWait {
		return 0, nil
	}
	standing, err := w.tracker.Standing(ctx, id)
	if err != nil {
		return 0, err
	}
	silent := func(n int) bool { return standing.State(n) == announcement.NoAnswer && !standing.Excused(n) }
	for _, c := range announcement.Channels {
		if q.holds(id, c) {
			continue
		}
		n, err := w.lostOn(ctx, v, c, silent, q)
		if err != nil {
			return people, err
		}
		people += n
	}
	return people, nil
}

// queued is what waits, what was set aside, and which calls are in neither: they count
// once they were missing a round ago too, since one may just be on its way into the queue.
type queued struct {
	depth        map[announcement.Lane]map[announcement.Channel]int
	stuck        []dispatch.Stuck
	missing, was map[missed]bool
}

// missed is a call that is in no queue.
type missed struct {
	id announcement.ID
	c  announcement.Channel
	n  int
}

// holds reports whether calls of an announcement may wait on a channel. About what was set
// aside a person decides.
func (q queued) holds(id announcement.ID, c announcement.Channel) bool {
	return q.depth[announcement.Emergency][c]+q.depth[announcement.Routine][c] > 0 ||
		slices.ContainsFunc(q.stuck, func(s dispatch.Stuck) bool {
			return s.Job.Channel == c && (s.Job.Announcement == id || s.Job.Announcement == "")
		})
}

// lostOn is lost for one channel.
func (w *watch) lostOn(ctx context.Context, v tracker.View, c announcement.Channel, silent func(n int) bool, q queued) (people int, err error) {
	id := v.Announcement.ID
	uncalled, err := w.tracker.Uncalled(ctx, id, c, silent)
	if err != nil {
		return 0, err
	}
	rounds := map[int64][]int{}
	for _, n := range uncalled {
		round := v.AlertTo(n).Round
		rounds[round] = append(rounds[round], n)
	}
	for round, of := range rounds {
		if rounds[round], err = w.gone(ctx, id, round, c, of, q); err != nil {
			return 0, err
		}
		people += len(rounds[round])
	}
	if people == 0 {
		return 0, nil
	}
	if dropped, err := w.dropped(ctx, v.OpenedAt); err != nil || dropped {
		return 0, err
	}
	for round, of := range rounds {
		if len(of) == 0 {
			continue
		}
		if err := w.again(ctx, id, round, c, of); err != nil {
			return 0, err
		}
	}
	return people, nil
}

// gone returns those who are to be called in a round, and were missing from every queue a
// round of the watch ago too.
func (w *watch) gone(ctx context.Context, id announcement.ID, round int64, c announcement.Channel, of []int, q queued) (out []int, err error) {
	r, err := w.tracker.Round(ctx, id, round)
	if err != nil || w.now().Sub(r.At) < mayWait {
		return nil, err
	}
	// The working state may just be made anew: what it did not know of was not lost.
	called, err := w.tracker.Settled(ctx, id, round, c, 0, r.Targets())
	if err != nil {
		return nil, err
	}
	for _, n := range of {
		if n < len(called) && called[n] {
			continue
		}
		ok, _, err := w.tracker.MayCall(ctx, r, c, n)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		call := missed{id, c, n}
		if q.missing[call] = true; q.was[call] {
			out = append(out, n)
		}
	}
	return out, nil
}

// dropped reports whether a person dropped a delivery since then: what they gave up is not
// taken up again.
func (w *watch) dropped(ctx context.Context, since time.Time) (yes bool, err error) {
	err = w.ledger.Noted(ctx, "", 0, func(r ledger.Record) bool {
		yes = slices.ContainsFunc(r.Facts, func(f announcement.Fact) bool {
			return f.Noted != nil && f.Noted.Act == announcement.JobDropped
		})
		return !yes && len(r.Facts) > 0 && !r.Facts[0].At.Before(since)
	})
	return yes, err
}
