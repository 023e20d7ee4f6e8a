package ledger

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
)

// sealVersion is the first byte of every sealed value, so that another cipher
// can follow one day.
const sealVersion = 1

// ErrSealed says that a value was sealed with another key, under another name,
// or was tampered with; GCM cannot tell which.
var ErrSealed = errors.New("value does not open with this key")

// sealer encrypts the values of the vault: AES-256-GCM with a random nonce of
// 96 bits (NIST SP 800-38D §8.2.2: sound for 2^32 values under one key), bound
// to the name they are kept under, so that two values cannot be exchanged.
type sealer struct{ aead cipher.AEAD }

func newSealer(key [32]byte) (sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(name string, value []byte) []byte {
	return s.aead.Seal([]byte{sealVersion}, nil, value, []byte(name))
}

func (s sealer) open(name string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	value, err := s.aead.Open([]byte{}, nil, sealed[1:], []byte(name))
	if err != nil {
		return nil, ErrSealed
	}
	return value, nil
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
