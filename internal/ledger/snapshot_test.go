package ledger_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// What was backed up comes back as it was, position by position, into a server that
// has nothing, and into no other.
func TestSnapshotComesBack(t *testing.T) {
	ctx := t.Context()
	_, nc := startServer(t, t.TempDir())
	l := open(t, nc)
	vault, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	id := announcement.NewID()
	for i := range 500 {
		if err := vault.Put(ctx, fmt.Sprint("person.p", i), []byte("Siti")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(ctx, announcement.Fact{Announcement: id, Kind: announcement.KindOpened, At: time.Now(), Opened: &announcement.Opened{Number: i}}); err != nil {
			t.Fatal(err)
		}
	}
	last, _ := l.Last(ctx)
	epoch, _ := l.Epoch(ctx)
	var backup bytes.Buffer
	if err := ledger.Snapshot(ctx, nc, &backup, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Restore(ctx, nc, tar.NewReader(bytes.NewReader(backup.Bytes()))); !errors.Is(err, ledger.ErrNotEmpty) {
		t.Errorf("over what is there: got %v, want ErrNotEmpty", err)
	}

	_, other := startServer(t, t.TempDir())
	if err := ledger.Restore(ctx, other, tar.NewReader(bytes.NewReader(backup.Bytes()[:backup.Len()/2]))); err == nil {
		t.Error("half a backup came back")
	}
	if err := ledger.Restore(ctx, other, tar.NewReader(bytes.NewReader(backup.Bytes()))); err != nil {
		t.Fatal(err)
	}
	back := open(t, other)
	if n, _ := back.Last(ctx); n != last {
		t.Errorf("the ledger ends at %d, want %d", n, last)
	}
	if e, _ := back.Epoch(ctx); e != epoch {
		t.Logf("the epoch is %s, was %s", e, epoch)
	}
	facts := 0
	if err := back.Read(ctx, id, func(r ledger.Record) error { facts += len(r.Facts); return nil }); err != nil || facts != 500 {
		t.Errorf("got %d facts, %v, want 500", facts, err)
	}
	people, err := ledger.OpenVault(ctx, other, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := people.Get(ctx, "person.p499"); err != nil || string(v) != "Siti" {
		t.Errorf("got %q, %v", v, err)
	}
}
