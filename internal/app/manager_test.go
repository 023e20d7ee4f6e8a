package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

// Team is the page that a manager opens from a message.
type teamPage struct {
	*rehearsal
	path string
	from string // address of the phone, so that many tries do not count as one guesser's
}

func (h *rehearsal) Team(id announcement.ID, manager string) teamPage {
	h.t.Helper()
	who, ok := h.house.directory.ByNumber(manager)
	if !ok {
		h.t.Fatalf("nobody is called %s", manager)
	}
	return teamPage{h, "/t/" + h.house.links.teamToken(id, who.ID), "192.0.2.1:1"}
}

// Press posts a form of the page and returns the status and what is shown.
func (p teamPage) Press(act string, form url.Values) (int, string) {
	p.t.Helper()
	r := httptest.NewRequest(http.MethodPost, p.path+act, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = p.from
	return p.serve(r)
}

func (p teamPage) serve(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	p.house.server.Handler().ServeHTTP(w, r)
	p.settle()
	return w.Code, w.Body.String()
}

func (p teamPage) Look() string {
	p.t.Helper()
	code, body := p.serve(httptest.NewRequest(http.MethodGet, p.path+"?lang=en", nil))
	if code != http.StatusOK {
		p.t.Fatalf("the team page answers %d", code)
	}
	return body
}

func mark(n int, answer, how string) url.Values {
	return url.Values{"n": {fmt.Sprint(n)}, "a": {answer}, "how": {how}, "k": {fmt.Sprint("k", n, answer, how)}}
}

func TestCheck41ManagerSeesOnlyTheirOwnTree(t *testing.T) {
	t.Parallel()
	staff := "chief, budi manager:chief, wati manager:chief"
	for i := range 60 {
		staff += fmt.Sprintf(", staffb%d manager:budi, staffw%d manager:wati", i, i)
	}
	rehearse(t, staff, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", steps(time.Hour))
		team := h.Team(fire, "budi")
		page := team.Look()
		if !strings.Contains(page, "staffb7") || strings.Contains(page, "staffw") || strings.Contains(page, "wati") {
			t.Error("the page does not show exactly their own people")
		}
		outside := []string{"chief", "wati", "budi"}
		for i := range 50 {
			outside = append(outside, fmt.Sprint("staffw", i))
		}
		for i, name := range outside {
			n := h.recipientNamed(fire, name)
			team.from = fmt.Sprintf("198.51.100.%d:1", i)
			for _, act := range []string{"/mark", "/claim", "/remind", "/undo"} {
				if code, _ := team.Press(act, mark(n, "1", "saw")); code != http.StatusNotFound {
					t.Errorf("%s %s: got %d, want 404", act, name, code)
				}
			}
		}
		if s := h.summary(fire); s.Counts.VouchedBy != 0 {
			t.Errorf("%d people were marked from outside", s.Counts.VouchedBy)
		}
	})
}

// recipientNamed returns the recipient number of exactly this person.
func (h *rehearsal) recipientNamed(id announcement.ID, name string) int {
	h.t.Helper()
	v, _ := h.house.tracker.View(id)
	who, _ := h.house.directory.ByNumber(name)
	for n, r := range v.Roster.Recipients {
		if r.Person == who.ID {
			return n
		}
	}
	h.t.Fatalf("%s is no recipient", name)
	return 0
}

func TestCheck42MarkNeedsToSayHowOneKnows(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		team, siti := h.Team(fire, "budi"), h.recipientNamed(fire, "siti")
		if code, _ := team.Press("/mark", mark(siti, "1", "")); code != http.StatusUnprocessableEntity {
			t.Errorf("without saying how: got %d, want 422", code)
		}
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		if code, _ := team.Press("/mark", mark(siti, "1", "saw")); code != http.StatusSeeOther {
			t.Errorf("got %d, want the page again", code)
		}
		h.ExpectState(fire, "siti", announcement.Confirmed)
		if r := h.recipient(fire, "siti"); r.VouchedBy != "budi" || r.How != announcement.SawThem || r.VouchedAt == nil {
			t.Errorf("got %+v, want by budi, who saw her, and when", r)
		}
		h.Phone("siti").Reply("2")
		h.ExpectState(fire, "siti", announcement.NeedsHelp) // her own later answer wins
		team.Press("/mark", mark(siti, "1", "phone"))
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
	})
}

func TestNeedsHelpIsBelievedAboutSomebodyWhoWasSafe(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		team, siti := h.Team(fire, "budi"), h.recipientNamed(fire, "siti")
		for _, name := range []string{"siti", "agus"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		h.After(time.Minute)
		if !strings.Contains(team.Look(), fmt.Sprintf(`form="bulk" name="n" value="%d"`, siti)) {
			t.Error("the page does not let the manager mark somebody who has answered")
		}
		team.Press("/mark", mark(siti, "2", "saw")) // something fell on her
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		if r := h.recipient(fire, "siti"); r.VouchedBy != "budi" || r.How != announcement.SawThem {
			t.Errorf("got %+v, want the word of budi, who saw her", r)
		}
		for _, responder := range []string{"budi", "dewi", "chief"} {
			h.Phone(responder).ExpectSMS("siti NEEDS HELP")
		}
		h.NothingElse()

		h.After(time.Minute)
		h.Phone("siti").Reply("1") // it was nothing
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.After(time.Minute)
		again := mark(siti, "2", "saw")
		again.Set("k", "again")
		team.Press("/mark", again) // it was not nothing
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.Phone("dewi").ExpectSMS("siti NEEDS HELP")
		team.Press("/undo", mark(siti, "", ""))
		h.ExpectState(fire, "siti", announcement.Confirmed)
	})
}

func TestMarkCanBeTakenBackForFiveMinutes(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		team, siti := h.Team(fire, "budi"), h.recipientNamed(fire, "siti")
		team.Press("/mark", mark(siti, "1", "saw"))
		h.After(4 * time.Minute)
		if !strings.Contains(team.Look(), "Take the mark back") {
			t.Error("the page does not offer to take the mark back")
		}
		team.Press("/undo", mark(siti, "", ""))
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		if s := h.summary(fire); s.Counts.VouchedBy != 0 {
			t.Errorf("%d are vouched for, want none", s.Counts.VouchedBy)
		}
		team.Press("/mark", mark(siti, "3", "roster"))
		h.After(6 * time.Minute)
		if strings.Contains(team.Look(), "Take the mark back") {
			t.Error("after six minutes the mark can still be taken back")
		}
		team.Press("/undo", mark(siti, "", ""))
		h.ExpectState(fire, "siti", announcement.OffSite)
	})
}

func TestTeamLinkEndsADayAfterTheClose(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, siti manager:budi", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", steps(time.Hour))
		team := h.Team(fire, "budi")
		look := func() int {
			code, _ := team.serve(httptest.NewRequest(http.MethodGet, team.path, nil))
			return code
		}
		h.Close(fire, announcement.AsAllClear)
		h.After(23 * time.Hour)
		if code := look(); code != http.StatusOK {
			t.Errorf("23 hours after the close: got %d, want the team", code)
		}
		h.Phone("siti").Reply("2") // late, and no less urgent: budi is called, with this link
		h.After(23 * time.Hour)
		if code := look(); code != http.StatusOK {
			t.Errorf("23 hours after a late call for help: got %d, want the team", code)
		}
		h.After(2 * time.Hour)
		if code := look(); code != http.StatusNotFound {
			t.Errorf("a day after everything: got %d, want nothing", code)
		}
	})
}

func TestCheck43SecondClaimSeesTheWinner(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		h.Phone("siti").Reply("2")
		n := url.Values{"n": {fmt.Sprint(h.recipientNamed(fire, "siti"))}}
		first, second := h.Team(fire, "budi"), h.Team(fire, "chief")
		if code, _ := first.Press("/claim", n); code != http.StatusSeeOther {
			t.Errorf("the first: got %d, want the page again", code)
		}
		code, body := second.Press("/claim?lang=en", n)
		if code != http.StatusConflict || !strings.Contains(body, "budi is handling this") {
			t.Errorf("the second: got %d, want 409 with the winner's name", code)
		}
		if code, _ := first.Press("/claim", n); code != http.StatusSeeOther {
			t.Errorf("pressed twice: got %d, want no complaint", code)
		}
	})
}

// TestHelpIsResolvedBySayingHow follows a call for help from "I'll handle it" to
// its end, as everybody sees it, and further: it may not have been the end.
func TestHelpIsResolvedBySayingHow(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		siti := h.recipientNamed(fire, "siti")
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Reply("2")
		h.Phone("siti").ExpectSMS("HELP")
		for _, responder := range []string{"budi", "dewi", "chief"} {
			h.Phone(responder).ExpectSMS("siti NEEDS HELP")
		}
		team := h.Team(fire, "budi")
		mine := teamPage{h, "/r/" + h.house.links.answerToken(fire, siti), "192.0.2.2:1"}
		who := func() string { // what the page fetches by itself
			r := httptest.NewRequest(http.MethodGet, mine.path+"?lang=en", nil)
			r.Header.Set("X-Fragment", "1")
			_, body := mine.serve(r)
			return body
		}
		if got := who(); !strings.Contains(got, "are being called") || strings.Contains(got, "<html") {
			t.Errorf("before anybody comes the page says %q", got)
		}
		team.Press("/claim", url.Values{"n": {fmt.Sprint(siti)}})
		if got := who(); !strings.Contains(got, "budi is handling this, ") {
			t.Errorf("the page says %q, want who comes", got)
		}
		end := url.Values{"n": {fmt.Sprint(siti)}, "end": {"1"}}
		if code, _ := team.Press("/claim", end); code != http.StatusUnprocessableEntity || h.recipient(fire, "siti").Resolved != "" {
			t.Errorf("without saying how: got %d, want 422 and nothing recorded", code)
		}
		h.After(time.Minute)
		end.Set("how", "first_aid")
		if code, _ := team.Press("/claim", end); code != http.StatusSeeOther || h.recipient(fire, "siti").Resolved != announcement.FirstAid {
			t.Errorf("got %d, resolved %q", code, h.recipient(fire, "siti").Resolved)
		}
		if got := team.Look(); !strings.Contains(got, "Resolved by budi, ") || !strings.Contains(got, "first aid was given") {
			t.Error("the team page does not say who resolved it and how")
		}
		if got := mine.Look(); !strings.Contains(got, "first aid was given") || !strings.Contains(got, "I still need help") {
			t.Error("the person does not see what was recorded, and cannot object")
		}
		story := h.timeline(fire)
		if line := story[len(story)-1]; line.What != "Call for help resolved: first_aid" || line.Name != "siti" {
			t.Errorf("the timeline says %q of %s", line.What, line.Name)
		}
		h.NothingElse()

		h.After(time.Minute)
		mine.Press("", url.Values{"a": {"2"}, "k": {"still"}})
		for _, responder := range []string{"budi", "dewi", "chief"} {
			h.Phone(responder).ExpectSMS("siti NEEDS HELP")
		}
		if r := h.recipient(fire, "siti"); r.Claimed != "" || r.Resolved != "" {
			t.Errorf("her new call is handled by %q and resolved %q", r.Claimed, r.Resolved)
		}
		if code, _ := h.Team(fire, "chief").Press("/claim", url.Values{"n": {fmt.Sprint(siti)}}); code != http.StatusSeeOther {
			t.Errorf("nobody can take up her new call: %d", code)
		}
	})
}

func TestRollCall(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, wati manager:chief, zaki manager:budi, agus manager:budi, siti manager:budi, eka manager:wati", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", steps(time.Hour))
		agus, siti := h.recipientNamed(fire, "agus"), h.recipientNamed(fire, "siti")
		h.Phone("zaki").Reply("2")
		roll := h.Team(fire, "budi")
		roll.path += "/roll"
		page := roll.Look()
		order := []int{strings.Index(page, "<b>zaki</b>"), strings.Index(page, "<b>agus</b>"), strings.Index(page, "<b>siti</b>")} // help first, then by name
		if order[0] < 0 || !slices.IsSorted(order) || strings.Contains(page, "<b>eka</b>") {
			t.Errorf("the list stands at %v, or is not of their own people", order)
		}
		// Ticked without a signal at the assembly point; meanwhile siti answers herself.
		ticked := time.Now().Add(-time.Minute)
		h.Phone("siti").Reply("3")
		form := url.Values{"n": {fmt.Sprint(agus), fmt.Sprint(siti)}, "a": {"1"}, "how": {"saw"}, "k": {"r1"}, "back": {"roll"},
			"said": {fmt.Sprint(ticked.UnixMilli())}, "sent": {fmt.Sprint(time.Now().UnixMilli())}}
		r := httptest.NewRequest(http.MethodPost, strings.TrimSuffix(roll.path, "/roll")+"/mark", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.house.server.Handler().ServeHTTP(w, r)
		h.settle()
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != roll.path+"?done=marked" {
			t.Errorf("got %d to %q, want back to the list", w.Code, got)
		}
		h.ExpectState(fire, "agus", announcement.Confirmed)
		h.ExpectState(fire, "siti", announcement.OffSite) // her own answer counts more
		if got := roll.Look(); strings.Contains(got, fmt.Sprintf(`value="%d"`, agus)) || !strings.Contains(got, "accounted for by budi") {
			t.Error("who was ticked is still asked for")
		}
	})
}
