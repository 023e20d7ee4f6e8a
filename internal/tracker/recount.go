package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// ErrMiscounted is returned when the working state was not what the ledger makes of it.
var ErrMiscounted = errors.New("the working state differs from the ledger")

// ErrUnread is returned for an announcement about which the ledger says something that
// this version does not know: its counts may be wrong here.
var ErrUnread = errors.New("another version wrote facts that this one does not know")

// Recount folds an announcement from the ledger once more, apart from the store, up to
// where the store stands, and compares the two. What differs is folded again there, so
// that nobody stays forgotten, and ErrMiscounted says that it was so.
func (t *Tracker) Recount(ctx context.Context, id announcement.ID) error {
	e, v, _, err := t.known(id)
	if err != nil {
		return err
	}
	if v.Unread > 0 { // a node of the other version knows better what stands there
		return fmt.Errorf("recount %s: %w", id, ErrUnread)
	}
	kept, err := t.o.Store.Snapshot(ctx, id)
	if err != nil {
		return fmt.Errorf("recount %s: %w", id, err)
	}
	if kept.Applied == 0 {
		return nil // emptied: whoever looks at it next has it folded again
	}
	last, err := t.o.Ledger.Last(ctx)
	if err != nil {
		return fmt.Errorf("recount %s: %w", id, err)
	}
	if kept.Applied > last { // of another ledger, or somebody wrote there: no record would be applied any more
		return t.anew(ctx, id, e)
	}
	if err := t.Reach(ctx, kept.Applied); err != nil { // another node was faster
		return fmt.Errorf("recount %s: %w", id, err)
	}
	own := NewMemoryStore()
	if err := t.fold(ctx, id, e, kept.Applied, own, func(ledger.Record) {}); err != nil {
		return fmt.Errorf("recount %s: %w", id, err)
	}
	counted, err := own.Snapshot(ctx, id)
	if err != nil {
		return fmt.Errorf("recount %s: %w", id, err)
	}
	if kept.same(counted) {
		return nil
	}
	return t.anew(ctx, id, e)
}

// anew folds an announcement that was miscounted into the store again.
func (t *Tracker) anew(ctx context.Context, id announcement.ID, e *entry) error {
	e.work.Lock()
	defer e.work.Unlock()
	if err := t.o.Store.Forget(ctx, id); err != nil {
		return fmt.Errorf("recount %s: %w: %w", id, ErrMiscounted, err)
	}
	if err := t.replay(ctx, id, e); err != nil {
		return fmt.Errorf("recount %s: %w: %w", id, ErrMiscounted, err)
	}
	return fmt.Errorf("recount %s: %w", id, ErrMiscounted)
}

// same compares everything that counts. A bitmap may end earlier: bits beyond are 0.
func (s Snapshot) same(o Snapshot) bool {
	if s.Applied != o.Applied || !maps.Equal(counted(s.Counters), counted(o.Counters)) {
		return false
	}
	for _, name := range bitmapNames {
		if !bytes.Equal(bytes.TrimRight(s.Bits[name], "\x00"), bytes.TrimRight(o.Bits[name], "\x00")) {
			return false
		}
	}
	return true
}

// counted leaves out counters that are 0: a store may have them or not.
func counted(all map[string]int) map[string]int {
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(_ string, n int) bool { return n == 0 })
	return all
}
