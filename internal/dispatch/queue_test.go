package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"kentongan/internal/announcement"
	"kentongan/internal/dispatch"
)

// startNATS runs a real server with JetStream in this process.
func startNATS(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatalf("new server: %v", err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TestQueue is the suite that judges both queues.
func TestQueue(t *testing.T) {
	t.Parallel()
	queues := map[string]func(t *testing.T) dispatch.Queue{
		"memory": func(*testing.T) dispatch.Queue { return dispatch.NewMemoryQueue(time.Now) },
		"jetstream": func(t *testing.T) dispatch.Queue {
			q, err := dispatch.OpenQueue(t.Context(), startNATS(t), dispatch.QueueOptions{})
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			return q
		},
	}
	cases := map[string]func(*testing.T, dispatch.Queue){
		"every job once":           everyJobOnce,
		"a repeat is not stored":   repeatNotStored,
		"a half repeat adds":       halfRepeatAdds,
		"again after a while":      againAfterAWhile,
		"emergency first":          emergencyFirst,
		"slow routine is passed":   slowRoutineIsPassed,
		"channels do not mix":      channelsDoNotMix,
		"stop gives back the job":  stopGivesBack,
		"at most parallel at once": atMostParallel,
	}
	for name, open := range queues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, judge := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					judge(t, open(t))
				})
			}
		})
	}
}

const annID = announcement.ID("aaaaaaaaaaaaaaaa")

func job(i int, lane announcement.Lane, c announcement.Channel) dispatch.Job {
	return dispatch.Job{Announcement: annID, Round: 0, Channel: c, Lane: lane, Lo: i * 10, Hi: i*10 + 10}
}

func jobs(n int, lane announcement.Lane, c announcement.Channel) []dispatch.Job {
	var all []dispatch.Job
	for i := range n {
		all = append(all, job(i, lane, c))
	}
	return all
}

func publish(t *testing.T, q dispatch.Queue, all ...dispatch.Job) {
	t.Helper()
	if err := q.Publish(t.Context(), all); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// working runs Work in the background; the function returned stops it and waits.
func working(t *testing.T, q dispatch.Queue, c announcement.Channel, parallel int, fn func(context.Context, dispatch.Job, int) dispatch.Outcome) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Work(ctx, c, parallel, fn) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("work: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func depth(t *testing.T, q dispatch.Queue, lane announcement.Lane, c announcement.Channel) int {
	t.Helper()
	d, err := q.Depth(t.Context())
	if err != nil {
		t.Fatalf("depth: %v", err)
	}
	return d[lane][c]
}

func everyJobOnce(t *testing.T, q dispatch.Queue) {
	const n = 1_200 // more than one batch
	publish(t, q, jobs(n, announcement.Emergency, announcement.SMS)...)
	if got := depth(t, q, announcement.Emergency, announcement.SMS); got != n {
		t.Fatalf("depth before: got %d, want %d", got, n)
	}
	// Nobody sees how long people wait from the number of jobs alone.
	oldest, err := q.Oldest(t.Context())
	if since := time.Since(oldest[announcement.Emergency][announcement.SMS]); err != nil || since < 0 || since > time.Minute {
		t.Errorf("the oldest waits for %v, %v; want moments", since, err)
	}
	if at, waits := oldest[announcement.Routine][announcement.SMS]; waits {
		t.Errorf("a routine job waits since %v, want none", at)
	}
	var mu sync.Mutex
	got := map[string]int{}
	working(t, q, announcement.SMS, 4, func(_ context.Context, j dispatch.Job, attempt int) dispatch.Outcome {
		mu.Lock()
		defer mu.Unlock()
		got[j.ID()]++
		if attempt != 1 {
			t.Errorf("attempt: got %d, want 1", attempt)
		}
		return dispatch.Outcome{}
	})
	eventually(t, "queue is empty", func() bool { return depth(t, q, announcement.Emergency, announcement.SMS) == 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(got) != n {
		t.Errorf("jobs: got %d, want %d", len(got), n)
	}
	for id, times := range got {
		if times != 1 {
			t.Errorf("job %s: got %d times, want 1", id, times)
		}
	}
}

func repeatNotStored(t *testing.T, q dispatch.Queue) {
	all := jobs(3, announcement.Routine, announcement.InApp)
	publish(t, q, all...)
	publish(t, q, append(all, all...)...)
	if got := depth(t, q, announcement.Routine, announcement.InApp); got != 3 {
		t.Errorf("depth: got %d, want 3", got)
	}
}

func halfRepeatAdds(t *testing.T, q dispatch.Queue) {
	all := jobs(5, announcement.Routine, announcement.InApp)
	publish(t, q, all[:3]...)
	publish(t, q, all[1:]...)
	if got := depth(t, q, announcement.Routine, announcement.InApp); got != 5 {
		t.Errorf("depth: got %d, want 5", got)
	}
}

func againAfterAWhile(t *testing.T, q dispatch.Queue) {
	publish(t, q, job(0, announcement.Emergency, announcement.WebPush))
	type seen struct {
		attempt int
		at      time.Time
	}
	calls := make(chan seen, 10)
	working(t, q, announcement.WebPush, 1, func(_ context.Context, _ dispatch.Job, attempt int) dispatch.Outcome {
		calls <- seen{attempt, time.Now()}
		return dispatch.Outcome{Again: attempt < 2, After: 300 * time.Millisecond}
	})
	first, second := <-calls, <-calls
	if first.attempt != 1 || second.attempt != 2 {
		t.Errorf("attempts: got %d and %d, want 1 and 2", first.attempt, second.attempt)
	}
	if wait := second.at.Sub(first.at); wait < 250*time.Millisecond {
		t.Errorf("wait: got %v, want at least 300ms", wait)
	}
	eventually(t, "queue is empty", func() bool { return depth(t, q, announcement.Emergency, announcement.WebPush) == 0 })
}

func emergencyFirst(t *testing.T, q dispatch.Queue) {
	publish(t, q, jobs(20, announcement.Routine, announcement.SMS)...)
	publish(t, q, jobs(20, announcement.Emergency, announcement.WebPush)...)
	var urgent []dispatch.Job
	for i := range 20 {
		urgent = append(urgent, job(100+i, announcement.Emergency, announcement.SMS))
	}
	publish(t, q, urgent...)
	var mu sync.Mutex
	var order []announcement.Lane
	working(t, q, announcement.SMS, 1, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, j.Lane)
		return dispatch.Outcome{}
	})
	eventually(t, "40 jobs", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 40 })
	// The last emergency job may run at the same moment as the first routine one.
	for i, lane := range order[:19] {
		if lane != announcement.Emergency {
			t.Errorf("job %d: got %s, want emergency", i, lane)
		}
	}
}

func slowRoutineIsPassed(t *testing.T, q dispatch.Queue) {
	publish(t, q, jobs(3, announcement.Routine, announcement.SMS)...)
	stuck, free, urgent := make(chan bool, 3), make(chan bool), make(chan bool, 1)
	working(t, q, announcement.SMS, 1, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		if j.Lane == announcement.Emergency {
			urgent <- true
			return dispatch.Outcome{}
		}
		stuck <- true
		<-free
		return dispatch.Outcome{}
	})
	<-stuck
	publish(t, q, job(9, announcement.Emergency, announcement.SMS))
	select {
	case <-urgent:
	case <-time.After(20 * time.Second):
		t.Error("the emergency job waits for a routine one")
	}
	close(free)
}

func channelsDoNotMix(t *testing.T, q dispatch.Queue) {
	publish(t, q, job(0, announcement.Emergency, announcement.SMS), job(0, announcement.Emergency, announcement.InApp))
	var got atomic.Value
	working(t, q, announcement.InApp, 2, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		got.Store(j.Channel)
		return dispatch.Outcome{}
	})
	eventually(t, "in-app job", func() bool { return depth(t, q, announcement.Emergency, announcement.InApp) == 0 })
	if got.Load() != announcement.InApp {
		t.Errorf("channel: got %v, want inapp", got.Load())
	}
	if got := depth(t, q, announcement.Emergency, announcement.SMS); got != 1 {
		t.Errorf("other channel's depth: got %d, want 1", got)
	}
}

func stopGivesBack(t *testing.T, q dispatch.Queue) {
	publish(t, q, job(0, announcement.Emergency, announcement.SMS))
	started := make(chan bool, 1)
	stop := working(t, q, announcement.SMS, 1, func(ctx context.Context, _ dispatch.Job, _ int) dispatch.Outcome {
		started <- true
		<-ctx.Done()
		return dispatch.Outcome{Again: true}
	})
	<-started
	stop()
	again := make(chan int, 1)
	working(t, q, announcement.SMS, 1, func(_ context.Context, _ dispatch.Job, attempt int) dispatch.Outcome {
		again <- attempt
		return dispatch.Outcome{}
	})
	select {
	case attempt := <-again:
		if attempt != 2 {
			t.Errorf("attempt: got %d, want 2", attempt)
		}
	case <-time.After(20 * time.Second):
		t.Error("the job did not come again")
	}
}

func atMostParallel(t *testing.T, q dispatch.Queue) {
	publish(t, q, jobs(30, announcement.Emergency, announcement.SMS)...)
	var running, most, done atomic.Int32
	working(t, q, announcement.SMS, 3, func(context.Context, dispatch.Job, int) dispatch.Outcome {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		running.Add(-1)
		done.Add(1)
		return dispatch.Outcome{}
	})
	eventually(t, "30 jobs", func() bool { return done.Load() == 30 })
	if got := most.Load(); got > 3 {
		t.Errorf("at once: got %d, want at most 3", got)
	}
}

func TestSendID(t *testing.T) {
	t.Parallel()
	id, round, number, err := dispatch.ParseSendID(dispatch.SendID(annID, 1<<32+5, 99_999))
	if err != nil || id != annID || round != 1<<32+5 || number != 99_999 {
		t.Errorf("got %s %d %d %v", id, round, number, err)
	}
	for _, bad := range []string{"", "x", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa.1", "aaaaaaaaaaaaaaaa.1.2.3", "aaaaaaaaaaaaaaaa.-1.2", "aaaaaaaaaaaaaaaa.1.02", "AAAAAAAAAAAAAAAA.1.2", fmt.Sprintf("%s.1. 2", annID)} {
		if _, _, _, err := dispatch.ParseSendID(bad); err == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
}
