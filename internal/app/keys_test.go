package app

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kentongan/internal/app/apptest"
	"kentongan/internal/ledger"
)

// TestKeysAreMadeOnceAndWhole starts many nodes on one empty folder at once.
func TestKeysAreMadeOnceAndWhole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	made := make([]*keys, 8)
	var nodes sync.WaitGroup
	for i := range made {
		nodes.Go(func() {
			k, _, err := loadKeys(keysPath("", folder), folder)
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

// A house never starts with half of its keys, or with other ones: the key is named,
// none is repeated, and what is on the disk stays as it was.
func TestKeysThatWereReplacedOpenNothing(t *testing.T) {
	t.Parallel()
	config := func(folder string) Config {
		c := *fine()
		c.Data = folder
		return c
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "keys.json")
	open := func(c Config) error {
		h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
		if err == nil {
			h.Close()
		}
		return err
	}
	if err := open(config(folder)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*keys)) []byte {
		k := new(keys)
		if err := json.Unmarshal(whole, k); err != nil {
			t.Fatal(err)
		}
		change(k)
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	other := rehearsalKeys(t)
	for _, c := range []struct {
		name    string
		content []byte // nil: no file
		want    string
	}{
		{"cut off", whole[:len(whole)/2], "keys.json: is damaged, or was cut off"},
		{"empty", []byte{}, "keys.json: is damaged"},
		{"no longer there", nil, "keys.json: is not there, but the ledger beside it is"},
		{"null", []byte("null"), `keys.json: "vault": has 0 bytes`},
		{"a short key", edit(func(k *keys) { k.Links = k.Links[:31] }), `keys.json: "links": has 31 bytes`},
		{"half a pair", edit(func(k *keys) { k.Push.Private = other.Push.Private }), `keys.json: "push": the public push key does not belong`},
		{"another vault key", edit(func(k *keys) { k.Vault = other.Vault }), `keys.json: the key "vault" is not the one`},
		{"another key of links", edit(func(k *keys) { k.Links = other.Links }), `keys.json: "links": is not the key that this installation began with`},
		{"another key that seals", edit(func(k *keys) { k.Seal = other.Links }), `keys.json: "seal": is not the key that this installation began with`},
		{"no key that seals", edit(func(k *keys) { k.Seal = nil }), `keys.json: "seal": is not the key that this installation began with`},
		{"another push key", edit(func(k *keys) { k.Push = other.Push }), `keys.json: "push": is not the key that this installation began with`},
	} {
		_ = os.Remove(path)
		if c.content != nil {
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := open(config(folder))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			continue
		}
		for _, key := range [][]byte{other.Vault, other.Links} {
			if strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(key)) {
				t.Errorf("%s: %v repeats a key", c.name, err)
			}
		}
		after, err := os.ReadFile(path)
		if (err == nil) != (c.content != nil) || !bytes.Equal(after, c.content) {
			t.Errorf("%s: the file was changed: %v", c.name, err)
		}
	}
	// Nor is anything believed about the ledger with keys that cannot be read.
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trustIn("", folder, ""); err == nil {
		t.Error("with damaged keys the ledger would be held against none")
	}
	// What only asks everybody to sign in again is no reason to stay away.
	for _, c := range []struct {
		name    string
		content []byte
		renew   bool
	}{
		{"another cookie key", edit(func(k *keys) { k.Cookie = other.Cookie }), false},
		{"new on purpose", edit(func(k *keys) { k.Links = other.Links }), true},
		{"and from then on", edit(func(k *keys) { k.Links = other.Links }), false},
		{"another vault key, with the former", edit(func(k *keys) { k.Links, k.VaultFormer, k.Vault = other.Links, [][]byte{k.Vault}, other.Vault }), false},
		{"another key that seals, with the former", edit(func(k *keys) {
			k.Links, k.VaultFormer, k.Vault = other.Links, [][]byte{k.Vault}, other.Vault
			k.SealFormer, k.Seal = [][]byte{ed25519.NewKeyFromSeed(k.Seal).Public().(ed25519.PublicKey)}, other.Cookie
		}), false},
	} {
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		again := config(folder)
		again.NewKeys = c.renew
		if err := open(again); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestFingerprintOfTheSealIsAdded: an installation from before it was kept goes on, and
// from then on another key that seals is refused.
func TestFingerprintOfTheSealIsAdded(t *testing.T) {
	t.Parallel()
	vault := ledger.NewMemoryVault()
	k := rehearsalKeys(t)
	before, err := json.Marshal(map[string]string{"links": mac(k.Links, 22, "fingerprint"), "push": k.Push.Public})
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.Put(t.Context(), fingerprintsKey, before); err != nil {
		t.Fatal(err)
	}
	if err := checkKeys(t.Context(), vault, "keys.json", k, false); err != nil {
		t.Errorf("as it was before: %v", err)
	}
	k.Seal = bytes.Repeat([]byte{7}, ed25519.SeedSize)
	if err := checkKeys(t.Context(), vault, "keys.json", k, false); err == nil || !strings.Contains(err.Error(), `"seal"`) {
		t.Errorf("with another key that seals: got %v, want it named", err)
	}
}

// On a NATS of one's own a node without keys.json makes none that stands in the way.
func TestNodeWithoutTheKeysLeavesNone(t *testing.T) {
	t.Parallel()
	url := apptest.StartNATS(t)
	begin := func(folder string) error {
		c := *fine()
		c.Data, c.NATSURL = folder, url
		h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
		if err == nil {
			h.Close()
		}
		return err
	}
	if err := begin(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	second := t.TempDir()
	if err := begin(second); err == nil || !strings.Contains(err.Error(), `the key "vault"`) {
		t.Errorf("got %v, want the key named", err)
	}
	if _, err := os.Stat(filepath.Join(second, "keys.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left keys: %v", err)
	}
}

// The keys may lie elsewhere than the data, so that whoever takes the disk reads
// nobody; where everybody on the machine can read them, nothing starts.
func TestKeysOutsideOfTheDataFolder(t *testing.T) {
	t.Parallel()
	data, safe := t.TempDir(), filepath.Join(t.TempDir(), "kentongan.keys")
	made, isNew, err := loadKeys(keysPath(safe, data), data)
	if err != nil || !isNew {
		t.Fatal(isNew, err)
	}
	if all, err := os.ReadDir(data); err != nil || len(all) != 0 {
		t.Errorf("the data folder has %v, %v", all, err)
	}
	if info, err := os.Stat(safe); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	again, isNew, err := loadKeys(keysPath(safe, data), data)
	if err != nil || isNew || string(again.Vault) != string(made.Vault) {
		t.Errorf("the second start: %v %v", isNew, err)
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere", "kentongan.keys")
	if _, _, err := loadKeys(nowhere, data); err == nil || !strings.Contains(err.Error(), "KENTONGAN_KEYS_FILE") {
		t.Errorf("a folder that is not there: got %v, want the variable named", err)
	}
	if err := os.Chmod(safe, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadKeys(safe, data); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("keys for everybody: %v", err)
	}
	// With the ledger there and its keys elsewhere forgotten, none are made.
	if err := os.Mkdir(filepath.Join(data, "nats"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadKeys(keysPath("", data), data); err == nil {
		t.Error("new keys were made beside a ledger")
	}
}
