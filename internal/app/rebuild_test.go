package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"kentongan/internal/announcement"
	"kentongan/internal/app/apptest"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// rebuildPeople answer in what is rebuilt: an answer of one person is one fact.
const rebuildPeople = 100_000

// past is a ledger on a real nats-server (in this process, syncing every write), in
// which 100,000 of 100,001 people have answered, and a redis-server without anything.
type past struct {
	ledger *ledger.JetStream
	redis  *redis.Client
	store  *tracker.RedisStore
	id     announcement.ID
	sent   time.Time
}

func newPast(t testing.TB, sent time.Time) *past {
	t.Helper()
	path := apptest.FindRedis(t)
	p := &past{id: "arebuilt2222222a", sent: sent}
	quiet := slog.New(slog.DiscardHandler)
	nc, stop, err := openNATS(t.Context(), &Config{Data: t.TempDir()}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if p.ledger, err = ledger.OpenJetStream(t.Context(), nc, ledger.Options{Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.ledger.Close() })
	if p.redis, stop, err = startRedis(t.Context(), path, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	p.store = tracker.NewRedisStore(p.redis)

	a := &announcement.Announcement{ID: p.id, Mode: announcement.Live, Severity: announcement.Extreme, At: sent, Audience: announcement.Audience{All: true},
		Channels: []announcement.Channel{announcement.SMS}, Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire", Body: "Leave"}},
		Policy: announcement.Policy{ExpireAfter: announcement.Duration(12 * time.Hour), Steps: []announcement.Step{
			{After: announcement.Duration(5 * time.Minute), Whom: announcement.CallRecipient}, {After: announcement.Duration(2 * time.Hour), Whom: announcement.CallRecipient}}}}
	a.Complete()
	roster := &announcement.Roster{}
	for n := range rebuildPeople + 1 {
		roster.Recipients = append(roster.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprint("p", n)), Line: -1})
	}
	if _, err := p.ledger.Accept(t.Context(), acceptance(a, roster, announcement.ByConsole, "", 0)); err != nil {
		t.Fatal(err)
	}
	return p
}

// answer lets everybody but the last one answer on their page, packed as in a rush, or
// by SMS: those are a record each.
func (p *past) answer(t testing.TB, by announcement.Via) {
	t.Helper()
	fact := func(n int) announcement.Fact {
		return announcement.Fact{Announcement: p.id, Kind: announcement.KindAnswered, At: p.sent.Add(time.Minute), Actor: announcement.ByNetwork,
			Answered: &announcement.Answered{Number: n, Answer: announcement.Safe, Via: by, Said: p.sent.Add(time.Minute), Ref: fmt.Sprint("r", n)}}
	}
	if by == announcement.ViaSMS {
		var next atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for n := int(next.Add(1)) - 1; n < rebuildPeople; n = int(next.Add(1)) - 1 {
					if _, err := p.ledger.Once(t.Context(), fmt.Sprint("sms-", n), fact(n)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return
	}
	for first := 0; first < rebuildPeople; first += 10_000 {
		facts := make([]announcement.Fact, 10_000)
		for i := range facts {
			facts[i] = fact(first + i)
		}
		if _, err := p.ledger.Append(t.Context(), facts...); err != nil {
			t.Fatal(err)
		}
	}
}

// track runs a tracker on it until stop.
func (p *past) track(t testing.TB, l ledger.Ledger, now func() time.Time, log *slog.Logger) (*tracker.Tracker, func()) {
	tr := tracker.New(tracker.Options{Ledger: l, Store: p.store, Now: now, Log: log, Tick: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = tr.Run(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return tr, stop
}

// deciding sees every decision before it is written, and counts those that are.
type deciding struct {
	ledger.Ledger
	before  func(announcement.Fact)
	written *atomic.Int64
}

func (d deciding) Once(ctx context.Context, key string, f announcement.Fact) (uint64, error) {
	d.before(f)
	seq, err := d.Ledger.Once(ctx, key, f)
	if err == nil && f.Decided != nil {
		d.written.Add(1)
	}
	return seq, err
}

// lines is what was logged.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.Reset()
	return l.String()
}

// TestNothingEscalatesWhileTheWorkingStateIsRebuilt rebuilds the answers of 100,000
// people, at a start and again when Redis is emptied, each time with a step that is long
// due and its timer in Redis. The step is taken afterwards, and calls the one person who
// is silent.
func TestNothingEscalatesWhileTheWorkingStateIsRebuilt(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 people on real servers")
	}
	sent := time.Now().Add(-time.Hour)
	p := newPast(t, sent)
	p.answer(t, announcement.ViaPage)
	last, err := p.ledger.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	due := func() {
		if err := p.store.Arm(t.Context(), p.id, sent, false); err != nil {
			t.Error(err)
		}
	}
	// This clock runs 20 times as fast, so that more than one line is due on any machine.
	var ahead atomic.Int64
	began := time.Now()
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())).Add(19 * time.Since(began)) }
	var decided atomic.Int64
	l := deciding{p.ledger, func(f announcement.Fact) {
		if f.Decided == nil && f.Closed == nil {
			return
		}
		if s, err := p.store.Snapshot(t.Context(), p.id); err != nil || s.Applied < last {
			t.Errorf("%s was decided at position %d of %d, %v", f.Kind, s.Applied, last, err)
		}
	}, &decided}
	var said lines
	due()
	tr, _ := p.track(t, l, now, slog.New(slog.NewTextHandler(&said, nil)))
	rebuilt := func(what string, steps int64, hint func() string) {
		t.Helper()
		seen := ""
		for deadline := time.Now().Add(2 * time.Minute); decided.Load() < steps; time.Sleep(5 * time.Millisecond) {
			if h := hint(); strings.Contains(h, " records, ") {
				seen = h
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the step was not taken afterwards", what)
			}
		}
		if !strings.Contains(seen, "facts a second") {
			t.Errorf("%s: nothing said how far it is", what)
		}
		told := said.take()
		if strings.Count(told, "reading the ledger") < 2 || !strings.Contains(told, fmt.Sprint("last=", last)) || !strings.Contains(told, "facts_per_s=") {
			t.Errorf("%s: the log says %s", what, told)
		}
		if err := tr.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := tr.Standing(t.Context(), p.id)
		if err != nil || s.Rebuilding || s.Counts().Confirmed != rebuildPeople || s.Counts().Outstanding() != 1 {
			t.Errorf("%s: %+v, %v; want %d confirmed", what, s.Counts(), err, rebuildPeople)
		}
	}
	rebuilt("at a start", 1, func() string { _, hint := tr.Ready(); return hint })

	if last, err = p.ledger.Last(t.Context()); err != nil { // with the step that was taken
		t.Fatal(err)
	}
	if err := p.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	due()
	ahead.Store(int64(2 * time.Hour))
	rebuilt("after it was emptied", 2, tr.Rebuilding)
	v, _ := tr.View(p.id)
	if len(v.Rounds) != 2 || v.Rounds[0].Step != 1 || v.Rounds[1].Step != 2 {
		t.Errorf("%d rounds were decided: %+v", len(v.Rounds), v.Rounds)
	}
}

// BenchmarkRebuild rebuilds the answers of 100,000 people from the ledger into an empty
// Redis: packed, as people answer on their pages in a rush, and a record each, as by SMS.
// Beside it stands what reading the stream and setting a bit take alone in the same run.
func BenchmarkRebuild(b *testing.B) {
	for _, by := range []announcement.Via{announcement.ViaPage, announcement.ViaSMS} {
		b.Run(string(by), func(b *testing.B) {
			p := newPast(b, time.Now().Add(-time.Hour))
			p.answer(b, by)
			last, err := p.ledger.Last(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := p.redis.FlushAll(b.Context()).Err(); err != nil {
					b.Fatal(err)
				}
				// Of a moment before the step, so that nothing is measured but the rebuilding.
				begun := time.Now()
				tr, stop := p.track(b, p.ledger, func() time.Time { return p.sent.Add(4 * time.Minute) }, nil)
				if err := tr.CatchUp(b.Context()); err != nil {
					b.Fatal(err)
				}
				took := time.Since(begun)
				if s, err := tr.Standing(b.Context(), p.id); err != nil || s.Rebuilding || s.Counts().Confirmed != rebuildPeople {
					b.Fatalf("%+v, %v", s, err)
				}
				stop()
				reading, setting := p.rawReading(b, last), p.rawSetting(b)
				w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintf(w, "\nrebuilt\t%.2f\ts\t%s\t%d facts in %d records of the ledger, into an empty Redis; %.2g of reading and %.2g of setting alone\n",
					took.Seconds(), by, rebuildPeople, last, reading.Seconds()/took.Seconds(), setting.Seconds()/took.Seconds())
				fmt.Fprintf(w, "reading alone\t%.2f\ts\t\tevery record of the stream, not decoded\n", reading.Seconds())
				fmt.Fprintf(w, "setting alone\t%.2f\ts\t\tRedis EVALSHA of one SETBIT for each fact, 100 a round trip\n", setting.Seconds())
				_ = w.Flush()
				b.ReportMetric(took.Seconds(), "rebuild-s")
				b.ReportMetric(rebuildPeople/took.Seconds(), "facts/s")
			}
		})
	}
}

var errRead = errors.New("read to the end")

func (p *past) rawReading(b *testing.B, last uint64) time.Duration {
	begun := time.Now()
	err := p.ledger.Scan(b.Context(), 0, func(s ledger.Stored) error {
		if s.Seq >= last {
			return errRead
		}
		return nil
	})
	if !errors.Is(err, errRead) {
		b.Fatal(err)
	}
	return time.Since(begun)
}

func (p *past) rawSetting(b *testing.B) time.Duration {
	script := redis.NewScript("return redis.call('SETBIT', KEYS[1], ARGV[1], 1)")
	if err := script.Load(b.Context(), p.redis).Err(); err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	for first := 0; first < rebuildPeople; first += 100 {
		pipe := p.redis.Pipeline()
		for n := range 100 {
			pipe.EvalSha(b.Context(), script.Hash(), []string{"raw"}, first+n)
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begun)
}
