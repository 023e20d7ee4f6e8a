package app

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// office is a house in which two people are needed, and those who run it.
type office struct {
	*rehearsal
	rina, andi, dewi web.Principal // writes; may approve; may approve
}

func twoPeople(t *testing.T, story func(office)) {
	rehearse(t, "chief, siti manager:chief, agus manager:chief", func(h *rehearsal) {
		h.house.config.ApprovalOver, h.house.config.Countdown = 2, 10*time.Second
		o := office{rehearsal: h}
		for name, g := range map[string]web.Grant{"rina": web.As(web.Sender, web.Approver), "andi": web.As(web.Approver), "dewi": web.As(web.Approver, web.Sender)} {
			if err := h.house.desk.accounts.all.create(h.t.Context(), name, account{Name: name, Login: name, Grant: g, SSO: true}); err != nil {
				t.Fatal(err)
			}
			p := web.Principal{Actor: announcement.Actor("account:" + name), Name: name, Grant: g}
			switch name {
			case "rina":
				o.rina = p
			case "andi":
				o.andi = p
			default:
				o.dewi = p
			}
		}
		story(o)
	})
}

func severe(d *web.Draft) {
	d.Severity, d.Channels = announcement.Severe, []announcement.Channel{announcement.SMS}
}

// Write confirms a real alert to everybody, which waits.
func (o office) Write(key string, choices ...choice) announcement.ID {
	o.t.Helper()
	d := o.draft("Flood at gate 2", append([]choice{to("chief", "siti", "agus"), severe, steps(2 * time.Hour)}, choices...)...)
	id, err := o.house.desk.Prepare(o.t.Context(), o.rina, d, key)
	if err != nil {
		o.t.Fatal(err)
	}
	return id
}

// seen is what whoever approves has on their page.
func (o office) seen(id announcement.ID) string {
	c, _ := o.house.desk.Countdown(o.t.Context(), id)
	return c.Print
}

func (o office) ExpectStatus(id announcement.ID, want announcement.Status) {
	o.t.Helper()
	c, err := o.house.desk.Countdown(o.t.Context(), id)
	if err != nil || c.Status != want {
		o.t.Errorf("got %s, %v, want %s", c.Status, err, want)
	}
}

func (o office) ExpectNothingSent(id announcement.ID) {
	o.t.Helper()
	o.After(15 * time.Minute)
	if _, open := o.house.tracker.View(id); open {
		o.t.Error("it went out")
	}
}

func TestApprovalByASecondPerson(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		id := o.Write("k", func(d *web.Draft) { d.Audience = announcement.Audience{All: true} })
		o.ExpectStatus(id, announcement.StatusAwaiting)
		o.ExpectNothingSent(id)
		if list := desk.Countdowns(ctx); len(list) != 1 || list[0].Status != announcement.StatusAwaiting || strings.Join(list[0].Approvers, " ") != "andi dewi" {
			t.Errorf("on the first page: got %+v", list)
		}
		// Another version of the words, or another person, is not what was seen.
		seen := o.seen(id)
		o.Leaves("agus")
		if err := desk.Approve(ctx, o.andi, id, seen); !strings.Contains(fmt.Sprint(err), "words or the people have changed") {
			t.Errorf("other people: %v", err)
		}
		o.importStaff(func(employee) bool { return true })
		o.settle()
		if err := desk.Approve(ctx, o.andi, id, o.seen(id)); err != nil {
			t.Fatal(err)
		}
		o.ExpectStatus(id, announcement.StatusCountdown)
		o.After(15*time.Minute + 20*time.Second)
		o.ExpectOpen(id)
		o.Phone("siti").ExpectSMS("Flood at gate 2")
		var by string
		for _, e := range o.timeline(id) {
			if e.ApprovedBy != "" {
				by = e.ApprovedBy
			}
		}
		if by != "andi" {
			t.Errorf("the timeline says it was approved by %q", by)
		}
	})
}

// What changes between the approval and the moment when it goes out makes it void: it
// waits again. And whoever wrote it and may not send any more sends nothing.
func TestApprovalIsOfTheVeryWordsAndPeople(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		id := o.Write("k", func(d *web.Draft) {
			d.Text, d.Template, d.Fields = nil, "flood", map[string]string{"site": "Harbour"}
		})
		if err := desk.Approve(ctx, o.andi, id, o.seen(id)); err != nil {
			t.Fatal(err)
		}
		said := o.house.desk.catalogue.Said("flood")
		text := said["en"]
		text.Title = "Something else"
		o.house.desk.catalogue.Reword(map[string]map[announcement.Language]announcement.Text{"flood": {"en": text, "id": said["id"]}})
		o.After(time.Minute)
		o.ExpectStatus(id, announcement.StatusAwaiting)
		if _, open := o.house.tracker.View(id); open {
			t.Error("words that nobody approved went out")
		}
		if err := desk.Approve(ctx, o.dewi, id, o.seen(id)); err != nil {
			t.Fatal(err)
		}
		if err := desk.accounts.all.put(ctx, "rina", account{Name: "rina", Login: "rina", Grant: web.As(web.Viewer), SSO: true, Version: 9}); err != nil {
			t.Fatal(err)
		}
		o.After(2 * time.Minute)
		if c, _ := desk.Countdown(ctx, id); !c.Rejected {
			t.Errorf("its author may not send any more: got %+v", c.Status)
		}
		if _, open := o.house.tracker.View(id); open {
			t.Error("somebody who may not send has sent")
		}
	})
}

// Whoever leaves while an alert waits keeps nobody else from being warned: it can be
// looked at and approved, and goes to those who are still here.
func TestWhoLeavesHoldsUpNoAlertThatWaits(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		approved, alone := o.Write("k"), o.Write("k2", func(d *web.Draft) { d.Text["en"] = announcement.Text{Title: "Flood at gate 4", Body: "Go up."} })
		andi := o.as("andi2", web.As(web.Approver))
		o.Leaves("agus")
		o.settle()
		if page := andi.get("/alerts/" + string(approved)); !strings.Contains(page, "I understand that this will alert 2 people") {
			t.Errorf("whoever approves sees %s", page)
		}
		if err := desk.Approve(ctx, o.andi, approved, o.seen(approved)); err != nil {
			t.Fatal(err)
		}
		o.After(10 * time.Minute)
		if err := desk.SendAlone(ctx, o.rina, alone, "The water is at the door"); err != nil {
			t.Fatal(err)
		}
		o.After(time.Minute)
		for _, name := range []string{"chief", "siti"} {
			o.Phone(name).ExpectSMS("Flood at gate 2")
			o.Phone(name).ExpectSMS("Flood at gate 4")
		}
		o.NothingElse()
	})
}

// What cannot go out any more is given back with the reason, and is no alert that
// neither goes out nor can be cancelled. Until then its page is there.
func TestWhatCannotGoOutIsGivenBack(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		wide := o.Write("k")
		narrowed := account{Name: "rina", Login: "rina", Grant: web.Grant{Roles: []web.Role{web.Sender}, Alarms: web.Scope{Sites: []string{"Kendal"}}}, SSO: true, Version: 9}
		if err := desk.Approve(ctx, o.andi, wide, o.seen(wide)); err != nil {
			t.Fatal(err)
		}
		if err := desk.accounts.all.put(ctx, "rina", narrowed); err != nil {
			t.Fatal(err)
		}
		o.After(time.Minute)
		if c, _ := desk.Countdown(ctx, wide); c.Status != announcement.StatusDraft || !strings.Contains(c.Reason, "outside of whom you may alarm") {
			t.Errorf("its author may alarm others only now: got %s, %q", c.Status, c.Reason)
		}
		if s, err := desk.whole().SavedDraft(ctx, string(wide)); err != nil || s.Draft.Text["en"].Title != "Flood at gate 2" {
			t.Errorf("what was written: %+v, %v", s, err)
		}
		o.ExpectNothingSent(wide)
	})
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		o.house.config.ApprovalOver = 1
		andi := o.as("andi2", web.As(web.Approver))
		counting, waits := o.Write("k", to("siti")), o.Write("k2", to("siti", "agus"))
		o.importStaff(func(e employee) bool { return e.name == "chief" })
		o.After(time.Minute)
		if c, _ := desk.Countdown(ctx, counting); c.Status != announcement.StatusDraft || c.Reason != "nobody matches" {
			t.Errorf("nobody is left: got %s, %q", c.Status, c.Reason)
		}
		if page := andi.ask("GET", "/alerts/"+string(waits), "", "").Body.String(); !strings.Contains(page, "/reject") || !strings.Contains(page, "Flood at gate 2") {
			t.Errorf("its page: %s", page)
		}
		if err := desk.Reject(ctx, o.andi, waits, "Nobody is left"); err != nil {
			t.Errorf("reject: %v", err)
		}
	})
}

func TestApproveOwnIsRefused(t *testing.T) {
	twoPeople(t, func(o office) {
		id := o.Write("k")
		if err := o.house.desk.Approve(o.t.Context(), o.rina, id, o.seen(id)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("got %v, want that she may not", err)
		}
		if err := o.house.desk.SendAlone(o.t.Context(), o.rina, id, "it is rising"); !errors.Is(err, web.ErrConflict) {
			t.Errorf("at once, alone: got %v", err)
		}
		if err := o.house.desk.SendAlone(o.t.Context(), o.dewi, id, "it is rising"); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("another's, alone: got %v", err)
		}
		o.ExpectStatus(id, announcement.StatusAwaiting)
		o.ExpectNothingSent(id)
	})
}

// Whoever edits takes it back first; the old one is void, and the new one waits.
func TestApproveAfterAnEditIsVoid(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		old := o.Write("k")
		if err := desk.Cancel(ctx, o.rina, old); err != nil {
			t.Fatal(err)
		}
		edited := o.Write("k2", func(d *web.Draft) {
			d.Text = map[announcement.Language]announcement.Text{"en": {Title: "Flood at gate 3", Body: "Go up."}}
		})
		if err := desk.Approve(ctx, o.andi, old, o.seen(old)); !errors.Is(err, web.ErrClosed) {
			t.Errorf("the old words: got %v, want that they are void", err)
		}
		// The same form with other words is no way around it.
		changed := o.draft("Flood at gate 9", to("chief", "siti", "agus"), severe, steps(2*time.Hour))
		if _, err := desk.Prepare(ctx, o.rina, changed, "k2"); !errors.Is(err, web.ErrReused) {
			t.Errorf("other words under the same form: got %v", err)
		}
		o.ExpectNothingSent(old)
		o.ExpectNothingSent(edited)
		o.ExpectStatus(edited, announcement.StatusAwaiting)
	})
}

func TestTwoApproveAtOnceAndItGoesOutOnce(t *testing.T) {
	twoPeople(t, func(o office) {
		id := o.Write("k")
		seen := o.seen(id)
		script := web.Principal{Actor: "token:t1", Grant: web.As(web.Approver)}
		if err := o.house.desk.Approve(o.t.Context(), script, id, seen); !errors.Is(err, web.ErrForbidden) {
			o.t.Errorf("a script approves: %v", err)
		}
		var all sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			who := []web.Principal{o.andi, o.dewi}[i%2]
			all.Go(func() { errs[i] = o.house.desk.Approve(o.t.Context(), who, id, seen) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		o.After(20 * time.Second)
		o.ExpectOpen(id)
		for _, name := range []string{"chief", "siti", "agus"} {
			o.Phone(name).ExpectSMS("Flood at gate 2")
		}
		o.house.audit.drain()
		counted := 0
		for _, f := range trail(o.t, o.house.ledger) {
			if about := f.Noted.About; f.Noted.Act == announcement.Approved {
				counted++
				if about.Refused {
					counted -= 2
				}
			}
		}
		if counted != 1 {
			t.Errorf("the trail counts %d approvals, want one", counted)
		}
		// Replayed, when it is long out.
		if err := o.house.desk.Approve(o.t.Context(), o.andi, id, seen); !errors.Is(err, web.ErrClosed) {
			t.Errorf("a replay after it went out: got %v, want that it is decided", err)
		}
		o.After(time.Minute)
		o.NothingElse()
	})
}

func TestApproverWhoLostTheRoleIsRefused(t *testing.T) {
	twoPeople(t, func(o office) {
		id := o.Write("k")
		access := o.people().access
		boss := web.Principal{Actor: "account:boss", Grant: web.As(web.Administrator)}
		andi := o.as("andi2", web.As(web.Approver)) // with the page open
		if w := andi.ask("GET", "/alerts/"+string(id), "", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "I understand that this will alert 3 people") {
			t.Fatalf("the page: %d %s", w.Code, w.Body)
		}
		if err := access.SetGrant(o.t.Context(), boss, "andi2", web.As(web.Viewer)); err != nil {
			t.Fatal(err)
		}
		o.settle()
		if w := andi.ask("POST", "/alerts/"+string(id)+"/approve", "application/x-www-form-urlencoded", "understand=1&print="+o.seen(id)); w.Code != 401 {
			t.Errorf("with the session of before: got %d, want to be asked to sign in", w.Code)
		}
		now, err := access.Principal(o.t.Context(), "account:andi2")
		if err != nil {
			t.Fatal(err)
		}
		if err := o.house.desk.Approve(o.t.Context(), now, id, o.seen(id)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("as a viewer: got %v", err)
		}
		o.ExpectNothingSent(id)
	})
}

func TestRejectedGoesBackToItsAuthor(t *testing.T) {
	twoPeople(t, func(o office) {
		desk, ctx := o.house.desk, o.t.Context()
		id := o.Write("k")
		if err := desk.Reject(ctx, o.andi, id, ""); err == nil {
			t.Error("without a reason")
		}
		if err := desk.Reject(ctx, o.andi, id, "It is at gate 3"); err != nil {
			t.Fatal(err)
		}
		c, _ := desk.Countdown(ctx, id)
		if c.Status != announcement.StatusDraft || !c.Rejected || c.Reason != "It is at gate 3" || c.CancelledBy != "andi" {
			t.Errorf("got %+v", c)
		}
		if err := desk.Approve(ctx, o.dewi, id, o.seen(id)); !errors.Is(err, web.ErrClosed) {
			t.Errorf("approved after it was rejected: %v", err)
		}
		if s, err := desk.whole().SavedDraft(ctx, string(id)); err != nil || s.Draft.Text["en"].Title != "Flood at gate 2" {
			t.Errorf("the draft: %+v, %v", s, err)
		}
		o.ExpectNothingSent(id)
	})
}

func TestNobodyComesSoTheAuthorSendsAlone(t *testing.T) {
	twoPeople(t, func(o office) {
		id := o.Write("k")
		o.After(10 * time.Minute)
		if err := o.house.desk.SendAlone(o.t.Context(), o.rina, id, ""); err == nil {
			t.Error("without a reason")
		}
		if err := o.house.desk.SendAlone(o.t.Context(), o.rina, id, "The water is at the door"); err != nil {
			t.Fatal(err)
		}
		o.After(10*time.Minute + 20*time.Second)
		o.ExpectOpen(id)
		o.ExpectReason(id, "The water is at the door")
		if v, _ := o.house.tracker.View(id); v.Announcement.Approved == nil || !v.Announcement.Approved.Alone {
			t.Error("the ledger does not say that it was sent alone")
		}
	})
}

// What needs nobody else: the extreme, a drill, a few people, and where nobody else is.
func TestWhatGoesAlone(t *testing.T) {
	twoPeople(t, func(o office) {
		for name, choices := range map[string][]choice{
			"extreme": {func(d *web.Draft) { d.Severity = announcement.Extreme }},
			"drill":   {asDrill},
			"few":     {to("siti", "agus")},
		} {
			d := o.draft(name, append([]choice{to("chief", "siti", "agus"), severe, steps(2 * time.Hour)}, choices...)...)
			p, err := o.house.desk.Preview(o.t.Context(), o.rina, d)
			if err != nil || p.Approval != "" {
				t.Errorf("%s needs approval: %q, %v", name, p.Approval, err)
			}
			id, err := o.house.desk.Prepare(o.t.Context(), o.rina, d, name)
			if err != nil {
				t.Fatal(err)
			}
			o.ExpectStatus(id, announcement.StatusCountdown)
		}
		for _, name := range []string{"andi", "dewi"} {
			if err := o.house.desk.accounts.all.put(o.t.Context(), name, account{Name: name, Ended: true}); err != nil {
				t.Fatal(err)
			}
		}
		id := o.Write("nobody else is there")
		o.ExpectStatus(id, announcement.StatusCountdown)
	})
}

// Whoever may send hears at once on their own phone that somebody else has sent, and
// whoever may approve that something waits for them; the author hears of neither.
func TestOthersHearOnTheirOwnPhones(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti push manager:chief, agus push manager:chief, tono push manager:chief", func(h *rehearsal) {
		h.house.config.ApprovalOver = 2
		access := h.people().access
		access.employs = func(string) bool { return true }
		who := map[string]web.Principal{}
		for name, g := range map[string]web.Grant{"siti": web.As(web.Sender), "agus": web.As(web.Sender), "tono": web.As(web.Approver)} {
			h.as(name, g)
			who[name] = web.Principal{Actor: announcement.Actor("account:" + name), Grant: g}
			if err := access.SetNumber(h.t.Context(), who[name], name); err != nil {
				h.t.Fatal(err)
			}
		}
		access.employs = func(string) bool { return false }
		if err := access.SetNumber(h.t.Context(), who["siti"], "nobody"); err == nil {
			t.Error("a number that nobody has was taken")
		}
		h.settle()
		flood := h.draft("Flood", to("chief"), func(d *web.Draft) { d.Severity = announcement.Extreme }, steps(2*time.Hour))
		if _, _, err := h.house.desk.Announce(h.t.Context(), who["siti"], flood, "k"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.Phone("agus").ExpectPush("siti sent: Flood")
		h.Phone("tono").ExpectNothing()
		h.Phone("siti").ExpectNothing()
		wide := h.draft("Storm", to("chief", "siti", "agus"), severe, steps(2*time.Hour))
		if _, err := h.house.desk.Prepare(h.t.Context(), who["agus"], wide, "k2"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.Phone("tono").ExpectPush("agus asks you to approve an alert")
		h.Phone("tono").ExpectSMS("agus asks you to approve an alert")
		h.Phone("siti").ExpectNothing()
	})
}
