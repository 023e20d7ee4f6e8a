package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/webpush"
	"kentongan/internal/client"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// The addresses of a rehearsal. Nothing listens there: every request is handed
// over within the process, because a socket would stop the fake clock.
const (
	rehearsalURL = "http://kentongan.example"
	outsideURL   = "http://outside.example"
)

// settled is how long the story waits after something happened, so that what
// follows from it is on the phones: a tick of the tracker and an SMS take 1.1 s.
const settled = 2 * time.Second

// rehearsal is the whole house on a fake clock: the real desk, pages, tracker,
// dispatcher and channels, on the twins in memory of NATS and Redis that pass
// the same suites, with the sandbox as the world outside.
type rehearsal struct {
	t       *testing.T
	house   *House
	outside http.Handler // SMS provider, push service, phones
	api     *client.Client
	mark    time.Time // where the story stands; After counts from it
	staff   []employee
	read    map[uint64]bool // messages that were expected
	deaf    *atomic.Bool    // no webhook reaches the house
}

// employee is somebody of a rehearsal.
type employee struct {
	name, mobile, manager string
	site                  string
	language, zone        string
	push                  bool
}

// longStory leaves a story of many hours to the second pass of make test. Under the
// race detector each of its seconds would be waited for, and the short stories run the
// same code.
func longStory(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("many hours of a whole house on a fake clock; make test waits for them")
	}
}

// rehearse tells a story about a few people on a fake clock. staff names them:
// "siti manager:budi, budi push lang:id, agus mobile:siti". Everybody has a
// mobile number of their own unless they share somebody's, and a browser with
// push if it says so.
func rehearse(t *testing.T, staff string, story func(*rehearsal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newRehearsal(t, slog.New(slog.DiscardHandler))
		h.employ(staff)
		h.After(0)
		story(h)
	})
}

// newRehearsal opens the house as it was prepared; it closes when the test in the bubble ends.
func newRehearsal(t *testing.T, log *slog.Logger, prepare ...func(*House)) *rehearsal {
	t.Helper()
	c := rehearsalConfig(rehearsalURL, outsideURL)
	if err := c.Complete(); err != nil {
		t.Fatal(err)
	}
	secret := rehearsalKeys(t)
	c.vapidKey = secret.Push.Public
	house := &House{config: c, log: log, now: time.Now, ledger: ledger.NewMemory(time.Now), vault: ledger.NewMemoryVault(), store: "memory"}
	for _, one := range prepare {
		one(house)
	}
	wires := wires{}
	inside := &http.Client{Transport: wires}
	box := sandbox.New(sandbox.Options{PublicURL: rehearsalURL, BaseURL: outsideURL, AccountSID: c.TwilioAccountSID, AuthToken: c.TwilioAuthToken, HTTP: inside})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	if err := house.furnish(ctx, secret, tracker.NewMemoryStore(), dispatch.NewMemoryQueue(time.Now), inside); err != nil {
		t.Fatal(err)
	}
	deaf := &atomic.Bool{}
	wires["outside.example"] = box
	wires["kentongan.example"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deaf.Load() && strings.HasPrefix(r.URL.Path, "/hooks/") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		house.handler().ServeHTTP(w, r)
	})
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return named("tracker", house.tracker.Run(ctx)) })
	running.Go(func() error { return named("dispatch", house.dispatcher.Run(ctx)) })
	running.Go(func() error { return named("reconcile", house.reconciler.run(ctx)) })
	running.Go(func() error { return named("countdown", house.desk.runCountdowns(ctx)) })
	running.Go(func() error { return named("errands", house.desk.errands.run(ctx)) })
	running.Go(func() error { return box.Run(ctx) })
	t.Cleanup(func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Errorf("the house: %v", err)
		}
	})
	return &rehearsal{t: t, house: house, outside: box, mark: time.Now(), read: map[uint64]bool{}, deaf: deaf,
		api: &client.Client{URL: rehearsalURL, Token: c.BootstrapToken, HTTP: inside}}
}

// rehearsalConfig is a house whose every provider is the world outside.
func rehearsalConfig(public, outside string) *Config {
	host, _ := url.Parse(outside)
	return &Config{Listen: "127.0.0.1:8080", PublicURL: public, OrgName: "PT Contoh", BootstrapToken: "rehearsal-token-0001", Zone: "Asia/Jakarta",
		SMSProvider: "sandbox", SMSTwoWay: true, TwilioAccountSID: "AC00000000000000000000000000000001", TwilioAuthToken: "sandbox",
		TwilioFrom: "+15005550006", TwilioAPIURL: outside + "/twilio",
		SMS2AccountSID: "AC00000000000000000000000000000001", SMS2AuthToken: "sandbox", SMS2From: "+15005550009", SMS2APIURL: outside + "/twilio", PushSubject: "alarm@kentongan.example", PushHosts: []string{host.Hostname()},
		InFlight: dispatch.DefaultInFlight}
}

func rehearsalKeys(t testing.TB) *keys {
	t.Helper()
	k := &keys{Vault: make([]byte, 32), Links: make([]byte, 32), Cookie: make([]byte, 32)}
	for _, b := range [][]byte{k.Vault, k.Links, k.Cookie} {
		_, _ = rand.Read(b)
	}
	var err error
	if k.Push, err = webpush.GenerateKeys(); err != nil {
		t.Fatal(err)
	}
	return k
}

// wires carries requests to handlers of this process, by host.
type wires map[string]http.Handler

func (w wires) RoundTrip(r *http.Request) (*http.Response, error) {
	to, ok := w[r.URL.Host]
	if !ok {
		return nil, fmt.Errorf("nobody is at %s", r.URL.Host)
	}
	in := *r
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "192.0.2.1:4711"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	out := &answer{header: http.Header{}}
	to.ServeHTTP(out, &in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	out.WriteHeader(http.StatusOK)
	return &http.Response{Status: fmt.Sprint(out.status, " ", http.StatusText(out.status)), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r}, nil
}

// answer takes what a handler writes, at less cost than httptest's recorder:
// an hour has 15,000 requests.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// employ brings people in through the API and gives each a phone.
func (h *rehearsal) employ(staff string) {
	h.t.Helper()
	for i, line := range strings.Split(staff, ",") {
		words := strings.Fields(line)
		e := employee{name: words[0], mobile: fmt.Sprintf("+6281200000%03d", i+1), language: "en", site: "Harbour"}
		for _, w := range words[1:] {
			switch key, value, _ := strings.Cut(w, ":"); key {
			case "manager":
				e.manager = value
			case "mobile":
				e.mobile = h.employee(value).mobile
			case "lang":
				e.language = value
			case "zone":
				e.zone = value
			case "site":
				e.site = value
			case "push":
				e.push = true
			default:
				h.t.Fatalf("%s: what is %q?", e.name, w)
			}
		}
		h.staff = append(h.staff, e)
	}
	h.importStaff(func(employee) bool { return true })
	phones := make([]sandbox.Person, len(h.staff))
	for i, e := range h.staff {
		phones[i] = sandbox.Person{Number: e.name, Name: e.name, Mobile: e.mobile, Language: e.language}
		if e.push {
			phones[i].Enrol = h.enrolment(e.name)
		}
	}
	h.handOut(phones)
}

// enrolment returns the path of a person's enrolment link.
func (h *rehearsal) enrolment(number string) string {
	h.t.Helper()
	who, ok := h.house.directory.ByNumber(number)
	if !ok {
		h.t.Fatalf("nobody has the employee number %s", number)
	}
	code, _ := h.house.links.enrolment(who.ID, time.Now())
	return "/e/" + code
}

// handOut gives people phones; those with an enrolment link enrol like a browser.
func (h *rehearsal) handOut(phones []sandbox.Person) {
	h.t.Helper()
	h.beyond(http.MethodPost, "/sandbox/phones", phones, nil)
	synctest.Wait()
	for _, p := range phones {
		if who, _ := h.house.directory.ByNumber(p.Number); p.Enrol != "" && len(h.house.directory.Contact(who.ID).Subscriptions) != 1 {
			h.t.Fatalf("the phone of %s did not enrol", p.Number)
		}
	}
}

func (h *rehearsal) employee(name string) employee {
	h.t.Helper()
	i := slices.IndexFunc(h.staff, func(e employee) bool { return e.name == name })
	if i < 0 {
		h.t.Fatalf("nobody is called %s", name)
	}
	return h.staff[i]
}

func (h *rehearsal) importStaff(stays func(employee) bool) {
	h.t.Helper()
	h.importFile(h.staffFile(stays))
}

// staffFile is the payroll's file.
func (h *rehearsal) staffFile(stays func(employee) bool) *bytes.Buffer {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write([]string{"employee_id", "given_name", "display_name", "mobile_phone", "manager_id", "site", "locale", "timezone", "active"})
	for _, e := range h.staff {
		_ = w.Write([]string{e.name, e.name, e.name, e.mobile, e.manager, e.site, e.language, e.zone, fmt.Sprint(stays(e))})
	}
	w.Flush()
	return &file
}

func (h *rehearsal) importFile(file io.Reader) {
	h.t.Helper()
	if err := h.api.Call(h.t.Context(), http.MethodPost, "/api/v1/people:import", "text/csv", file, nil); err != nil {
		h.t.Fatal(err)
	}
}

// Leaves says that somebody no longer works here.
func (h *rehearsal) Leaves(name string) {
	h.t.Helper()
	h.employee(name)
	h.importStaff(func(e employee) bool { return e.name != name })
}

// After lets time pass since the last mark of the story, and a little more
// until what happened then is on the phones.
func (h *rehearsal) After(d time.Duration) {
	h.t.Helper()
	h.mark = h.mark.Add(d)
	time.Sleep(time.Until(h.mark.Add(settled)))
	synctest.Wait()
}

// settle lets what somebody just did take its course.
func (h *rehearsal) settle() {
	h.t.Helper()
	time.Sleep(settled)
	synctest.Wait()
}

// A choice changes a draft from the default: live, extreme, in English and
// Indonesian, to everybody, with the policy of its severity.
type choice func(*web.Draft)

func to(names ...string) choice {
	return func(d *web.Draft) { d.Audience = announcement.Audience{People: names} }
}

func asDrill(d *web.Draft) { d.Mode = announcement.Drill }

// steps sets the whole policy: no step and an expiry of an hour, say.
func steps(expire time.Duration, all ...announcement.Step) choice {
	return func(d *web.Draft) {
		d.Policy = &announcement.Policy{Steps: append([]announcement.Step{}, all...), ExpireAfter: announcement.Duration(expire)}
	}
}

func step(after time.Duration, whom announcement.Whom) announcement.Step {
	return announcement.Step{After: announcement.Duration(after), Whom: whom}
}

// Announce sends an announcement and lets it arrive. The story's clock starts again.
func (h *rehearsal) Announce(title string, choices ...choice) announcement.ID {
	h.t.Helper()
	h.mark = time.Now()
	var s web.Summary
	if err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/announcements", h.draft(title, choices...), &s); err != nil {
		h.t.Fatal(err)
	}
	h.After(0)
	return s.ID
}

// draft is what HR fills in.
func (h *rehearsal) draft(title string, choices ...choice) web.Draft {
	d := web.Draft{Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Audience: announcement.Audience{All: true},
		Text: map[announcement.Language]announcement.Text{announcement.English: {Title: title, Body: "Leave by the east gate."},
			announcement.Indonesian: {Title: title, Body: "Keluar lewat gerbang timur."}}}
	for _, choose := range choices {
		choose(&d)
	}
	return d
}

// Close ends an announcement, as a person in HR does.
func (h *rehearsal) Close(id announcement.ID, as announcement.ClosedAs) {
	h.t.Helper()
	err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/announcements/"+string(id)+"/close", map[string]string{"as": string(as), "reason": "as told by the warden"}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.settle()
}

// summary returns where an announcement stands.
func (h *rehearsal) summary(id announcement.ID) web.Summary {
	h.t.Helper()
	var s web.Summary
	if err := h.api.Call(h.t.Context(), http.MethodGet, "/api/v1/announcements/"+string(id), "", nil, &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// ExpectOpen checks that an announcement is still open.
func (h *rehearsal) ExpectOpen(id announcement.ID) {
	h.t.Helper()
	if s := h.summary(id); s.Status != announcement.StatusOpen {
		h.t.Errorf("it is %s as %q, want open", s.Status, s.ClosedAs)
	}
}

// ExpectClosed checks how an announcement ended.
func (h *rehearsal) ExpectClosed(id announcement.ID, as announcement.ClosedAs) {
	h.t.Helper()
	if s := h.summary(id); s.Status != announcement.StatusClosed || s.ClosedAs != as {
		h.t.Errorf("it is %s as %q, want closed as %s", s.Status, s.ClosedAs, as)
	}
}

// recipient returns somebody's standing in an announcement.
func (h *rehearsal) recipient(id announcement.ID, name string) web.Recipient {
	h.t.Helper()
	var page web.RecipientPage
	if err := h.api.Call(h.t.Context(), http.MethodGet, "/api/v1/announcements/"+string(id)+"/recipients?q="+name, "", nil, &page); err != nil {
		h.t.Fatal(err)
	}
	if len(page.Recipients) != 1 {
		h.t.Fatalf("%d recipients are called %s, want one", len(page.Recipients), name)
	}
	return page.Recipients[0]
}

// ExpectState checks the one state in which somebody is.
func (h *rehearsal) ExpectState(id announcement.ID, name string, want announcement.State) {
	h.t.Helper()
	if got := h.recipient(id, name).State; got != want {
		h.t.Errorf("%s is %s, want %s", name, got, want)
	}
}

// timeline returns the story as the board tells it.
func (h *rehearsal) timeline(id announcement.ID) []web.Entry {
	h.t.Helper()
	var out struct {
		Entries []web.Entry `json:"entries"`
	}
	if err := h.api.Call(h.t.Context(), http.MethodGet, "/api/v1/announcements/"+string(id)+"/timeline", "", nil, &out); err != nil {
		h.t.Fatal(err)
	}
	return out.Entries
}

// ExpectReason checks that the timeline names a reason.
func (h *rehearsal) ExpectReason(id announcement.ID, reason string) {
	h.t.Helper()
	var told []string
	for _, e := range h.timeline(id) {
		if strings.Contains(e.Reason, reason) {
			return
		}
		told = append(told, fmt.Sprintf("%s %s (%s)", e.At.Format("15:04:05"), e.What, e.Reason))
	}
	h.t.Errorf("the timeline does not say %q:\n%s", reason, strings.Join(told, "\n"))
}

// Phone is somebody's phone.
func (h *rehearsal) Phone(name string) handset { return handset{h, h.employee(name)} }

type handset struct {
	*rehearsal
	owner employee
}

// unread returns the messages on this phone that nobody expected yet, oldest first.
func (p handset) unread() []sandbox.Entry {
	p.t.Helper()
	var all []sandbox.Entry
	p.beyond(http.MethodGet, "/sandbox/log", nil, &all)
	return slices.DeleteFunc(all, func(e sandbox.Entry) bool {
		mine := e.Phone == p.owner.name || e.Channel == "sms" && e.Mobile == p.owner.mobile
		return !mine || p.read[e.Seq]
	})
}

// ExpectSMS checks that a text came, with these words in it, and reads it.
func (p handset) ExpectSMS(words ...string) { p.t.Helper(); p.expect("sms", words) }

// ExpectPush does the same for a notification.
func (p handset) ExpectPush(words ...string) { p.t.Helper(); p.expect("webpush", words) }

func (p handset) expect(channel string, words []string) {
	p.t.Helper()
	var there []string
	for _, e := range p.unread() {
		text := strings.TrimSpace(e.Title + " " + e.Text)
		if e.Channel == channel && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			p.read[e.Seq] = true
			return
		}
		there = append(there, e.Channel+": "+text)
	}
	p.t.Errorf("%s got no %s with %q; unread are: %q", p.owner.name, channel, words, there)
}

// ExpectNothing checks that no other message came to this phone.
func (p handset) ExpectNothing() {
	p.t.Helper()
	for _, e := range p.unread() {
		p.t.Errorf("%s got by %s: %s %s", p.owner.name, e.Channel, e.Title, e.Text)
		p.read[e.Seq] = true
	}
}

// NothingElse checks that nobody got a message that was not expected.
func (h *rehearsal) NothingElse() {
	h.t.Helper()
	for _, e := range h.staff {
		h.Phone(e.name).ExpectNothing()
	}
}

// Reply answers by SMS.
func (p handset) Reply(text string) { p.t.Helper(); p.act(sandbox.Act{Via: "sms", Text: text}) }

// Tap presses a button of the notification, or else of the page behind the link.
func (p handset) Tap(a announcement.Answer) {
	p.t.Helper()
	via := "link"
	if p.owner.push {
		via = "push"
	}
	p.act(sandbox.Act{Via: via, Answer: int(a)})
}

func (p handset) act(a sandbox.Act) {
	p.t.Helper()
	a.Number = p.owner.name
	var given sandbox.Given
	p.beyond(http.MethodPost, "/sandbox/act", a, &given)
	if !given.OK {
		p.t.Errorf("an answer of %s was not taken: %d", a.Number, given.Status)
	}
	p.settle()
}

// beyond calls the world outside by its own API.
func (h *rehearsal) beyond(method, path string, in, out any) {
	h.t.Helper()
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			h.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.outside.ServeHTTP(w, r)
	if w.Code >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			h.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}
