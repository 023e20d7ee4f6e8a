package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// seal authenticates what a browser keeps for us, so that no session has to be
// kept on a server: any node can continue what another began.
type seal struct {
	key []byte
	now func() time.Time
}

// put returns v with an expiry and a MAC over both. Purpose keeps a value made
// for one use from passing in another.
func (s seal) put(purpose string, v any, life time.Duration) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode sealed value: %w", err)
	}
	return s.putBytes(purpose, data, life), nil
}

// get reads what put wrote into v. It reports false for anything else.
func (s seal) get(purpose, sealed string, v any) bool {
	data, ok := s.bytes(purpose, sealed)
	return ok && json.Unmarshal(data, v) == nil
}

// putBytes is put for bytes that must come back exactly as they are.
func (s seal) putBytes(purpose string, data []byte, life time.Duration) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(life).Unix()))
	b = append(b, data...)
	return base64.RawURLEncoding.EncodeToString(append(s.mac(purpose, b), b...))
}

func (s seal) bytes(purpose, sealed string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(b) < sha256.Size+8 {
		return nil, false
	}
	mac, body := b[:sha256.Size], b[sha256.Size:]
	if !hmac.Equal(mac, s.mac(purpose, body)) || int64(binary.BigEndian.Uint64(body)) < s.now().Unix() {
		return nil, false
	}
	return body[8:], true
}

func (s seal) mac(purpose string, b []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write(b)
	return m.Sum(nil)
}

// newNonce returns an id for one form: the same press always carries the same.
func newNonce() string { return rand.Text() }
