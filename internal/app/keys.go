package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"

	"kentongan/internal/channel/webpush"
	"kentongan/internal/ledger"
)

// keys are made at the first start and kept in the data folder, outside NATS.
// Losing them loses the people (encrypted), every link and every push
// subscription: back them up.
type keys struct {
	Vault  []byte       `json:"vault"`  // encrypts people at rest
	Links  []byte       `json:"links"`  // makes personal links
	Cookie []byte       `json:"cookie"` // signs sessions
	Push   webpush.Keys `json:"push"`   // VAPID; every subscription is bound to it

	Seal       []byte   `json:"seal,omitempty"`        // seed of the key that seals the ledger (Ed25519); see signing
	SealFormer [][]byte `json:"seal_former,omitempty"` // public keys that did before, in order

	VaultFormer [][]byte `json:"vault_former,omitempty"` // opened values before; each may go two days after it came here
}

// KeysError says which key is not as it was, so that nothing starts with another.
type KeysError struct {
	Path, Key, Fault string
}

func (e *KeysError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Path, e.Fault)
	}
	return fmt.Sprintf("%s: %q: %s", e.Path, e.Key, e.Fault)
}

// keysPath is where the keys are: in a file of their own, or in the data folder.
func keysPath(file, data string) string {
	if file != "" {
		return file
	}
	return filepath.Join(data, "keys.json")
}

// loadKeys reads the keys, and makes them where nothing has been kept yet. Keys that
// everybody on the machine can read are none.
func loadKeys(path, data string) (k *keys, made bool, err error) {
	if info, err := os.Stat(path); err == nil && openToAll(info) {
		return nil, false, &KeysError{Path: path, Fault: "can be read by everybody on this machine: chmod 600"}
	}
	k, err = readKeys(path)
	if !errors.Is(err, os.ErrNotExist) {
		return k, false, err
	}
	// New keys beside an old ledger would open nothing of it, and would stand where
	// the right ones belong.
	if _, err := os.Stat(filepath.Join(data, "nats")); err == nil {
		return nil, false, &KeysError{Path: path, Fault: "is not there, but the ledger beside it is: restore it from the backup"}
	}
	k, made, err = makeKeys(path)
	if err != nil && path != keysPath("", data) {
		err = fmt.Errorf("KENTONGAN_KEYS_FILE: %w", err)
	}
	return k, made, err
}

// openToAll reports whether everybody on the machine can read a file.
func openToAll(info os.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }

func readKeys(path string) (*keys, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &KeysError{Path: path, Fault: "cannot be read: " + errors.Unwrap(err).Error()}
	}
	k := new(keys)
	if err := json.Unmarshal(b, k); err != nil { // its text may repeat a piece of a key
		return nil, &KeysError{Path: path, Fault: "is damaged, or was cut off: restore it from the backup; without it nobody's data can be read"}
	}
	for _, one := range []struct {
		name string
		key  []byte
	}{{"vault", k.Vault}, {"links", k.Links}, {"cookie", k.Cookie}} {
		if len(one.key) != 32 {
			return nil, &KeysError{path, one.name, fmt.Sprintf("has %d bytes instead of 32: restore the file from the backup", len(one.key))}
		}
	}
	if n := len(k.Seal); n != 0 && n != ed25519.SeedSize {
		return nil, &KeysError{path, "seal", fmt.Sprintf("has %d bytes instead of 32: restore the file from the backup", n)}
	}
	for _, public := range k.SealFormer {
		if len(public) != ed25519.PublicKeySize {
			return nil, &KeysError{path, "seal_former", fmt.Sprintf("holds a key of %d bytes instead of 32: restore the file from the backup", len(public))}
		}
	}
	for _, key := range k.VaultFormer {
		if len(key) != 32 {
			return nil, &KeysError{path, "vault_former", fmt.Sprintf("holds a key of %d bytes instead of 32: restore the file from the backup", len(key))}
		}
	}
	if err := webpush.CheckKeys(k.Push); err != nil {
		return nil, &KeysError{path, "push", err.Error() + ": restore the file from the backup"}
	}
	return k, nil
}

// fingerprints name the keys on which something outside of the house depends,
// without telling them: links that were sent, the subscriptions of phones, and the seals
// of the ledger. The cookie key is none of them: a new one only asks everybody to sign in
// again.
func (k *keys) fingerprints() (map[string]string, error) {
	seal, _, err := k.signing()
	if err != nil {
		return nil, err
	}
	return map[string]string{"links": mac(k.Links, 22, "fingerprint"), "push": k.Push.Public, "seal": fingerprintOfSeal(seal.Public().(ed25519.PublicKey))}, nil
}

func fingerprintOfSeal(public ed25519.PublicKey) string {
	return base64.StdEncoding.EncodeToString(public)
}

// replaced reports whether a key is not the one of the fingerprint that was kept. The key
// that seals may follow on a former one that the file names; installations from before
// it was kept have none of it, and take it as it is.
func (k *keys) replaced(name, began, now string) bool {
	if name != "seal" || began == now {
		return began != now
	}
	return began != "" && !slices.ContainsFunc(k.SealFormer, func(public []byte) bool { return fingerprintOfSeal(public) == began })
}

// fingerprintsKey holds the fingerprints of the keys that this house began with.
const fingerprintsKey = "keys.fingerprints"

// checkKeys refuses keys other than those that this house began with, and names the
// one. The vault finds its own key out by itself. With renew they are taken from now on.
func checkKeys(ctx context.Context, vault ledger.Vault, path string, k *keys, renew bool) error {
	now, err := k.fingerprints()
	if err != nil {
		return err
	}
	b, err := json.Marshal(now)
	if err != nil {
		return err
	}
	switch err := vault.Create(ctx, fingerprintsKey, b); {
	case err == nil:
		return nil
	case !errors.Is(err, ledger.ErrAlready):
		return fmt.Errorf("keep what the keys are: %w", err)
	}
	kept, err := vault.Get(ctx, fingerprintsKey)
	if err != nil {
		return fmt.Errorf("read what the keys were: %w", err)
	}
	var began map[string]string
	if err := json.Unmarshal(kept, &began); err != nil {
		return fmt.Errorf("read what the keys were: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if k.replaced(name, began[name], now[name]) && !renew {
			return &KeysError{path, name, "is not the key that this installation began with: restore the file from the backup. If it is meant to be new, start once with --new-keys"}
		}
	}
	if maps.Equal(began, now) {
		return nil
	}
	if err := vault.Put(ctx, fingerprintsKey, b); err != nil {
		return fmt.Errorf("keep what the keys are: %w", err)
	}
	return nil
}

func makeKeys(path string) (_ *keys, made bool, err error) {
	k := &keys{Vault: make([]byte, 32), Links: make([]byte, 32), Cookie: make([]byte, 32), Seal: make([]byte, ed25519.SeedSize)}
	for _, b := range [][]byte{k.Vault, k.Links, k.Cookie, k.Seal} {
		_, _ = rand.Read(b)
	}
	if k.Push, err = webpush.GenerateKeys(); err != nil {
		return nil, false, fmt.Errorf("make push keys: %w", err)
	}
	b, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return nil, false, err
	}
	if err := keepOnce(path, b); errors.Is(err, os.ErrExist) {
		k, err = readKeys(path) // another node on this folder was first, and all must have the same
		return k, false, err
	} else if err != nil {
		return nil, false, fmt.Errorf("write keys: %w", err)
	}
	return k, true, nil
}

// keepOnce makes a file that is whole or not there, whatever happens meanwhile,
// unless one is there already.
func keepOnce(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, werr := f.Write(content)
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path) // a rename would replace what is there
	if err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(path); errors.Is(there, os.ErrNotExist) { // a file system without links
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder keeps what was made in a folder, or removed from it, over a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// mac returns the first n base58 characters of an HMAC-SHA-256 over parts,
// separated so that no two lists of parts give the same input.
func mac(key []byte, n int, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s|", len(p), p)
	}
	v := new(big.Int).SetBytes(h.Sum(nil))
	radix, digit := big.NewInt(58), new(big.Int)
	out := make([]byte, n)
	for i := range out {
		v.DivMod(v, radix, digit)
		out[i] = base58[digit.Int64()]
	}
	return string(out)
}
