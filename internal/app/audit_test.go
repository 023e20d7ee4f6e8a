package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
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
	closed bool
}

func (m *moody) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	if m.closed {
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
	synctest.Test(t, func(t *testing.T) {
		l := &moody{Ledger: ledger.NewMemory(time.Now)}
		a := newAudit(l, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = a.run(ctx) }()

		l.closed = true
		if err := a.note(t.Context(), "account:a1", announcement.TokenCreated, announcement.About{}); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("an act without a ledger: %v", err)
		}
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "psiti"})
		a.saw("account:a1", announcement.PersonViewed, announcement.About{Person: "pagus"})
		time.Sleep(time.Minute)
		if n := a.behind(); n != 2 {
			t.Errorf("%d wait, want 2", n)
		}
		l.closed = false
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
