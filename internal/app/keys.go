package app

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"

	"kentongan/internal/channel/webpush"
)

// keys are made at the first start and kept in the data folder, outside NATS.
// Losing them loses the people (encrypted), every link and every push
// subscription: back them up.
type keys struct {
	Vault  []byte       `json:"vault"`  // encrypts people at rest
	Links  []byte       `json:"links"`  // makes personal links
	Cookie []byte       `json:"cookie"` // signs sessions
	Push   webpush.Keys `json:"push"`   // VAPID; every subscription is bound to it
}

func loadKeys(folder string) (*keys, error) {
	path := filepath.Join(folder, "keys.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeKeys(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	k := new(keys)
	if err := json.Unmarshal(b, k); err != nil || len(k.Vault) != 32 || len(k.Links) != 32 || len(k.Cookie) != 32 {
		return nil, fmt.Errorf("%s is damaged: restore it from a backup; without it nobody's data can be read", path)
	}
	return k, nil
}

func makeKeys(path string) (*keys, error) {
	k := &keys{Vault: make([]byte, 32), Links: make([]byte, 32), Cookie: make([]byte, 32)}
	for _, b := range [][]byte{k.Vault, k.Links, k.Cookie} {
		_, _ = rand.Read(b)
	}
	var err error
	if k.Push, err = webpush.GenerateKeys(); err != nil {
		return nil, fmt.Errorf("make push keys: %w", err)
	}
	b, err := json.MarshalIndent(k, "", " ")
	if err != nil {
		return nil, err
	}
	if err := keepOnce(path, b); errors.Is(err, os.ErrExist) {
		return loadKeys(filepath.Dir(path)) // another node on this folder was first, and all must have the same
	} else if err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return k, nil
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
	folder, err := os.Open(filepath.Dir(path))
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
