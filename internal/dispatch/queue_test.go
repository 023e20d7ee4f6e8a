package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	return connect(t, natsServer(t))
}

func natsServer(t *testing.T) *server.Server {
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
	return s
}

func connect(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
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
		"poison is set aside":      poisonIsSetAside,
		"coming back is no poison": comingBackIsNoPoison,
		"tried again and dropped":  triedAgainAndDropped,
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

// emergencyFirst holds the routine worker in a job until some of the emergencies are
// done: a server tells its consumers a moment later what waits for them.
func emergencyFirst(t *testing.T, q dispatch.Queue) {
	first := job(99, announcement.Routine, announcement.SMS)
	publish(t, q, first)
	held, free := make(chan bool), make(chan bool)
	var mu sync.Mutex
	var order []announcement.Lane
	working(t, q, announcement.SMS, 1, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		if j == first {
			close(held)
			<-free
			return dispatch.Outcome{}
		}
		mu.Lock()
		defer mu.Unlock()
		if order = append(order, j.Lane); len(order) == 5 {
			close(free)
		}
		return dispatch.Outcome{}
	})
	<-held
	publish(t, q, jobs(20, announcement.Routine, announcement.SMS)...)
	publish(t, q, jobs(20, announcement.Emergency, announcement.WebPush)...)
	var urgent []dispatch.Job
	for i := range 20 {
		urgent = append(urgent, job(100+i, announcement.Emergency, announcement.SMS))
	}
	publish(t, q, urgent...)
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

func stuck(t *testing.T, q dispatch.Queue) []dispatch.Stuck {
	t.Helper()
	all, err := q.Stuck(t.Context())
	if err != nil {
		t.Fatalf("stuck: %v", err)
	}
	return all
}

// poisonIsSetAside: a job at which the program fails, each time, ends in the list with
// where it failed and no word of what it said. The others go on.
func poisonIsSetAside(t *testing.T, q dispatch.Queue) {
	poison := job(3, announcement.Emergency, announcement.SMS)
	publish(t, q, jobs(8, announcement.Emergency, announcement.SMS)...)
	var done, failed atomic.Int32
	working(t, q, announcement.SMS, 2, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		if j == poison {
			failed.Add(1)
			panic("call Siti on +628120000001")
		}
		done.Add(1)
		return dispatch.Outcome{}
	})
	eventually(t, "the line is empty", func() bool { return depth(t, q, announcement.Emergency, announcement.SMS) == 0 })
	all := stuck(t, q)
	if n, err := q.StuckJobs(t.Context()); err != nil || n != 1 {
		t.Errorf("counted %d, %v; want 1", n, err)
	}
	if len(all) != 1 || done.Load() != 7 {
		t.Fatalf("%d are stuck, %d done; want 1 and 7", len(all), done.Load())
	}
	s := all[0]
	if s.Job != poison || s.Why != dispatch.Panicked || s.Attempts != 3 || failed.Load() != 3 || s.ID == "" {
		t.Errorf("got %+v after %d attempts", s, failed.Load())
	}
	if s.Place == "" || !strings.Contains(s.Place, "dispatch/queue_test.go:") || strings.Contains(s.Place, "Siti") {
		t.Errorf("place: got %q", s.Place)
	}
	if since := time.Since(s.Published); since < 0 || since > time.Minute || s.At.Before(s.Published) {
		t.Errorf("published %v, set aside %v", s.Published, s.At)
	}
}

// comingBackIsNoPoison: while a provider is down a job comes back without end.
func comingBackIsNoPoison(t *testing.T, q dispatch.Queue) {
	publish(t, q, job(0, announcement.Emergency, announcement.SMS))
	var came atomic.Int32
	stop := working(t, q, announcement.SMS, 1, func(context.Context, dispatch.Job, int) dispatch.Outcome {
		came.Add(1)
		return dispatch.Outcome{Again: true, After: time.Millisecond}
	})
	eventually(t, "it has come 50 times", func() bool { return came.Load() >= 50 })
	stop()
	if all := stuck(t, q); len(all) != 0 || depth(t, q, announcement.Emergency, announcement.SMS) != 1 {
		t.Errorf("%+v is stuck", all)
	}
}

func triedAgainAndDropped(t *testing.T, q dispatch.Queue) {
	publish(t, q, jobs(2, announcement.Routine, announcement.WebPush)...)
	var mended atomic.Bool
	done := make(chan dispatch.Job, 2)
	working(t, q, announcement.WebPush, 2, func(_ context.Context, j dispatch.Job, _ int) dispatch.Outcome {
		if !mended.Load() {
			return dispatch.Outcome{Again: true, Broken: dispatch.Unknown}
		}
		done <- j
		return dispatch.Outcome{}
	})
	eventually(t, "both are stuck", func() bool { return len(stuck(t, q)) == 2 })
	all := stuck(t, q)
	if all[0].Why != dispatch.Unknown || all[0].At.After(all[1].At) {
		t.Errorf("got %+v", all)
	}
	// Nothing is mended yet: it comes back into the list, and is not lost between.
	if err := q.TryAgain(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stuck again", func() bool {
		now := stuck(t, q)
		return len(now) == 2 && now[1].ID == all[0].ID && now[1].At.After(all[0].At)
	})
	mended.Store(true)
	if err := q.TryAgain(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	select {
	case j := <-done:
		if j != all[0].Job {
			t.Errorf("done: %+v, want %+v", j, all[0].Job)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it was not tried again")
	}
	if err := q.Drop(t.Context(), all[1].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is left", func() bool {
		return len(stuck(t, q)) == 0 && depth(t, q, announcement.Routine, announcement.WebPush) == 0
	})
	for _, id := range []string{all[1].ID, "", "*", "stuck.job.>", "00"} {
		if again, drop := q.TryAgain(t.Context(), id), q.Drop(t.Context(), id); !errors.Is(again, dispatch.ErrNotStuck) || !errors.Is(drop, dispatch.ErrNotStuck) {
			t.Errorf("%q: got %v and %v, want that it is not in the list", id, again, drop)
		}
	}
}

// TestUnreadableJobIsKept: what no worker can read, whatever it is, goes into the list as
// it is; the jobs behind it go on; and tried again by a version that can read it, it runs.
func TestUnreadableJobIsKept(t *testing.T) {
	t.Parallel()
	nc := startNATS(t)
	q, err := dispatch.OpenQueue(t.Context(), nc, dispatch.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{
		"", "{", "{}", "null", "[]", `"delivery"`, "\x00\xff",
		`{"announcement":"aaaaaaaaaaaaaaaa","channel":"sms","lane":"emergency","lo":5,"hi":5}`,
		`{"announcement":"aaaaaaaaaaaaaaaa","channel":"sms","lane":"emergency","lo":-1,"hi":5}`,
		`{"announcement":"aaaaaaaaaaaaaaaa","channel":"webpush","lane":"emergency","lo":0,"hi":5}`,
		`{"announcement":"../../etc/passwd","channel":"sms","lane":"emergency","lo":0,"hi":5}`,
	}
	for _, data := range bad {
		if err := nc.Publish("delivery.emergency.sms", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, q, jobs(3, announcement.Emergency, announcement.SMS)...)
	var done atomic.Int32
	stop := working(t, q, announcement.SMS, 1, func(context.Context, dispatch.Job, int) dispatch.Outcome {
		done.Add(1)
		return dispatch.Outcome{}
	})
	eventually(t, "the line is empty", func() bool { return depth(t, q, announcement.Emergency, announcement.SMS) == 0 })
	all := stuck(t, q)
	if len(all) != len(bad) || done.Load() != 3 {
		t.Fatalf("%d are stuck, %d done; want %d and 3", len(all), done.Load(), len(bad))
	}
	kept := map[string]bool{}
	for _, s := range all {
		kept[string(s.Data)] = true
		if s.Why != dispatch.Unreadable || s.Job.Lane != announcement.Emergency || s.Job.Channel != announcement.SMS || s.Attempts != 1 {
			t.Errorf("got %+v", s)
		}
	}
	for _, data := range bad {
		if !kept[data] {
			t.Errorf("%q is lost", data)
		}
	}
	stop()

	// Another start finds the list as it was, and what is given back is what was published.
	if q, err = dispatch.OpenQueue(t.Context(), nc, dispatch.QueueOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := stuck(t, q); len(got) != len(bad) {
		t.Errorf("after a restart %d are stuck, want %d", len(got), len(bad))
	}
	if err := q.TryAgain(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := depth(t, q, announcement.Emergency, announcement.SMS); got != 1 || len(stuck(t, q)) != len(bad)-1 {
		t.Errorf("%d in the line, want 1", got)
	}
}

// TestJobThatEndsTheProcessIsSetAside: a job that takes the whole process with it, each
// time, ends in the list, and takes none of those with it that were worked on beside it.
func TestJobThatEndsTheProcessIsSetAside(t *testing.T) {
	t.Parallel()
	s := natsServer(t)
	poison := job(1, announcement.Emergency, announcement.SMS)
	var mu sync.Mutex
	done, fatal := map[dispatch.Job]bool{}, 0
	// life is a process, until it ends or t does.
	life := func() (ended <-chan struct{}, q *dispatch.JetStreamQueue) {
		nc := connect(t, s)
		q, err := dispatch.OpenQueue(t.Context(), nc, dispatch.QueueOptions{AckWait: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		working(t, q, announcement.SMS, 4, func(ctx context.Context, j dispatch.Job, _ int) dispatch.Outcome {
			if j == poison {
				mu.Lock()
				fatal++
				mu.Unlock()
				time.Sleep(50 * time.Millisecond) // its neighbours are on their way
				nc.Close()
				close(over)
			} else {
				pass := time.NewTimer(200 * time.Millisecond)
				defer pass.Stop()
				select {
				case <-over:
				case <-pass.C:
				}
			}
			select {
			case <-over: // nobody is there any more who could say how it ended
				<-ctx.Done()
			default:
				mu.Lock()
				done[j] = true
				mu.Unlock()
			}
			return dispatch.Outcome{}
		})
		return over, q
	}
	first := connect(t, s)
	q, err := dispatch.OpenQueue(t.Context(), first, dispatch.QueueOptions{AckWait: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, q, jobs(6, announcement.Emergency, announcement.SMS)...)
	for range 10 {
		over, _ := life()
		settled := func() bool { return depth(t, q, announcement.Emergency, announcement.SMS) == 0 }
		eventually(t, "the process ends, or all is settled", func() bool {
			select {
			case <-over:
				return true
			default:
				return settled()
			}
		})
		if settled() {
			break
		}
	}
	all := stuck(t, q)
	if len(all) != 1 || all[0].Job != poison || all[0].Why != dispatch.Crashed {
		t.Fatalf("stuck: got %+v, want the one that ends the process", all)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(done) != 5 || fatal != 4 {
		t.Errorf("%d others are done, after %d crashes; want 5 and 4", len(done), fatal)
	}
}

// TestJobThatWasHeldForLongIsNotBlamed: while a provider is down a job is in somebody's
// hands for hours, and whatever ends the process then is not its fault.
func TestJobThatWasHeldForLongIsNotBlamed(t *testing.T) {
	t.Parallel()
	s := natsServer(t)
	one := job(1, announcement.Emergency, announcement.SMS)
	life := func(last bool) {
		nc := connect(t, s)
		q, err := dispatch.OpenQueue(t.Context(), nc, dispatch.QueueOptions{AckWait: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if jobs := stuck(t, q); len(jobs) > 0 {
			t.Fatalf("it is stuck: %+v", jobs)
		}
		has, done := make(chan struct{}, 1), make(chan struct{})
		working(t, q, announcement.SMS, 1, func(ctx context.Context, _ dispatch.Job, _ int) dispatch.Outcome {
			has <- struct{}{}
			if last {
				close(done)
				return dispatch.Outcome{}
			}
			<-ctx.Done()
			return dispatch.Outcome{Again: true}
		})
		select {
		case <-has:
		case <-time.After(20 * time.Second):
			t.Fatalf("the job does not come; stuck: %+v", stuck(t, q))
		}
		if last {
			<-done
			return
		}
		time.Sleep(600 * time.Millisecond) // one beat is 333 ms
		nc.Close()
	}
	q, err := dispatch.OpenQueue(t.Context(), connect(t, s), dispatch.QueueOptions{AckWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, q, one)
	for range 6 {
		life(false)
	}
	life(true)
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
