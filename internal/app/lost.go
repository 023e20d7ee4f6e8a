package app

import (
	"context"
	"slices"

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
	for _, c := range announcement.Channels {
		if q.holds(id, c) {
			continue
		}
		n, err := w.lostOn(ctx, id, c, q)
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

// lostOn is lost for one channel of an open announcement.
func (w *watch) lostOn(ctx context.Context, id announcement.ID, c announcement.Channel, q queued) (people int, err error) {
	standing, err := w.tracker.Standing(ctx, id)
	if err != nil {
		return 0, err
	}
	silent, err := w.tracker.Uncalled(ctx, id, c, func(n int) bool { return standing.State(n) == announcement.NoAnswer && !standing.Excused(n) })
	if err != nil || len(silent) == 0 {
		return 0, err
	}
	v, _ := w.tracker.View(id)
	if gone, err := w.dropped(ctx, v.OpenedAt.Unix()); err != nil || gone {
		return 0, err
	}
	targets := map[int64][]int{}
	for _, n := range silent {
		d := v.AlertTo(n)
		r, err := w.tracker.Round(ctx, id, d.Round)
		if err != nil {
			return 0, err
		}
		if w.now().Sub(r.At) < mayWait {
			continue
		}
		if ok, _, err := w.tracker.MayCall(ctx, r, c, n); err != nil {
			return 0, err
		} else if !ok {
			continue
		}
		// The working state may just be made anew: what it does not know of yet was not lost.
		if called, err := w.tracker.Settled(ctx, id, d.Round, c, n, n+1); err != nil {
			return 0, err
		} else if call := (missed{id, c, n}); !called[0] && !q.was[call] {
			q.missing[call] = true
		} else if !called[0] {
			targets[d.Round] = append(targets[d.Round], n)
			people++
		}
	}
	for round, of := range targets {
		if err := w.again(ctx, id, round, c, of); err != nil {
			return people, err
		}
	}
	return people, nil
}

// dropped reports whether a person dropped a delivery since: what they gave up is not
// taken up again.
func (w *watch) dropped(ctx context.Context, since int64) (yes bool, err error) {
	err = w.ledger.Noted(ctx, "", 0, func(r ledger.Record) bool {
		yes = slices.ContainsFunc(r.Facts, func(f announcement.Fact) bool {
			return f.Noted != nil && f.Noted.Act == announcement.JobDropped
		})
		return !yes && len(r.Facts) > 0 && r.Facts[0].At.Unix() >= since
	})
	return yes, err
}
