package sandbox

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SherClockHolmes/webpush-go"
)

const account, secret = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the token"

// product is the other side: it enrols, takes answers and hears callbacks.
type product struct {
	*httptest.Server
	mu        sync.Mutex
	subs      []webpush.Subscription
	posts     []url.Values // answers
	calls     []url.Values // status callbacks
	inbound   []url.Values
	shown     []string
	badSigned int
	down      int // answer so many times with 503
}

func newProduct(t *testing.T) *product {
	p := &product{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /e/{code}", func(http.ResponseWriter, *http.Request) {}) // a preview changes nothing
	mux.HandleFunc("POST /e/{code}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "device", Value: r.PathValue("code"), Path: "/"})
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("device"); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("POST /me/subscribe", func(w http.ResponseWriter, r *http.Request) {
		var sub webpush.Subscription
		_, noCookie := r.Cookie("device")
		if noCookie != nil || r.Header.Get("Sec-Fetch-Site") != "same-origin" || json.NewDecoder(r.Body).Decode(&sub) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.subs = append(p.subs, sub)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /r/{token}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<form action="/search"><input type=hidden name=x value=1></form><form method=post><input type="hidden" name="k" value="from-page"><button name=a value=1></button></form>`)
	})
	mux.HandleFunc("POST /r/{token}/seen", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.shown = append(p.shown, r.PathValue("token")+" on "+r.URL.Query().Get("c"))
	})
	mux.HandleFunc("POST /r/{token}", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		p.mu.Lock()
		defer p.mu.Unlock()
		f := r.PostForm
		f.Set("token", r.PathValue("token"))
		p.posts = append(p.posts, f)
		if p.down > 0 {
			p.down--
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	hook := func(list *[]url.Values, answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			p.mu.Lock()
			defer p.mu.Unlock()
			*list = append(*list, r.PostForm)
			if r.Header.Get("X-Twilio-Signature") != sign(secret, p.URL+r.URL.RequestURI(), r.PostForm) {
				p.badSigned++
			}
			io.WriteString(w, answer)
		}
	}
	mux.HandleFunc("POST /hooks/twilio/message", hook(&p.inbound, `<Response><Message>Thank you &amp; stay safe</Message></Response>`))
	mux.HandleFunc("POST /status", hook(&p.calls, ""))
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

type world struct {
	*testing.T
	p *product
	s *Sandbox
	*httptest.Server
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, p: newProduct(t)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.s.ServeHTTP(rw, r) }))
	w.s = New(Options{PublicURL: w.p.URL, BaseURL: w.URL, AccountSID: account, AuthToken: secret, Pace: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; w.Server.Close() })
	return w
}

// call posts JSON and reads JSON.
func (w *world) call(method, path string, in, out any) int {
	w.Helper()
	b, _ := json.Marshal(in)
	r, _ := http.NewRequest(method, w.URL+path, bytes.NewReader(b))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			w.Fatal(err)
		}
	}
	return resp.StatusCode
}

func (w *world) sms(f url.Values) (int, map[string]any, http.Header) {
	w.Helper()
	r, _ := http.NewRequest("POST", w.URL+"/twilio/2010-04-01/Accounts/"+account+"/Messages.json", strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(account, secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, m, resp.Header
}

func (w *world) text(to, body string) url.Values {
	return url.Values{"To": {to}, "From": {"+15005550006"}, "Body": {body}, "StatusCallback": {w.p.URL + "/status?s=1#rc=5&rp=all"}}
}

func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	w.Fatalf("never happened: %s", what)
}

func (w *world) log() (l []Entry) {
	w.Helper()
	w.call("GET", "/sandbox/log", nil, &l)
	return l
}

func (p *product) statuses() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.calls {
		list = append(list, f.Get("MessageStatus"))
	}
	return list
}

func TestSignMatchesPublishedVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/twilio-signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		N, Token, URL, Sig string
		Params             url.Values
		OK                 bool
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range vectors {
		// A signer writes one form only; the tolerance for ports and credentials
		// is the validator's business.
		if v.N != "py/node default" && v.N != "twilio-go set" && v.N != "wrong signature" && v.N != "http port 1234 signed" {
			continue
		}
		checked++
		if got := sign(v.Token, v.URL, v.Params) == v.Sig; got != v.OK {
			t.Errorf("%s: signature matches = %v, want %v", v.N, got, v.OK)
		}
	}
	if checked != 4 {
		t.Errorf("checked %d vectors, want 4", checked)
	}
	if sign("12345", "http://a/b", nil) != sign("12345", "http://a/b#rc=5", nil) {
		t.Error("the fragment is signed, want it left out")
	}
}

func TestDecryptRFC8291(t *testing.T) {
	b, err := os.ReadFile("testdata/rfc8291-appendix-a.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Plaintext  string
		UAPrivate  string `json:"ua_private"`
		AuthSecret string `json:"auth_secret"`
		Body       string
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	raw := func(s string) []byte {
		b, err := unbase64(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := ecdh.P256().NewPrivateKey(raw(v.UAPrivate))
	if err != nil {
		t.Fatal(err)
	}
	body := raw(v.Body)
	got, err := decrypt(key, raw(v.AuthSecret), body)
	if err != nil || string(got) != v.Plaintext {
		t.Fatalf("decrypt = %q, %v, want %q", got, err, v.Plaintext)
	}
	for i := range body {
		broken := slices.Clone(body)
		broken[i] ^= 1
		if _, err := decrypt(key, raw(v.AuthSecret), broken); err == nil && (i < 16 || i > 19) { // the record size is not authenticated
			t.Errorf("byte %d changed: decrypted, want an error", i)
		}
		if _, err := decrypt(key, raw(v.AuthSecret), body[:i]); err == nil {
			t.Errorf("cut to %d bytes: decrypted, want an error", i)
		}
	}
}

func TestTwilioRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		name string
		edit func(url.Values)
		code float64
	}{
		{"invalid", func(f url.Values) { f.Set("To", "+15005550001") }, 21211},
		{"no route", func(f url.Values) { f.Set("To", "+15005550002") }, 21612},
		{"region", func(f url.Values) { f.Set("To", "+15005550003") }, 21408},
		{"opted out", func(f url.Values) { f.Set("To", "+15005550004") }, 21610},
		{"landline", func(f url.Values) { f.Set("To", "+15005550009") }, 21614},
		{"not E.164", func(f url.Values) { f.Set("To", "0812345") }, 21211},
		{"no To", func(f url.Values) { f.Del("To") }, 21604},
		{"no From", func(f url.Values) { f.Del("From") }, 21603},
		{"no Body", func(f url.Values) { f.Del("Body") }, 21602},
		{"too long", func(f url.Values) { f.Set("Body", strings.Repeat("a", 1601)) }, 21617},
		{"callback", func(f url.Values) { f.Set("StatusCallback", "nowhere") }, 21609},
	} {
		f := w.text("+6281200000001", "hello")
		tc.edit(f)
		status, m, _ := w.sms(f)
		if status != 400 || m["code"] != tc.code || m["status"] != 400.0 || m["message"] == "" || m["more_info"] == "" {
			t.Errorf("%s: got %d %v, want 400 with code %v", tc.name, status, m, tc.code)
		}
	}
	r, _ := http.NewRequest("POST", w.URL+"/twilio/2010-04-01/Accounts/"+account+"/Messages.json", nil)
	r.SetBasicAuth(account, "wrong")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("wrong password: got %d, want 401", resp.StatusCode)
	}
}

func TestTwilioWalksStatuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, m, _ := w.sms(w.text("+6281200000001", "Fire. http://x.example/r/tok_1 Reply 1"))
	if sid, _ := m["sid"].(string); status != 201 || len(sid) != 34 || !strings.HasPrefix(sid, "SM") || m["status"] != "queued" || m["num_segments"] != "1" {
		t.Fatalf("got %d %v, want 201 with a queued message", status, m)
	}
	w.until("two callbacks", func() bool { return len(w.p.statuses()) == 2 })
	if got := w.p.statuses(); !slices.Equal(got, []string{"sent", "delivered"}) {
		t.Errorf("statuses %v", got)
	}
	if w.p.badSigned != 0 {
		t.Errorf("%d callbacks with a wrong signature", w.p.badSigned)
	}
	if l := w.log(); len(l) != 1 || l[0].Token != "tok_1" || l[0].Mobile != "+6281200000001" || l[0].Channel != "sms" {
		t.Errorf("log %+v, want the message with its token", l)
	}
	r, _ := http.NewRequest("GET", w.URL+"/twilio/2010-04-01/Accounts/"+account+"/Messages.json?To=%2B6281200000001", nil)
	r.SetBasicAuth(account, secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Messages []map[string]any }
	if json.NewDecoder(resp.Body).Decode(&list); len(list.Messages) != 1 || list.Messages[0]["status"] != "delivered" {
		t.Errorf("list %v, want one delivered", list)
	}
}

// Whoever was away asks what came in and how texts ended, as at the real provider; one
// that is down answers that neither.
func TestListsSayWhatCameInAndHowTextsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := func(query string) (status int, found []string) {
		r, _ := http.NewRequest("GET", w.URL+"/twilio/2010-04-01/Accounts/"+account+"/Messages.json?"+query, nil)
		r.SetBasicAuth(account, secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var page struct {
			Messages []struct{ Direction, Status, Body string }
		}
		_ = json.NewDecoder(resp.Body).Decode(&page)
		for _, m := range page.Messages {
			found = append(found, m.Direction+" "+m.Status+" "+m.Body)
		}
		return resp.StatusCode, found
	}
	w.sms(w.text("+6281200000001", "hello"))
	w.until("the callbacks", func() bool { return len(w.p.statuses()) == 2 })
	w.call("POST", "/sandbox/act", map[string]any{"number": "+6281200000001", "via": "sms", "text": "1"}, nil)
	since := "&DateSent%3E=" + url.QueryEscape(time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
	later := "&DateSent%3E=" + url.QueryEscape(time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
	for query, want := range map[string][]string{
		"To=%2B15005550006" + since:   {"inbound received 1"},
		"From=%2B15005550006" + since: {"outbound-api delivered hello"},
		"To=%2B15005550006" + later:   nil,
	} {
		if status, got := list(query); status != 200 || !slices.Equal(got, want) {
			t.Errorf("%s: got %d %q, want %q", query, status, got, want)
		}
	}
	w.call("POST", "/sandbox/behave", map[string]any{"fail": "401", "channel": "sms"}, nil)
	if status, _ := list("To=x"); status != 401 {
		t.Errorf("a provider that is down answers %d", status)
	}
}

func TestCallbacksRepeatedAndReordered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("POST", "/sandbox/behave", map[string]any{"repeat": 2, "reorder": true}, nil)
	w.sms(w.text("+6281200000001", "hello"))
	w.until("four callbacks", func() bool { return len(w.p.statuses()) == 4 })
	if got, want := w.p.statuses(), []string{"delivered", "delivered", "sent", "sent"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func() (int, map[string]any, http.Header) { return w.sms(w.text("+6281200000001", "hello")) }

	w.call("POST", "/sandbox/behave", map[string]any{"fail": "429", "share": 0.1, "retry_after": "3s"}, nil)
	failed := 0
	for range 50 {
		if status, m, h := send(); status == 429 {
			failed++
			if m["code"] != 20429.0 || h.Get("Retry-After") != "3" {
				t.Errorf("429 with %v, Retry-After %q", m, h.Get("Retry-After"))
			}
		}
	}
	if failed != 5 {
		t.Errorf("%d of 50 failed, want 5", failed)
	}
	w.until("all statuses", func() bool { return len(w.p.statuses()) == 90 })

	w.call("POST", "/sandbox/behave", map[string]any{"fail": "500"}, nil)
	if status, _, _ := send(); status != 500 {
		t.Errorf("got %d, want 500", status)
	}
	w.call("POST", "/sandbox/behave", map[string]any{"fail": "30007"}, nil)
	if status, _, _ := send(); status != 201 {
		t.Errorf("got %d, want 201: the carrier fails later", status)
	}
	w.until("undelivered", func() bool { return slices.Contains(w.p.statuses(), "undelivered") })
	w.p.mu.Lock()
	if code := w.p.calls[len(w.p.calls)-1].Get("ErrorCode"); code != "30007" {
		t.Errorf("ErrorCode %q, want 30007", code)
	}
	w.p.mu.Unlock()

	before := len(w.log())
	w.call("POST", "/sandbox/behave", map[string]any{"fail": "lost"}, nil)
	if status, _, _ := send(); status != 500 {
		t.Errorf("lost: got %d, want 500", status)
	}
	w.until("the message that was taken all the same", func() bool { return len(w.log()) == before+1 })
	if got := w.call("POST", "/sandbox/behave", map[string]any{"share": 2}, nil); got != 400 {
		t.Errorf("share 2: got %d, want 400", got)
	}
}

func TestReplyAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("POST", "/sandbox/phones", []Person{{Number: "E1", Name: "Sari", Mobile: "+6281200000001"}}, nil)
	var g Given
	if status := w.call("POST", "/sandbox/act", Act{Number: "E1", Via: "sms", Answer: 2}, &g); status != 200 || !g.OK {
		t.Fatalf("got %d %+v, want it taken", status, g)
	}
	f := w.p.inbound[0]
	if f.Get("Body") != "2" || f.Get("From") != "+6281200000001" || f.Get("NumMedia") != "0" || !strings.HasPrefix(f.Get("MessageSid"), "SM") || w.p.badSigned != 0 {
		t.Errorf("inbound %v, %d badly signed", f, w.p.badSigned)
	}
	if l := w.log(); len(l) != 1 || l[0].Text != "Thank you & stay safe" || l[0].Kind != "reply" {
		t.Errorf("log %+v, want the answer on the phone", l)
	}
	w.call("POST", "/sandbox/act", Act{Number: "E1", Via: "sms", Text: "stop"}, &g)
	if status, m, _ := w.sms(w.text("+6281200000001", "x")); status != 400 || m["code"] != 21610.0 {
		t.Errorf("after STOP: got %d %v, want 21610", status, m)
	}
	w.call("POST", "/sandbox/act", Act{Number: "E1", Via: "sms", Text: "START"}, &g)
	if status, _, _ := w.sms(w.text("+6281200000001", "x")); status != 201 {
		t.Errorf("after START: got %d, want 201", status)
	}
}

// enrolled returns a world with n phones that have push, and their
// subscriptions.
func enrolled(t *testing.T, n int) (*world, []webpush.Subscription) {
	w := newWorld(t)
	var people []Person
	for i := range n {
		people = append(people, Person{Number: fmt.Sprintf("E%03d", i), Name: "Person", Mobile: fmt.Sprintf("+62812000%05d", i), Enrol: fmt.Sprintf("/e/c%d", i)})
	}
	w.call("POST", "/sandbox/phones", people, nil)
	w.until("everybody enrolled", func() bool { w.p.mu.Lock(); defer w.p.mu.Unlock(); return len(w.p.subs) == n })
	return w, w.p.subs
}

func push(t *testing.T, sub *webpush.Subscription, body string, edit func(*webpush.Options)) *http.Response {
	t.Helper()
	private, public, err := webpush.GenerateVAPIDKeys()
	if err != nil {
		t.Fatal(err)
	}
	o := &webpush.Options{Subscriber: "ops@example.com", TTL: 60, Urgency: webpush.UrgencyHigh, Topic: "abc", VAPIDPrivateKey: private, VAPIDPublicKey: public}
	if edit != nil {
		edit(o)
	}
	resp, err := webpush.SendNotificationWithContext(t.Context(), []byte(body), sub, o)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestPush(t *testing.T) {
	t.Parallel()
	w, subs := enrolled(t, 1)
	for name, edit := range map[string]func(*webpush.Options){
		"doubled mailto": func(o *webpush.Options) { o.Subscriber = "mailto:ops@example.com" },
		"other key":      func(o *webpush.Options) { _, o.VAPIDPublicKey, _ = webpush.GenerateVAPIDKeys() },
	} {
		if resp := push(t, &subs[0], "{}", edit); resp.StatusCode != 403 {
			t.Errorf("%s: got %d, want 403", name, resp.StatusCode)
		}
	}
	if resp := push(t, &subs[0], "{}", func(o *webpush.Options) { o.Topic = "not allowed!" }); resp.StatusCode != 400 {
		t.Errorf("bad topic: got %d, want 400", resp.StatusCode)
	}
	resp := push(t, &subs[0], `{"title":"Fire","body":"Leave now","token":"tok-9","kind":"announcement","round":3}`, nil)
	if resp.StatusCode != 201 || resp.Header.Get("Location") == "" {
		t.Fatalf("got %d, Location %q, want 201", resp.StatusCode, resp.Header.Get("Location"))
	}
	w.until("notification", func() bool { return len(w.log()) == 1 })
	if e := w.log()[0]; e.Title != "Fire" || e.Text != "Leave now" || e.Token != "tok-9" || e.Round != 3 || e.Phone != "E000" || e.Urgency != "high" || e.Topic != "abc" {
		t.Errorf("notification %+v", e)
	}
	w.until("shown receipt", func() bool {
		w.p.mu.Lock()
		defer w.p.mu.Unlock()
		return slices.Equal(w.p.shown, []string{"tok-9 on webpush"})
	})
	if resp := push(t, &subs[0], "{}", nil); resp.StatusCode != 403 {
		t.Errorf("another server's key: got %d, want 403", resp.StatusCode)
	}

	w.p.mu.Lock()
	w.p.down = 2
	w.p.mu.Unlock()
	var g Given
	if w.call("POST", "/sandbox/act", Act{Number: "E000", Via: "push", Answer: 1}, &g); !g.OK || g.Tries != 3 {
		t.Fatalf("tap: %+v, want it taken at the third try", g)
	}
	w.p.mu.Lock()
	for _, f := range w.p.posts {
		if f.Get("a") != "1" || f.Get("via") != "push" || f.Get("token") != "tok-9" || f.Get("k") == "" || f.Get("k") != w.p.posts[0].Get("k") {
			t.Errorf("tap posted %v, want the same press each time", f)
		}
	}
	w.p.mu.Unlock()
	w.call("POST", "/sandbox/act", Act{Number: "E000", Via: "link", Answer: 3}, &g)
	if f := w.p.posts[len(w.p.posts)-1]; !g.OK || f.Get("k") != "from-page" || f.Get("a") != "3" || f.Get("via") != "" || f.Has("x") {
		t.Errorf("link posted %v (%+v), want the k of the page", f, g)
	}

	w.call("POST", "/sandbox/behave", map[string]any{"fail": "410"}, nil)
	for range 2 { // told to, and then because the device is removed
		if resp := push(t, &subs[0], "{}", nil); resp.StatusCode != 410 {
			t.Errorf("got %d, want 410", resp.StatusCode)
		}
		w.call("POST", "/sandbox/behave", map[string]any{}, nil)
	}
}

// The library always signs for 12 hours, so the clock moves instead.
func TestVAPIDExpiry(t *testing.T) {
	t.Parallel()
	_, subs := enrolled(t, 1)
	header := ""
	there := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header.Get("Authorization") }))
	defer there.Close()
	sub := subs[0]
	sub.Endpoint = there.URL + "/push/x"
	push(t, &sub, "{}", nil)
	for _, tc := range []struct {
		name   string
		origin string
		ahead  time.Duration // of the clock of the push service
		ok     bool
	}{
		{"valid", there.URL, 0, true},
		{"exp 25 hours away", there.URL, -13 * time.Hour, false},
		{"expired", there.URL, 13 * time.Hour, false},
		{"other origin", "http://elsewhere.example", 0, false},
	} {
		if _, err := checkVAPID(header, tc.origin, time.Now().Add(tc.ahead)); (err == nil) != tc.ok {
			t.Errorf("%s: got %v, want ok %v", tc.name, err, tc.ok)
		}
	}
}

func TestTopicReplacesWaiting(t *testing.T) {
	t.Parallel()
	w, subs := enrolled(t, 1)
	private, public, _ := webpush.GenerateVAPIDKeys()
	same := func(o *webpush.Options) { o.VAPIDPrivateKey, o.VAPIDPublicKey = private, public }
	w.call("POST", "/sandbox/behave", map[string]any{"delay": "300ms"}, nil)
	for _, title := range []string{"first", "second"} {
		if resp := push(t, &subs[0], `{"title":"`+title+`"}`, same); resp.StatusCode != 201 {
			t.Fatalf("got %d, want 201", resp.StatusCode)
		}
	}
	push(t, &subs[0], `{"title":"other"}`, func(o *webpush.Options) { same(o); o.Topic = "other" })
	w.until("the last message", func() bool { l := w.log(); return len(l) > 0 && l[len(l)-1].Title == "other" || len(l) > 1 })
	w.until("both", func() bool { return len(w.log()) == 2 })
	for _, e := range w.log() {
		if e.Title == "first" {
			t.Error("the replaced message was shown")
		}
	}
}

func TestAnswersByThemselves(t *testing.T) {
	t.Parallel()
	const n = 50
	w, _ := enrolled(t, n)
	if got := w.call("POST", "/phones/auto", map[string]any{"percent": 60, "within": "20ms", "help": 10, "via": "sms,link"}, nil); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	for range 2 { // a reminder changes nothing for those who answered
		for i := range n {
			w.sms(w.text(fmt.Sprintf("+62812000%05d", i), fmt.Sprintf("Fire http://x.example/r/tok%d", i)))
		}
		w.until("everybody answered", func() bool {
			w.p.mu.Lock()
			defer w.p.mu.Unlock()
			return len(w.p.posts)+len(w.p.inbound) == 30
		})
	}
	var given []Given
	w.call("GET", "/sandbox/answers", nil, &given)
	help, by := 0, map[string]int{}
	for _, g := range given {
		by[g.Via]++
		if g.Answer == 2 {
			help++
		}
	}
	if help != 3 || by["sms"] != 15 || by["link"] != 15 {
		t.Errorf("%d need help, by %v; want 3, and 15 each", help, by)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	w, _ := enrolled(t, 60)
	w.call("POST", "/sandbox/phones", []Person{{Number: "X9", Name: "<b>Dewi</b>", Mobile: "+6281999999999"}}, nil)
	w.sms(w.text("+6281999999999", "Team: http://x.example/t/abc"))
	w.until("message", func() bool { return len(w.log()) == 1 })
	resp, err := http.Get(w.URL + "/phones?q=dewi")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	html := string(b)
	for _, want := range []string{"&lt;b&gt;Dewi", "1 of 61 phones", w.p.URL + "/t/abc", "Write an SMS"} {
		if !strings.Contains(html, want) {
			t.Errorf("page has no %q", want)
		}
	}
	if strings.Contains(html, "<b>Dewi") || strings.Contains(html, "E001") {
		t.Error("page shows raw HTML, or people that were not searched for")
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
	r, _ := http.NewRequest("POST", w.URL+"/phones/auto", strings.NewReader("percent=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	cross, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cross.Body.Close()
	if cross.StatusCode != 403 {
		t.Errorf("a form of another site: got %d, want 403", cross.StatusCode)
	}
}

func TestReadPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, payload string
		want          Entry
	}{
		{"declarative", `{"web_push":8030,"notification":{"title":"Fire","body":"Out","navigate":"http://h/r/tk"},"token":"tk","asks":true,"kind":"announcement"}`,
			Entry{Channel: "webpush", Kind: "announcement", Title: "Fire", Text: "Out", Link: "http://h/r/tk", Token: "tk", Asks: true}},
		{"digest", `{"web_push":8030,"notification":{"title":"Team","navigate":"http://h/t/tk","silent":true},"asks":false,"kind":"digest"}`,
			Entry{Channel: "webpush", Kind: "digest", Title: "Team", Link: "http://h/t/tk", Silent: true}},
		{"not JSON", `boo`, Entry{Channel: "webpush", Text: "boo"}},
	} {
		if got := readPush([]byte(tc.payload)); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       int
	}{
		{"160", strings.Repeat("a", 160), 1}, {"161", strings.Repeat("a", 161), 2}, {"307", strings.Repeat("a", 307), 3},
		{"euro 80", strings.Repeat("€", 80), 1}, {"euro 81", strings.Repeat("€", 81), 2},
		{"pair not cut", strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), 3},
		{"quote 70", strings.Repeat("a", 69) + "’", 1}, {"quote 71", strings.Repeat("a", 70) + "’", 2}, {"emoji", strings.Repeat("😀", 36), 2},
	} {
		if got := segments(tc.text); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := ring[int]{max: 3}
	for i := range 8 {
		r.push(i)
	}
	if got, want := r.all(), []int{5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("ring %v, want %v", got, want)
	}
	ph := &phone{}
	for range 100 {
		ph.add(bubble{})
	}
	if len(ph.bubbles) != keepOnPhone {
		t.Errorf("%d messages on a phone, want %d", len(ph.bubbles), keepOnPhone)
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add([]byte("0123456789abcdef\x00\x00\x10\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := newDevice(&phone{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decrypt(d.key, d.auth, body); err == nil {
			t.Error("decrypted what nobody encrypted")
		}
	})
}

func TestDigitsAreReadAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]digit{
		"PT Contoh: KEBAKARAN. Balas 1=aman 2=butuh bantuan http://h.example/r/7Kq2mX9b":    {{1, "1", "aman"}, {2, "2", "butuh bantuan"}},
		"PT Contoh: CLOSED. Reply 1D=understood 2D=problem h.example/r/7Kq2mX9b":            {{1, "1D", "understood"}, {2, "2D", "problem"}},
		"PT Contoh: KEBAKARAN di Pabrik 1. Jawab: h.example/r/7Kq2mX9b":                     nil,
		"PT Contoh: Cek. Balas 1=aman 2=butuh bantuan 3=tidak di lokasi h.example/r/7Kq2mX": {{1, "1", "aman"}, {2, "2", "butuh bantuan"}, {3, "3", "tidak di lokasi"}},
	} {
		if got := digits(text); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
