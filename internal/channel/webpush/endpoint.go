package webpush

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"kentongan/internal/announcement"
)

// DefaultHosts are the push services of the browsers people have: a host, or
// with a leading dot every host below it. An endpoint elsewhere is refused: it
// is an address that a stranger could make our server call.
var DefaultHosts = []string{
	"fcm.googleapis.com", "android.googleapis.com", // Chrome, Samsung, Opera, Brave
	"updates.push.services.mozilla.com",     // Firefox
	"web.push.apple.com", ".push.apple.com", // Safari
	".notify.windows.com", // Edge
}

// maxEndpoint is the longest endpoint taken; real ones are below 1,000 bytes.
const maxEndpoint = 2_048

// CheckEndpoint reports why we would not send to an endpoint. The parsed host
// is compared, never the text: a pattern on the text is fooled by
// "https://10.0.0.1/?.apple.com/". The error does not repeat the endpoint, which
// is a secret.
func (s *Sender) CheckEndpoint(endpoint string) error {
	if len(endpoint) > maxEndpoint {
		return fmt.Errorf("the push endpoint is longer than %d bytes", maxEndpoint)
	}
	if strings.ContainsFunc(endpoint, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) {
		return errors.New("the push endpoint contains characters that no push service uses")
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("the push endpoint is not a URL")
	}
	switch {
	case u.Scheme != "https" && !(s.allowPrivate && u.Scheme == "http"):
		return errors.New("the push endpoint is not an https URL")
	case u.User != nil || u.Opaque != "" || u.Fragment != "":
		return errors.New("the push endpoint has parts that no push service uses")
	case u.Port() != "" && u.Port() != "443" && !s.allowPrivate:
		return errors.New("the push endpoint names a port")
	case !s.listed(strings.ToLower(u.Hostname())):
		return errors.New("the push endpoint is not at a known push service")
	}
	return nil
}

func (s *Sender) listed(host string) bool {
	for _, h := range s.hosts {
		if host == h || strings.HasPrefix(h, ".") && strings.HasSuffix(host, h) && len(host) > len(h) {
			return true
		}
	}
	return false
}

// SubscriptionID names a subscription without revealing its endpoint, which is
// a bearer capability (RFC 8030 §8).
func SubscriptionID(endpoint string) string { return shortHash(endpoint) }

// shortHash is the first 22 characters (132 bits) of base64url(SHA-256(s)).
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:22]
}

// CheckSubscription reports why the keys of a subscription cannot be used: a
// point that is on P-256 and 16 secret bytes (RFC 8291 §3.1, §3.2).
func CheckSubscription(sub announcement.Subscription) error {
	point, err := decodeKey(sub.P256dh)
	if err != nil || len(point) != 65 {
		return errors.New("the p256dh key is not 65 bytes of base64")
	}
	if _, err := ecdh.P256().NewPublicKey(point); err != nil {
		return errors.New("the p256dh key is not a point on P-256")
	}
	if auth, err := decodeKey(sub.Auth); err != nil || len(auth) != 16 {
		return errors.New("the auth secret is not 16 bytes of base64")
	}
	return nil
}

// decodeKey reads base64 in the standard or the URL alphabet, padded or not:
// browsers and libraries disagree.
func decodeKey(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	return base64.RawURLEncoding.DecodeString(s)
}

// CheckSubject reports why a contact for push services cannot be used: Apple
// answers 403 BadJwtToken unless it is an https URL or a mail address whose
// domain has a dot, without spaces or angle brackets (RFC 8292 §2.1).
func CheckSubject(subject string) error {
	if strings.ContainsAny(subject, " <>\t\r\n") {
		return errors.New("the push contact contains a space or angle bracket")
	}
	if strings.HasPrefix(subject, "https://") {
		u, err := url.Parse(subject)
		if err != nil || !strings.Contains(u.Hostname(), ".") {
			return errors.New("the push contact is not a public https URL")
		}
		return nil
	}
	user, domain, ok := strings.Cut(strings.TrimPrefix(subject, "mailto:"), "@")
	if !ok || user == "" || strings.Contains(user, ":") || strings.ContainsAny(domain, "@:/") || !strings.Contains(strings.Trim(domain, "."), ".") || domain != strings.Trim(domain, ".") {
		return errors.New("the push contact is neither an https URL nor a mail address such as it@example.com")
	}
	return nil
}

// errPrivate says that a name led to an address that is not public.
var errPrivate = errors.New("the push service resolved to an address that is not public")

// newClient returns the HTTP client for push services. It follows no redirect,
// uses no proxy, and refuses addresses that are not public after the name was
// looked up, so that a name that changes its address reaches nothing inside.
func newClient(timeout time.Duration, allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !public(ap.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        512,
			MaxIdleConnsPerHost: 256, // where HTTP/2 is not spoken
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
		},
		CheckRedirect: stay,
	}
}

// stay keeps a client from following redirects.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// notPublic are ranges that netip does not classify: this network, CGNAT, IETF
// assignments, documentation, benchmarks, reserved, and the IPv6 forms that
// carry an IPv4 address (RFC 6890, RFC 6598).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// nat64 carries a public IPv4 address on networks without IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// public reports whether a is an address on the internet. The metadata services
// of clouds are link-local (169.254.169.254) or private (fd00:ec2::254).
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
