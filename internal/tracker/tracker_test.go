package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

const fire = announcement.ID("afire2222222222a")

// stores returns both stores, so that every test judges both. Without a
// redis-server that half is skipped aloud, and fails in CI.
func stores(t *testing.T) map[string]func() Store {
	all := map[string]func() Store{
		"memory": func() Store { return NewMemoryStore() },
		"standby": func() Store { // of a store that is away half of the time
			s := NewStandby(&failing{Store: NewMemoryStore()}, func(context.Context) error { return nil }, nil, slog.New(slog.DiscardHandler))
			s.pause = time.Millisecond
			return s
		},
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no redis-server on PATH: CI must test both stores")
		}
		fmt.Fprintln(os.Stderr, "WARNING: no redis-server on PATH: the Redis half of", t.Name(), "did NOT run")
		return all
	}
	all["redis"] = func() Store {
		dir, err := os.MkdirTemp("", "kr") // a unix socket path must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		socket := filepath.Join(dir, "s")
		shipped, err := os.ReadFile("../../deploy/redis-users.acl")
		if err != nil {
			t.Fatal(err)
		}
		users := filepath.Join(dir, "users.acl")
		if err := os.WriteFile(users, []byte(strings.ReplaceAll(string(shipped), "REDIS_PASSWORD", "shipped")+"user operator on >shipped allkeys +@all\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		startRedis(t, path, socket, "--aclfile", users)
		s := NewRedisStore(connect(t, socket, "kentongan")) // with what deploy/ allows it, no more
		operators.Store(s, connect(t, socket, "operator"))
		return s
	}
	return all
}

// operators may empty Redis; the service may not.
var operators sync.Map // *RedisStore → *redis.Client

// startRedis runs an empty redis-server until the test ends, or until stop.
func startRedis(t *testing.T, path, socket string, more ...string) (server *os.Process, stop func()) {
	t.Helper()
	cmd := exec.Command(path, append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(socket)}, more...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(stop)
	return cmd.Process, stop
}

func connect(t *testing.T, socket string, user ...string) *redis.Client {
	t.Helper()
	o := &redis.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true}
	if len(user) > 0 {
		o.Username, o.Password = user[0], "shipped"
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := CheckRedis(t.Context(), c)
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, s Store) {
	t.Helper()
	switch s := s.(type) {
	case *MemoryStore:
		s.Flush()
	case *Standby:
		s.own.Flush()
		flush(t, s.main.(*failing).Store)
	case *RedisStore:
		operator, _ := operators.Load(s)
		if err := operator.(*redis.Client).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// open writes an announcement to n people: recipient 0 is the boss and the
// manager of all others; "pduty" is the duty list.
func open(t *testing.T, l ledger.Ledger, at time.Time, n int) {
	t.Helper()
	a := &announcement.Announcement{ID: fire, Mode: announcement.Live, Severity: announcement.Extreme, At: at,
		Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire", Body: "Leave"}}, Audience: announcement.Audience{All: true}}
	a.Complete()
	chunk := &announcement.Chunk{Lines: []announcement.Line{{Person: "p0", Up: -1, Number: 0, Lo: 1, Hi: n}}, Duty: []announcement.PersonID{"pduty"}}
	for i := range n {
		line := 0
		if i == 0 {
			line = -1
		}
		chunk.Recipients = append(chunk.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprint("p", i)), Line: line})
	}
	fact := func(k announcement.Kind) announcement.Fact {
		return announcement.Fact{Announcement: fire, Kind: k, At: at, Actor: announcement.ByConsole}
	}
	f := []announcement.Fact{fact(announcement.KindAnnounced), fact(announcement.KindRecipients), fact(announcement.KindCommitted)}
	f[0].Announced, f[1].Recipients, f[2].Committed = a, chunk, &announcement.Committed{Recipients: n, Chunks: 1}
	if _, err := l.Accept(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func answer(n int, a announcement.Answer, said time.Time, ref string) announcement.Fact {
	return announcement.Fact{Announcement: fire, Kind: announcement.KindAnswered, At: said,
		Answered: &announcement.Answered{Number: n, Answer: a, Via: announcement.ViaPage, Said: said, Ref: ref}}
}

// house runs a tracker until the test ends.
func house(t *testing.T, l ledger.Ledger, s Store, now func() time.Time) *Tracker {
	t.Helper()
	return begin(t, Options{Ledger: l, Store: s, Now: now, Tick: 20 * time.Millisecond})
}

func begin(t *testing.T, o Options) *Tracker {
	t.Helper()
	tr := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = tr.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return tr
}

func counts(t *testing.T, tr *Tracker) announcement.Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := tr.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := tr.Standing(ctx, fire)
	for deadline := time.Now().Add(20 * time.Second); err == nil && s.Rebuilding && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s, err = tr.Standing(ctx, fire)
	}
	if err != nil || s.Rebuilding {
		t.Fatalf("standing: rebuilding for too long, or %v", err)
	}
	if err := tr.Recount(ctx, fire); err != nil && !errors.Is(err, errAway) && !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	c := s.Counts()
	if sum := c.NeedHelp + c.Confirmed + c.NotOnSite + c.Opened + c.NoAnswer + c.Unreachable; sum != c.Recipients {
		t.Fatalf("the six states sum to %d, recipients are %d", sum, c.Recipients)
	}
	return c
}

// helped reports whether responders were called for recipient n; it waits for it
// when they should be.
func helped(tr *Tracker, n int, should bool) bool {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		v, _ := tr.View(fire)
		got := slices.ContainsFunc(v.Rounds, func(d announcement.Decided) bool { return d.Message == announcement.SayHelp && d.About == n })
		if got || !should || time.Now().After(deadline) {
			return got
		}
	}
}

// mayCall asks as a worker does: what cannot be seen, because the store is away at that
// moment, is asked again.
func mayCall(t *testing.T, tr *Tracker, r announcement.Round, c announcement.Channel, n int) (ok bool, why string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		ok, why, err := tr.MayCall(t.Context(), r, c, n)
		if err == nil {
			return ok, why
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, l ledger.Ledger, facts ...announcement.Fact) {
	t.Helper()
	if _, err := l.Append(t.Context(), facts...); err != nil {
		t.Fatal(err)
	}
}

// TestFold judges both stores by the rules of an answer.
func TestFold(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			start := time.Now().UTC().Truncate(time.Millisecond)
			l, s := ledger.NewMemory(time.Now), store()
			open(t, l, start, 120)
			a, b := house(t, l, s, time.Now), house(t, l, s, time.Now) // two nodes on one store

			later := func(d int) time.Time { return start.Add(time.Duration(d) * time.Second) }
			vouchAt := func(said time.Time, n int, as announcement.Answer, ref string) announcement.Fact {
				return announcement.Fact{Announcement: fire, Kind: announcement.KindVouched, At: said, Actor: announcement.ByPerson("p0"),
					Vouched: &announcement.Vouched{Number: n, Answer: as, By: "p0", How: announcement.SawThem, Said: said, Ref: ref}}
			}
			vouch := func(n int, as announcement.Answer, ref string) announcement.Fact {
				return vouchAt(later(9), n, as, ref)
			}
			call := func(n int, c announcement.Channel, rank announcement.Rank) announcement.Fact {
				return announcement.Fact{Announcement: fire, Kind: announcement.KindCalled, At: later(1),
					Called: &announcement.Called{Channel: c, Number: n, Rank: rank}}
			}
			write(t, l, answer(1, announcement.NeedHelp, later(5), "a1"))
			write(t, l, answer(1, announcement.Safe, later(4), "a2")) // said before: does not clear
			write(t, l, answer(2, announcement.Safe, later(1), "b1"), answer(2, announcement.NeedHelp, later(2), "b1"))
			write(t, l, answer(110, announcement.Safe, later(5), "h1"), answer(110, announcement.NeedHelp, later(3), "h2"), answer(110, announcement.Safe, later(4), "h3")) // a slow clock
			write(t, l, answer(3, announcement.Safe, later(1), "c1"), answer(3, announcement.NotOnSite, later(2), "c2"))
			write(t, l, vouch(1, announcement.Safe, "v1"), vouch(4, announcement.NeedHelp, "v4"), vouch(5, announcement.Safe, "v5"))
			write(t, l, answer(5, announcement.NotOnSite, later(1), "e1")) // own wins
			write(t, l, vouch(111, announcement.Safe, "v111"), vouch(111, announcement.TakenBack, "v111b"))
			// That somebody needs help counts against their own earlier word, and against
			// it only; each time they come to need help it is a call of its own.
			write(t, l, answer(112, announcement.Safe, later(1), "f1"), answer(113, announcement.Safe, later(1), "g1"), answer(114, announcement.Safe, later(10), "i1"), answer(115, announcement.Safe, later(1), "j1"))
			write(t, l, vouch(112, announcement.NeedHelp, "v112"), vouch(113, announcement.NeedHelp, "v113"), vouch(114, announcement.NeedHelp, "v114"), vouch(115, announcement.NeedHelp, "v115"))
			write(t, l, answer(112, announcement.Safe, later(11), "f2"), answer(113, announcement.Safe, later(11), "g2"))
			write(t, l, vouchAt(later(12), 112, announcement.NeedHelp, "v112b"), vouchAt(later(12), 115, announcement.TakenBack, "v115b"))
			write(t, l, call(6, announcement.WebPush, 4), call(6, announcement.SMS, 4), call(6, announcement.InApp, 4), call(7, announcement.SMS, 4))
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindExcused, At: later(1), Excused: &announcement.Excused{Number: 8}})
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindOpened, At: later(1), Opened: &announcement.Opened{Number: 9}})
			var wg sync.WaitGroup
			for n := 10; n < 110; n++ { // a hundred at once, each pressing twice
				for range 2 {
					wg.Go(func() { _, _ = l.Append(t.Context(), answer(n, announcement.Safe, later(3), fmt.Sprint("x", n))) })
				}
			}
			wg.Wait()

			want := announcement.Counts{Recipients: 119, NeedHelp: 4, Confirmed: 104, NotOnSite: 2, Opened: 1, NoAnswer: 7, Unreachable: 1, VouchedBy: 2, Excused: 1}
			for i, tr := range []*Tracker{a, b} {
				if got := counts(t, tr); got != want {
					t.Errorf("node %d: got %+v, want %+v", i, got, want)
				}
			}
			for range 10 {
				flush(t, s)
				if got := counts(t, b); got != want {
					t.Fatalf("after FLUSHALL: got %+v, want %+v", got, want)
				}
			}
			settled, err := a.Settled(t.Context(), fire, 0, announcement.SMS, 5, 9)
			if want := []bool{false, true, true, false}; err != nil || !slices.Equal(settled, want) {
				t.Errorf("settled: got %v, %v, want %v", settled, err, want)
			}
			d, err := a.Details(t.Context(), fire, []int{3, 4, 7, 112, 113})
			if err != nil || !d[0].AnsweredAt.Equal(later(1)) || d[0].Answer != announcement.NotOnSite || d[1].VouchedBy != "p0" ||
				d[2].Ladder[announcement.SMS].Rank != announcement.Failed ||
				d[3].VouchedBy != "p0" || d[3].Answer != announcement.NeedHelp || !d[3].AnsweredAt.Equal(later(1)) || d[4].VouchedBy != "" || d[4].Answer != announcement.Safe {
				t.Errorf("details: got %+v, %v", d, err)
			}
			round, err := a.Round(t.Context(), fire, 0)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range map[int]string{2: "answered", 6: announcement.AlreadyCalled, 7: announcement.AlreadyCalled, 8: "excused", 9: ""} {
				if ok, why := mayCall(t, a, round, announcement.SMS, n); why != want || ok != (want == "") {
					t.Errorf("may call %d: got %v %q, want %q", n, ok, why, want)
				}
			}
			if _, why := mayCall(t, a, round, announcement.WebPush, 7); why == announcement.AlreadyCalled {
				t.Error("a call by SMS holds back the notification")
			}
			for _, n := range []int{1, 4, 110, 112, 3, 114} { // 4 and 112 by their manager's word
				told := n != 3 && n != 114
				if got := helped(a, n, told); got != told {
					t.Errorf("responders called for %d: got %v, want %v", n, got, told)
				}
			}
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindClosed, At: later(20), Closed: &announcement.Closed{As: announcement.AsAllClear}})
			write(t, l, answer(9, announcement.NeedHelp, later(21), "late"))
			if c := counts(t, a); c.Late != 1 || c.NeedHelp != 5 {
				t.Errorf("after the close: got %+v, want one late and five in need", c)
			}
			if ok, why := mayCall(t, a, round, announcement.SMS, 111); ok || why != "closed" {
				t.Errorf("after the close: may call is %v %q", ok, why)
			}
		})
	}
}

// TestEscalation runs the first minutes of an extreme alarm on a fake clock:
// nothing early, nothing twice with two nodes, and it survives an emptied store.
// TestACallForHelpIsHandledAndResolved keeps who handles a call with that call: a
// new one, after it was resolved or after they were safe, is handled by nobody.
func TestACallForHelpIsHandledAndResolved(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			start := time.Now().UTC().Truncate(time.Millisecond)
			l, s := ledger.NewMemory(time.Now), store()
			open(t, l, start, 10)
			tr := house(t, l, s, time.Now)
			later := func(d int) time.Time { return start.Add(time.Duration(d) * time.Second) }
			claim := func(at, n int, how announcement.Resolution) {
				write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindClaimed, At: later(at), Actor: announcement.ByPerson("p0"),
					Claimed: &announcement.Claimed{Number: n, By: "p0", Resolved: how}})
			}
			expect := func(n int, by announcement.PersonID, how announcement.Resolution) {
				t.Helper()
				for range 2 { // as folded, and as rebuilt
					counts(t, tr) // waits until all is there
					details, err := tr.Details(t.Context(), fire, []int{n})
					if err != nil {
						t.Fatal(err)
					}
					if d := details[0]; d.State != announcement.NeedsHelp || d.ClaimedBy != by || d.Resolved != how {
						t.Fatalf("recipient %d: %s, handled by %q, resolved %q, want by %q, %q", n, d.State, d.ClaimedBy, d.Resolved, by, how)
					}
					flush(t, s)
				}
			}
			write(t, l, answer(1, announcement.NeedHelp, later(1), "a1"))
			expect(1, "", "")
			claim(2, 1, "")
			write(t, l, answer(1, announcement.NeedHelp, later(3), "a2")) // again, while somebody is on their way
			expect(1, "p0", "")
			claim(4, 1, announcement.FirstAid)
			expect(1, "p0", announcement.FirstAid)
			write(t, l, answer(1, announcement.NeedHelp, later(5), "a3"))
			expect(1, "", "")

			write(t, l, answer(2, announcement.NeedHelp, later(1), "b1"))
			claim(2, 2, "")
			write(t, l, answer(2, announcement.Safe, later(3), "b2"), answer(2, announcement.NeedHelp, later(4), "b3"))
			expect(2, "", "")
		})
	}
}

func TestEscalation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, s := ledger.NewMemory(time.Now), NewMemoryStore()
		open(t, l, start, 3)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		nodes := []*Tracker{New(Options{Ledger: l, Store: s}), New(Options{Ledger: l, Store: s})}
		for _, n := range nodes {
			wg.Go(func() { _ = n.Run(ctx) })
		}
		wait := func(until time.Duration) View {
			time.Sleep(time.Until(start.Add(until)))
			synctest.Wait()
			v, _ := nodes[0].View(fire)
			return v
		}
		// Whoever may send hears at once that somebody has, from one of the nodes.
		if v := wait(3*time.Minute - time.Millisecond); len(v.Rounds) != 1 || v.Rounds[0].Message != announcement.SaySent || v.RoundsAt[0].Sub(start) > time.Second || v.Rounds[0].To[0].Person != "pduty" {
			t.Errorf("early: got %+v, want only the word to the duty list", v.Rounds)
		}
		s.Flush()
		if v := wait(3*time.Minute + 5*time.Second); len(v.Rounds) != 2 || v.Rounds[1].Only != announcement.OnlyOutstanding {
			t.Errorf("after 3 minutes: got %+v, want a reminder", v.Rounds)
		}
		write(t, l, answer(1, announcement.NeedHelp, time.Now(), "h"))
		v := wait(5*time.Minute + 5*time.Second)
		if len(v.Rounds) != 4 || v.Rounds[2].Message != announcement.SayHelp || v.Rounds[3].Message != announcement.SayDigest {
			t.Fatalf("after 5 minutes: got %+v, want a reminder, a call for help and a digest", v.Rounds)
		}
		// p0 manages all and is silent: called, and the duty list above them.
		if got := v.Rounds[3].To; len(got) != 2 || got[0].Person != "pduty" || got[1].Person != "p0" {
			t.Errorf("digest: got %+v, want p0 and the duty list", got)
		}
		write(t, l, answer(0, announcement.Safe, time.Now(), "z"), answer(2, announcement.Safe, time.Now(), "y"))
		if v = wait(time.Hour); v.ClosedAs != announcement.AsAccounted || len(v.Rounds) != 4 {
			t.Errorf("after an hour: got closed as %q with %d rounds, want accounted with 4", v.ClosedAs, len(v.Rounds))
		}
		cancel()
		wg.Wait()
	})
}

// refusing is a ledger that takes no step before a moment.
type refusing struct {
	ledger.Ledger
	until time.Time
}

func (r *refusing) Once(ctx context.Context, key string, f announcement.Fact) (uint64, error) {
	if f.Decided != nil && f.Decided.Step > 0 && time.Now().Before(r.until) {
		return 0, ledger.ErrUnavailable
	}
	return r.Ledger.Once(ctx, key, f)
}

// TestStepIsTakenAsSoonAsTheLedgerIsBack: a step that could not be written does not wait
// until the lease of its timer is over.
func TestStepIsTakenAsSoonAsTheLedgerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := &refusing{Ledger: ledger.NewMemory(time.Now), until: start.Add(3*time.Minute + 2*time.Second)}
		open(t, l, start, 3)
		ctx, cancel := context.WithCancel(t.Context())
		tr := New(Options{Ledger: l, Store: NewMemoryStore()})
		var wg sync.WaitGroup
		wg.Go(func() { _ = tr.Run(ctx) })
		time.Sleep(time.Until(l.until.Add(2 * time.Second)))
		synctest.Wait()
		v, _ := tr.View(fire)
		if !slices.ContainsFunc(v.Rounds, func(d announcement.Decided) bool { return d.Step == 1 }) {
			t.Errorf("two seconds after the ledger is back: got %+v, want a reminder", v.Rounds)
		}
		cancel()
		wg.Wait()
	})
}

// TestLastAnswerClosesThoughTheStoreIsEmptied empties the store between the last
// answer and the tick that would close.
func TestLastAnswerClosesThoughTheStoreIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := ledger.NewMemory(time.Now), NewMemoryStore()
		open(t, l, time.Now(), 3)
		tr := New(Options{Ledger: l, Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = tr.Run(ctx) })
		time.Sleep(1200 * time.Millisecond)
		for n := range 3 {
			write(t, l, answer(n, announcement.Safe, time.Now(), fmt.Sprint("r", n)))
		}
		synctest.Wait() // applied
		s.Flush()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if v, _ := tr.View(fire); v.ClosedAs != announcement.AsAccounted {
			t.Errorf("two seconds after the last answer it is %s %s, want closed as accounted", v.Status, v.ClosedAs)
		}
		cancel()
		wg.Wait()
	})
}

// countedReads counts how often the ledger of an announcement is read from its beginning.
type countedReads struct {
	ledger.Ledger
	reads atomic.Int64
}

func (c *countedReads) Read(ctx context.Context, id announcement.ID, fn func(ledger.Record) error) error {
	c.reads.Add(1)
	return c.Ledger.Read(ctx, id, fn)
}

// overtaken is a store whose answers come late: something happens meanwhile.
type overtaken struct {
	Store
	meanwhile func()
}

func (o *overtaken) Peek(ctx context.Context, id announcement.ID, n int, round int64, c announcement.Channel) (Peek, error) {
	p, err := o.Store.Peek(ctx, id, n, round, c)
	o.meanwhile()
	return p, err
}

// TestNothingIsRebuiltThatIsNotLost lets a record come in while a tick looks at
// the store: what was there before is not lost.
func TestNothingIsRebuiltThatIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := &countedReads{Ledger: ledger.NewMemory(time.Now)}, &overtaken{Store: NewMemoryStore()}
		open(t, l, time.Now(), 3)
		tr := New(Options{Ledger: l, Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		s.meanwhile = func() {
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindReceipt, At: time.Now(),
				Receipt: &announcement.Receipt{Channel: announcement.SMS, Rank: announcement.Delivered}})
			_ = tr.CatchUp(ctx)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _ = tr.Run(ctx) })
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		if n := l.reads.Load(); n != 0 {
			t.Errorf("the whole announcement was read again %d times, want never", n)
		}
	})
}
