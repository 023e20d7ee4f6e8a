package ledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kentongan/internal/directory"
	"kentongan/internal/ledger"
)

// spoil flips one byte of the vault's record at a position on the disk.
func spoil(t *testing.T, store string, seq uint64) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", "KV_kentongan-people", "msgs", "*.blk"))
	if err != nil || len(all) != 1 {
		t.Fatalf("blocks %v, %v", all, err)
	}
	b, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); {
		length := int(binary.LittleEndian.Uint32(b[at:]) &^ (1 << 31))
		if binary.LittleEndian.Uint64(b[at+4:])&^(1<<63) == seq {
			b[at+length-12] ^= 1
			if err := os.WriteFile(all[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
		at += length
	}
	t.Fatalf("record %d is not in the file", seq)
}

// A person whom the disk has lost is not left out in silence, and nobody waits for them
// for ever: the start ends, with the position and what to do.
func TestDamagedVaultEndsTheStart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		seq  uint64
	}{{"in the middle", 7}, {"the last", 21}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			store := t.TempDir()
			s, nc := startServer(t, store)
			v, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 20 { // positions 2 to 21, behind the known value
				if err := v.Put(ctx, fmt.Sprintf("person.p%d", n), bytes.Repeat([]byte(`{}`), 50)); err != nil {
					t.Fatal(err)
				}
			}
			nc.Close()
			s.Shutdown()
			s.WaitForShutdown()
			spoil(t, store, tc.seq)
			_, nc = startServer(t, store)
			if v, err = ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}}); err != nil {
				t.Fatal(err)
			}
			_, err = directory.Open(ctx, v, directory.Options{})
			want := fmt.Sprintf("1 records of the stream KV_kentongan-people cannot be read, the first at position %d;", tc.seq)
			if !errors.Is(err, ledger.ErrDamaged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "restore the last backup") {
				t.Errorf("the start ends with %v, want %q", err, want)
			}
			if err := v.Walk(ctx, "", func(string, []byte, time.Time) error { return nil }); !errors.Is(err, ledger.ErrDamaged) {
				t.Errorf("a walk ends with %v", err)
			}
		})
	}
}

// What was overwritten and deleted is no damage, however long the server is silent.
func TestOverwrittenIsNotDamaged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, nc := startServer(t, t.TempDir())
	v, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := v.Put(ctx, fmt.Sprintf("person.p%d", n%7), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Delete(ctx, "person.p3"); err != nil {
		t.Fatal(err)
	}
	if bad, err := v.Unreadable(ctx); err != nil || len(bad) > 0 {
		t.Errorf("got %d, %v", bad, err)
	}
}
