package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// moody is a ledger that can be told to take nothing.
type moody struct {
	ledger.Ledger
	closed atomic.Bool
}

func (m *moody) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	if m.closed.Load() {
		return 0, ledger.ErrUnavailable
	}
	return m.Ledger.Append(ctx, facts...)
}

func trail(t *testing.T, l ledger.Ledger) (out []announcement.Fact) {
	t.Helper()
	if err := l.Noted(t.Context(), "", 0, func(r ledger.Record) bool { out = append(r.Facts, out...); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLookingNeverWaitsForTheTrail: an act that cannot be noted is not done, and a look
// that cannot be noted is shown.
func TestLookingNeverWaitsForTheTrail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &moody{Ledger: ledger.NewMemory(time.Now)}
		a := newAudit(l, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = a.run(ctx) }()

		l.closed.Store(true)
		if err := a.note(t.Context(), "account:a1", announcement.TokenCreated, announcement.About{}); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("an act without a ledger: %v", err)
		}
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "psiti"})
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "pagus"})
		time.Sleep(time.Minute)
		if n := a.behind(); n != 2 {
			t.Errorf("%d wait, want 2", n)
		}
		l.closed.Store(false)
		time.Sleep(2 * auditPause)
		if got := trail(t, l); len(got) != 2 || a.behind() != 0 {
			t.Errorf("%d are noted, %d wait", len(got), a.behind())
		}

		// Looking at the same again is one entry an hour.
		for range 100 {
			a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "psiti"})
			time.Sleep(10 * time.Second)
		}
		if got := trail(t, l); len(got) != 2 {
			t.Errorf("looking again is %d entries, want 2", len(got))
		}
		time.Sleep(lookAgain)
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "psiti"})
		synctest.Wait()
		if got := trail(t, l); len(got) != 3 {
			t.Errorf("an hour later there are %d entries, want 3", len(got))
		}
	})
}

// TestGuessersDoNotFillTheLedger: ten thousand tries are three entries, with their number.
func TestGuessersDoNotFillTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ledger.NewMemory(time.Now)
		a := newAudit(l, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
		for range 10_000 {
			a.saw("", announcement.SignInRefused, announcement.About{By: "password"})
			time.Sleep(time.Second)
		}
		a.drain()
		got := trail(t, l)
		if len(got) != 3 {
			t.Fatalf("%d entries, want 3", len(got))
		}
		if n := got[0].Noted.About.Count + got[1].Noted.About.Count + got[2].Noted.About.Count; n < 7_000 {
			t.Errorf("they count %d tries", n)
		}
	})
}

// TestKnownLooksAreBounded: whoever walks through all people costs entries, not memory.
func TestKnownLooksAreBounded(t *testing.T) {
	a := newAudit(ledger.NewMemory(time.Now), time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for range 3 * mostAudits {
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: announcement.NewPersonID()})
	}
	if len(a.looked) > mostLooks || len(a.waiting) > mostAudits || a.lost != 2*mostAudits {
		t.Errorf("%d looks and %d entries are held, %d lost", len(a.looked), len(a.waiting), a.lost)
	}
}

// TestAuditTrail: what is noted is found again by who, act, person and day, a page at a
// time and none twice, with names as they are now, and it holds no name itself.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, crew, func(h *rehearsal) {
		d, ctx := h.house.desk, h.t.Context()
		siti, ok := d.directory.ByNumber("siti")
		if !ok {
			t.Fatal("no Siti")
		}
		start := time.Now()
		for n := range 120 {
			act := announcement.PersonChanged
			if n%3 == 0 {
				act = announcement.PeopleImported
			}
			on := web.Noted{About: announcement.About{Object: "x"}, Recipient: -1}
			if n%4 == 0 {
				on.Number = siti.Number
			}
			if err := d.Note(ctx, "account:a"+announcement.Actor(rune('a'+n%2)), act, on); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		// What somebody typed into an address is not kept.
		if err := d.Note(ctx, "account:aa", announcement.GroupChanged, web.Noted{About: announcement.About{Object: "Siti Aminah", Announcement: "x y"}, Recipient: 3}); err != nil {
			t.Fatal(err)
		}
		if err := d.note(ctx, announcement.ByPerson("pgone"), announcement.PersonViewed, announcement.About{Person: "pgone"}); err != nil {
			t.Fatal(err)
		}
		all := func(f web.TrailFilter) (out []web.TrailEntry) {
			t.Helper()
			f.Limit = 50
			for {
				p, err := d.Read(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, p.Entries...)
				if f.Before = p.Next; f.Before == "" {
					return out
				}
			}
		}
		count := func(what string, f web.TrailFilter, want int) []web.TrailEntry {
			t.Helper()
			got := all(f)
			if len(got) != want {
				t.Errorf("%s: %d entries, want %d", what, len(got), want)
			}
			return got
		}
		got := count("all", web.TrailFilter{}, 123) // one is the import with which the rehearsal began
		for i := 1; i < len(got); i++ {
			if got[i].At.After(got[i-1].At) {
				t.Fatalf("entry %d is newer than the one before", i)
			}
		}
		if got[0].Who != "" || got[0].Person == nil || got[0].Person.Name != "" {
			t.Errorf("somebody who is gone: %+v", got[0])
		}
		if got[1].About.Object != "" || got[1].About.Announcement != "" {
			t.Errorf("what was typed is kept: %+v", got[1].About)
		}
		count("by who", web.TrailFilter{Who: "account:aa"}, 61)
		count("by act", web.TrailFilter{Act: announcement.PeopleImported}, 41)
		if one := count("by person", web.TrailFilter{Number: siti.Number}, 30); len(one) > 0 && one[0].Person.Name != siti.Name {
			t.Errorf("the person is %q", one[0].Person.Name)
		}
		count("by a person nobody knows", web.TrailFilter{Number: "0000"}, 0)
		count("by day", web.TrailFilter{From: start.Add(23*time.Hour + time.Minute), To: start.Add(47*time.Hour + time.Minute)}, 24)
		if _, err := d.Read(ctx, web.TrailFilter{Before: "7;drop", Limit: 1}); err == nil {
			t.Error("a wrong cursor is taken")
		}
		// Siti reads the same of herself: not what came to nothing, nor her own phone.
		of := announcement.About{Person: siti.ID}
		before, err := h.house.keeper.looks(ctx, siti.ID)
		if err != nil || len(before) != 30 || before[0].At.Before(before[29].At) {
			t.Errorf("who looked at Siti: %d, %v", len(before), err)
		}
		if err := d.doing(ctx, "account:aa", announcement.Erased, of, func() error { return web.ErrConflict }); !errors.Is(err, web.ErrConflict) {
			t.Fatal(err)
		}
		d.saw(announcement.ByPerson(siti.ID), announcement.PersonViewed, of)
		d.drain()
		if after, err := h.house.keeper.looks(ctx, siti.ID); err != nil || len(after) != 30 {
			t.Errorf("what came to nothing is told as done: %+v, %v", after[0], err)
		}

		// The state of the chain is that of the last check.
		if c := d.Checked(ctx); !c.At.IsZero() {
			t.Errorf("checked %v before it was", c.At)
		}
		if _, err := h.house.verify(ctx); err != nil {
			t.Fatal(err)
		}
		first := d.Checked(ctx)
		time.Sleep(time.Hour)
		if _, err := h.house.verify(ctx); err != nil {
			t.Fatal(err)
		}
		if c := d.Checked(ctx); c.Faults != 0 || !c.Whole.Equal(first.At) || !c.At.After(first.At) {
			t.Errorf("checked twice: %+v after %+v", c, first)
		}
	})
}
