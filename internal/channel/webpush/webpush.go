// Package webpush reaches the browsers of a person through their push services
// (RFC 8030), encrypted for the browser alone (RFC 8291) and signed as ours
// (RFC 8292), with webpush-go: a small library for exactly these three, used by
// ntfy and others.
//
// # Decisions
//
// Accepted means that the push service took it, never that a phone showed it.
// Only 404 and 410 retire a subscription: an outage of a push service must not
// unsubscribe a whole company. The endpoint is a secret and user input: it is
// checked against a list of hosts, never logged, and no redirect is followed.
package webpush

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lib "github.com/SherClockHolmes/webpush-go"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Keys identify this installation to push services (VAPID), base64url. Every
// subscription is bound to them: losing them unsubscribes everybody.
type Keys struct{ Public, Private string }

func (Keys) String() string   { return "(push keys)" }
func (Keys) GoString() string { return "(push keys)" }

// GenerateKeys returns a fresh pair.
func GenerateKeys() (Keys, error) {
	private, public, err := lib.GenerateVAPIDKeys()
	if err != nil {
		return Keys{}, fmt.Errorf("generate push keys: %w", err)
	}
	return Keys{Public: public, Private: private}, nil
}

// Options configure a Sender.
type Options struct {
	Keys         Keys
	Subject      string           // contact for the push services: a mail address or an https URL
	Hosts        []string         // allowed endpoints; empty means DefaultHosts
	HTTP         *http.Client     // nil: a client that reaches public addresses only
	Timeout      time.Duration    // of one call; 0 means 10 s
	AllowPrivate bool             // for the sandbox on loopback: private addresses, http and any port at the listed hosts
	Now          func() time.Time // nil means time.Now
}

// Sender is the channel.Sender for web push. It is safe for concurrent use.
type Sender struct {
	keys         Keys
	subject      string
	hosts        []string
	http         *http.Client
	allowPrivate bool
	now          func() time.Time
}

// New returns a Sender, or says which option cannot work, so that a wrong key
// shows at start and not in an emergency.
func New(o Options) (*Sender, error) {
	keys, err := checkKeys(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("set up web push: %w", err)
	}
	if err := CheckSubject(o.Subject); err != nil {
		return nil, fmt.Errorf("set up web push: %w", err)
	}
	if len(o.Hosts) == 0 {
		o.Hosts = DefaultHosts
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sender{keys: keys, allowPrivate: o.AllowPrivate, now: o.Now}
	// The library puts "mailto:" in front of all but an https URL.
	s.subject = strings.TrimPrefix(o.Subject, "mailto:")
	for _, h := range o.Hosts {
		s.hosts = append(s.hosts, strings.ToLower(strings.TrimSpace(h)))
	}
	if o.HTTP == nil {
		s.http = newClient(o.Timeout, o.AllowPrivate)
	} else {
		own := *o.HTTP
		own.CheckRedirect = stay
		if own.Timeout == 0 {
			own.Timeout = o.Timeout
		}
		s.http = &own
	}
	return s, nil
}

// checkKeys returns the keys in the one encoding that the library reads, or an
// error unless they belong together.
// CheckKeys says what is wrong with a pair, without repeating it.
func CheckKeys(k Keys) error {
	_, err := checkKeys(k)
	return err
}

func checkKeys(k Keys) (Keys, error) {
	secret, err := decodeKey(k.Private)
	if err != nil {
		return Keys{}, errors.New("the private push key is not base64")
	}
	private, err := ecdh.P256().NewPrivateKey(secret)
	if err != nil {
		return Keys{}, errors.New("the private push key is not a P-256 key")
	}
	public, err := decodeKey(k.Public)
	if err != nil || !bytes.Equal(public, private.PublicKey().Bytes()) {
		return Keys{}, errors.New("the public push key does not belong to the private one")
	}
	return Keys{Public: base64.RawURLEncoding.EncodeToString(public), Private: base64.RawURLEncoding.EncodeToString(secret)}, nil
}

// Channel returns announcement.WebPush.
func (*Sender) Channel() announcement.Channel { return announcement.WebPush }

// Send pushes to every browser of the person at once. One that took it is
// enough; the others are tried again with the next round. Repeating a push is
// harmless: it replaces the one before.
func (s *Sender) Send(ctx context.Context, _ string, to announcement.ContactPoints, m announcement.Message) (channel.Handed, error) {
	if len(to.Subscriptions) == 0 {
		return channel.Handed{}, channel.Fail(channel.NoContactPoint, "", "no browser is subscribed")
	}
	ttl, ok := s.ttl(m)
	if !ok {
		return channel.Handed{}, channel.Fail(channel.Expired, "", "the message has expired")
	}
	results := make([]*channel.Error, len(to.Subscriptions))
	var wg sync.WaitGroup
	for i, sub := range to.Subscriptions {
		wg.Go(func() { results[i] = s.push(ctx, sub, m, ttl) })
	}
	wg.Wait()
	return settle(to.Subscriptions, results)
}

// settle makes one result of what each subscription answered.
func settle(subs []announcement.Subscription, results []*channel.Error) (channel.Handed, error) {
	handed := channel.Handed{Rank: announcement.Accepted}
	var worst *channel.Error
	for i, e := range results {
		switch {
		case e == nil:
			handed.Points++
		case e.Reason == channel.Gone:
			handed.Retired = append(handed.Retired, subs[i].ID)
		case worst == nil || slices.Index(hope, e.Reason) < slices.Index(hope, worst.Reason):
			worst = e
		}
	}
	if handed.Points > 0 {
		return handed, nil
	}
	if worst == nil {
		worst = channel.Fail(channel.Gone, "410", "every subscription is gone")
	}
	worst.Retired = handed.Retired
	return channel.Handed{}, worst
}

// hope orders reasons by how soon another try can help.
var hope = []channel.Reason{channel.Temporary, channel.RateLimited, channel.Unauthorized, channel.TooLarge, channel.Rejected}

// Limits of how long a push service may keep a message for a phone that is off
// (RFC 8030 §5.2). A TTL of 0 would drop it at once.
const (
	minTTL        = time.Minute
	maxTTL        = 4 * time.Hour
	maxTTLExtreme = 15 * time.Minute // an old order to run is dangerous; by then others have been called
)

func (s *Sender) ttl(m announcement.Message) (time.Duration, bool) {
	limit := maxTTL
	if m.Severity == announcement.Extreme {
		limit = maxTTLExtreme
	}
	if m.Expires.IsZero() {
		return limit, true
	}
	left := m.Expires.Sub(s.now())
	return max(min(left, limit), minTTL), left > 0
}

// push sends to one subscription. A body that the service finds too large is
// shrunk once.
func (s *Sender) push(ctx context.Context, sub announcement.Subscription, m announcement.Message, ttl time.Duration) *channel.Error {
	if err := s.CheckEndpoint(sub.Endpoint); err != nil {
		return &channel.Error{Reason: channel.Rejected, Code: "endpoint", Err: err}
	}
	if err := CheckSubscription(sub); err != nil {
		return &channel.Error{Reason: channel.Rejected, Code: "keys", Err: err}
	}
	e := s.post(ctx, sub, m, ttl, maxPayload, recordSize)
	if e != nil && e.Reason == channel.TooLarge {
		e = s.post(ctx, sub, m, ttl, smallPayload, smallRecord)
	}
	return e
}

func (s *Sender) post(ctx context.Context, sub announcement.Subscription, m announcement.Message, ttl time.Duration, limit int, record uint32) *channel.Error {
	body := encode(m, limit)
	if body == nil {
		return channel.Fail(channel.TooLarge, "", "the link alone is too long for a push")
	}
	resp, err := lib.SendNotificationWithContext(ctx, body, &lib.Subscription{
		Endpoint: sub.Endpoint, Keys: lib.Keys{Auth: sub.Auth, P256dh: sub.P256dh},
	}, &lib.Options{
		HTTPClient: edge{s.http}, RecordSize: record, Subscriber: s.subject, Topic: shortHash(thread(m)),
		TTL: int(ttl / time.Second), Urgency: lib.UrgencyHigh,
		VAPIDPublicKey: s.keys.Public, VAPIDPrivateKey: s.keys.Private,
	})
	if err != nil {
		return unreached(ctx, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // lets the connection be used again; what it says is not needed
	return s.judge(resp)
}

// edge adds what Microsoft's service asks for: without this header it answers
// 400 to every push that may wait.
type edge struct{ http *http.Client }

func (e edge) Do(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(strings.ToLower(r.URL.Hostname()), ".notify.windows.com") {
		r.Header.Set("X-WNS-Cache-Policy", "cache")
	}
	return e.http.Do(r)
}

// unreached turns an error of the call into one that does not hold the
// endpoint, which net/http puts into its errors.
func unreached(ctx context.Context, err error) *channel.Error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return channel.Fail(channel.Temporary, "", "call the push service: %w", ctx.Err())
	case errors.Is(err, errPrivate):
		return channel.Fail(channel.Temporary, "address", "call the push service: %w", errPrivate)
	case errors.As(err, &timeout) && timeout.Timeout():
		return channel.Fail(channel.Temporary, "", "the push service did not answer in time")
	}
	if transport := (*url.Error)(nil); !errors.As(err, &transport) {
		return channel.Fail(channel.Rejected, "keys", "the message could not be encrypted for this browser")
	}
	return channel.Fail(channel.Temporary, "", "the connection to the push service failed")
}

// judge says what an answer of a push service means. Everything unexpected is
// tried again, because repeating is harmless.
func (s *Sender) judge(resp *http.Response) *channel.Error {
	status := resp.StatusCode
	fail := func(r channel.Reason, why string) *channel.Error {
		return channel.Fail(r, strconv.Itoa(status), "%s", why)
	}
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusNotFound || status == http.StatusGone:
		return fail(channel.Gone, "the subscription is gone")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fail(channel.Unauthorized, "the push service does not accept our keys or clock")
	case status == http.StatusTooManyRequests || status == http.StatusNotAcceptable: // 406: Microsoft
		e := fail(channel.RateLimited, "the push service asks us to slow down")
		e.RetryAfter = s.retryAfter(resp.Header.Get("Retry-After"))
		return e
	case status == http.StatusRequestEntityTooLarge:
		return fail(channel.TooLarge, "the push service finds the message too large")
	case status >= 500 || status == http.StatusRequestTimeout:
		e := fail(channel.Temporary, "the push service has a problem")
		e.RetryAfter = s.retryAfter(resp.Header.Get("Retry-After"))
		return e
	case status >= 300 && status < 400:
		return fail(channel.Rejected, "the push service redirects, which is not followed")
	}
	return fail(channel.Rejected, "the push service does not take this message")
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3), at most an hour: an
// emergency does not wait for longer.
func (s *Sender) retryAfter(v string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(v); err == nil {
		wait = time.Duration(min(seconds, 3_600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		wait = at.Sub(s.now())
	}
	return min(max(wait, 0), time.Hour)
}
