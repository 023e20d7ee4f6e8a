package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// get asks for a page of the house as a phone does.
func (h *rehearsal) get(path, cookie string) int {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", "device="+cookie)
	}
	w := httptest.NewRecorder()
	h.house.server.Handler().ServeHTTP(w, r)
	return w.Code
}

// save sends the form of a person's page at the console.
func (c clerk) save(name string, change map[string]string) *httptest.ResponseRecorder {
	c.t.Helper()
	e := c.employee(name)
	who, _ := c.house.directory.Listing(name)
	form := url.Values{"employee_id": {name}, "display_name": {name}, "given_name": {name}, "mobile_phone": {e.mobile}, "manager_id": {e.manager},
		"site": {e.site}, "locale": {e.language}, "timezone": {e.zone}, "active": {"true"}, "version": {fmt.Sprint(who.Version)}}
	for column, value := range change {
		form.Set(column, value)
	}
	return c.post("/person/"+name, form.Encode())
}

// waysOut are all by which somebody leaves.
var waysOut = map[string]func(h *rehearsal, name string){
	"a file": func(h *rehearsal, name string) {
		h.importStaff(func(e employee) bool {
			who, _ := h.house.directory.ByNumber(e.name)
			return e.name != name && who.Active
		})
	},
	"the console": func(h *rehearsal, name string) {
		if w := h.clerk().save(name, map[string]string{"active": "false"}); w.Code != http.StatusSeeOther {
			h.t.Fatalf("save: got %d %s", w.Code, w.Body)
		}
	},
	"a change of the identity provider": func(h *rehearsal, name string) {
		who, _ := h.house.directory.ByNumber(name)
		h.provider().does(200, "PATCH", "Users/"+string(who.ID), patch(`{"op":"Replace","path":"active","value":"False"}`))
	},
	"a removal by the identity provider": func(h *rehearsal, name string) {
		who, _ := h.house.directory.ByNumber(name)
		h.provider().does(204, "DELETE", "Users/"+string(who.ID), "")
	},
}

// Somebody is taken out in the middle of an alert: two seconds later nothing of
// theirs works, nobody calls them, and they are one less to wait for.
func TestWhoLeavesIsGoneWithinTwoSeconds(t *testing.T) {
	for way, leave := range waysOut {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			rehearse(t, "chief push, budi manager:chief push, siti manager:budi push, agus manager:budi", func(h *rehearsal) {
				cookie := h.device("siti")
				bosses := h.device("budi")
				id := h.Announce("Fire")
				h.Phone("siti").ExpectPush("Fire")
				h.Phone("siti").ExpectSMS("Fire")
				link := "/r/" + h.house.links.answerToken(id, h.recipient(id, "siti").Index)
				team := h.Team(id, "budi")
				if h.get(link, "") != http.StatusOK || h.get("/me", cookie) != http.StatusOK || h.get(team.path, "") != http.StatusOK {
					t.Fatal("a link does not work before")
				}
				before := h.summary(id).Counts
				leave(h, "siti")
				leave(h, "budi")
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := h.get(link, ""); got != http.StatusNotFound {
					t.Errorf("the personal link: got %d, want 404", got)
				}
				if got := h.get(team.path, ""); got != http.StatusNotFound {
					t.Errorf("the manager's link: got %d, want 404", got)
				}
				for _, c := range []string{cookie, bosses} {
					if got := h.get("/me/events", c); got != http.StatusUnauthorized {
						t.Errorf("the phone's stream: got %d, want 401", got)
					}
				}
				after := h.summary(id).Counts
				if after.Recipients != before.Recipients-2 || after.Excused != before.Excused+2 {
					t.Errorf("got %+v, want two less than %+v", after, before)
				}
				h.ExpectReason(id, "left_the_company")
				if err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/announcements/"+string(id)+"/remind", map[string]string{"reason": "again"}, nil); err != nil {
					t.Fatal(err)
				}
				h.Phone("budi").ExpectPush("Fire")
				h.Phone("budi").ExpectSMS("Fire")
				h.After(40 * time.Minute) // reminders, managers, the duty list
				h.Phone("siti").ExpectNothing()
				h.Phone("budi").ExpectNothing()
			})
		})
	}
}

// Whoever starts to work here in the middle of an alert is called and counted within
// five seconds, and their manager hears of them.
func TestWhoJoinsIsCalledAndCounted(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, budi manager:chief, agus manager:budi", func(h *rehearsal) {
		live := h.Announce("Fire", steps(time.Hour, step(time.Minute, announcement.CallManager)))
		still := h.Announce("Flood", asSnapshot, steps(time.Hour))
		h.employ("siti manager:budi mobile:agus") // from now on in the file, on a number that is shared
		h.After(3 * time.Second)
		if got := h.recipient(live, "siti"); got.Index != 3 || got.State != announcement.NoAnswer {
			t.Errorf("got %+v, want number 3 without an answer", got)
		}
		if c := h.summary(live).Counts; c.Recipients != 4 {
			t.Errorf("the live one counts %d, want 4", c.Recipients)
		}
		if c := h.summary(still).Counts; c.Recipients != 3 {
			t.Errorf("the snapshot counts %d, want 3", c.Recipients)
		}
		h.Phone("siti").ExpectSMS("Fire", "siti")
		h.ExpectReason(live, "joined_the_audience")
		if got := h.Team(live, "budi").names(); got != "agus siti" {
			t.Errorf("the manager sees %q, want agus and who joined", got)
		}
		h.After(time.Minute)
		h.Phone("budi").ExpectSMS("2 of your team")
		team, n := h.Team(live, "budi"), h.recipientNamed(live, "siti")
		if code, _ := team.Press("/mark", mark(n, "1", "saw")); code >= 400 {
			t.Errorf("the manager vouches for who joined: got %d", code)
		}
		h.ExpectState(live, "siti", announcement.Confirmed)
	})
}

// Whoever is below a manager who moves comes along, though nothing changed about them.
func TestWhoIsBelowAManagerWhoMovedJoins(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi, siti manager:budi, agus manager:siti", func(h *rehearsal) {
		id := h.Announce("Fire", func(d *web.Draft) { d.Audience = announcement.Audience{Under: []string{"chief"}} }, steps(time.Hour))
		if c := h.summary(id).Counts; c.Recipients != 1 {
			t.Fatalf("%d are asked, want chief alone", c.Recipients)
		}
		h.staff[1].manager = "chief"
		h.importStaff(func(employee) bool { return true })
		h.After(3 * time.Second)
		for _, name := range []string{"budi", "siti", "agus"} {
			h.Phone(name).ExpectSMS("Fire")
		}
	})
}

// names are those on a manager's page.
func (p teamPage) names() string {
	p.t.Helper()
	page, err := p.house.desk.TeamPage(p.t.Context(), strings.TrimPrefix(p.path, "/t/"))
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, r := range page.Recipients {
		names = append(names, r.Name.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func asSnapshot(d *web.Draft) { d.AudienceMode = announcement.SnapshotAudience }

// One rule guards every way out: more than one in twenty, and more than five, within
// the hour need a person who says so.
func TestManyLeaversNeedAPerson(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi", func(h *rehearsal) {
		file := func(gone int) string {
			var b strings.Builder
			b.WriteString("nip,nama,hp,aktif\n")
			for i := range 98 {
				fmt.Fprintf(&b, "K%d,Karyawan %d,,%t\n", i, i, i >= gone)
			}
			return b.String()
		}
		h.importFile(strings.NewReader(file(0)))
		active := func(want int) {
			h.t.Helper()
			if n := len(h.house.directory.Everybody()); n != want {
				h.t.Fatalf("%d people work here, want %d", n, want)
			}
		}
		send := func(query, body string) error {
			return h.api.Call(h.t.Context(), http.MethodPost, "/api/v1/people:import"+query, "text/csv", strings.NewReader(body), nil)
		}
		if err := send("", file(30)); err == nil || !strings.Contains(err.Error(), "30") {
			t.Errorf("30 leave by a file: got %v, want a refusal that names the number", err)
		}
		if err := send("?leaving=29", file(30)); err == nil {
			t.Error("the wrong number is taken")
		}
		active(100)
		if err := send("?leaving=30", file(30)); err != nil {
			t.Errorf("the right number: %v", err)
		}
		active(70)
		c := h.clerk()
		save := func(n int) *httptest.ResponseRecorder {
			number := fmt.Sprint("K", n)
			who, _ := h.house.directory.Listing(number)
			return c.post("/person/"+number, url.Values{"employee_id": {number}, "display_name": {who.Name}, "active": {"false"}, "version": {fmt.Sprint(who.Version)}}.Encode())
		}
		for n := 30; n < 35; n++ { // those who were confirmed do not count against these
			if w := save(n); w.Code != http.StatusSeeOther {
				t.Fatalf("one leaves at the console: got %d %s", w.Code, w.Body)
			}
		}
		if w := save(35); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "one in twenty") {
			t.Errorf("the sixth of 70: got %d", w.Code)
		}
		active(65)
		if err := send("", file(36)); err == nil {
			t.Error("the same by a file of the API is let through")
		}
		p := h.provider()
		who, _ := h.house.directory.ByNumber("K40")
		p.refused(409, "", "one in twenty", "DELETE", "Users/"+string(who.ID), "")
		c.goes("/people/leave", "")
		if w := save(35); w.Code != http.StatusSeeOther {
			t.Errorf("after it was allowed: got %d", w.Code)
		}
	})
}

// Whoever was taken out by mistake and comes back is asked again, also by an alert that
// was already on their phone; whoever gets another manager is that manager's.
func TestWhoComesBackIsAskedAgain(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, wati manager:chief, siti manager:budi, agus manager:siti", func(h *rehearsal) {
		id := h.Announce("Fire", to("siti", "agus"), asSnapshot, steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("siti").ExpectSMS("Fire")
		h.Phone("agus").ExpectSMS("Fire")
		h.Leaves("siti")
		h.After(time.Minute)
		if c := h.summary(id).Counts; c.Recipients != 1 || c.Excused != 1 {
			t.Fatalf("got %+v, want one asked and one excused", c)
		}
		h.importStaff(func(employee) bool { return true })
		h.settle()
		h.settle()
		if c := h.summary(id).Counts; c.Recipients != 2 || c.Excused != 0 {
			t.Errorf("got %+v, want both asked", c)
		}
		h.Phone("siti").ExpectSMS("Fire")
		h.ExpectReason(id, "came_back")
		h.After(4 * time.Minute)
		h.Phone("budi").ExpectSMS("2 of your team") // siti, and agus, because siti is silent
		h.Phone("siti").ExpectSMS("1 of your team") // agus
		h.NothingElse()

		h.clerk().save("siti", map[string]string{"manager_id": "wati"})
		h.settle()
		h.settle()
		h.ExpectReason(id, "manager_changed")
		h.Phone("wati").ExpectSMS("1 of your team")
		h.NothingElse()
		for manager, want := range map[string]string{"budi": "", "wati": "agus siti", "chief": "agus siti", "siti": "agus"} {
			if got := h.Team(id, manager).names(); got != want {
				t.Errorf("%s sees %q, want %q", manager, got, want)
			}
		}
	})
}

// A phone was stolen: one press at the console, and none of the person's phones comes in
// any more; the one that they connect then does.
func TestStolenPhoneIsShutOutInOneClick(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti push, budi", func(h *rehearsal) {
		var phones []string
		for range 12 { // more than the list of the latest holds
			phones = append(phones, h.device("siti"))
		}
		h.clerk().goes("/person/siti/disconnect", "")
		if got := h.get("/me/events", phones[0]); got != http.StatusUnauthorized {
			t.Errorf("a phone: got %d, want 401", got)
		}
		for i, c := range phones {
			if err := h.house.desk.Connected(h.t.Context(), c); !errors.Is(err, web.ErrNotFound) {
				t.Errorf("phone %d: got %v, want that it is unknown", i, err)
			}
		}
		h.Announce("Fire", to("siti"))
		h.Phone("siti").ExpectSMS("Fire")
		h.Phone("siti").ExpectNothing() // the subscriptions are gone too
		if got := h.get("/me", h.device("siti")); got != http.StatusOK {
			t.Errorf("a phone that is connected since: got %d", got)
		}
	})
}
