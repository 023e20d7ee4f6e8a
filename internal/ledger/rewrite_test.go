package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/ledger"
)

// filesWith returns the files below a folder that hold one of the needles.
func filesWith(t *testing.T, folder string, needles ...[]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range needles {
			if bytes.Contains(content, n) {
				found = append(found, path)
				break
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// nats-server keeps what was overwritten in its files; only here it goes.
func TestRewriteTakesWhatWasOverwrittenOffTheDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, nc := startServer(t, folder)
	ctx := t.Context()
	v, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	js, _ := jetstream.New(nc)
	raw, err := js.KeyValue(ctx, "kentongan-people")
	if err != nil {
		t.Fatal(err)
	}
	var sealed [][]byte
	put := func(key, value string) {
		if err := v.Put(ctx, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
		e, err := raw.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, e.Value())
	}
	for i := range 40 {
		put(fmt.Sprintf("person.p%d", i), "first words")
		put(fmt.Sprintf("person.p%d", i), "second words")
	}
	for i := range 20 {
		if err := v.Delete(ctx, fmt.Sprintf("person.p%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(filesWith(t, folder, sealed...)) == 0 {
		t.Fatal("nothing is on the disk: this test looks in the wrong place")
	}

	// Somebody goes on writing. What they wrote last has to stand.
	var writing sync.WaitGroup
	stop, cancel := context.WithCancel(ctx)
	last := make([]int, 20)
	writing.Go(func() {
		for n := 1; stop.Err() == nil; n++ {
			if v.Put(ctx, fmt.Sprintf("person.p%d", 20+n%20), fmt.Append(nil, n)) == nil {
				last[n%20] = n
			}
		}
	})
	for range 3 {
		if err := v.Rewrite(ctx); err != nil {
			t.Error(err)
		}
	}
	cancel()
	writing.Wait()
	if err := v.Rewrite(ctx); err != nil {
		t.Fatal(err)
	}
	if found := filesWith(t, folder, sealed...); len(found) > 0 {
		t.Errorf("%d files still hold what was overwritten or deleted", len(found))
	}
	for i, n := range last {
		if got, err := v.Get(ctx, fmt.Sprintf("person.p%d", 20+i)); err != nil || string(got) != fmt.Sprint(n) {
			t.Errorf("p%d: got %q, %v; want %d, written last", 20+i, got, err, n)
		}
	}
	present := 0
	if err := v.Walk(ctx, "", func(string, []byte, time.Time) error { present++; return nil }); err != nil || present != 20 {
		t.Errorf("got %d values, %v; want 20", present, err)
	}
}

func TestKeyIsChanged(t *testing.T) {
	t.Parallel()
	_, nc := startServer(t, t.TempDir())
	ctx := t.Context()
	was, is := [32]byte{1}, [32]byte{2}
	v, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: was})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Put(ctx, "person.a", []byte("Siti")); err != nil {
		t.Fatal(err)
	}
	both, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: is, Former: [][32]byte{was}})
	if err != nil {
		t.Fatal(err)
	}
	if err := both.Rewrite(ctx); err != nil {
		t.Fatal(err)
	}
	after, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: is})
	if err != nil {
		t.Fatalf("the new key alone: %v", err)
	}
	if got, err := after.Get(ctx, "person.a"); err != nil || string(got) != "Siti" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: was}); err == nil {
		t.Error("the former key still opens the vault")
	}
}

// A node that follows has a week to hear that a key was deleted, however often what is
// kept was written anew meanwhile.
func TestMarkersOfDeletedKeysGo(t *testing.T) {
	t.Parallel()
	_, nc := startServer(t, t.TempDir())
	ctx := t.Context()
	late := time.Duration(0)
	v, err := ledger.OpenVault(ctx, nc, ledger.VaultOptions{Key: [32]byte{1}, Now: func() time.Time { return time.Now().Add(late) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.Put(ctx, "person.a", []byte("Siti")), v.Delete(ctx, "person.a")); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "KV_kentongan-people")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range []bool{true, true, true, true, true, true, true, false} {
		late = time.Duration(day)*24*time.Hour + time.Hour
		if err := v.Rewrite(ctx); err != nil {
			t.Fatal(err)
		}
		_, err := stream.GetLastMsgForSubject(ctx, "$KV.kentongan-people.person.a")
		if there := err == nil; there != want {
			t.Errorf("day %d: the marker is there: %t, %v; want %t", day, there, err, want)
		}
		if _, err := v.Get(ctx, "person.a"); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("day %d: got %v for what was deleted", day, err)
		}
	}
}
