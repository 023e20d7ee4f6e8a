package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
)

// world is everything around a dispatcher: the facts written so far, the
// tracker and the people as they would be, and a provider that a test scripts.
type world struct {
	ledger.Ledger // the methods that dispatch does not use

	ann   *announcement.Announcement
	count int
	queue *dispatch.MemoryQueue

	mu       sync.Mutex
	called   map[int][]announcement.Called
	silent   map[int]bool // answered: not to be called
	retired  []string
	stopped  []announcement.PersonID
	sends    map[int]int
	flying   int
	most     int
	unknown  int           // how often Round does not know the round yet
	lost     bool          // the ledger takes nothing
	latency  time.Duration // of the provider
	morning  time.Time     // of everybody
	channel  announcement.Channel
	pushes   int // that may be on their way apart from the rest
	provider func(n, try int) (channel.Handed, error)
	onSend   func(total int)
}

func newWorld(recipients int) *world {
	return &world{
		ann: &announcement.Announcement{
			ID: annID, Mode: announcement.Live, Severity: announcement.Extreme,
			Channels: []announcement.Channel{announcement.SMS}, At: time.Now(),
		},
		count: recipients, queue: dispatch.NewMemoryQueue(time.Now),
		called: map[int][]announcement.Called{}, silent: map[int]bool{}, sends: map[int]int{},
		latency: 50 * time.Millisecond, channel: announcement.SMS,
		provider: func(int, int) (channel.Handed, error) {
			return channel.Handed{Rank: announcement.Accepted, Points: 1}, nil
		},
	}
}

func (w *world) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	select {
	case <-time.After(2 * time.Millisecond): // an fsync
	case <-ctx.Done():
		return 0, ledger.ErrUnavailable
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost {
		return 0, ledger.ErrUnavailable
	}
	for _, f := range facts {
		w.called[f.Called.Number] = append(w.called[f.Called.Number], *f.Called)
	}
	return 1, nil
}

func (w *world) Share(ctx context.Context, name string, kinds []announcement.Kind, fn func(context.Context, ledger.Record) error) error {
	rec := ledger.Record{Seq: 1, Announcement: annID, Facts: []announcement.Fact{{Announcement: annID, Kind: announcement.KindCommitted, Committed: &announcement.Committed{Recipients: w.count}}}}
	for fn(ctx, rec) != nil && ctx.Err() == nil {
		time.Sleep(time.Second)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (w *world) Round(_ context.Context, id announcement.ID, round int64) (announcement.Round, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unknown > 0 {
		w.unknown--
		return announcement.Round{}, errors.New("unknown round")
	}
	roster := &announcement.Roster{}
	for i := range w.count {
		roster.Recipients = append(roster.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprintf("p%d", i))})
	}
	return announcement.Round{
		Announcement: w.ann, Roster: roster, At: w.ann.At,
		Decided: announcement.Decided{Round: round, Message: announcement.SayAlert, Channels: w.ann.Channels, Only: announcement.OnlyOutstanding},
	}, nil
}

func (w *world) Settled(_ context.Context, _ announcement.ID, _ int64, _ announcement.Channel, lo, hi int) ([]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	settled := make([]bool, hi-lo)
	for i := range settled {
		settled[i] = len(w.called[lo+i]) > 0
	}
	return settled, nil
}

func (w *world) Joined(announcement.ID, uint64, int) (lo, hi int, ok bool) { return 0, 0, false }

func (w *world) Quiet(announcement.Round, int) time.Duration { return max(0, time.Until(w.morning)) }

func (w *world) MayCall(_ context.Context, _ announcement.Round, _ announcement.Channel, n int) (bool, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.called[n]) > 0 {
		return false, announcement.AlreadyCalled, nil
	}
	return !w.silent[n], "answered", nil
}

func (w *world) ContactPoints(p announcement.PersonID) (announcement.ContactPoints, announcement.Language, bool) {
	return announcement.ContactPoints{Person: p, Mobile: "x"}, announcement.English, true
}

func (w *world) StopSMS(_ context.Context, p announcement.PersonID, stopped bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = append(w.stopped, p)
	return nil
}

func (w *world) Retire(_ context.Context, p announcement.PersonID, ids []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retired = append(w.retired, ids...)
	return nil
}

func (w *world) Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message {
	return announcement.Message{Announcement: r.Announcement.ID, Expires: r.At.Add(time.Hour)}
}

func (w *world) Channel() announcement.Channel { return w.channel }

func (w *world) Send(ctx context.Context, sendID string, _ announcement.ContactPoints, _ announcement.Message) (channel.Handed, error) {
	_, _, n, err := dispatch.ParseSendID(sendID)
	if err != nil {
		return channel.Handed{}, channel.Fail(channel.Rejected, "", "send id: %w", err)
	}
	w.mu.Lock()
	w.sends[n]++
	try, total := w.sends[n], 0
	for _, times := range w.sends {
		total += times
	}
	w.flying++
	w.most = max(w.most, w.flying)
	onSend := w.onSend
	w.mu.Unlock()
	if onSend != nil {
		onSend(total)
	}
	defer func() { w.mu.Lock(); w.flying--; w.mu.Unlock() }()
	select {
	case <-time.After(w.latency):
		return w.provider(n, try)
	case <-ctx.Done():
		return channel.Handed{}, channel.Fail(channel.Ambiguous, "", "cut off")
	}
}

func (w *world) dispatcher() *dispatch.Dispatcher {
	return dispatch.New(dispatch.Options{Ledger: w, Queue: w.queue, Tracker: w, People: w, Composer: w, Senders: []channel.Sender{w}, PushInFlight: w.pushes})
}

// run runs a dispatcher for d of fake time, and until it has stopped.
func (w *world) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.dispatcher().Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
}

// settledOnce fails unless every recipient has exactly one receipt of the rank.
func (w *world) settledOnce(t *testing.T, rank announcement.Rank) {
	t.Helper()
	for n := range w.count {
		if c := w.called[n]; len(c) != 1 || c[0].Rank != rank {
			t.Fatalf("recipient %d: got %+v, want one receipt %v", n, c, rank)
		}
	}
}

func (w *world) totalSends() (total int) {
	for _, times := range w.sends {
		total += times
	}
	return total
}

func TestEverybodyIsCalledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(10_000)
		w.unknown = 50 // the tracker is behind for longer than one planning waits
		w.run(t, 2*time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends(); got != 10_000 {
			t.Errorf("sends: got %d, want 10000", got)
		}
		if w.most > dispatch.DefaultInFlight || w.most < 16 {
			t.Errorf("in flight: got %d, want many and at most %d", w.most, dispatch.DefaultInFlight)
		}
		if got := depth(t, w.queue, announcement.Emergency, announcement.SMS); got != 0 {
			t.Errorf("depth: got %d, want 0", got)
		}
	})
}

func TestSomebodyWhoAnsweredIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.silent[1] = true
		w.run(t, time.Minute)
		if w.sends[0] != 1 || w.sends[1] != 0 || w.sends[2] != 1 {
			t.Errorf("sends: got %v, want 0 and 2 only", w.sends)
		}
		if len(w.called[1]) != 0 {
			t.Errorf("receipts: got %v, want none", w.called[1])
		}
	})
}

// A night is waited for, over a job's passes and a restart, and then everybody is
// called once.
func TestNightIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.morning = time.Now().Add(50 * time.Minute)
		w.run(t, 30*time.Minute)
		w.run(t, 20*time.Minute-time.Second)
		if got := w.totalSends(); got != 0 {
			t.Fatalf("sends in the night: got %d", got)
		}
		w.run(t, time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends(); got != 3 {
			t.Errorf("sends: got %d, want 3", got)
		}
	})
}

// TestPushesOverlapByTheHundred: 32 at a time would take a minute and a half for
// 50,000 phones at a service that answers in 50 ms.
func TestPushesOverlapByTheHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1000)
		w.channel, w.ann.Channels, w.pushes = announcement.WebPush, []announcement.Channel{announcement.WebPush}, 256
		w.run(t, time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if w.most < 200 || w.most > 256 {
			t.Errorf("%d were on their way at once, want at most 256 and nearly as many", w.most)
		}
	})
}

// A crash between sending and the durable receipt repeats the calls that were
// on their way, and no others.
func TestCrashRepeatsAtMostInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const recipients = 2_000
		w := newWorld(recipients)
		ctx, crash := context.WithCancel(t.Context())
		w.onSend = func(total int) {
			if total == 700 {
				w.mu.Lock()
				w.lost = true // nothing is written from here on
				w.mu.Unlock()
				crash()
			}
		}
		if err := w.dispatcher().Run(ctx); err != nil {
			t.Fatalf("run: %v", err)
		}
		lost := w.totalSends() - len(w.called)
		if lost == 0 || lost > dispatch.DefaultInFlight {
			t.Fatalf("sent without a receipt: got %d, want 1 to %d", lost, dispatch.DefaultInFlight)
		}
		w.lost, w.onSend = false, nil
		w.run(t, 2*time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends() - recipients; got != lost {
			t.Errorf("repeated: got %d, want the %d without a receipt", got, lost)
		}
	})
}

// A queue that was away gives out again what somebody still has: to another node, and to
// the same.
func TestJobThatTwoHoldCallsNobodyTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const recipients = 2_000
		w := newWorld(recipients)
		again := newWorld(0)
		for _, q := range []dispatch.Queue{w.queue, again.queue} { // the same jobs, twice in each
			for range 2 {
				for lo := 0; lo < recipients; lo += dispatch.JobSize {
					job := dispatch.Job{Announcement: annID, Channel: announcement.SMS, Lane: announcement.Emergency, Lo: lo, Hi: lo + dispatch.JobSize}
					if err := q.Publish(t.Context(), []dispatch.Job{job}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		one, other := w.dispatcher(), dispatch.New(dispatch.Options{Ledger: w, Queue: again.queue, Tracker: w, People: w, Composer: w, Senders: []channel.Sender{w}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var nodes sync.WaitGroup
		for _, d := range []*dispatch.Dispatcher{one, other} {
			nodes.Go(func() {
				if err := d.Run(ctx); err != nil {
					t.Errorf("run: %v", err)
				}
			})
		}
		nodes.Wait()
		// Each of the four jobs costs at most what is in flight when the two meet over it.
		if got := w.totalSends() - recipients; got < 0 || got > recipients/dispatch.JobSize*2*dispatch.DefaultInFlight {
			t.Errorf("%d more calls than people, want at most what two nodes have in flight for each job", got)
		}
	})
}

func TestShutdownRecordsWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(500)
		ctx, stop := context.WithCancel(t.Context())
		w.onSend = func(total int) {
			if total == 100 {
				stop()
			}
		}
		if err := w.dispatcher().Run(ctx); err != nil {
			t.Fatalf("run: %v", err)
		}
		if sent := w.totalSends(); sent != len(w.called) || sent < 100 || sent > 100+dispatch.DefaultInFlight {
			t.Errorf("sent %d, recorded %d; want the same, a little over 100", sent, len(w.called))
		}
		w.onSend = nil
		w.run(t, time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends(); got != 500 {
			t.Errorf("sends: got %d, want 500", got)
		}
	})
}

func TestLedgerOutageHoldsCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(500)
		w.lost = true
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.dispatcher().Run(ctx) }()
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		if got := w.totalSends(); got > dispatch.DefaultInFlight {
			t.Errorf("sends without a ledger: got %d, want at most %d", got, dispatch.DefaultInFlight)
		}
		w.lost = false
		w.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends(); got != 500 {
			t.Errorf("sends: got %d, want 500: nobody twice", got)
		}
	})
}

func TestFailures(t *testing.T) {
	ok := channel.Handed{Rank: announcement.Accepted, Points: 1}
	failing := func(times int, e *channel.Error) func(n, try int) (channel.Handed, error) {
		return func(n, try int) (channel.Handed, error) {
			if n == 0 && try <= times {
				return channel.Handed{}, e
			}
			return ok, nil
		}
	}
	const always = 1 << 30
	tests := map[string]struct {
		provider func(n, try int) (channel.Handed, error)
		within   time.Duration
		want     announcement.Called
		tries    int
		retired  []string
	}{
		"temporary, then success": {
			failing(2, &channel.Error{Reason: channel.Temporary}), time.Minute,
			announcement.Called{Rank: announcement.Accepted, Points: 1}, 3, nil,
		},
		"an untyped error is temporary": {
			func(n, try int) (channel.Handed, error) {
				if n == 0 && try == 1 {
					return channel.Handed{}, errors.New("oops")
				}
				return ok, nil
			}, time.Minute,
			announcement.Called{Rank: announcement.Accepted, Points: 1}, 2, nil,
		},
		"the provider knows of an opt-out": {
			failing(always, &channel.Error{Reason: channel.OptedOut, Code: "21610"}), time.Minute,
			announcement.Called{Rank: announcement.Failed, Failure: "opted_out"}, 1, nil,
		},
		"temporary for ever": {
			failing(always, &channel.Error{Reason: channel.Temporary}), 30 * time.Minute,
			announcement.Called{Rank: announcement.Failed, Failure: "temporary"}, 8, nil,
		},
		"ambiguous, then success": {
			failing(1, &channel.Error{Reason: channel.Ambiguous}), time.Minute,
			announcement.Called{Rank: announcement.Accepted, Points: 1, Doubt: true}, 2, nil,
		},
		"ambiguous twice": {
			failing(always, &channel.Error{Reason: channel.Ambiguous}), time.Minute,
			announcement.Called{Rank: announcement.Failed, Failure: "ambiguous", Doubt: true}, 2, nil,
		},
		"permanent is not tried again": {
			failing(always, &channel.Error{Reason: channel.InvalidNumber}), time.Minute,
			announcement.Called{Rank: announcement.Failed, Failure: "invalid_number"}, 1, nil,
		},
		"gone retires": {
			failing(always, &channel.Error{Reason: channel.Gone, Retired: []string{"s1"}}), time.Minute,
			announcement.Called{Rank: announcement.Failed, Failure: "gone"}, 1, []string{"s1"},
		},
		"our keys are wrong until mended": {
			failing(20, &channel.Error{Reason: channel.Unauthorized}), 30 * time.Minute,
			announcement.Called{Rank: announcement.Accepted, Points: 1}, 21, nil,
		},
		"our keys are wrong until it expires": {
			failing(always, &channel.Error{Reason: channel.Unauthorized}), 2 * time.Hour,
			announcement.Called{Rank: announcement.Failed, Failure: "expired"}, 0, nil,
		},
		"too many, again and again": {
			failing(20, &channel.Error{Reason: channel.RateLimited, RetryAfter: 2 * time.Second}), 10 * time.Minute,
			announcement.Called{Rank: announcement.Accepted, Points: 1}, 21, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(3)
				w.provider = tt.provider
				w.run(t, tt.within)
				tt.want.Channel = announcement.SMS
				if got := w.called[0]; len(got) != 1 || got[0] != tt.want {
					t.Errorf("receipts: got %+v, want %+v", got, tt.want)
				}
				if tt.tries > 0 && w.sends[0] != tt.tries {
					t.Errorf("tries: got %d, want %d", w.sends[0], tt.tries)
				}
				if w.sends[1] != 1 || w.sends[2] != 1 {
					t.Errorf("the others: got %v, want once each", w.sends)
				}
				if optedOut := tt.want.Failure == string(channel.OptedOut); (len(w.stopped) == 1) != optedOut {
					t.Errorf("told of an opt-out: got %v, want %v", w.stopped, optedOut)
				}
				if !slices.Equal(w.retired, tt.retired) {
					t.Errorf("retired: got %v, want %v", w.retired, tt.retired)
				}
			})
		})
	}
}

func TestRateLimitPausesTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(2_000)
		start := time.Now()
		w.provider = func(n, _ int) (channel.Handed, error) {
			if time.Since(start) < 30*time.Second {
				return channel.Handed{}, &channel.Error{Reason: channel.RateLimited, RetryAfter: 30 * time.Second}
			}
			return channel.Handed{Rank: announcement.Accepted}, nil
		}
		w.run(t, 5*time.Minute)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends() - 2_000; got > 2*dispatch.DefaultInFlight {
			t.Errorf("sends during the pause: got %d, want only those that were on their way", got)
		}
	})
}

func TestChannelWithoutSenderFailsVisibly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.ann.Channels = []announcement.Channel{announcement.WebPush}
		w.run(t, time.Minute)
		w.settledOnce(t, announcement.Failed)
		if got := w.called[0][0].Failure; got != string(channel.Misconfigured) {
			t.Errorf("failure: got %q, want misconfigured", got)
		}
	})
}
