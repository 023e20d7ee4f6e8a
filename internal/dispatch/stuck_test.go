package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/dispatch"
)

// faulty is a world in which the program fails whenever it writes to one person.
type faulty struct {
	*world
	poison int
	mended atomic.Bool
	failed atomic.Int32
}

func (w *faulty) Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message {
	if n == w.poison && !w.mended.Load() {
		w.failed.Add(1)
		panic("no template for Siti, +628120000001")
	}
	return w.world.Compose(r, n, lang)
}

func (w *faulty) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	o := dispatch.Options{Ledger: w, Queue: w.queue, Tracker: w, People: w, Composer: w, Senders: []channel.Sender{w}}
	if err := dispatch.New(o).Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
}

// TestOneCallThatFailsHoldsNobodyUp: the program fails at one of 1,200 people, each time.
// Everybody else is called, once; that one alone is stuck, and is called once somebody has
// mended the program and has it tried again.
func TestOneCallThatFailsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &faulty{world: newWorld(1_200), poison: 701}
		w.run(t, time.Minute)
		if len(w.called) != 1_199 || w.totalSends() != 1_199 {
			t.Errorf("%d are called by %d messages, want 1,199 by as many", len(w.called), w.totalSends())
		}
		all, err := w.queue.Stuck(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("stuck: %+v, %v; want one", all, err)
		}
		if s := all[0]; s.Job.Lo != 701 || s.Job.Hi != 702 || s.Why != dispatch.Panicked {
			t.Errorf("stuck: %+v, want the one person", s)
		}
		if n := w.failed.Load(); n != 4 { // with the others, and three times alone
			t.Errorf("it was tried %d times, want 4", n)
		}
		w.mended.Store(true)
		if err := w.queue.TryAgain(t.Context(), all[0].ID); err != nil {
			t.Fatal(err)
		}
		w.run(t, time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if w.totalSends() != 1_200 {
			t.Errorf("%d messages, want 1,200", w.totalSends())
		}
	})
}

// strangers is a world whose tracker never hears of the round.
type strangers struct{ *world }

func (strangers) Round(context.Context, announcement.ID, int64) (announcement.Round, error) {
	return announcement.Round{}, context.DeadlineExceeded
}

// TestRoundThatNobodyKnowsIsStuck: it does not come back for ever with nobody the wiser,
// nor is it given up after the minutes that a tracker may be behind.
func TestRoundThatNobodyKnowsIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &strangers{newWorld(10)}
		d := dispatch.New(dispatch.Options{Ledger: w, Queue: w.queue, Tracker: w, People: w, Composer: w, Senders: []channel.Sender{w}})
		publish(t, w.queue, job(0, announcement.Emergency, w.channel))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Queue.Work(ctx, w.channel, 1, d.Work) }()
		for _, after := range []struct {
			wait time.Duration
			want int
		}{{45 * time.Minute, 0}, {time.Hour, 1}} {
			time.Sleep(after.wait)
			all, err := w.queue.Stuck(t.Context())
			if err != nil || len(all) != after.want {
				t.Errorf("%v later: %+v, %v; want %d", after.wait, all, err, after.want)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
