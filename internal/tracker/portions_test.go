package tracker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// history writes an announcement to n people who all answer, a record each, and returns
// its records and what they come to.
func history(t *testing.T, l ledger.Ledger, n int) ([]ledger.Record, Snapshot) {
	t.Helper()
	open(t, l, time.Now(), n)
	for i := range n {
		write(t, l, answer(i, announcement.Answer(1+i%3), time.Now(), fmt.Sprint("r", i)))
	}
	var records []ledger.Record
	if err := l.Read(t.Context(), fire, func(r ledger.Record) error { records = append(records, r); return nil }); err != nil {
		t.Fatal(err)
	}
	alone := NewMemoryStore()
	node := New(Options{Ledger: l, Store: alone})
	for _, r := range records {
		if err := node.take(t.Context(), []ledger.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	want, err := alone.Snapshot(t.Context(), fire)
	if err != nil {
		t.Fatal(err)
	}
	return records, want
}

// lasting judges the stores that two nodes can share: a standby keeps its state for itself.
func lasting(t *testing.T, judge func(t *testing.T, store Store)) {
	t.Helper()
	t.Parallel()
	for name, made := range stores(t) {
		if name != "standby" {
			t.Run(name, func(t *testing.T) { judge(t, made()) })
		}
	}
}

// TestNodesTakeOtherPortions: a node that is behind applies many records at once, and the
// ends of its portions are not those of its neighbour's. Neither takes that for a loss.
func TestNodesTakeOtherPortions(t *testing.T) {
	lasting(t, func(t *testing.T, store Store) {
		for seed := range uint64(10) {
			draw := rand.New(rand.NewPCG(seed, 1))
			l := &countedReads{Ledger: ledger.NewMemory(time.Now)}
			records, want := history(t, l, 90)
			flush(t, store)
			l.reads.Store(0)
			nodes := [2]*Tracker{New(Options{Ledger: l, Store: store}), New(Options{Ledger: l, Store: store})}
			for at := [2]int{}; at[0] < len(records) || at[1] < len(records); {
				i := draw.IntN(2)
				to := min(at[i]+1+draw.IntN(12), len(records))
				if at[i] == to {
					continue
				}
				if err := nodes[i].take(t.Context(), records[at[i]:to]); err != nil {
					t.Fatal(err)
				}
				at[i] = to
			}
			if n := l.reads.Load(); n != 0 {
				t.Errorf("seed %d: the whole announcement was read again %d times, want never", seed, n)
			}
			if got, err := store.Snapshot(t.Context(), fire); err != nil || !got.same(want) {
				t.Errorf("seed %d: got %+v, %v, want %+v", seed, got, err, want)
			}
		}
	})
}

// TestNodesRebuildBesideEachOther: after a loss every node folds the announcement again,
// and none undoes what another has folded.
func TestNodesRebuildBesideEachOther(t *testing.T) {
	lasting(t, func(t *testing.T, store Store) {
		l := &countedReads{Ledger: ledger.NewMemory(time.Now)}
		records, want := history(t, l, 3*ledger.MaxPack)
		nodes := [3]*Tracker{}
		for i := range nodes {
			nodes[i] = New(Options{Ledger: l, Store: store})
			for _, at := range [][2]int{{0, len(records) - 3}, {len(records) - 3, len(records) - 2 + i%2}} {
				if err := nodes[i].take(t.Context(), records[at[0]:at[1]]); err != nil {
					t.Fatal(err)
				}
			}
		}
		flush(t, store)
		l.reads.Store(0)
		var all sync.WaitGroup
		for i, node := range nodes {
			all.Go(func() {
				if err := node.take(context.WithoutCancel(t.Context()), records[len(records)-2+i%2:]); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := l.reads.Load(); n > int64(len(nodes)) {
			t.Errorf("%d nodes read the whole announcement %d times, want once each", len(nodes), n)
		}
		if got, err := store.Snapshot(t.Context(), fire); err != nil || !got.same(want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// TestPositionOfNoRecordIsRemoved: what stands in the store is of another ledger, or of a
// record that a restored one does not have.
func TestPositionOfNoRecordIsRemoved(t *testing.T) {
	lasting(t, func(t *testing.T, store Store) {
		l := ledger.NewMemory(time.Now)
		write(t, l, announcement.Fact{Announcement: announcement.House, Kind: announcement.KindNoted, At: time.Now(), Noted: &announcement.Noted{Act: announcement.JobDropped}}) // position 1 is not ours
		records, want := history(t, l, 9)
		if err := store.Apply(t.Context(), fire, 0, []Change{{Seq: 1}}); err != nil {
			t.Fatal(err)
		}
		if err := New(Options{Ledger: l, Store: store}).take(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Snapshot(t.Context(), fire); err != nil || !got.same(want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
