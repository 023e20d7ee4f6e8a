package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const (
	testAccount = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	testSecret  = "0123456789abcdef0123456789abcdef"
	testNumber  = "+6281234567890"
	testText    = "PT Sinar: KEBAKARAN di Cikarang."
)

// provider is a Twilio that answers as told; it counts bodies left open.
type provider struct {
	*httptest.Server
	client *http.Client
	closed func() bool // every answer's body was closed
}

type countedBody struct {
	io.ReadCloser
	open *int
}

func (b countedBody) Close() error { *b.open--; return b.ReadCloser.Close() }

type countedTransport struct {
	http.RoundTripper
	open *int
}

func (c countedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		*c.open++
		res.Body = countedBody{res.Body, c.open}
	}
	return res, err
}

func newProvider(t *testing.T, h http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{Server: httptest.NewServer(h)}
	t.Cleanup(p.Close)
	open := 0
	p.client = &http.Client{Transport: countedTransport{p.Client().Transport, &open}}
	p.closed = func() bool { return open == 0 }
	return p
}

func newSender(t *testing.T, p *provider, change func(*Options)) *Twilio {
	t.Helper()
	o := Options{AccountSID: testAccount, AuthToken: testSecret, From: "+15005550006", APIURL: p.URL,
		StatusURL: "https://kentongan.example/hooks/twilio/status", HTTP: p.client}
	if change != nil {
		change(&o)
	}
	s, err := NewTwilio(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testMessage() announcement.Message { return announcement.Message{SMS: testText} }

func testPerson() announcement.ContactPoints { return announcement.ContactPoints{Mobile: testNumber} }

// noSecrets fails when an error tells who was called, what was said, or how we
// sign in.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Error("send", "reason", err)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), logged.String()} {
		for _, secret := range []string{testNumber, testNumber[1:], "KEBAKARAN", testSecret, testAccount} {
			if strings.Contains(text, secret) {
				t.Errorf("error tells %q: %s", secret, text)
			}
		}
	}
}

func TestSendAsksForWhatWasConfigured(t *testing.T) {
	t.Parallel()
	var got url.Values
	var path, user, password string
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got, path = r.PostForm, r.URL.Path
		user, password, _ = r.BasicAuth()
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid":"SM1","status":"queued"}`)
	})
	tests := []struct {
		name   string
		change func(*Options)
		m      announcement.Message
		want   url.Values
	}{
		{"number", nil, testMessage(), url.Values{"From": {"+15005550006"}, "ValidityPeriod": {"3600"},
			"StatusCallback": {"https://kentongan.example/hooks/twilio/status?d=a.0.7#rc=5&rp=all"}}},
		{"messaging service, no callbacks", func(o *Options) { o.From = "MG" + strings.Repeat("a", 32); o.StatusURL = "" }, testMessage(),
			url.Values{"MessagingServiceSid": {"MG" + strings.Repeat("a", 32)}, "ValidityPeriod": {"3600"}}},
		{"alphanumeric sender", func(o *Options) { o.From = "MGKARYA"; o.StatusURL = "" }, testMessage(),
			url.Values{"From": {"MGKARYA"}, "ValidityPeriod": {"3600"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handed, err := newSender(t, p, tt.change).Send(t.Context(), "a.0.7", testPerson(), tt.m)
			if err != nil {
				t.Fatal(err)
			}
			if handed.Rank != announcement.Accepted || handed.Points != 1 {
				t.Errorf("got %+v, want one point accepted", handed)
			}
			tt.want.Set("To", testNumber)
			tt.want.Set("Body", testText)
			if got.Encode() != tt.want.Encode() {
				t.Errorf("got %s, want %s", got.Encode(), tt.want.Encode())
			}
			if want := "/2010-04-01/Accounts/" + testAccount + "/Messages.json"; path != want {
				t.Errorf("got path %s, want %s", path, want)
			}
			if user != testAccount || password != testSecret {
				t.Error("signed in with other credentials")
			}
			if !p.closed() {
				t.Error("the answer's body was left open")
			}
		})
	}
}

func TestSendValidityEndsWithTheMessage(t *testing.T) {
	t.Parallel()
	var got string
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.FormValue("ValidityPeriod")
		fmt.Fprint(w, `{"sid":"SM1"}`)
	})
	m := testMessage()
	m.Expires = time.Now().Add(10*time.Minute + 30*time.Second)
	if _, err := newSender(t, p, nil).Send(t.Context(), "x", testPerson(), m); err != nil {
		t.Fatal(err)
	}
	if got < "600" || got > "630" || len(got) != 3 {
		t.Errorf("got validity %s s, want about 630", got)
	}
}

func TestSendReadsRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status, code int
		want         channel.Reason
	}{
		{400, 21610, channel.OptedOut}, {403, 21610, channel.OptedOut},
		{400, 21211, channel.InvalidNumber}, {400, 21614, channel.InvalidNumber}, {400, 21635, channel.InvalidNumber},
		{400, 30005, channel.InvalidNumber}, {400, 30006, channel.InvalidNumber},
		{400, 21408, channel.Misconfigured}, {403, 21408, channel.Misconfigured}, {400, 21612, channel.Misconfigured}, {400, 21606, channel.Misconfigured},
		{400, 30004, channel.Blocked}, {400, 30007, channel.Blocked},
		{429, 20429, channel.RateLimited}, {429, 0, channel.RateLimited}, {429, 14107, channel.RateLimited}, {400, 21611, channel.RateLimited},
		{401, 20003, channel.Unauthorized}, {401, 0, channel.Unauthorized}, {403, 0, channel.Unauthorized},
		{400, 21617, channel.TooLarge},
		{400, 0, channel.Rejected}, {400, 21602, channel.Rejected}, {404, 20404, channel.Rejected}, {410, 0, channel.Rejected},
		{408, 0, channel.Ambiguous}, {500, 0, channel.Ambiguous}, {500, 20500, channel.Ambiguous}, {502, 0, channel.Ambiguous}, {503, 20503, channel.Ambiguous}, {504, 0, channel.Ambiguous},
		{301, 0, channel.Ambiguous}, {307, 0, channel.Ambiguous},
	}
	for _, tt := range tests {
		for _, body := range []string{"twilio", "html"} {
			if body == "html" && tt.code != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d/%d/%s", tt.status, tt.code, body), func(t *testing.T) {
				t.Parallel()
				calls := 0
				p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
					calls++
					w.Header().Set("Retry-After", "7")
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(tt.status)
					if body == "html" {
						fmt.Fprint(w, "<html>"+testNumber)
						return
					}
					fmt.Fprintf(w, `{"status":%d,"code":%d,"message":"The 'To' number %s: %s","details":{"to":%q}}`, tt.status, tt.code, testNumber, testText, testNumber)
				})
				_, err := newSender(t, p, nil).Send(t.Context(), "x", testPerson(), testMessage())
				e, ok := errors.AsType[*channel.Error](err)
				if !ok || e.Reason != tt.want {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
				if e.RetryAfter != 7*time.Second {
					t.Errorf("got Retry-After %s, want 7s", e.RetryAfter)
				}
				if want := fmt.Sprint(tt.code); tt.code != 0 && e.Code != want {
					t.Errorf("got code %q, want %q", e.Code, want)
				}
				noSecrets(t, err)
				if calls != 1 || !p.closed() {
					t.Errorf("got %d calls, bodies closed %v; want 1, true", calls, p.closed())
				}
			})
		}
	}
}

func TestSendUnreadableSuccessIsAmbiguous(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "{}", `{"sid":""}`} {
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) })
		_, err := newSender(t, p, nil).Send(t.Context(), "x", testPerson(), testMessage())
		if err == nil || channel.ReasonOf(err) != channel.Ambiguous {
			t.Errorf("answer %q: got %v, want ambiguous", body, err)
		}
	}
}

func TestSendWithoutAnswer(t *testing.T) {
	t.Parallel()
	t.Run("timeout after writing", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { <-release })
		t.Cleanup(func() { close(release) })
		s := newSender(t, p, func(o *Options) { o.Timeout = 50 * time.Millisecond })
		_, err := s.Send(t.Context(), "x", testPerson(), testMessage())
		if channel.ReasonOf(err) != channel.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ambiguous after the deadline", err)
		}
		noSecrets(t, err)
	})
	t.Run("caller gives up", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { cancel(); <-release })
		t.Cleanup(func() { close(release) })
		_, err := newSender(t, p, nil).Send(ctx, "x", testPerson(), testMessage())
		if channel.ReasonOf(err) != channel.Ambiguous || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ambiguous and cancelled", err)
		}
	})
	t.Run("connection dies after writing", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
		_, err := newSender(t, p, nil).Send(t.Context(), "x", testPerson(), testMessage())
		if channel.ReasonOf(err) != channel.Ambiguous {
			t.Errorf("got %v, want ambiguous", err)
		}
		noSecrets(t, err)
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, nil)
		p.Close()
		_, err := newSender(t, p, nil).Send(t.Context(), "x", testPerson(), testMessage())
		if err == nil || channel.ReasonOf(err) != channel.Temporary {
			t.Errorf("got %v, want temporary", err)
		}
		noSecrets(t, err)
	})
}

func TestSendRefusesWithoutCalling(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was called") })
	late := testMessage()
	late.Expires = time.Now().Add(-time.Minute)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		to   announcement.ContactPoints
		m    announcement.Message
		want channel.Reason
	}{
		{"no number", t.Context(), announcement.ContactPoints{}, testMessage(), channel.NoContactPoint},
		{"sample person", t.Context(), announcement.ContactPoints{Mobile: testNumber, Sample: true}, testMessage(), channel.Refused},
		{"no text", t.Context(), testPerson(), announcement.Message{}, channel.Rejected},
		{"too late", t.Context(), testPerson(), late, channel.Expired},
		{"cancelled", cancelled, testPerson(), testMessage(), channel.Temporary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newSender(t, p, nil).Send(tt.ctx, "x", tt.to, tt.m)
			if err == nil || channel.ReasonOf(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestSampleReachesASandbox(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"sid":"SM1"}`) })
	s := newSender(t, p, func(o *Options) { o.AllowSample = true })
	if _, err := s.Send(t.Context(), "x", announcement.ContactPoints{Mobile: testNumber, Sample: true}, testMessage()); err != nil {
		t.Error(err)
	}
}

func TestRateHoldsBackBeforeCalling(t *testing.T) {
	t.Parallel()
	calls := 0
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) { calls++; fmt.Fprint(w, `{"sid":"SM1"}`) })
	s := newSender(t, p, func(o *Options) { o.Rate = rate.Every(time.Hour) })
	if _, err := s.Send(t.Context(), "x", testPerson(), testMessage()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Send(ctx, "y", testPerson(), testMessage()); channel.ReasonOf(err) != channel.RateLimited || err == nil {
		t.Errorf("got %v, want that it is our own rate", err)
	}
	if calls != 1 {
		t.Errorf("got %d calls, want 1", calls)
	}
}

func TestNewTwilioNamesTheOption(t *testing.T) {
	t.Parallel()
	good := Options{AccountSID: testAccount, AuthToken: testSecret, From: "+1"}
	tests := []struct {
		option string
		change func(*Options)
	}{
		{"AccountSID", func(o *Options) { o.AccountSID = "" }},
		{"AuthToken", func(o *Options) { o.AuthToken = "secret token" }},
		{"From", func(o *Options) { o.From = "" }},
		{"APIURL", func(o *Options) { o.APIURL = "ftp://x" }},
	}
	for _, tt := range tests {
		o := good
		tt.change(&o)
		if _, err := NewTwilio(o); err == nil || !strings.Contains(err.Error(), tt.option) || strings.Contains(err.Error(), "secret token") {
			t.Errorf("%s: got %v", tt.option, err)
		}
	}
	if _, err := NewTwilio(good); err != nil {
		t.Error(err)
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status, code string
		rank         announcement.Rank
		failure      channel.Reason
		ok           bool
	}{
		{"accepted", "", announcement.Accepted, "", true}, {"scheduled", "", announcement.Accepted, "", true},
		{"queued", "", announcement.Accepted, "", true}, {"sending", "", announcement.Accepted, "", true},
		{"sent", "", announcement.Sent, "", true}, {"delivered", "", announcement.Delivered, "", true}, {"read", "", announcement.Delivered, "", true},
		{"undelivered", "30003", announcement.Failed, channel.Temporary, true}, {"undelivered", "30005", announcement.Failed, channel.InvalidNumber, true},
		{"failed", "30007", announcement.Failed, channel.Blocked, true}, {"failed", "21610", announcement.Failed, channel.OptedOut, true},
		{"failed", "30036", announcement.Failed, channel.Expired, true}, {"canceled", "", announcement.Failed, channel.Rejected, true},
		{"failed", "99999", announcement.Failed, channel.Rejected, true},
		{"received", "", announcement.Queued, "", false}, {"", "", announcement.Queued, "", false},
	}
	for _, tt := range tests {
		rank, failure, ok := ParseStatus(url.Values{"MessageStatus": {tt.status}, "ErrorCode": {tt.code}})
		if rank != tt.rank || failure != string(tt.failure) || ok != tt.ok {
			t.Errorf("%s %s: got %s %q %v, want %s %q %v", tt.status, tt.code, rank, failure, ok, tt.rank, tt.failure, tt.ok)
		}
	}
}

func TestParseMessage(t *testing.T) {
	t.Parallel()
	got := ParseMessage(url.Values{"MessageSid": {"SM1"}, "From": {testNumber}, "To": {"+1"}, "Body": {" 1 "}, "OptOutType": {"STOP"}})
	if want := (Inbound{SID: "SM1", From: testNumber, To: "+1", Body: " 1 ", OptOut: "STOP"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ParseMessage(url.Values{"SmsSid": {"SM2"}}).SID; got != "SM2" {
		t.Errorf("got %q, want the older field", got)
	}
}
