package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/dispatch"
)

// oneProvider is a world whose channel has one provider, which remembers what it took.
type oneProvider struct {
	*world
	down   func() error // what it answers while it is down; nil: it works
	took   map[int]bool
	order  []int     // whom it took, one after the other
	failed time.Time // when it last did not
}

func newOneProvider(recipients int) *oneProvider {
	w := &oneProvider{world: newWorld(recipients), took: map[int]bool{}}
	w.provider = func(n, _ int) (channel.Handed, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.down != nil {
			if err := w.down(); err != nil {
				w.failed = time.Now()
				return channel.Handed{}, err
			}
		}
		w.took[n] = true
		w.order = append(w.order, n)
		return channel.Handed{Rank: announcement.Accepted, Points: 1}, nil
	}
	return w
}

// secondRound goes through the second provider, which works.
const secondRound = 7

func (w *oneProvider) Round(ctx context.Context, id announcement.ID, n int64) (announcement.Round, error) {
	r, err := w.world.Round(ctx, id, n)
	r.Decided.Second = n == secondRound
	return r, err
}

func (w *oneProvider) Send(ctx context.Context, sendID string, to announcement.ContactPoints, m announcement.Message) (channel.Handed, error) {
	if _, round, _, _ := dispatch.ParseSendID(sendID); round == secondRound {
		return channel.Handed{Rank: announcement.Accepted, Points: 1}, nil
	}
	return w.world.Send(ctx, sendID, to, m)
}

// Compose writes to whom a message is: the provider is asked by that.
func (w *oneProvider) Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message {
	m := w.world.Compose(r, n, lang)
	m.SMS = fmt.Sprint(n)
	return m
}

func (w *oneProvider) Took(_ context.Context, _ announcement.ContactPoints, m announcement.Message, _ time.Time) (channel.Handed, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	_, _ = fmt.Sscan(m.SMS, &n)
	return channel.Handed{Rank: announcement.Accepted, Points: 1}, w.took[n], nil
}

func (w *oneProvider) dispatcher(away func(announcement.Channel, bool)) *dispatch.Dispatcher {
	return dispatch.New(dispatch.Options{Ledger: w, Queue: w.queue, Tracker: w, People: w, Composer: w, Senders: []channel.Sender{w}, OnAway: away})
}

func (w *oneProvider) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := w.dispatcher(nil).Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
}

// A provider that is down for 50 minutes fails nobody, whatever its answer is; it is
// not stormed meanwhile, and a restart in the middle changes nothing.
func TestOutageFailsNobody(t *testing.T) {
	for name, answer := range map[string]error{
		"500, or a timeout":            &channel.Error{Reason: channel.Ambiguous},
		"no connection":                &channel.Error{Reason: channel.Temporary},
		"an error of no kind":          errors.New("oops"),
		"401: our account is locked":   &channel.Error{Reason: channel.Unauthorized, Code: "20003"},
		"429, for longer than it says": &channel.Error{Reason: channel.RateLimited, RetryAfter: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, people := range []int{1, 1_200} {
				synctest.Test(t, func(t *testing.T) {
					w := newOneProvider(people)
					back := time.Now().Add(50 * time.Minute)
					w.down = func() error {
						if time.Now().Before(back) {
							return answer
						}
						return nil
					}
					w.run(t, 20*time.Minute)
					w.run(t, 30*time.Minute-time.Second)
					if len(w.called) != 0 {
						t.Fatalf("%d were settled while it was down: %+v", len(w.called), w.called[0])
					}
					if got := w.totalSends(); channel.ReasonOf(answer) != channel.RateLimited && got > 4*dispatch.DefaultInFlight+50*4 {
						t.Errorf("it was called %d times while it was down", got)
					}
					w.run(t, 2*time.Minute)
					w.settledOnce(t, announcement.Accepted)
					if late := time.Since(back); people == 1 && late > 3*time.Minute {
						t.Errorf("the one was called %s after it was back", late)
					}
				})
			}
		})
	}
}

// After the recovery the oldest goes first: 2,000 people are four jobs.
func TestAfterTheRecoveryTheOldestGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(2_000)
		back := time.Now().Add(10 * time.Minute)
		w.down = func() error {
			if time.Now().Before(back) {
				return &channel.Error{Reason: channel.Temporary}
			}
			return nil
		}
		w.run(t, 15*time.Minute)
		w.settledOnce(t, announcement.Accepted)
		job := 0
		for _, n := range w.order {
			if n/dispatch.JobSize < job {
				t.Fatalf("%d of the older job came after the younger one had begun", n)
			}
			job = n / dispatch.JobSize
		}
	})
}

// What was not handed over in its life is settled with that reason, and not sent late.
func TestOutageThatOutlivesTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(700)
		back := time.Now().Add(2 * time.Hour)
		w.down = func() error {
			if time.Now().Before(back) {
				return &channel.Error{Reason: channel.Temporary}
			}
			return nil
		}
		w.run(t, 2*time.Hour+time.Minute)
		w.settledOnce(t, announcement.Failed)
		for n := range w.count {
			if got := w.called[n][0].Failure; got != string(channel.Expired) {
				t.Fatalf("%d: got %q, want expired", n, got)
			}
		}
		if len(w.order) != 0 {
			t.Errorf("%d got it too late", len(w.order))
		}
	})
}

// What is the matter with people's own numbers is no outage: they are settled at once,
// and the next ones are called.
func TestBadNumbersAreNoOutage(t *testing.T) {
	for _, reason := range []channel.Reason{channel.InvalidNumber, channel.OptedOut, channel.Blocked, channel.Rejected, channel.TooLarge, channel.NoContactPoint} {
		t.Run(string(reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newOneProvider(300)
				taken := w.provider
				w.provider = func(n, try int) (channel.Handed, error) {
					if n < 200 {
						return channel.Handed{}, &channel.Error{Reason: reason}
					}
					return taken(n, try)
				}
				w.run(t, 10*time.Second)
				for n := range w.count {
					want := announcement.Called{Channel: announcement.SMS, Number: n, Rank: announcement.Failed, Failure: string(reason)}
					if n >= 200 {
						want = announcement.Called{Channel: announcement.SMS, Number: n, Rank: announcement.Accepted, Points: 1}
					}
					if got := w.called[n]; len(got) != 1 || got[0] != want || w.sends[n] != 1 {
						t.Fatalf("%d: got %+v in %d calls, want %+v in one", n, got, w.sends[n], want)
					}
				}
			})
		})
	}
}

// A provider that takes messages and then answers 500 is asked what it took before
// anything is sent again: nobody gets a message twice, however long that goes on.
func TestWhatTheProviderTookIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(500)
		taken := w.provider
		w.provider = func(n, try int) (channel.Handed, error) {
			_, _ = taken(n, try)
			return channel.Handed{}, &channel.Error{Reason: channel.Ambiguous}
		}
		w.run(t, time.Hour)
		w.settledOnce(t, announcement.Accepted)
		if got := w.totalSends(); got != w.count {
			t.Errorf("%d messages went out to %d people", got, w.count)
		}
	})
}

// What HR sends through the second provider does not wait behind what waits for the
// first, however much that is.
func TestSecondProviderWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(5_000)
		w.down = func() error { return &channel.Error{Reason: channel.Temporary} }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.dispatcher(nil).Run(ctx) }()
		time.Sleep(10 * time.Minute)
		again := dispatch.Job{Announcement: annID, Round: secondRound, Channel: announcement.SMS, Lane: announcement.Emergency, Lo: 0, Hi: 500}
		if err := w.queue.Publish(ctx, []dispatch.Job{again}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		w.mu.Lock()
		if len(w.called) != 500 {
			t.Errorf("the second provider was given %d texts, want 500", len(w.called))
		}
		w.mu.Unlock()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// One message that the provider cannot bear keeps nobody else waiting: 500 is in a job
// of their own, behind that of 0.
func TestOneMessageIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(501)
		for n := 1; n < 500; n++ {
			w.silent[n] = true
		}
		back, taken := time.Now().Add(2*time.Minute), w.provider
		w.provider = func(n, try int) (channel.Handed, error) {
			if n == 0 || time.Now().Before(back) {
				return channel.Handed{}, &channel.Error{Reason: channel.Ambiguous}
			}
			return taken(n, try)
		}
		w.run(t, 5*time.Minute)
		if len(w.called[500]) != 1 || len(w.called[0]) != 0 {
			t.Errorf("got %+v and %+v, want that only the one message waits", w.called[500], w.called[0])
		}
	})
}

func TestOutageIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneProvider(100)
		back := time.Now().Add(5 * time.Minute)
		w.down = func() error {
			if time.Now().Before(back) {
				return &channel.Error{Reason: channel.Unauthorized}
			}
			return nil
		}
		var told []bool
		d := w.dispatcher(func(c announcement.Channel, away bool) { told = append(told, away) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(4 * time.Minute)
		if !d.Away(announcement.SMS) || d.Away(announcement.WebPush) {
			t.Error("it is not known that SMS is away, and nothing else")
		}
		time.Sleep(2 * time.Minute)
		if d.Away(announcement.SMS) {
			t.Error("SMS is still said to be away")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(told) != 2 || !told[0] || told[1] {
			t.Errorf("told: %v, want once that it went and once that it came back", told)
		}
	})
}
