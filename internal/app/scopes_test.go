package app

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// as signs somebody in with an account of this grant.
func (h *rehearsal) as(name string, g web.Grant) clerk {
	h.t.Helper()
	access := h.people().access
	if err := access.all.create(h.t.Context(), name, account{Name: name, Login: name, Grant: g, SSO: true}); err != nil {
		h.t.Fatal(err)
	}
	secret, err := access.SignIn(h.t.Context(), web.Principal{Actor: announcement.Actor("account:" + name), Grant: g}, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	h.settle() // the pages hear of it from the vault
	return clerk{rehearsal: h, session: "session=" + secret}
}

func (h *rehearsal) facts(id announcement.ID) int {
	h.t.Helper()
	return len(h.timeline(id))
}

// TestWhoSeesOneSiteSeesNobodyElse walks every route of the console as somebody who
// may see and alarm one site, about an alert and people of another: no name and no
// number from there is on any page, and no form of theirs changes anything there.
func TestWhoSeesOneSiteSeesNobodyElse(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief, zulboss site:Kendal, zulfikar manager:zulboss site:Kendal, zulaikha manager:zulboss site:Kendal", func(h *rehearsal) {
		ours := h.Announce("Fire in hall 3", to("chief", "siti", "agus"), steps(2*time.Hour))
		theirs := h.Announce("Gas at the tank", to("zulboss", "zulfikar", "zulaikha"), steps(2*time.Hour))
		both := h.Announce("Storm", to("siti", "zulfikar"), steps(2*time.Hour))
		h.Phone("zulfikar").Reply("1") // which one is asked: it waits in the inbox or is filed, with the name
		here := web.Scope{Sites: []string{"harbour"}}
		rina := h.as("rina", web.Grant{Roles: []web.Role{web.Sender, web.Auditor, web.Operator}, Alarms: here, Sees: here})
		// What waits for a second person there, and what somebody began, is theirs alone too.
		h.house.config.ApprovalOver = 1
		h.as("dewi", web.As(web.Approver))
		desk, ctx := h.house.desk, h.t.Context()
		waits, err := desk.Prepare(ctx, hr, h.draft("Zulaikha smells gas", to("zulboss", "zulfikar"), severe, steps(2*time.Hour)), "form")
		if err != nil {
			t.Fatal(err)
		}
		if err := desk.SaveDraft(ctx, hr, web.SavedDraft{ID: "d1", Draft: h.draft("Zulboss is away", to("zulboss"))}); err != nil {
			t.Fatal(err)
		}
		foreign := regexp.MustCompile(`(?i)zul(boss|fikar|aikha)|Kendal\b.*zul|8120000000[456]`)
		tank, err := h.house.directory.SaveGroup(h.t.Context(), directory.Group{Name: "Tank"}, []string{"zulfikar", "siti"})
		if err != nil {
			t.Fatal(err)
		}
		blanks := func(path, id string) string {
			path = strings.NewReplacer("{$}", "", "{id}", id, "{n}", "0", "{number}", "zulfikar", "{file}", "people.csv", "{act}", "role").Replace(path)
			switch {
			case strings.HasSuffix(path, "/part/rows"):
				path += "?rows=0.1.2"
			case path == "/groups/edit":
				path += "?id=" + tank
			}
			return path
		}
		var routes []string
		for _, route := range h.house.server.ConsoleRoutes() {
			if parts, ok := strings.CutSuffix(route, "{part}"); ok {
				routes = append(routes, parts+"help", parts+"side", parts+"rows")
				continue
			}
			routes = append(routes, route)
		}
		for _, route := range routes {
			method, path, _ := strings.Cut(route, " ")
			if strings.HasSuffix(path, "/events") { // does not end; it shows what /now shows
				continue
			}
			for _, id := range []announcement.ID{theirs, both, ours, waits, "d1"} {
				before := h.facts(theirs)
				w := rina.ask(method, blanks(path, string(id)), "application/x-www-form-urlencoded",
					"a=1&how=saw&reason=because&k=k1&keep=1&id="+string(id)+"&q=zul&number=zulfikar&text.en.title=x")
				h.settle()
				if found := foreign.FindString(strings.ReplaceAll(w.Body.String(), "/person/zulfikar", "")); found != "" && !strings.Contains(path, "/setup/duty") && method == http.MethodGet {
					t.Errorf("%s %s shows %q", method, blanks(path, string(id)), found)
				}
				if (id == theirs || id == waits) && strings.Contains(path, "/alerts/{id}") && w.Code < 400 {
					t.Errorf("%s of another site answers %d", route, w.Code)
				}
				if w.Code >= 500 {
					t.Errorf("%s: %d %s", route, w.Code, w.Body)
				}
				if after := h.facts(theirs); after != before {
					t.Errorf("%s changed an alert of another site", route)
				}
			}
		}
		if c, err := desk.Countdown(ctx, waits); err != nil || c.Status != announcement.StatusAwaiting || len(desk.whole().Drafts(ctx)) != 1 {
			t.Errorf("what waits for another site is %s now, %v, and the drafts are %d", c.Status, err, len(desk.whole().Drafts(ctx)))
		}
		if group := rina.get("/groups/edit?id=" + tank); !strings.Contains(group, "siti") {
			t.Error("a group hides who is theirs")
		}
		if rows := rina.get("/alerts/" + string(both) + "/part/rows?rows=0.1"); !strings.Contains(rows, "siti") {
			t.Error("the rows of an alert to both sites hide who is theirs")
		}
		if w := rina.ask(http.MethodGet, "/alerts/"+string(both)+"/people?team=zulboss", "", ""); w.Code != http.StatusNotFound {
			t.Errorf("the team of somebody of another site answers %d", w.Code)
		}
		// What is theirs is whole.
		board := rina.get("/alerts/" + string(ours))
		for _, name := range []string{"siti", "agus", "chief"} {
			if !strings.Contains(board, name) {
				t.Errorf("their own board lacks %s", name)
			}
		}
		zul, _ := h.house.directory.ByNumber("zulfikar")
		if err := h.house.directory.StopSMS(ctx, zul.ID, true); err != nil {
			t.Fatal(err)
		}
		all, err := h.people().People(ctx, web.Principal{Grant: web.As(web.Sender)}, web.PeopleFilter{Limit: 10})
		part, err2 := h.people().People(ctx, web.Principal{Grant: web.Grant{Roles: []web.Role{web.Sender}, Sees: here}}, web.PeopleFilter{Limit: 10})
		if err != nil || err2 != nil || len(all.Sites) != 2 || strings.Join(part.Sites, " ") != "Harbour" || part.Troubles["sms_stopped"] != 0 || all.Troubles["sms_stopped"] != 1 {
			t.Errorf("of the people they see the sites %v and the figures %v, of %v", part.Sites, part.Troubles, all.Troubles)
		}
		if n := rina.summary(t, both); n != 1 {
			t.Errorf("of an alert to both sites they count %d, want 1", n)
		}
		// And they alarm nobody elsewhere.
		draft := h.draft("Flood", to("siti", "zulfikar"))
		who := web.Principal{Actor: "account:rina", Grant: web.Grant{Roles: []web.Role{web.Sender}, Alarms: here, Sees: here}}
		if _, err := h.house.desk.Prepare(h.t.Context(), who, draft, "k"); err == nil || !strings.Contains(err.Error(), "outside of whom you may alarm") {
			t.Errorf("they alarmed another site: %v", err)
		}
		if _, _, err := h.house.desk.Announce(h.t.Context(), who, draft, "k"); err == nil {
			t.Error("they alarmed another site at once")
		}
		// Nor do they say that a text is somebody's of another site.
		siti, _ := desk.directory.ByNumber("siti")
		if err := desk.inbox.create(h.t.Context(), "t1", text{At: time.Now(), From: siti.Mobile, Body: "who asks?"}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := desk.AssignText(h.t.Context(), who, "t1", "zulfikar"); !errors.As(err, new(announcement.FieldErrors)) {
			t.Errorf("a text was filed under somebody of another site: %v", err)
		}
		if _, _, err := desk.AssignText(h.t.Context(), who, "t1", "siti"); err != nil {
			t.Error(err)
		}
		if err := h.house.desk.Close(h.t.Context(), who, both, announcement.AsAllClear, "over"); err == nil {
			t.Error("they closed an alert that concerns others too")
		}
	})
}

// TestWhoSeesOneSiteDecidesAboutItAlone: whoever approves looks at everybody whom an alert
// concerns, and nobody cancels what they could not have sent.
func TestWhoSeesOneSiteDecidesAboutItAlone(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		o.employ("zul site:Kendal")
		here := web.Scope{Sites: []string{"Harbour"}}
		local := web.Principal{Actor: "account:local", Grant: web.Grant{Roles: []web.Role{web.Sender, web.Approver}, Alarms: here, Sees: here}}
		o.as("local", local.Grant)
		ours, both := o.Write("k"), o.Write("k2", to("siti", "agus", "zul"))
		if c, _ := desk.Countdown(ctx, ours); strings.Join(c.Approvers, " ") != "andi dewi local" {
			t.Errorf("theirs may be approved by %q", c.Approvers)
		}
		if c, _ := desk.Countdown(ctx, both); strings.Join(c.Approvers, " ") != "andi dewi" {
			t.Errorf("that of two sites may be approved by %q", c.Approvers)
		}
		if list := desk.Boards(local).Countdowns(ctx); len(list) != 2 {
			t.Errorf("they see %d alerts that wait, want both", len(list))
		}
		if err := desk.Approve(ctx, local, both, o.seen(both)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("approving that of two sites: %v", err)
		}
		if err := desk.Reject(ctx, local, both, "no"); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("rejecting it: %v", err)
		}
		if err := desk.Cancel(ctx, local, both); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("cancelling it: %v", err)
		}
		if err := desk.Cancel(ctx, o.rina, both); err != nil {
			t.Errorf("its author cancels it: %v", err)
		}
		if err := desk.Approve(ctx, local, ours, o.seen(ours)); err != nil {
			t.Errorf("approving their own: %v", err)
		}
		o.After(time.Minute)
		o.ExpectOpen(ours)
	})
}

// TestWhoAlarmsOneSiteCallsNobodyElse: whoever sees everybody and may alarm one site acts
// on its people alone, one by one too; and their own alert stays theirs when one of its
// people leaves the group that it was sent to.
func TestWhoAlarmsOneSiteCallsNobodyElse(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief, zul site:Kendal", func(h *rehearsal) {
		desk, ctx := h.house.desk, h.t.Context()
		storm := h.Announce("Storm", to("siti", "zul"), steps(2*time.Hour))
		here := web.Principal{Actor: "account:rina", Grant: web.Grant{Roles: []web.Role{web.Sender}, Alarms: web.Scope{Sites: []string{"Harbour"}}}}
		siti, zul := h.recipient(storm, "siti").Index, h.recipient(storm, "zul").Index
		if err := desk.RemindAt(ctx, here, storm, siti); err != nil {
			t.Errorf("calling their own: %v", err)
		}
		if err := desk.RemindAt(ctx, here, storm, zul); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("calling another site's: %v", err)
		}
		if err := desk.MarkAt(ctx, here, storm, web.Mark{Index: zul, Answer: announcement.Safe, How: announcement.SawThem}); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("vouching for another site's: %v", err)
		}
		// Their site is theirs by another name too, in what is open and in what is new.
		harbour, err := h.house.directory.SaveSite(ctx, directory.Site{Name: "Harbour"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.house.directory.SaveSite(ctx, directory.Site{ID: harbour, Name: "Pelabuhan"}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := desk.Announce(ctx, here, h.draft("Flood", to("siti"), asDrill, steps(2*time.Hour)), ""); err != nil {
			t.Errorf("alarming their own after it was renamed: %v", err)
		}
		if err := desk.MarkAt(ctx, here, storm, web.Mark{Index: siti, Answer: announcement.Safe, How: announcement.SawThem}); err != nil {
			t.Errorf("acting on what was open: %v", err)
		}

		wardens, err := h.house.directory.SaveGroup(ctx, directory.Group{Name: "Wardens"}, []string{"siti", "agus"})
		if err != nil {
			t.Fatal(err)
		}
		ours := web.Principal{Actor: "account:tono", Grant: web.Grant{Roles: []web.Role{web.Sender}, Alarms: web.Scope{Groups: []string{wardens}}}}
		other := web.Principal{Actor: "account:dewi", Grant: ours.Grant}
		s, _, err := desk.Announce(ctx, ours, h.draft("Drill at the gate", func(d *web.Draft) { d.Audience = announcement.Audience{Groups: []string{"Wardens"}} }, steps(2*time.Hour)), "k")
		if err != nil {
			t.Fatal(err)
		}
		h.Leaves("agus")
		h.settle()
		for _, who := range []web.Principal{ours, other} {
			if _, err := desk.Update(ctx, who, s.ID, map[announcement.Language]string{"en": "Use the west gate, " + string(who.Actor)}); err != nil {
				t.Errorf("%s after one of them left: %v", who.Actor, err)
			}
		}
		if _, err := h.house.directory.SaveGroup(ctx, directory.Group{ID: wardens, Name: "Wardens"}, []string{"chief"}); err != nil {
			t.Fatal(err)
		}
		if err := desk.Close(ctx, other, s.ID, announcement.AsAllClear, "over"); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("somebody else, when they are in the group no more: %v", err)
		}
		if err := desk.Close(ctx, ours, s.ID, announcement.AsAllClear, "over"); err != nil {
			t.Errorf("its author: %v", err)
		}
	})
}

// summary is how many people a board counts.
func (c clerk) summary(t *testing.T, id announcement.ID) int {
	t.Helper()
	here := web.Scope{Sites: []string{"Harbour"}}
	s, err := c.house.desk.Boards(web.Principal{Grant: web.Grant{Roles: []web.Role{web.Viewer}, Sees: here}}).Summary(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Counts.Recipients
}

// TestNumbersAreForThoseWhoCall: nobody else reads a phone number or what people
// wrote, on a page or by the API.
func TestNumbersAreForThoseWhoCall(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"), steps(2*time.Hour))
		h.Phone("siti").Reply("2 stuck in the lift")
		for role, sees := range map[web.Role]bool{web.Sender: true, web.Viewer: false, web.Auditor: false, web.Approver: false} {
			c := h.as("who"+string(role), web.As(role))
			var all strings.Builder
			for _, path := range []string{"/alerts/%s", "/alerts/%s/people", "/alerts/%s/people/0", "/alerts/%s/timeline", "/alerts/%s/report", "/alerts/%s/report/people.csv", "/person/siti", "/people?q=siti"} {
				if strings.Contains(path, "%s") {
					path = fmt.Sprintf(path, fire)
				}
				all.WriteString(c.get(path))
			}
			if number := strings.Contains(all.String(), "81200000002"); number != sees {
				t.Errorf("%s reads the number: %t, want %t", role, number, sees)
			}
			if words := strings.Contains(all.String(), "stuck in the lift"); words != sees {
				t.Errorf("%s reads what siti wrote: %t, want %t", role, words, sees)
			}
		}
	})
}
