package app

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// full is a vault on a disk without room.
type full struct {
	ledger.Vault
	on *bool
}

func (f full) Put(ctx context.Context, key string, value []byte) error {
	if *f.on {
		return fmt.Errorf("put value: %w", ledger.ErrUnavailable)
	}
	return f.Vault.Put(ctx, key, value)
}

func TestFullDiskIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w writes
		disk := true
		l := notedLedger{&failing{Ledger: ledger.NewMemory(time.Now), fails: func(announcement.Fact) bool { return disk }}, &w}
		v := notedVault{full{ledger.NewMemoryVault(), &disk}, &w}
		fact := announcement.Fact{Announcement: announcement.NewID(), Kind: announcement.KindClosed, At: time.Now(), Closed: &announcement.Closed{As: announcement.AsAllClear}}
		if err := w.check(t.Context(), v); err != nil {
			t.Errorf("before anything was written: %v", err)
		}
		_, _ = l.Once(t.Context(), "closed", fact)
		for range 3 {
			if err := w.check(t.Context(), v); err == nil {
				t.Error("nothing can be written, and it says that it is ready")
			}
			time.Sleep(writesPause)
		}
		disk = false
		if err := w.check(t.Context(), v); err != nil {
			t.Errorf("there is room again: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_ = v.Delete(gone, "note.a")
		if err := w.check(t.Context(), v); err != nil {
			t.Errorf("somebody who went away is no full disk: %v", err)
		}
	})
}

// After a full disk NATS may refuse the ledger until it is restarted, though the
// vault takes everything: that is not ready either.
func TestLedgerThatStaysRefusedIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w writes
		refused := true
		l := notedLedger{&failing{Ledger: ledger.NewMemory(time.Now), fails: func(announcement.Fact) bool { return refused }}, &w}
		v := notedVault{ledger.NewMemoryVault(), &w}
		write := func() {
			_, _ = l.Once(t.Context(), "closed", announcement.Fact{Announcement: announcement.NewID(), Kind: announcement.KindClosed, At: time.Now(), Closed: &announcement.Closed{As: announcement.AsAllClear}})
		}
		write()
		time.Sleep(writesPause)
		if err := w.check(t.Context(), v); err != nil {
			t.Errorf("after a moment without NATS: %v", err)
		}
		time.Sleep(stuckAfter)
		write()
		for range 3 {
			if err := w.check(t.Context(), v); err == nil {
				t.Error("the ledger takes nothing, and it says that it is ready")
			}
			time.Sleep(writesPause)
		}
		refused = false
		write()
		if err := w.check(t.Context(), v); err != nil {
			t.Errorf("the ledger takes facts again: %v", err)
		}
	})
}
