package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The first byte of a sealed value says what it is: a value alone, as early houses
// wrote it, or one behind the time at which it was put (Unix milliseconds), by which
// what is due to be erased is known however often it was written anew since.
const (
	sealPlain = 1
	sealTimed = 2
)

// ErrSealed says that a value was sealed with another key, under another name,
// or was tampered with; GCM cannot tell which.
var ErrSealed = errors.New("value does not open with this key")

// sealer encrypts the values of the vault: AES-256-GCM with a random nonce of
// 96 bits (NIST SP 800-38D §8.2.2: sound for 2^32 values under one key), bound
// to the name they are kept under, so that two values cannot be exchanged.
//
// Of several keys the first seals and each opens, so that a key can be changed.
type sealer []cipher.AEAD

func newSealer(keys ...[32]byte) (sealer, error) {
	var s sealer
	for _, key := range keys {
		block, err := aes.NewCipher(key[:])
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		s = append(s, aead)
	}
	return s, nil
}

func (s sealer) seal(name string, value []byte, at time.Time) []byte {
	timed := append(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())), value...) // #nosec G115 -- comes back the same way
	return s[0].Seal([]byte{sealTimed}, nil, timed, []byte(name))
}

// open returns a value and when it was put; the zero time of one that does not say.
func (s sealer) open(name string, sealed []byte) ([]byte, time.Time, error) {
	if len(sealed) == 0 || sealed[0] != sealPlain && sealed[0] != sealTimed {
		return nil, time.Time{}, ErrSealed
	}
	for _, aead := range s {
		value, err := aead.Open([]byte{}, nil, sealed[1:], []byte(name))
		switch {
		case err != nil:
		case sealed[0] == sealPlain:
			return value, time.Time{}, nil
		case len(value) >= 8:
			return value[8:], time.UnixMilli(int64(binary.BigEndian.Uint64(value))).UTC(), nil // #nosec G115 -- see seal
		}
	}
	return nil, time.Time{}, ErrSealed
}

// checkName returns an error unless name can be a key of the vault.
func checkName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if !validToken(part) {
			return fmt.Errorf("vault key is not words of letters, digits, '-' and '_', joined by '.'")
		}
	}
	return nil
}
