package webpush_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/webpush"
)

// browser is the receiving end: the keys of one subscription.
type browser struct {
	private *ecdh.PrivateKey
	auth    []byte
}

func newBrowser(t testing.TB) browser {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	auth := make([]byte, 16)
	_, _ = rand.Read(auth)
	return browser{private, auth}
}

func (b browser) subscription(endpoint string) announcement.Subscription {
	return announcement.Subscription{
		ID: webpush.SubscriptionID(endpoint), Endpoint: endpoint,
		P256dh: base64.RawURLEncoding.EncodeToString(b.private.PublicKey().Bytes()), Auth: base64.RawURLEncoding.EncodeToString(b.auth),
	}
}

// open decrypts a push as a browser does (RFC 8291 §3.4, RFC 8188 §2). It is
// written from the RFCs, not from the library that encrypts.
func (b browser) open(body []byte) ([]byte, error) {
	if len(body) < 21 || len(body) < 21+int(body[20]) {
		return nil, fmt.Errorf("the body of %d bytes has no header", len(body))
	}
	salt, size, key := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:21+int(body[20])]
	sealed := body[21+len(key):]
	if len(sealed) > int(size) {
		return nil, fmt.Errorf("a record of %d bytes is longer than the size %d it names", len(sealed), size)
	}
	sender, err := ecdh.P256().NewPublicKey(key)
	if err != nil {
		return nil, err
	}
	shared, err := b.private.ECDH(sender)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(b.private.PublicKey().Bytes()) + string(key)
	ikm, err := hkdf.Key(sha256.New, shared, b.auth, info, 32)
	if err != nil {
		return nil, err
	}
	cek, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, err
	}
	for i := len(plain) - 1; i >= 0; i-- { // padding is zeros after the delimiter 2
		switch plain[i] {
		case 0:
		case 2:
			return plain[:i], nil
		default:
			return nil, fmt.Errorf("the padding delimiter is %d, want 2", plain[i])
		}
	}
	return nil, fmt.Errorf("no padding delimiter")
}

// TestPublishedVector proves the receiver, and so every test that uses it, by
// the example of RFC 8291 Appendix A.
func TestPublishedVector(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/rfc8291-appendix-a.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Plaintext string `json:"plaintext"`
		Private   string `json:"ua_private"`
		Public    string `json:"ua_public"`
		Auth      string `json:"auth_secret"`
		Body      string `json:"body"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	private, err := ecdh.P256().NewPrivateKey(decode(t, v.Private))
	if err != nil {
		t.Fatal(err)
	}
	got, err := browser{private, decode(t, v.Auth)}.open(decode(t, v.Body))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != v.Plaintext {
		t.Errorf("got %q, want %q", got, v.Plaintext)
	}
	if err := webpush.CheckSubscription(announcement.Subscription{P256dh: v.Public, Auth: v.Auth}); err != nil {
		t.Errorf("the keys of the RFC are refused: %v", err)
	}
}

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
