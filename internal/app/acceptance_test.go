package app_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
	"kentongan/internal/client"
	"kentongan/internal/sandbox"
)

const sampleCompany = "../directory/testdata/people-1000.csv"

// everybody returns the active people of the sample company, each with the
// manager who is called when they stay silent.
func everybody(t *testing.T) []apptest.Person {
	t.Helper()
	f, err := os.Open(sampleCompany)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	above, left := map[string]string{}, map[string]bool{}
	for _, r := range rows[1:] {
		above[r[0]], left[r[0]] = r[6], r[14] != "true"
	}
	var people []apptest.Person
	for _, r := range rows[1:] {
		if left[r[0]] {
			continue
		}
		manager := r[6]
		for left[manager] { // the next one up is called in their place
			manager = above[manager]
		}
		people = append(people, apptest.Person{Number: r[0], Name: r[3], Mobile: r[5], Manager: manager, Language: r[10][:2]})
	}
	return people
}

const alarm = `{"mode": "live", "severity": "extreme", "answers": "safety",
  "text": {"en": {"title": "Fire in hall 3", "body": "Leave by the east gate."}, "id": {"title": "Kebakaran di hall 3", "body": "Keluar lewat gerbang timur."}},
  "audience": {"all": true}, "channels": ["webpush", "sms", "inapp"],
  "policy": {"steps": [{"after": "%s", "whom": "recipient", "channels": ["sms"]},
    {"after": "%s", "whom": "manager"}, {"after": "%s", "whom": "manager+1"}, {"after": "%s", "whom": "duty"}]}}`

type summary struct {
	ID       string
	Status   string
	ClosedAs string `json:"closed_as"`
	Counts   struct {
		Recipients, Confirmed, Opened, Unreachable, Late, Excused int
		NeedHelp                                                  int `json:"need_help"`
		NotOnSite                                                 int `json:"not_on_site"`
		NoAnswer                                                  int `json:"no_answer"`
		VouchedBy                                                 int `json:"vouched_by"`
	}
}

func (s summary) sum() int {
	c := s.Counts
	return c.NeedHelp + c.Confirmed + c.NotOnSite + c.Opened + c.NoAnswer + c.Unreachable
}

type recipient struct {
	Number    string
	Index     int
	State     string
	VouchedBy string `json:"vouched_by"`
}

// broadcast is one run of the main job: everybody is called, most answer by
// themselves, some only after their manager was called, some are vouched for.
type broadcast struct {
	*apptest.World
	t      *testing.T
	people []apptest.Person
	id     string
	plan   map[string]string // employee number → push, sms, link, late, vouch
	done   map[string]bool
	links  map[string]string // a manager's number → link of their team page
	seen   uint64
}

func announce(t *testing.T, w *apptest.World, steps ...any) *broadcast {
	t.Helper()
	b := &broadcast{World: w, t: t, people: everybody(t), plan: map[string]string{}, done: map[string]bool{}, links: map[string]string{}}
	w.Import(sampleCompany)
	w.HandOutPhones(b.people)
	shared := map[string]int{} // people who share a phone answer by push: a bare "1" would not say who is safe
	for _, p := range b.people {
		shared[p.Mobile]++
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i, n := range random.Perm(len(b.people)) {
		p := b.people[n]
		way := "vouch"
		switch share := i * 100 / len(b.people); {
		case share < 60 || p.Manager == "" || p.Mobile != "" && shared[p.Mobile] > 1:
			way = "push"
		case share < 75 && p.Mobile != "":
			way = "sms"
		case share < 85 && p.Mobile != "":
			way = "link"
		case share < 95:
			way = "late"
		}
		b.plan[p.Number] = way
	}
	var s summary
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(fmt.Sprintf(alarm, steps...)), &s,
		"Idempotency-Key", "acceptance-1"); err != nil {
		t.Fatal(err)
	}
	if s.Status != "open" || s.Counts.Recipients != len(b.people) {
		t.Fatalf("got %+v, want an open announcement to %d people", s, len(b.people))
	}
	b.id = s.ID
	return b
}

// react lets people do what they would: it looks at the messages that came since
// and acts on them.
func (b *broadcast) react() {
	for _, e := range b.Log() {
		if e.Seq <= b.seen {
			continue
		}
		b.seen = e.Seq
		if strings.Contains(e.Link, "/t/") {
			b.links[e.Phone] = e.Link
			continue
		}
		if e.Token == "" || b.done[e.Phone] {
			continue
		}
		switch way := b.plan[e.Phone]; {
		case way == "push" && e.Channel == "webpush", (way == "sms" || way == "link") && e.Channel == "sms":
			b.done[e.Phone] = true
			b.Act(sandbox.Act{Number: e.Phone, Via: way, Answer: 1, Text: map[bool]string{true: "1"}[way == "sms"]})
		}
	}
	for _, p := range b.people {
		link := b.links[p.Manager]
		if b.done[p.Number] || link == "" {
			continue
		}
		switch b.plan[p.Number] {
		case "late": // answers only after the manager was called
			b.done[p.Number] = true
			via := "push"
			if p.Mobile != "" {
				via = "link"
			}
			b.Act(sandbox.Act{Number: p.Number, Via: via, Answer: 1})
		case "vouch":
			if n, ok := b.indexOf(p.Number); ok && b.Vouch(link, fmt.Sprint(n)) == nil {
				b.done[p.Number] = true
			}
		}
	}
}

func (b *broadcast) indexOf(number string) (int, bool) {
	var page struct{ Recipients []recipient }
	if err := b.API.Call(b.t.Context(), http.MethodGet, "/api/v1/announcements/"+b.id+"/recipients?q="+number, "", nil, &page); err != nil || len(page.Recipients) != 1 {
		return 0, false
	}
	return page.Recipients[0].Index, true
}

func (b *broadcast) status() (summary, error) {
	var s summary
	err := b.API.Call(b.t.Context(), http.MethodGet, "/api/v1/announcements/"+b.id, "", nil, &s)
	return s, err
}

// untilClosed lets people act until the announcement is closed, and does
// disturb once, when a third of the people have answered.
func (b *broadcast) untilClosed(disturb func()) summary {
	b.t.Helper()
	var last summary
	apptest.Eventually(b.t, 2*time.Minute, "the announcement to close", func() (bool, string) {
		b.react()
		s, err := b.status()
		if err != nil {
			return false, err.Error()
		}
		last = s
		if disturb != nil && s.Counts.Confirmed > len(b.people)/3 {
			disturb()
			disturb = nil
		}
		return s.Status == "closed", fmt.Sprintf("%+v; not done: %s", s, b.notDone())
	})
	if disturb != nil {
		b.t.Fatal("it closed before it could be disturbed")
	}
	return last
}

// notDone names those who have not acted, with what they were to do.
func (b *broadcast) notDone() string {
	var out []string
	for _, p := range b.people {
		if !b.done[p.Number] {
			out = append(out, p.Number+" "+b.plan[p.Number])
		}
	}
	return strings.Join(out[:min(len(out), 10)], ", ")
}

// check is what must hold at the end, whatever happened meanwhile.
func (b *broadcast) check(s summary, extra int) {
	b.t.Helper()
	if s.ClosedAs != "accounted" || s.sum() != len(b.people) || s.Counts.Confirmed != len(b.people) {
		b.t.Errorf("got %+v, want closed as accounted with all %d confirmed", s, len(b.people))
	}
	if s.Counts.VouchedBy == 0 {
		b.t.Error("nobody was vouched for")
	}
	b.checkStates()
	b.checkCalls(extra)
}

func (b *broadcast) checkStates() {
	b.t.Helper()
	states := map[string]string{}
	for offset := 0; ; {
		var page struct {
			Recipients []recipient
			Next       *int
		}
		path := fmt.Sprintf("/api/v1/announcements/%s/recipients?limit=500&offset=%d", b.id, offset)
		if err := b.API.Call(b.t.Context(), http.MethodGet, path, "", nil, &page); err != nil {
			b.t.Fatal(err)
		}
		for _, r := range page.Recipients {
			if states[r.Number] != "" {
				b.t.Errorf("%s is listed twice", r.Number)
			}
			states[r.Number] = r.State
		}
		if page.Next == nil {
			break
		}
		offset = *page.Next
	}
	for _, p := range b.people {
		if states[p.Number] != "confirmed" {
			b.t.Errorf("%s (%s) is %q, want confirmed", p.Number, b.plan[p.Number], states[p.Number])
		}
	}
}

// inTheAir is how long a message may have been on its way when its recipient
// answered.
const inTheAir = 2 * time.Second

// checkCalls looks at what phones got: nobody was called again after being
// thanked, no manager got a step's digest twice, and at most extra messages came
// twice.
func (b *broadcast) checkCalls(extra int) {
	b.t.Helper()
	thanked := map[string]time.Time{}
	for _, g := range b.Answers() {
		if g.OK && (thanked[g.Phone].IsZero() || g.Time.Before(thanked[g.Phone])) {
			thanked[g.Phone] = g.Time
		}
		if !g.OK {
			b.t.Errorf("an answer of %s by %s was not taken: %d", g.Phone, g.Via, g.Status)
		}
	}
	type call struct{ phone, channel, what string }
	got := map[call]int{}
	twice := 0
	for _, e := range b.Log() {
		what := fmt.Sprint(e.Round)
		if e.Kind == "reply" || e.Channel == "sms" && e.Back == "" { // thanks for an answer that was asked for
			continue
		}
		team := strings.Contains(e.Link, "/t/")
		if at := thanked[e.Phone]; !team && !at.IsZero() && e.Time.After(at.Add(inTheAir)) {
			b.t.Errorf("%s was called by %s %s after being thanked", e.Phone, e.Channel, e.Time.Sub(at))
		}
		if e.Channel == "sms" {
			what = sendID(b.t, e.Back)
		}
		if team {
			what = strings.Split(what, ".")[0]
		}
		c := call{e.Phone, e.Channel, what}
		if got[c]++; got[c] > 1 {
			twice++
			if team && extra == 0 {
				b.t.Errorf("%s got the digest of round %s twice", e.Phone, what)
			}
		}
	}
	if twice > extra {
		b.t.Errorf("%d messages came twice, want at most %d", twice, extra)
	}
	b.t.Logf("%d messages, %d of them repeated", len(b.Log()), twice)
}

// sendID returns "round.number" from the address to which receipts of an SMS go.
func sendID(t *testing.T, callback string) string {
	t.Helper()
	u, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(u.Query().Get("d"), ".")
	if !ok {
		t.Fatalf("an SMS without a send id: %q", callback)
	}
	return rest
}

func TestMainJob(t *testing.T) {
	w := apptest.New(t, 1)
	b := announce(t, w, "2s", "4s", "6s", "30s")
	b.check(b.untilClosed(nil), 0)
	if err := w.Nodes[0].Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if out, err := w.Command("ledger", "verify"); err != nil || !strings.Contains(out, "the ledger is whole") {
		t.Errorf("ledger verify: %v: %s", err, out)
	}
}

func TestMainJobSurvivesAKill(t *testing.T) {
	w := apptest.New(t, 1)
	b := announce(t, w, "2s", "4s", "6s", "30s")
	b.check(b.untilClosed(func() {
		w.Nodes[0].Kill()
		w.Nodes[0].Start()
	}), 32)
}

func TestMainJobSurvivesAnEmptiedRedis(t *testing.T) {
	redis := apptest.StartRedis(t)
	w := apptest.New(t, 1, "KENTONGAN_REDIS_URL="+redis.URL)
	b := announce(t, w, "2s", "4s", "6s", "30s")
	b.check(b.untilClosed(func() { redis.FlushAll(t) }), 0)
}

// TestReconcileAfterAKill kills the server while people answer by SMS, for so long that
// the provider gives its webhooks up. What they wrote, and how their texts ended, is
// counted after the start.
func TestReconcileAfterAKill(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, 1)
	staff := filepath.Join(t.TempDir(), "staff.csv")
	csv := "employee_id,display_name,mobile_phone,manager_id,site,locale,active\nE1,Chief,+6281200000001,,Harbour,en,true\nE2,Budi,+6281200000002,E1,Harbour,en,true\nE3,Siti,+6281200000003,E2,Harbour,en,true\n"
	if err := os.WriteFile(staff, []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Import(staff)
	var s summary
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(fmt.Sprintf(alarm, "10m", "20m", "30m", "40m")), &s); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, 30*time.Second, "everybody's SMS", func() (bool, string) {
		n := 0
		for _, e := range w.Log() {
			if e.Channel == "sms" {
				n++
			}
		}
		return n >= 3, fmt.Sprint(n)
	})
	w.Nodes[0].Kill()
	phone := map[string]string{} // by number: nobody has registered them, the sandbox made them up
	for _, e := range w.Log() {
		phone[e.Mobile] = e.Phone
	}
	w.Act(sandbox.Act{Number: phone["+6281200000002"], Via: "sms", Text: "1"})
	w.Act(sandbox.Act{Number: phone["+6281200000003"], Via: "sms", Text: "2"})
	for _, g := range w.Answers() {
		if g.OK {
			t.Fatalf("a webhook was taken by a server that is dead: %+v", g)
		}
	}
	w.Nodes[0].Start()
	apptest.Eventually(t, 30*time.Second, "what was written meanwhile", func() (bool, string) {
		if err := w.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+s.ID, "", nil, &s); err != nil {
			return false, err.Error()
		}
		return s.Counts.Confirmed == 1 && s.Counts.NeedHelp == 1, fmt.Sprintf("%+v", s.Counts)
	})
	if strings.Contains(w.Nodes[0].Said(), "+62812") {
		t.Error("the log holds a number")
	}
}

// TestHelpIsCalledWhileRedisIsDown stops the operator's Redis in the middle of an
// alert: who calls for help does not wait until somebody has mended it.
func TestHelpIsCalledWhileRedisIsDown(t *testing.T) {
	redis := apptest.StartRedis(t)
	w := apptest.New(t, 1, "KENTONGAN_REDIS_URL="+redis.URL)
	staff := filepath.Join(t.TempDir(), "staff.csv")
	csv := "employee_id,display_name,mobile_phone,manager_id,site,locale,active\nE1,Chief,+6281200000001,,Harbour,en,true\nE2,Budi,+6281200000002,E1,Harbour,en,true\nE3,Siti,+6281200000003,E2,Harbour,en,true\n"
	if err := os.WriteFile(staff, []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Import(staff)
	w.HandOutPhones([]apptest.Person{{Number: "E1", Name: "Chief", Mobile: "+6281200000001"}, {Number: "E2", Name: "Budi", Mobile: "+6281200000002"}, {Number: "E3", Name: "Siti", Mobile: "+6281200000003"}})
	var s summary
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(fmt.Sprintf(alarm, "10m", "20m", "30m", "40m")), &s); err != nil {
		t.Fatal(err)
	}
	got := func(phone, words string) (n int) {
		for _, e := range w.Log() {
			if e.Phone == phone && e.Channel == "sms" && strings.Contains(e.Text, words) {
				n++
			}
		}
		return n
	}
	apptest.Eventually(t, 20*time.Second, "the alarm", func() (bool, string) { return got("E3", "Fire in hall 3") == 1, "" })

	redis.Stop()
	w.Act(sandbox.Act{Number: "E3", Via: "sms", Text: "2"})
	called := func() (bool, string) {
		budi, chief := got("E2", "Siti NEEDS HELP"), got("E1", "Siti NEEDS HELP")
		return budi == 1 && chief == 1, fmt.Sprint(budi, " to the manager, ", chief, " to the duty list")
	}
	apptest.Eventually(t, 10*time.Second, "the calls for help", called)
	// What begins while it is down goes out too.
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(strings.ReplaceAll(fmt.Sprintf(alarm, "10m", "20m", "30m", "40m"), "hall 3", "hall 4")), nil); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, 10*time.Second, "the second alarm", func() (bool, string) { return got("E3", "Fire in hall 4") == 1, "" })

	// Nor does a node that is started meanwhile wait for it.
	w.Nodes[0].Kill()
	w.Nodes[0].Start()
	if res, err := http.Get(w.API.URL + "/readyz"); err != nil {
		t.Error(err)
	} else {
		said, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if !strings.Contains(string(said), "Redis does not answer") {
			t.Errorf("/readyz does not say that Redis is away: %s", said)
		}
	}
	redis.Start()
	w.Act(sandbox.Act{Number: "E2", Via: "sms", Text: "1A"})
	apptest.Eventually(t, 20*time.Second, "the answers to stand", func() (bool, string) {
		err := w.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+s.ID, "", nil, &s)
		return err == nil && s.Counts.NeedHelp == 1 && s.Counts.Confirmed == 1 && s.sum() == 3, fmt.Sprintf("%+v, %v", s, err)
	})
	time.Sleep(3 * time.Second)
	if ok, word := called(); !ok {
		t.Errorf("when Redis was back: %s, want no second call", word)
	}
}

func TestMainJobOnOwnServersWithTwoNodes(t *testing.T) {
	redis, _ := apptest.StartShippedRedis(t)
	nats := apptest.StartNATS(t)
	w := apptest.New(t, 2, "KENTONGAN_REDIS_URL="+redis, "KENTONGAN_NATS_URL="+nats)
	b := announce(t, w, "2s", "4s", "6s", "30s")
	b.check(b.untilClosed(nil), 0)
	// The other node tells the same.
	other := &client.Client{URL: w.Nodes[1].URL, Token: apptest.Token}
	var s summary
	if err := other.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+b.id, "", nil, &s); err != nil || s.ClosedAs != "accounted" {
		t.Errorf("the other node says %+v, %v", s, err)
	}
}

func TestWrongTokenTellsNothing(t *testing.T) {
	w := apptest.New(t, 1)
	stranger := &client.Client{URL: w.API.URL, Token: "kt_aaaaaaaaaaaaaaaa_guess"}
	err := stranger.Call(t.Context(), http.MethodGet, "/api/v1/announcements", "", nil, nil)
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnauthorized {
		t.Errorf("got %v, want 401", err)
	}
	for _, path := range []string{"/r/AAAAAAAA", "/t/AAAAAAAA", "/r/" + strings.Repeat("A", 10_000)} {
		res, err := http.Get(w.API.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusRequestURITooLong {
			t.Errorf("%.20s: got %s, want 404", path, res.Status)
		}
	}
}
