// Package sms reaches one person by text message, and understands what they
// write back.
//
// The sender speaks to Twilio, or to anything that offers the same API. The
// rest needs no provider: Measure counts segments, Parse reads a reply and
// ValidSignature guards the webhooks.
package sms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	"golang.org/x/time/rate"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Options configures a Twilio sender.
type Options struct {
	AccountSID  string
	AuthToken   string
	From        string       // a number in E.164, an alphanumeric sender, or a messaging service ("MG…")
	APIURL      string       // default https://api.twilio.com
	StatusURL   string       // public URL of our status webhook; empty asks for no callbacks
	HTTP        *http.Client // default: a client of its own; redirects are never followed
	Timeout     time.Duration
	Rate        rate.Limit // messages per second of the sender; 0 sets no limit
	AllowSample bool       // the provider is a sandbox, so made-up people may be called
}

const (
	defaultAPI     = "https://api.twilio.com"
	defaultTimeout = 10 * time.Second

	// A text that waits longer than this at a carrier is history, not a warning.
	validity = time.Hour

	// A webhook that fails once is lost, unless the URL asks for more tries
	// (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
	callbackRetries = "#rc=5&rp=all"
)

// Twilio sends texts through Twilio's REST API. There is no idempotency key:
// a call whose outcome is unknown fails as Ambiguous, and the caller asks by Took.
type Twilio struct {
	options Options
	api     *url.URL
	http    *http.Client
	limit   *rate.Limiter
}

// NewTwilio returns a sender. Every fault names the option as the operator
// knows it, never its value.
func NewTwilio(o Options) (*Twilio, error) {
	if !alphanumeric(o.AccountSID) {
		return nil, errors.New("sms: AccountSID must be letters and digits")
	}
	if !alphanumeric(o.AuthToken) {
		return nil, errors.New("sms: AuthToken must be letters and digits")
	}
	if o.From == "" {
		return nil, errors.New("sms: From is empty")
	}
	if o.APIURL == "" {
		o.APIURL = defaultAPI
	}
	base, err := url.Parse(o.APIURL)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, errors.New("sms: APIURL must be an http or https URL")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	t := &Twilio{options: o, api: base, limit: rate.NewLimiter(rate.Inf, 1)}
	if o.Rate > 0 {
		t.limit = rate.NewLimiter(o.Rate, 1)
	}
	hc := http.Client{}
	if o.HTTP != nil {
		hc = *o.HTTP
	}
	// A redirect would carry a number and a message to another host.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.http = &hc
	return t, nil
}

func alphanumeric(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != ""
}

// Channel returns announcement.SMS.
func (t *Twilio) Channel() announcement.Channel { return announcement.SMS }

// Send hands m to Twilio once. It waits for its turn within the sender's rate.
func (t *Twilio) Send(ctx context.Context, sendID string, to announcement.ContactPoints, m announcement.Message) (channel.Handed, error) {
	if to.Mobile == "" {
		return channel.Handed{}, channel.Fail(channel.NoContactPoint, "", "the person has no mobile number")
	}
	if to.Sample && !t.options.AllowSample {
		return channel.Handed{}, channel.Fail(channel.Refused, "", "a made-up person never reaches a real provider")
	}
	if m.SMS == "" {
		return channel.Handed{}, channel.Fail(channel.Rejected, "", "the message has no text for SMS")
	}
	if err := t.limit.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return channel.Handed{}, channel.Fail(channel.Temporary, "", "wait for the sender's turn: %w", ctx.Err())
		}
		return channel.Handed{}, channel.Fail(channel.RateLimited, "", "wait for the sender's turn: %w", err) // says nothing about the provider
	}
	life := validity
	if !m.Expires.IsZero() {
		life = min(life, time.Until(m.Expires))
	}
	if life < time.Second {
		return channel.Handed{}, channel.Fail(channel.Expired, "", "the message is too late to be of use")
	}

	ctx, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	c := &call{ctx: ctx, sender: t}
	// The handler is built here and not with NewRequestHandler, which would let
	// environment variables choose another host.
	resource, err := api.NewApiService(&client.RequestHandler{Client: c}).CreateMessage(t.params(sendID, to.Mobile, m.SMS, life))
	if err != nil {
		return channel.Handed{}, c.failure(err)
	}
	if resource.Sid == nil || *resource.Sid == "" {
		return channel.Handed{}, channel.Fail(channel.Ambiguous, "", "the answer names no message")
	}
	return channel.Handed{Rank: announcement.Accepted, Points: 1, SID: *resource.Sid}, nil
}

func (t *Twilio) params(sendID, mobile, text string, life time.Duration) *api.CreateMessageParams {
	p := &api.CreateMessageParams{}
	p.SetTo(mobile)
	p.SetBody(text)
	p.SetValidityPeriod(int(life / time.Second))
	if t.service() {
		p.SetMessagingServiceSid(t.options.From)
	} else {
		p.SetFrom(t.options.From)
	}
	if t.options.StatusURL != "" && sendID != "" { // nobody asks how a thank-you ended
		p.SetStatusCallback(t.options.StatusURL + "?d=" + url.QueryEscape(sendID) + callbackRetries)
	}
	return p
}

// failure turns what went wrong into a reason. The cause is told in our own
// words: Twilio's often repeat the number, and net/http's the URL.
func (c *call) failure(err error) *channel.Error {
	if rest, ok := errors.AsType[*client.TwilioRestError](err); ok {
		code := ""
		if rest.Code != 0 {
			code = strconv.Itoa(rest.Code)
		}
		e := channel.Fail(reasonFor(c.status, rest.Code), code, "the provider refused with HTTP status %d", c.status)
		e.RetryAfter = c.retryAfter
		return e
	}
	if c.status != 0 {
		e := channel.Fail(reasonFor(c.status, 0), "", "HTTP status %d with an answer that cannot be read", c.status)
		e.RetryAfter = c.retryAfter
		return e
	}
	cause := errors.New("no answer from the provider")
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			cause = fmt.Errorf("%w: %w", cause, known)
		}
	}
	if c.written.Load() {
		return &channel.Error{Reason: channel.Ambiguous, Err: cause}
	}
	return &channel.Error{Reason: channel.Temporary, Err: cause}
}
