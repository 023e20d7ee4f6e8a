package webpush_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/channeltest"
	"kentongan/internal/channel/webpush"
)

func newSender(t testing.TB, change func(*webpush.Options)) *webpush.Sender {
	t.Helper()
	keys, err := webpush.GenerateKeys()
	if err != nil {
		t.Fatal(err)
	}
	o := webpush.Options{Keys: keys, Subject: "it@example.com", Hosts: []string{"127.0.0.1"}, AllowPrivate: true, Timeout: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	s, err := webpush.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// service is a push service that answers each path with its status.
func service(t testing.TB, status map[string]int, seen func(r *http.Request, body []byte)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if seen != nil {
			seen(r, body)
		}
		code, ok := status[r.URL.Path]
		if !ok {
			code = http.StatusCreated
		}
		switch code {
		case 406, 429:
			w.Header().Set("Retry-After", "7")
		case 301:
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSenderConforms(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	server := service(t, nil, nil)
	sub := newBrowser(t).subscription(server.URL + "/secretpath")
	refuse := newSender(t, func(o *webpush.Options) { o.HTTP = &http.Client{Transport: failing{}} })
	slow := newSender(t, func(o *webpush.Options) { o.HTTP = &http.Client{Transport: hanging{}, Timeout: 20 * time.Millisecond} })
	private := newSender(t, func(o *webpush.Options) { o.AllowPrivate = false })
	channeltest.Run(t, channeltest.Suite{
		Sender:  newSender(t, nil),
		To:      announcement.ContactPoints{Person: "p1", Subscriptions: []announcement.Subscription{sub}},
		Secrets: []string{"secretpath", sub.P256dh, sub.Auth, "127.0.0.1"},
		Failing: []channel.Sender{refuse, slow, private},
	})
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("broken pipe")
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestSendIsReadable decrypts what the library sends.
func TestSendIsReadable(t *testing.T) {
	t.Parallel()
	m := channeltest.Message()
	var got http.Header
	var body []byte
	server := service(t, nil, func(r *http.Request, b []byte) { got, body = r.Header.Clone(), b })
	b := newBrowser(t)
	s := newSender(t, func(o *webpush.Options) { o.Now = func() time.Time { return m.Sent } })
	if _, err := s.Send(t.Context(), "send", announcement.ContactPoints{Subscriptions: []announcement.Subscription{b.subscription(server.URL + "/1")}}, m); err != nil {
		t.Fatal(err)
	}
	plain, err := b.open(body)
	if err != nil {
		t.Fatalf("the browser cannot read the push: %v", err)
	}
	var p struct {
		WebPush      int `json:"web_push"`
		Notification struct{ Title, Body, Lang, Tag, Navigate string }
		Mode, Token  string
		Answers      string
		Asks         bool
		Expires      time.Time
		Kind         string
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		t.Fatal(err)
	}
	n := p.Notification
	if p.WebPush != 8030 || n.Title != m.Title || n.Body != m.Body || n.Navigate != m.Link || n.Lang != "id" || n.Tag != string(m.Announcement) ||
		p.Mode != "live" || p.Token != m.Token || p.Answers != "safety" || !p.Asks || p.Kind != "alert" || !p.Expires.Equal(m.Expires) {
		t.Errorf("got %s", plain)
	}
	if len(body) != 2_200 {
		t.Errorf("got a body of %d bytes, want every push 2,200 so that its length tells nothing", len(body))
	}
	if got.Get("Urgency") != "high" || got.Get("TTL") != "900" || !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(got.Get("Topic")) {
		t.Errorf("got Urgency %q, TTL %q, Topic %q", got.Get("Urgency"), got.Get("TTL"), got.Get("Topic"))
	}
	claims := strings.Split(strings.TrimPrefix(got.Get("Authorization"), "vapid t="), ".")
	if len(claims) != 3 || !strings.Contains(string(decode(t, claims[1])), `"sub":"mailto:it@example.com"`) {
		t.Errorf("got claims %q, want the contact once", claims)
	}
}

func TestSendTTL(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	tests := []struct {
		name     string
		severity announcement.Severity
		left     time.Duration
		want     string
	}{
		{"extreme is capped", announcement.Extreme, 72 * time.Hour, "900"},
		{"others are capped", announcement.Severe, 72 * time.Hour, "14400"},
		{"until it expires", announcement.Severe, 10 * time.Minute, "600"},
		{"never dropped at once", announcement.Severe, time.Second, "60"},
		{"expired", announcement.Severe, -time.Second, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got string
			server := service(t, nil, func(r *http.Request, _ []byte) { got = r.Header.Get("TTL") })
			s := newSender(t, func(o *webpush.Options) { o.Now = func() time.Time { return now } })
			m := channeltest.Message()
			m.Severity, m.Expires = test.severity, now.Add(test.left)
			_, err := s.Send(t.Context(), "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{newBrowser(t).subscription(server.URL)}}, m)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got TTL %q and %v, want %q", got, err, test.want)
			}
			if err != nil && channel.ReasonOf(err) != channel.Expired {
				t.Errorf("got %v, want expired", err)
			}
		})
	}
}

func TestSendSettles(t *testing.T) {
	t.Parallel()
	status := map[string]int{"/404": 404, "/410": 410, "/401": 401, "/403": 403, "/406": 406, "/429": 429, "/413": 413, "/400": 400, "/301": 301, "/500": 500, "/503": 503}
	tests := []struct {
		name    string
		paths   string
		points  int
		retired string
		want    channel.Reason
		wait    time.Duration
	}{
		{"one", "/ok", 1, "", "", 0},
		{"two", "/ok /ok2", 2, "", "", 0},
		{"one gone, one taken", "/410 /ok", 1, "/410", "", 0},
		{"one failed, one taken", "/500 /ok", 1, "", "", 0},
		{"all gone", "/404 /410", 0, "/404 /410", channel.Gone, 0},
		{"one gone, one failed", "/404 /500", 0, "/404", channel.Temporary, 0},
		{"not our keys", "/401", 0, "", channel.Unauthorized, 0},
		{"forbidden", "/403", 0, "", channel.Unauthorized, 0},
		{"slow down", "/429", 0, "", channel.RateLimited, 7 * time.Second},
		{"slow down at Microsoft", "/406", 0, "", channel.RateLimited, 7 * time.Second},
		{"too large", "/413", 0, "", channel.TooLarge, 0},
		{"bad request", "/400", 0, "", channel.Rejected, 0},
		{"redirect", "/301", 0, "", channel.Rejected, 0},
		{"unavailable", "/503", 0, "", channel.Temporary, 0},
		{"the hopeful reason wins", "/400 /503 /401", 0, "", channel.Temporary, 0},
		{"none", "", 0, "", channel.NoContactPoint, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var followed atomic.Bool
			server := service(t, status, func(r *http.Request, _ []byte) {
				if r.URL.Path == "/elsewhere" {
					followed.Store(true)
				}
			})
			var to announcement.ContactPoints
			for _, path := range strings.Fields(test.paths) {
				to.Subscriptions = append(to.Subscriptions, newBrowser(t).subscription(server.URL+path))
			}
			var want []string
			for _, path := range strings.Fields(test.retired) {
				want = append(want, webpush.SubscriptionID(server.URL+path))
			}
			handed, err := newSender(t, nil).Send(t.Context(), "", to, channeltest.Message())
			retired, reason, wait := handed.Retired, channel.Reason(""), time.Duration(0)
			if e := (*channel.Error)(nil); errors.As(err, &e) {
				retired, reason, wait = e.Retired, e.Reason, e.RetryAfter
			} else if err != nil {
				t.Fatalf("got %T, want *channel.Error", err)
			}
			if handed.Points != test.points || reason != test.want || wait != test.wait || !slices.Equal(retired, want) {
				t.Errorf("got %d points, %q after %v, retired %d; want %d, %q after %v, %d", handed.Points, reason, wait, len(retired), test.points, test.want, test.wait, len(want))
			}
			if followed.Load() {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestSendShrinksOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	b := newBrowser(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls.Add(1)
		if len(body) > 1_500 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := b.open(body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	m := channeltest.Message()
	m.Body = strings.Repeat("Lindungi kepala. ", 300)
	handed, err := newSender(t, nil).Send(t.Context(), "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{b.subscription(server.URL)}}, m)
	if err != nil || handed.Points != 1 || calls.Load() != 2 {
		t.Errorf("got %d points after %d calls and %v, want 1 after 2", handed.Points, calls.Load(), err)
	}
}

func TestPayloadStaysSmall(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"ascii": "a", "three bytes": "漢", "four bytes": "🏭", "escaped": "\"", "control": "\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t)
			var body []byte
			server := service(t, nil, func(_ *http.Request, got []byte) { body = got })
			m := channeltest.Message()
			m.Title, m.Body = strings.Repeat(text, 120), strings.Repeat(text, 4_000)
			if _, err := newSender(t, nil).Send(t.Context(), "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{b.subscription(server.URL)}}, m); err != nil {
				t.Fatal(err)
			}
			plain, err := b.open(body)
			if err != nil {
				t.Fatal(err)
			}
			var p struct{ Notification struct{ Title, Body string } }
			if err := json.Unmarshal(plain, &p); err != nil || !utf8.Valid(plain) {
				t.Fatalf("the payload is not JSON in UTF-8: %v", err)
			}
			t.Logf("%d bytes on the wire, of 3,072", len(body))
			if len(body) > 3_072 || len(plain) > 2_000 || len(plain) < 1_000 || p.Notification.Title != m.Title || !strings.HasSuffix(p.Notification.Body, "…") || strings.ContainsRune(p.Notification.Body, utf8.RuneError) {
				t.Errorf("got %d bytes with a body that ends %q", len(plain), p.Notification.Body[max(0, len(p.Notification.Body)-8):])
			}
		})
	}
}

// TestThreads keeps a manager's own alert, and every call for help, from being
// replaced by a digest about others.
func TestThreads(t *testing.T) {
	t.Parallel()
	topic := func(kind announcement.MessageKind, round int64) string {
		var got string
		server := service(t, nil, func(r *http.Request, _ []byte) { got = r.Header.Get("Topic") })
		m := channeltest.Message()
		m.Kind, m.Round = kind, round
		if _, err := newSender(t, nil).Send(t.Context(), "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{newBrowser(t).subscription(server.URL)}}, m); err != nil {
			t.Fatal(err)
		}
		return got
	}
	alert := topic(announcement.SayAlert, 0)
	for _, kind := range []announcement.MessageKind{announcement.SayReminder, announcement.SayCorrection, announcement.SayAllClear} {
		if got := topic(kind, 1_001); got != alert {
			t.Errorf("%s does not replace the alert", kind)
		}
	}
	digest, help, other := topic(announcement.SayDigest, 2), topic(announcement.SayHelp, 1<<32), topic(announcement.SayHelp, 1<<32+1)
	if digest == alert || help == alert || help == digest || help == other {
		t.Errorf("got topics %s %s %s %s, want all different", alert, digest, help, other)
	}
}

func TestSendRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()
	var called atomic.Bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer server.Close()
	// localhost is listed and https on port 443 is asked for: only the dialer
	// can notice where the name leads.
	s := newSender(t, func(o *webpush.Options) { o.AllowPrivate, o.Hosts = false, []string{"localhost"} })
	sub := newBrowser(t).subscription("https://localhost/x")
	_, err := s.Send(t.Context(), "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{sub}}, channeltest.Message())
	var e *channel.Error
	if !errors.As(err, &e) || e.Code != "address" {
		t.Errorf("got %v, want the address refused", err)
	}
	if called.Load() {
		t.Error("a private address was called")
	}
}

func TestSendStopsWithItsContext(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := newSender(t, nil).Send(ctx, "", announcement.ContactPoints{Subscriptions: []announcement.Subscription{newBrowser(t).subscription(server.URL)}}, channeltest.Message())
	if !errors.Is(err, context.Canceled) || channel.ReasonOf(err) != channel.Temporary {
		t.Errorf("got %v, want the cancellation as temporary", err)
	}
}
