package sandbox

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with it
	"encoding/base64"
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
	mac.Write([]byte(address))
	for _, k := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(k))
		mac.Write([]byte(form.Get(k)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
