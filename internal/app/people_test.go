package app

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// clerk is somebody at the console of a rehearsal.
type clerk struct {
	*rehearsal
	session string
}

func (h *rehearsal) clerk() clerk {
	h.t.Helper()
	c := clerk{rehearsal: h}
	w := c.post("/signin", "token="+url.QueryEscape(h.house.config.BootstrapToken))
	for _, cookie := range w.Result().Cookies() {
		if cookie.Name == "session" {
			c.session = cookie.String()
		}
	}
	if c.session == "" {
		h.t.Fatalf("sign in: got %d", w.Code)
	}
	return c
}

func (c clerk) ask(method, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Cookie", c.session)
	w := httptest.NewRecorder()
	c.house.server.Handler().ServeHTTP(w, r)
	return w
}

func (c clerk) get(path string) string {
	c.t.Helper()
	w := c.ask(http.MethodGet, path, "", "")
	if w.Code != http.StatusOK {
		c.t.Fatalf("%s: got %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func (c clerk) post(path, form string) *httptest.ResponseRecorder {
	return c.ask(http.MethodPost, path, "application/x-www-form-urlencoded", form)
}

// goes posts a form and returns where it leads.
func (c clerk) goes(path, form string) string {
	c.t.Helper()
	w := c.post(path, form)
	if w.Code != http.StatusSeeOther {
		c.t.Fatalf("%s %s: got %d %s", path, form, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

func (c clerk) upload(name string, file []byte) string {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = part.Write(file)
	form.Close()
	w := c.ask(http.MethodPost, "/people/import", form.FormDataContentType(), body.String())
	if w.Code != http.StatusSeeOther {
		c.t.Fatalf("upload: got %d %s", w.Code, w.Body)
	}
	return strings.TrimSuffix(w.Header().Get("Location"), "/columns")
}

func (c clerk) shows(page string, words ...string) {
	c.t.Helper()
	page = html.UnescapeString(page)
	for _, w := range words {
		if !strings.Contains(page, w) {
			c.t.Errorf("the page does not say %q:\n%s", w, page)
		}
	}
}

// HR imports a workbook with a damaged number and a loop, continues without these
// rows, and takes it all back the next morning.
func TestImportInFourSteps(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus", func(h *rehearsal) {
		c := h.clerk()
		book := excelize.NewFile()
		for i, row := range [][]any{
			{"NIK", "Nama Karyawan", "No. HP", "HP 2", "NIK Atasan", "Cabang"},
			{"1", "Sri", "6.28E+12", "", "", "Cikande"}, {"2", "Joko", 81234500012, "", "3", "Cikande"}, {"3", "Dewi", "0812-3450-0013", "", "2", "Cikande"},
			{"4", "Bambang", "+62 812 3450 0014", "", "", "Cikande"}, {"5", "Ayu", "081234500015", "", "4", "Cikande"},
		} {
			if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
		var file bytes.Buffer
		if err := book.Write(&file); err != nil {
			t.Fatal(err)
		}
		at := c.upload("karyawan-nov.xlsx", file.Bytes())
		c.shows(c.get(at+"/columns"), "karyawan-nov.xlsx", "5 rows", "No. HP", "81234500012")
		w := c.post(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone&c3=mobile_phone&c4=manager_id&c5=site")
		if w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("two columns of one kind: got %d", w.Code)
		}
		c.shows(w.Body.String(), "<title>Error:", "No. HP", "HP 2")
		if to := c.goes(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone&c4=manager_id&c5=site"); to != at+"/check" {
			t.Fatalf("got %s, want the check", to)
		}
		check := c.get(at + "/check")
		c.shows(check, "Excel has damaged this number", "2 → 3 → 2", "3 → 2 → 3", "Mend 1 phone number", "Continue without these 3 people", "2 rows are fine", `href="#r2-mobile_phone"`, `id="r2-mobile_phone"`)
		if strings.Contains(check, "Bambang</td>") {
			t.Error("a row without a fault is listed")
		}
		c.shows(c.get(at+"/faults.csv"), "6.28E+12", "error")
		c.shows(c.get(at+"/review?skip=1"), "3 rows with errors are left out", "3 people who work here are not in this file", "Leave them alone")
		if w := c.post(at+"/review", "skip=1&missing=whole&typed=2"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a wrong number of leaving people: got %d", w.Code)
		}
		done := c.goes(at+"/review", "skip=1&missing=leave")
		if again := c.goes(at+"/review", "skip=1&missing=leave"); again != done {
			t.Errorf("the second press leads to %s, want %s", again, done)
		}
		c.shows(c.get(done), "rows left out", "Undo this import")
		c.shows(c.get("/people"), "Bambang", "Ayu", "siti")
		h.After(20 * time.Hour)
		c = h.clerk()
		if to := c.goes(done+"/undo", ""); !strings.HasSuffix(to, "done=import-undone") {
			t.Errorf("got %s", to)
		}
		if strings.Contains(c.get("/people"), "Bambang") || len(h.house.directory.Everybody()) != 3 {
			t.Error("the import was not undone")
		}
	})
}

// A file without a third of the people leaves them alone unless somebody types how
// many leave.
func TestCheck48PeopleWhoAreNotInTheFileStay(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus", func(h *rehearsal) {
		file := func(from, to int) []byte {
			var b strings.Builder
			b.WriteString("nip;nama;hp\n")
			for i := from; i < to; i++ {
				fmt.Fprintf(&b, "K%d;Karyawan %d;0812%08d\n", i, i, 10_000_000+i)
			}
			return []byte(b.String())
		}
		working := func() int { return len(h.house.directory.Everybody()) }
		h.importFile(bytes.NewReader(file(3, 1248)))
		c := h.clerk()
		at := c.upload("835.csv", append(file(3, 836), "siti;Siti;081234567890\nbudi;Budi;081234567891\nagus;Agus;081234567892\n"...))
		if to := c.goes(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone"); to != at+"/check" {
			t.Fatalf("got %s, want the check", to)
		}
		c.shows(c.get(at+"/review"), "412 people who work here are not in this file", `value="leave" checked`)
		for typed, says := range map[string]string{"": "Type how many people leave: 412.", "836": "Type how many people leave: 412."} {
			w := c.post(at+"/review", "missing=whole&typed="+typed)
			c.shows(w.Body.String(), says, "<title>Error:", `value="whole" checked`)
		}
		if n := working(); n != 1248 {
			t.Fatalf("%d people, want 1,248", n)
		}
		c.goes(at+"/review", "missing=leave")
		if n := working(); n != 1248 {
			t.Fatalf("%d people after the default, want 1,248 who were left alone", n)
		}
		at = c.upload("836.csv", file(3, 839))
		c.goes(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone")
		c.goes(at+"/review", "missing=whole&typed=412")
		if n := working(); n != 836 {
			t.Errorf("%d people, want 836", n)
		}
		h.After(2 * time.Hour)
		if w := c.ask(http.MethodGet, at+"/review", "", ""); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("an old upload: got %d", w.Code)
		}
	})
}

// HR mends one person, groups people, and the group can be called by its name.
// An import that was cut off goes on as it was confirmed, and lets nobody leave whom
// another choice would.
func TestImportThatWasCutOffGoesOnAsItWasConfirmed(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus", func(h *rehearsal) {
		ctx, staff := h.t.Context(), h.people()
		c := h.clerk()
		file := []byte("nip;nama;hp\nsiti;Siti;081234567890\nbaru;Baru;081234567891\n")
		at := c.upload("two.csv", file)
		c.goes(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone")
		h.settle()
		id := path.Base(at)
		begun := func() {
			if _, err := h.house.directory.Import(ctx, bytes.NewReader(file), directory.ImportOptions{Undo: "console", UndoID: id}); err != nil {
				t.Fatal(err)
			}
		}
		begun() // by a version that did not keep what was confirmed
		keeper := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Administrator, web.Sender)}
		for _, choice := range []web.ImportChoice{{Whole: true, Typed: -1}, {}} {
			if _, err := staff.Apply(ctx, keeper, id, choice); !errors.Is(err, web.ErrConflict) {
				t.Errorf("%+v, which nobody confirmed: %v", choice, err)
			}
		}
		up, err := staff.uploads.kept(id)
		if err != nil {
			t.Fatal(err)
		}
		up.Confirmed = &web.ImportChoice{Typed: -1}
		if err := staff.uploads.put(ctx, id, up); err != nil {
			t.Fatal(err)
		}
		if _, err := staff.Apply(ctx, keeper, id, web.ImportChoice{Whole: true, Typed: -1}); !errors.Is(err, web.ErrConflict) {
			t.Errorf("the whole list, when only changes were confirmed: %v", err)
		}
		if done, err := staff.Apply(ctx, keeper, id, web.ImportChoice{}); err != nil || done != id {
			t.Errorf("what was confirmed goes on as %q, %v", done, err)
		}
		if n := len(h.house.directory.Everybody()); n != 4 {
			t.Errorf("%d people work here, want 4", n)
		}
	})
}

// Undoing an import erases nobody who was called: not whoever leads those who were asked.
func TestUndoKeepsManagersWhoWereCalled(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, agus", func(h *rehearsal) {
		report, err := h.house.directory.Import(h.t.Context(), strings.NewReader("nip;nama;hp;atasan\nboss;Boss;081234567890;\nnew;New;081234567891;\nsiti;siti;081200000001;boss\n"),
			directory.ImportOptions{Undo: "console"})
		if err != nil || report.Undo == "" {
			t.Fatal(report, err)
		}
		h.Announce("Fire", to("siti"))
		keeper := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Administrator, web.Sender)}
		if err := h.house.directory.SetDuty(h.t.Context(), []string{"agus"}); err != nil {
			t.Fatal(err)
		}
		if err := h.people().Undo(h.t.Context(), keeper, report.Undo); err != nil {
			t.Fatal(err)
		}
		if boss, known := h.house.directory.ByNumber("boss"); !known || boss.Active {
			t.Errorf("whoever led siti then: known %t, active %t", known, boss.Active)
		}
	})
}

func TestPeopleSitesAndGroups(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi push, agus", func(h *rehearsal) {
		c := h.clerk()
		c.shows(c.get("/person/agus"), "agus", "Mobile number")
		page := c.get("/person/agus")
		version := between(page, `name="version" value="`, `"`)
		to := c.goes("/person/agus", "version="+version+"&display_name=Agus+Wijaya&mobile_phone=0812+3450+0099&locale=en&site=Cikande&manager_id=budi&active=true")
		c.shows(c.get(to), "Agus Wijaya", "+6281234500099", "Saved.")
		if w := c.post("/person/agus", "version="+version+"&display_name=Another&locale=id&active=true"); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a form that was open for long: got %d", w.Code)
		}
		c.goes("/sites/edit", "name=Cikande&assembly=Lapangan+parkir+B%0AGerbang+timur&zone=Asia/Jakarta&emergency=112")
		c.shows(c.get("/sites"), "Lapangan parkir B, Gerbang timur", "112", "WIB", "1 person")
		c.goes("/groups/edit", "name=Fire+wardens&people=siti+agus")
		c.goes("/groups/edit", "name=Under+Budi&by=rule&under=budi")
		c.shows(c.get("/groups"), "Fire wardens", "2 people now", "3 people now")
		c.goes("/person/agus/invite", "")
		if _, err := h.post("/api/v1/announcements", `{"mode":"drill","template":"fire","fields":{"site":"Cikande","muster":"B"},"audience":{"groups":["fire wardens"]}}`); err != nil {
			t.Errorf("announce to a group: %v", err)
		}
		if _, err := h.post("/api/v1/announcements", `{"mode":"drill","template":"fire","fields":{"site":"Cikande","muster":"B"},"audience":{"groups":["Medics"]}}`); err == nil || !strings.Contains(err.Error(), "groups[0]") {
			t.Errorf("an unknown group: got %v", err)
		}
	})
}

// post calls the API.
func (h *rehearsal) post(path, body string) (string, error) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+h.house.config.BootstrapToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.house.server.Handler().ServeHTTP(w, r)
	if w.Code >= 300 {
		return "", fmt.Errorf("%d %s", w.Code, w.Body)
	}
	return w.Body.String(), nil
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// A reply that comes back unlocks texts that ask for replies, and nothing else
// does.
func TestReplyTestUnlocksTwoWay(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti push, budi, agus", func(h *rehearsal) {
		h.house.config.SMSTwoWay = false
		c := h.clerk()
		c.shows(c.get("/setup/channels"), "never ask for a reply")
		w := c.post("/setup/channels", "act=sms&number=nobody")
		c.shows(w.Body.String(), "<title>Error:", "nobody has this employee number")
		if to := c.goes("/setup/channels", "act=sms&number=siti"); !strings.HasSuffix(to, "tested") {
			t.Errorf("got %s", to)
		}
		c.goes("/setup/channels", "act=reply&number=siti")
		h.After(10 * time.Second)
		h.Phone("siti").ExpectSMS("This is a trial message")
		h.Phone("siti").ExpectSMS("TEST, not an alert", "Reply 1")
		h.Phone("budi").Reply("1") // not the one who was asked
		h.After(70 * time.Second)
		if h.house.desk.twoWay() {
			t.Fatal("another person's text counts as the reply")
		}
		h.Phone("siti").Reply("1")
		h.After(80 * time.Second)
		if !h.house.desk.twoWay() {
			t.Fatal("the reply did not count")
		}
		c.shows(c.get("/setup/channels"), "Reply 1 or 2")
		c.goes("/setup/channels", "act=lock")
		if h.house.desk.twoWay() {
			t.Error("it is not locked")
		}
		c.goes("/setup/channels", "act=push&number=siti")
		c.shows(c.get("/setup"), "SMS arrived", "tasks completed")
		c.shows(c.get("/readiness"), "By site", "0 days ago")
		c.goes("/setup/duty", "duty=budi")
		c.shows(c.get("/setup/duty"), "budi")
		c.shows(c.get("/new?mode=drill&template=roll_call"), "f.event")
		if page := c.get("/new?mode=live&template=roll_call"); strings.Contains(page, "f.event") {
			t.Error("a link leads into a real alert")
		}
	})
}

// HR rewords a template: the draft changes nothing, what is published is what goes
// out, and an alert that is under way keeps its words.
func TestTemplatesAreReworded(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus", func(h *rehearsal) {
		c := h.clerk()
		words := func(id string, more string) string {
			f := url.Values{}
			for lang, s := range h.house.desk.catalogue.Said("fire") {
				for part, value := range map[string]string{"title": s.Title, "body": s.Body, "push_title": s.PushTitle, "push_body": s.PushBody, "sms": s.SMS, "dont": s.Dont, "do": strings.Join(s.Do, "\n")} {
					f.Set(string(lang)+"."+part, value)
				}
			}
			f.Set("en.sms", id)
			return f.Encode() + "&" + more
		}
		revision := func() string {
			return "revision=" + between(c.get("/templates/fire"), `name="revision" value="`, `"`)
		}
		drill := `{"mode":"live","template":"fire","fields":{"site":"Cikande","muster":"B"},"audience":{"people":["siti"]}}`
		before, err := h.post("/api/v1/announcements", drill)
		if err != nil {
			t.Fatal(err)
		}
		const good = "{org}: FIRE at {site}. Walk to {muster} now. {reply} {link}"
		c.goes("/templates/fire", words(good, "act=save&"+revision()))
		if said := h.house.desk.catalogue.Said("fire")["en"].SMS; said == good {
			t.Fatal("a draft is sent")
		}
		for name, sms := range map[string]string{
			"curly quote": "{org}: FIRE at {site}. “Walk” to {muster}. {reply} {link}", "too long": "{org}: FIRE at {site}. " + strings.Repeat("Walk to {muster}. ", 12) + "{reply} {link}",
			"no sender": "FIRE at {site}. {reply} {link}", "no way to answer": "{org}: FIRE at {site}. Walk.", "a blank nobody fills": "{org}: FIRE at {site}, {floor}. {reply} {link}",
		} {
			if w := c.post("/templates/fire", words(sms, "act=publish&"+revision())); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s: got %d, want it refused", name, w.Code)
			}
		}
		c.goes("/templates/fire", words("{org}: FIRE at {site}. “Walk” to {muster}. {reply} {link}", "act=fix&"+revision()))
		c.shows(c.get("/templates/fire"), `"Walk"`)
		c.goes("/templates/fire", words(good, "act=try&number=siti&"+revision()))
		c.goes("/templates/fire", words(good, "act=publish&"+revision()))
		c.shows(c.get("/templates"), "version 1")
		after, err := h.post("/api/v1/announcements", drill)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(after, "Walk to B now") || strings.Contains(before, "Walk to B now") {
			t.Error("the published words are not those that go out")
		}
		again := c.ask(http.MethodGet, "/api/v1/announcements", "", "")
		_ = again
		c.goes("/templates/fire", "act=restore&version=0")
		c.shows(c.get("/templates/fire"), "draft, not sent yet", "version 1")
		h.After(time.Minute)
		h.Phone("siti").ExpectSMS("TES")
	})
}

// TestANotificationAndThePageBehindItAreOneWay: whoever has no number is reached by
// one channel, and the page that the same phone may have open is not a second.
func TestANotificationAndThePageBehindItAreOneWay(t *testing.T) {
	t.Parallel()
	phone := []announcement.Channel{announcement.WebPush, announcement.InApp}
	got := reach(web.Readiness{}, &directory.Resolution{Roster: announcement.Roster{Recipients: []announcement.Recipient{
		{Reach: append(slices.Clone(phone), announcement.SMS)}, {Reach: phone}, {Reach: []announcement.Channel{announcement.SMS}}, {Unreachable: "no_contact_point"},
	}}})
	if got.People != 4 || got.TwoOrMore != 1 || got.One != 2 || got.None != 1 {
		t.Errorf("got %+v, want one person reached by two ways, two by one, one by none", got)
	}
}
