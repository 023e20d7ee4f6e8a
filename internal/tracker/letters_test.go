package tracker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// TestLettersAreKeptForThirtyDays opens and closes announcements over weeks: a
// letter that a text still on somebody's phone has is not given to another one.
func TestLettersAreKeptForThirtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.NewMemory(time.Now)
		tr := New(Options{Ledger: l, Store: NewMemoryStore(), Tick: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = tr.Run(ctx) })
		id := func(name string) announcement.ID {
			return announcement.ID("a" + name + strings.Repeat("2", 15-len(name)))
		}
		begin := func(name string, people ...announcement.PersonID) {
			a := &announcement.Announcement{ID: id(name), Mode: announcement.Live, Severity: announcement.Info, Audience: announcement.Audience{All: true},
				Policy: announcement.Policy{Steps: []announcement.Step{}, ExpireAfter: announcement.Duration(90 * 24 * time.Hour)}}
			a.Complete()
			chunk := &announcement.Chunk{}
			for _, p := range people {
				chunk.Recipients = append(chunk.Recipients, announcement.Recipient{Person: p, Line: -1})
			}
			fact := func(k announcement.Kind) announcement.Fact {
				return announcement.Fact{Announcement: a.ID, Kind: k, At: time.Now(), Actor: announcement.ByConsole}
			}
			f := []announcement.Fact{fact(announcement.KindAnnounced), fact(announcement.KindRecipients), fact(announcement.KindCommitted)}
			f[0].Announced, f[1].Recipients, f[2].Committed = a, chunk, &announcement.Committed{Recipients: len(people), Chunks: 1}
			if _, err := l.Accept(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		end := func(name string) {
			write(t, l, announcement.Fact{Announcement: id(name), Kind: announcement.KindClosed, At: time.Now(), Closed: &announcement.Closed{As: announcement.AsAllClear}})
			synctest.Wait()
		}
		want := func(what, letters string, people ...announcement.PersonID) {
			t.Helper()
			var got []string
			for _, s := range tr.Seats(people...) {
				got = append(got, fmt.Sprint(strings.TrimRight(string(s.ID[1:]), "2"), s.Letter))
			}
			if strings.Join(got, " ") != letters {
				t.Errorf("%s: got %q, want %q", what, strings.Join(got, " "), letters)
			}
		}
		begin("fire", "siti")
		want("one alone needs none", "fire", "siti")
		begin("other", "agus")
		begin("flood", "siti")
		want("two at once", "fireA floodB", "siti")
		want("what is open for others does not count", "other", "agus")
		want("on one phone", "fireA otherB floodC", "siti", "agus")
		end("fire")
		time.Sleep(29 * 24 * time.Hour)
		begin("leak", "siti")
		want("A still means the fire", "fireA floodB leakC", "siti")
		time.Sleep(2 * 24 * time.Hour)
		begin("smoke", "siti")
		want("A is free again", "floodB leakC smokeA", "siti")
		end("flood")
		end("leak")
		end("smoke")
		time.Sleep(31 * 24 * time.Hour)
		begin("gas", "siti")
		want("alone again", "gas", "siti")
		cancel()
		wg.Wait()
	})
}
