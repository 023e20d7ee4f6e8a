package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// TestHourOfEscalation calls the 1,000 sample people with the policy for extreme
// danger, goes on asking for an hour, and lets them answer as people do: most at
// once, some late, some only after their manager was called, and a few through
// their manager, the last one a minute before the hour is over. On two idle
// cores that takes less than two seconds; what it took is printed, not judged,
// because a busy machine says nothing about the program.
func TestHourOfEscalation(t *testing.T) {
	t.Parallel()
	longStory(t)
	begun, before := time.Now(), processorTime()
	synctest.Test(t, func(t *testing.T) {
		h := newHour(t)
		h.run()
		h.read()
		h.checkEnd()
		h.checkSteps()
		h.checkCalls()
		h.checkPhones()
		h.checkLedger()
	})
	spent := processorTime() - before
	t.Logf("an hour of escalation took %s, %s of processor time", time.Since(begun).Round(time.Millisecond), spent.Round(time.Millisecond))
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The ways in which people of the hour answer.
const (
	byPush     = "push"
	bySMS      = "sms"
	byLink     = "link"
	whenCalled = "late"  // by the link, after their manager was called
	byManager  = "vouch" // their manager says so on the team page
)

// deed is what somebody will do, and when.
type deed struct {
	who directory.Person
	way string
	at  time.Duration // after the announcement; of whenCalled and byManager: after their manager was called
}

// hour is the story of 1,000 people.
type hour struct {
	*rehearsal
	id      announcement.ID
	opened  time.Time
	policy  announcement.Policy
	waiting []deed            // without a set time until their manager is called
	due     []deed            // with a set time, soonest first
	above   map[string]string // employee number → who is called for them
	teams   map[string]string // employee number → link of their team page
	looked  time.Time         // when the new messages were last read
	seen    uint64
	facts   []announcement.Fact  // all of them, once it is over
	done    map[string]time.Time // employee number → when they were accounted for
}

func newHour(t *testing.T) *hour {
	t.Helper()
	h := &hour{rehearsal: newRehearsal(t, slog.New(slog.DiscardHandler)), above: map[string]string{}, teams: map[string]string{}, done: map[string]time.Time{}}
	file, err := os.Open("../directory/testdata/people-1000.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h.importFile(file)
	people := h.house.directory.Everybody()
	for _, p := range people {
		for up, ok := h.house.directory.ByNumber(p.Manager); ok && h.above[p.Number] == ""; up, ok = h.house.directory.ByNumber(up.Manager) {
			if up.Active {
				h.above[p.Number] = up.Number
			}
		}
	}
	h.plan(people)
	h.handOut(h.phones(people))
	return h
}

// phones gives everybody a phone. Who answers by push has connected it, and so
// have all who have no mobile number and every other of the rest.
func (h *hour) phones(people []directory.Person) []sandbox.Person {
	push := map[string]bool{}
	for _, d := range h.due {
		push[d.who.Number] = d.way == byPush
	}
	phones := make([]sandbox.Person, len(people))
	for i, p := range people {
		phones[i] = sandbox.Person{Number: p.Number, Name: p.Name, Mobile: p.Mobile, Language: string(p.Language)}
		if push[p.Number] || p.Mobile == "" || i%2 == 0 {
			phones[i].Enrol = h.enrolment(p.Number)
		}
	}
	return phones
}

// plan gives everybody a way to answer: 60 in 100 by push, 25 by SMS or its link,
// 10 after their manager was called, 5 through their manager.
func (h *hour) plan(people []directory.Person) {
	random := rand.New(rand.NewPCG(20, 26))
	owners := map[string]int{}
	for _, p := range people {
		owners[p.Mobile]++
	}
	left := map[string]int{byManager: len(people) * 5 / 100, whenCalled: len(people) * 10 / 100, bySMS: len(people) * 25 / 100}
	minutes := func(from, to float64) time.Duration {
		return time.Duration((from + random.Float64()*(to-from)) * float64(time.Minute)).Truncate(time.Second)
	}
	for _, i := range random.Perm(len(people)) {
		d := deed{who: people[i], way: byPush}
		soon := random.IntN(10) > 0
		switch {
		case left[byManager] > 0 && h.above[d.who.Number] != "":
			left[byManager]--
			d.way, d.at = byManager, minutes(1, 50)
		case left[whenCalled] > 0 && h.above[d.who.Number] != "":
			left[whenCalled]--
			d.way, d.at = whenCalled, minutes(0.5, 40)
		case left[bySMS] > 0 && d.who.Mobile != "" && owners[d.who.Mobile] == 1: // on a shared phone a bare 1 would not say who
			left[bySMS]--
			d.way, d.at = []string{bySMS, byLink}[left[bySMS]%2], minutes(0.2, 12)
			if !soon {
				d.at = minutes(12, 50)
			}
		default:
			d.at = minutes(0.05, 2)
			if !soon {
				d.at = minutes(2, 50)
			}
		}
		if d.way == byManager || d.way == whenCalled {
			h.waiting = append(h.waiting, d)
		} else {
			h.due = append(h.due, d)
		}
	}
	h.waiting[0].at = 54*time.Minute + 10*time.Second // the last of all, after the last step
}

// run announces, lets the hour pass, and returns when it is closed.
func (h *hour) run() {
	h.t.Helper()
	_, policy := announcement.Defaults(announcement.Extreme)
	policy.Steps = append(policy.Steps, step(25*time.Minute, announcement.CallRecipient), step(35*time.Minute, announcement.CallManager),
		step(45*time.Minute, announcement.CallManagersOwn), step(55*time.Minute, announcement.CallDuty))
	h.policy = policy
	h.id = h.Announce("Fire in hall 3", steps(2*time.Hour, policy.Steps...))
	h.opened = h.summary(h.id).OpenedAt
	for len(h.due)+len(h.waiting) > 0 {
		if time.Since(h.looked) >= 30*time.Second {
			h.look()
		}
		next := time.Minute
		if since := time.Since(h.opened); len(h.due) > 0 {
			next = min(next, h.due[0].at-since)
		}
		// People act a little off the full second, so that nothing happens at the very
		// moment of a step and every order of events is one that can be judged.
		if next > 0 {
			time.Sleep(time.Until(time.Now().Add(next).Truncate(time.Second).Add(700 * time.Millisecond)))
			synctest.Wait()
		}
		for since := time.Since(h.opened); len(h.due) > 0 && h.due[0].at <= since; h.due = h.due[1:] {
			h.do(h.due[0])
		}
		if time.Since(h.opened) > 2*time.Hour {
			h.t.Fatalf("%d people have not acted: their managers were never called", len(h.waiting))
		}
	}
	h.settle()
}

// look reads the new messages. Whose manager got a digest now has a time to act.
func (h *hour) look() {
	h.looked = time.Now()
	var fresh []sandbox.Entry
	h.beyond(http.MethodGet, fmt.Sprint("/sandbox/log?after=", h.seen), nil, &fresh)
	for _, e := range fresh {
		h.seen = e.Seq
		if strings.Contains(e.Link, "/t/") {
			h.teams[e.Phone] = e.Link
		}
	}
	since := time.Since(h.opened)
	h.waiting = slices.DeleteFunc(h.waiting, func(d deed) bool {
		if h.teams[h.above[d.who.Number]] == "" {
			return false
		}
		d.at += since
		h.due = append(h.due, d)
		return true
	})
	slices.SortStableFunc(h.due, func(a, b deed) int { return cmp.Compare(a.at, b.at) })
}

func (h *hour) do(d deed) {
	h.t.Helper()
	switch d.way {
	case byManager:
		h.vouch(d.who)
	case whenCalled:
		d.way = byLink
		fallthrough
	default:
		var given sandbox.Given
		h.beyond(http.MethodPost, "/sandbox/act", sandbox.Act{Number: d.who.Number, Via: d.way, Answer: 1}, &given)
		if !given.OK {
			h.t.Errorf("the answer of %s by %s was not taken: %d", d.who.Number, d.way, given.Status)
		}
	}
	h.done[d.who.Number] = time.Now()
}

// vouch lets the manager of somebody say on their team page that they saw them.
func (h *hour) vouch(who directory.Person) {
	h.t.Helper()
	v, _ := h.house.tracker.View(h.id)
	n := slices.IndexFunc(v.Roster.Recipients, func(r announcement.Recipient) bool { return r.Person == who.ID })
	link := h.teams[h.above[who.Number]]
	form := url.Values{"n": {fmt.Sprint(n)}, "a": {"1"}, "how": {"saw"}, "k": {"vouch-" + who.Number}}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, link+"/mark", strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := h.api.HTTP.Transport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode != http.StatusSeeOther {
		h.t.Errorf("vouching for %s: got %s, want a redirect back", who.Number, res.Status)
	}
}

// checkEnd: closed as accounted after about an hour, everybody in exactly one state.
func (h *hour) checkEnd() {
	h.t.Helper()
	s := h.summary(h.id)
	everybody := len(h.done)
	if s.Status != announcement.StatusClosed || s.ClosedAs != announcement.AsAccounted {
		h.t.Fatalf("it is %s as %q, want closed as accounted; %+v", s.Status, s.ClosedAs, s.Counts)
	}
	lasted := s.ClosedAt.Sub(s.OpenedAt)
	if lasted < 59*time.Minute || lasted > 61*time.Minute {
		h.t.Errorf("it lasted %s, want about an hour", lasted)
	}
	c := s.Counts
	if c.Recipients != everybody || c.Confirmed != everybody || c.NeedHelp+c.Confirmed+c.NotOnSite+c.Opened+c.NoAnswer+c.Unreachable != everybody {
		h.t.Errorf("got %+v, want all %d confirmed and nobody else", c, everybody)
	}
	if want := everybody * 5 / 100; c.VouchedBy != want {
		h.t.Errorf("%d were vouched for, want %d", c.VouchedBy, want)
	}
	times := map[string]int{}
	for offset := 0; offset < everybody; offset += 500 {
		var page web.RecipientPage
		if err := h.api.Call(h.t.Context(), http.MethodGet, fmt.Sprintf("/api/v1/announcements/%s/recipients?limit=500&offset=%d", h.id, offset), "", nil, &page); err != nil {
			h.t.Fatal(err)
		}
		for _, r := range page.Recipients {
			times[r.Number]++
			if r.State != announcement.Confirmed {
				h.t.Errorf("%s is %s, want confirmed", r.Number, r.State)
			}
		}
	}
	for number := range h.done {
		if times[number] != 1 {
			h.t.Errorf("%s is listed %d times, want once", number, times[number])
		}
	}
	h.t.Logf("%d people, closed after %s: %+v", everybody, lasted, c)
}

// tick is how late a step may be.
const tick = 500 * time.Millisecond

// checkSteps: every step was taken once, never early, at most a tick late.
func (h *hour) checkSteps() {
	h.t.Helper()
	taken := map[int]time.Duration{}
	for _, f := range h.facts {
		if f.Decided == nil || f.Decided.Step == 0 {
			continue
		}
		if _, twice := taken[f.Decided.Step]; twice {
			h.t.Errorf("step %d was taken twice", f.Decided.Step)
		}
		taken[f.Decided.Step] = f.At.Sub(h.opened)
	}
	for i, s := range h.policy.Steps {
		at, ok := taken[i+1]
		if late := at - time.Duration(s.After); !ok || late < 0 || late > tick {
			h.t.Errorf("step %d (%s): taken %t after %s, want at %s and at most %s late", i+1, s.Whom, ok, at, s.After, tick)
		}
	}
}

// checkCalls: by the ledger, nobody was called after they were accounted for.
func (h *hour) checkCalls() {
	h.t.Helper()
	v, _ := h.house.tracker.View(h.id)
	own := map[int64]bool{0: true}
	for _, d := range v.Rounds {
		own[d.Round] = d.Only != ""
	}
	type target struct {
		round  int64
		number int
		by     announcement.Channel
	}
	accounted, called := map[int]bool{}, map[target]int{}
	for _, f := range h.facts {
		switch {
		case f.Answered != nil:
			accounted[f.Answered.Number] = true
		case f.Vouched != nil:
			accounted[f.Vouched.Number] = true
		case f.Called != nil:
			c := target{f.Called.Round, f.Called.Number, f.Called.Channel}
			if called[c]++; called[c] > 1 {
				h.t.Errorf("target %d of round %d was called twice by %s", c.number, c.round, c.by)
			}
			if own[c.round] && accounted[c.number] {
				h.t.Errorf("recipient %d was called by %s in round %d after they were accounted for", c.number, c.by, c.round)
			}
		}
	}
}

// inTheAir is how long an SMS is on its way in the sandbox.
const inTheAir = 600 * time.Millisecond

// checkPhones: by the phones, nobody was called after they were accounted for,
// and no manager got a second digest in a step.
func (h *hour) checkPhones() {
	h.t.Helper()
	var all []sandbox.Entry
	h.beyond(http.MethodGet, "/sandbox/log", nil, &all)
	type digest struct{ phone, channel, round string }
	digests := map[digest]int{}
	asked := 0
	for _, e := range all {
		if strings.Contains(e.Link, "/t/") {
			round := fmt.Sprint(e.Round)
			if e.Channel == "sms" {
				round = strings.Split(roundOf(h.t, e.Back), ".")[0]
			}
			d := digest{e.Phone, e.Channel, round}
			if digests[d]++; digests[d] > 1 {
				h.t.Errorf("%s got the digest of round %s twice by %s", e.Phone, round, e.Channel)
			}
			continue
		}
		if e.Kind == "reply" {
			continue
		}
		asked++
		if done, ok := h.done[e.Phone]; ok && e.Time.After(done.Add(inTheAir)) && !h.shared(e) {
			h.t.Errorf("%s was asked by %s %s after being accounted for", e.Phone, e.Channel, e.Time.Sub(done))
		}
	}
	if len(digests) == 0 || asked < len(h.done) {
		h.t.Errorf("%d digests and %d questions came, want some and at least one for each of %d people", len(digests), asked, len(h.done))
	}
	h.t.Logf("%d messages: %d questions, %d digests", len(all), asked, len(digests))
}

// shared reports whether an SMS may have been for somebody else with the same number.
func (h *hour) shared(e sandbox.Entry) bool {
	return e.Channel == "sms" && len(h.house.directory.ByMobile(e.Mobile)) > 1
}

// roundOf returns "round.number" from the address to which receipts of an SMS go.
func roundOf(t *testing.T, callback string) string {
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

func (h *hour) checkLedger() {
	h.t.Helper()
	report, err := ledger.Verify(h.t.Context(), h.house.ledger)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range report.Faults {
		h.t.Error(f)
	}
	h.t.Logf("%d records, %d facts", report.Records, report.Facts)
}

// read reads the whole story in order.
func (h *hour) read() {
	h.t.Helper()
	err := h.house.ledger.Read(h.t.Context(), h.id, func(r ledger.Record) error {
		h.facts = append(h.facts, r.Facts...)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}
