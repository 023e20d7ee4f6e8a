package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// sign computes X-Twilio-Signature: HMAC-SHA1, keyed with the auth token, over
// the URL without its fragment followed by each form key and value, keys sorted
// (twilio.com/docs/usage/webhooks/webhooks-security).
func sign(token, address string, form url.Values) string {
	address, _, _ = strings.Cut(address, "#")
	mac := hmac.New(sha1.New, []byte(token))
	io.WriteString(mac, address)
	for _, k := range slices.Sorted(maps.Keys(form)) {
		io.WriteString(mac, k)
		io.WriteString(mac, form.Get(k))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
