package sms

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"net/url"
	"slices"
	"strings"
)

// ValidSignature reports whether Twilio signed this request with the account's
// auth token (twilio.com/docs/usage/webhooks/webhooks-security).
//
// publicURL is the URL that Twilio was given: the configured public address
// and the raw path and query, never Host or X-Forwarded headers, which anybody
// can write. Nothing in the request is trimmed or decoded twice. twilio-go's own
// validator takes only the first value of a repeated parameter, so it refuses
// genuine requests that Twilio's Python and Node libraries accept.
//
// The signature carries no time: a captured request stays valid for ever, and
// only the message's SID makes a repeat harmless.
func ValidSignature(token, publicURL, contentType string, body []byte, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if token == "" || err != nil || len(given) != sha1.Size {
		return false
	}
	params, ok := signedParams(publicURL, contentType, body)
	if !ok {
		return false
	}
	valid := false
	for _, u := range addresses(publicURL) {
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(u))
		mac.Write([]byte(params))
		if hmac.Equal(mac.Sum(nil), given) { // constant time
			valid = true
		}
	}
	return valid
}

// signedParams returns what of the body is signed with the URL: every
// parameter of a form, sorted; for any other body nothing, but then the URL
// must carry the SHA-256 of the raw body.
func signedParams(publicURL, contentType string, body []byte) (params string, ok bool) {
	media, _, _ := mime.ParseMediaType(contentType)
	if media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", false
		}
		return formParams(form), true
	}
	u, err := url.Parse(publicURL)
	if err != nil {
		return "", false
	}
	want := u.Query().Get("bodySHA256")
	if want == "" {
		return "", len(body) == 0
	}
	sum := sha256.Sum256(body)
	got := hex.EncodeToString(sum[:])
	return "", hmac.Equal([]byte(got), []byte(strings.ToLower(want)))
}

func formParams(form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			b.WriteString(name)
			b.WriteString(v)
		}
	}
	return b.String()
}

// addresses returns the spellings of a URL that Twilio may have signed: as
// given, without its port, and with the standard port. "The back end is
// inconsistent", says Twilio's SDK. The URL is cut, never parsed and printed
// again, because a re-encoded query is another query.
func addresses(publicURL string) []string {
	publicURL, _, _ = strings.Cut(publicURL, "#") // a fragment is an instruction to Twilio, not signed
	scheme, rest, ok := strings.Cut(publicURL, "://")
	if !ok {
		return []string{publicURL}
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	bare := host
	hasPort := false
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexAny(host, "@]") {
		bare, hasPort = host[:i], true
	}
	out := []string{publicURL}
	port := map[string]string{"https": ":443", "http": ":80"}[strings.ToLower(scheme)]
	switch {
	case hasPort:
		out = append(out, scheme+"://"+bare+tail)
	case port != "":
		out = append(out, scheme+"://"+host+port+tail)
	}
	return out
}
