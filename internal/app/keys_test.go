package app

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestKeysAreMadeOnceAndWhole starts many nodes on one empty folder at once.
func TestKeysAreMadeOnceAndWhole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	made := make([]*keys, 8)
	var nodes sync.WaitGroup
	for i := range made {
		nodes.Go(func() {
			k, err := loadKeys(folder)
			if err != nil {
				t.Error(err)
			}
			made[i] = k
		})
	}
	nodes.Wait()
	for _, k := range made {
		if k == nil || !bytes.Equal(k.Vault, made[0].Vault) {
			t.Fatal("two nodes have different keys")
		}
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %q, want keys.json alone", left)
	}
	info, err := os.Stat(left[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys can be read by others: %v, %v", info.Mode(), err)
	}
}

// TestKeysThatCannotBeWrittenLeaveNothing: half a file would lock everybody out at
// the next start.
func TestKeysThatCannotBeWrittenLeaveNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keepOnce(path, []byte("ours")); !os.IsExist(err) {
		t.Errorf("got %v, want that there are keys already", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "theirs" {
		t.Errorf("got %q, %v, want the keys that were there", b, err)
	}
}
