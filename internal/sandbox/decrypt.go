package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

var errNotOurs = errors.New("decrypt push message: not for this device, or damaged")

// decrypt opens a push message: content coding aes128gcm (RFC 8188) with the key
// agreement of RFC 8291. A push message is one record (RFC 8291 §4).
func decrypt(key *ecdh.PrivateKey, auth, body []byte) ([]byte, error) {
	if len(body) < 21 { // salt 16, record size 4, length of key id 1
		return nil, errors.New("decrypt push message: header is cut off")
	}
	salt, size, idLen := body[:16], binary.BigEndian.Uint32(body[16:20]), int(body[20])
	if len(body) < 21+idLen {
		return nil, errors.New("decrypt push message: key id is cut off")
	}
	id, record := body[21:21+idLen], body[21+idLen:]
	if size < 18 || uint64(len(record)) > uint64(size) {
		return nil, errors.New("decrypt push message: more than one record")
	}
	sender, err := ecdh.P256().NewPublicKey(id)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: sender key: %w", err)
	}
	secret, err := key.ECDH(sender)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: agree on key: %w", err)
	}
	info := "WebPush: info\x00" + string(key.PublicKey().Bytes()) + string(id)
	ikm, err := hkdf.Key(sha256.New, secret, auth, info, 32)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: %w", err)
	}
	cek, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: %w", err)
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: %w", err)
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("decrypt push message: %w", err)
	}
	plain, err := gcm.Open(nil, nonce, record, nil)
	if err != nil {
		return nil, errNotOurs
	}
	// The delimiter of the last record is 2, then zeros (RFC 8188 §2).
	for i := len(plain) - 1; i >= 0; i-- {
		switch plain[i] {
		case 0:
		case 2:
			return plain[:i], nil
		default:
			return nil, errors.New("decrypt push message: wrong padding")
		}
	}
	return nil, errors.New("decrypt push message: no padding delimiter")
}
