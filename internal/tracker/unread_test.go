package tracker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// A newer node has written what an older one does not know. The older one goes on, calls
// rather twice than never, and neither closes the alert nor says that its counts are right.
func TestFactsOfANewerVersionCloseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := ledger.NewMemory(time.Now), NewMemoryStore()
		start := time.Now()
		open(t, l, start, 3)
		tr := New(Options{Ledger: l, Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = tr.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		synctest.Wait()
		write(t, l, announcement.Fact{Announcement: fire, Kind: "withdrawn", At: time.Now()})
		write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindAnswered, At: time.Now(),
			Answered: &announcement.Answered{Number: 2, Answer: 9, Via: announcement.ViaPage, Ref: "new"}})
		write(t, l, answer(0, announcement.Safe, time.Now(), "a"), answer(1, announcement.Safe, time.Now(), "b"))
		time.Sleep(time.Until(start.Add(3*time.Minute + 5*time.Second)))
		synctest.Wait()
		v, _ := tr.View(fire)
		if v.Unread != 2 || v.Status != announcement.StatusOpen {
			t.Fatalf("got %d unread facts, %s, want 2 of an open announcement", v.Unread, v.Status)
		}
		standing, err := tr.Standing(t.Context(), fire)
		if got := standing.Counts(); err != nil || got.Confirmed != 2 || got.NoAnswer != 1 {
			t.Errorf("got %+v, %v, want that an answer without a name confirms nobody", got, err)
		}
		reminded := false
		for _, d := range v.Rounds {
			reminded = reminded || d.Only == announcement.OnlyOutstanding
		}
		if !reminded {
			t.Errorf("got %+v, want a reminder as before", v.Rounds)
		}
		if err := tr.Recount(t.Context(), fire); !errors.Is(err, ErrUnread) {
			t.Errorf("the recount says %v, want that this version does not know", err)
		}
		for n := range 3 {
			write(t, l, answer(n, announcement.Safe, time.Now(), fmt.Sprint("c", n)))
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if v, _ := tr.View(fire); v.Status != announcement.StatusOpen {
			t.Errorf("it was closed as %s, though somebody may have taken their answer back", v.ClosedAs)
		}
		// A person closes it, or a node that knows what was written.
		write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindClosed, At: time.Now(), Closed: &announcement.Closed{As: announcement.AsAllClear}})
	})
}
