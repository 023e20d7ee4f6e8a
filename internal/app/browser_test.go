package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// smallCompany is a plant of nine people. Rina runs it; Budi leads a shift of
// five. Slamet has neither a number nor a device.
const smallCompany = `employee_id,display_name,mobile_phone,manager_id,site,locale,department,job_title,active
E1,Rina Wulandari,+6281200000001,,Pabrik Cikande,id-ID,Kantor,Kepala pabrik,true
E2,Budi Santoso,+6281200000002,E1,Pabrik Cikande,id-ID,Produksi A,Kepala regu,true
E3,Siti Aminah,+6281200000003,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E4,Agus Wijaya,+6281200000004,E2,Pabrik Cikande,id-ID,Gudang,Operator,true
E5,Dewi Lestari,+6281200000005,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E6,Joko,+6281200000006,E2,Pabrik Cikande,id-ID,Gudang,Operator,true
E7,Nur Hidayah,+6281200000007,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E8,Slamet,,E1,Pabrik Cikande,id-ID,Gudang,Petugas kebersihan,true
E9,Andrew Tan,+6281200000009,E1,Pabrik Cikande,en-SG,Kantor,Engineer,true
`

// pageWait is how long the test waits for what takes people a moment.
const pageWait = 20 * time.Second

// plant is the small company and everybody's screens.
type plant struct {
	*apptest.World
	t       *testing.T
	browser *apptest.Browser
	hr      *apptest.Tab
	alert   string // address of the board
}

func openPlant(t *testing.T) *plant {
	t.Helper()
	return openPlantOf(t, smallCompany)
}

func openPlantOf(t *testing.T, company string, env ...string) *plant {
	t.Helper()
	browser := apptest.StartBrowser(t)
	p := &plant{World: apptest.New(t, 1, append([]string{"KENTONGAN_COUNTDOWN=2s", "KENTONGAN_SMS_PRICE=350"}, env...)...), t: t, browser: browser}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(company), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Import(file)
	var people []apptest.Person
	for line := range strings.Lines(company) {
		c := strings.Split(line, ",")
		if c[0] != "employee_id" && c[2] != "" {
			people = append(people, apptest.Person{Number: c[0], Name: c[1], Mobile: c[2], Language: c[5][:2]})
		}
	}
	p.HandOutPhones(people)
	return p
}

// link waits for a person's link of a kind (/r/ their own, /t/ their team's) and
// returns its address.
func (p *plant) link(number, kind string) string {
	p.t.Helper()
	found := ""
	apptest.Eventually(p.t, pageWait, "a link "+kind+" for "+number, func() (bool, string) {
		for _, e := range p.Log() {
			if _, path, ok := strings.Cut(e.Link, kind); e.Phone == number && ok {
				found = p.API.URL + kind + path // the newest
			}
		}
		return found != "", ""
	})
	return found
}

// signIn opens the console as HR does.
func (p *plant) signIn(lang string, width, height int) *apptest.Tab {
	p.t.Helper()
	tab := p.browser.Tab(lang, width, height)
	tab.Open(p.API.URL + "/")
	tab.Fill("#token", apptest.Token)
	tab.Go("main button")
	return tab
}

// compose goes through the steps of an alert up to the confirmation.
func (p *plant) compose(tab *apptest.Tab, mode, template string, blanks map[string]string, people string) {
	p.t.Helper()
	tab.Open(p.API.URL + "/new")
	tab.Press("[name=mode][value=" + mode + "]")
	tab.Press("[name=template][value=" + template + "]")
	tab.Go("[value=choose]")
	for name, text := range blanks {
		tab.Fill(`[name="f.`+name+`"]`, text)
	}
	tab.Go("[value=write]")
	tab.Fill("[name=people]", people)
	tab.Go("[value=who]")
	tab.Go("[value=preview]")
}

// TestBrowser is a fire as people meet it: on the screens of HR, of the employees
// and of their manager.
func TestBrowser(t *testing.T) {
	p := openPlant(t)
	p.announceOnTheConsole()
	p.answerWithoutScript()
	p.boardMovesByItself()
	p.answerWithoutSignal()
	p.managerAccountsForSomebody()
	p.ownPageShowsTheAlert()
	p.hr.NoFaults()
}

func (p *plant) announceOnTheConsole() {
	p.hr = p.signIn("en", 1280, 900)
	p.compose(p.hr, "live", "fire", map[string]string{"site": "Pabrik Cikande", "muster": "Lapangan B"}, "E1 E2 E3 E4 E5 E6 E7 E8 E9")
	if got := p.hr.Text("button[value=send]"); got != "Send REAL alert to 9 people" {
		p.t.Errorf("the last button says %q, want what it does and to how many", got)
	}
	p.hr.Fill("[name=typed]", "8")
	p.hr.Go("[value=send]")
	if got := p.hr.Text("#faults"); !strings.Contains(got, "You typed 8. This alert goes to 9 people.") {
		p.t.Errorf("a wrong number is answered with %q", got)
	}
	if n := len(p.Log()); n != 0 {
		p.t.Fatalf("%d messages went out before the right number was typed", n)
	}
	p.hr.Back() // to the confirmation as it was first shown, not to a question whether to send a form again
	p.hr.Fill("[name=typed]", "9")
	apptest.Eval[bool](p.hr, `[1, 2, 3].map(() => document.querySelector("[value=send]").click()).length > 0`) // a nervous finger
	p.hr.WaitFor(pageWait, "#board h2", "of 9 people have answered")
	p.alert = apptest.Eval[string](p.hr, "location.origin + location.pathname")
	var all []summary
	if err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements", "", nil, &struct{ Announcements *[]summary }{&all}); err != nil || len(all) != 1 {
		p.t.Errorf("three clicks made %d alerts (%v), want one", len(all), err)
	}
}

func (p *plant) answerWithoutScript() {
	apptest.Eval[bool](p.hr, "window.marker = true") // gone after a reload
	phone := p.browser.Tab("id", 320, 640)
	phone.Scripts(false)
	phone.Open(p.link("E3", "/r/"))
	if bottom := apptest.Eval[float64](phone, `document.querySelector("form button").getBoundingClientRect().bottom`); bottom > 640 {
		p.t.Errorf("the first answer ends at %.0f px, want it on a screen of 320 x 640 without scrolling", bottom)
	}
	if wide := apptest.Eval[int](phone, "document.documentElement.scrollWidth"); wide > 320 {
		p.t.Errorf("the answer page is %d px wide, want 320", wide)
	}
	if got := phone.Text("form button[value='1']"); strings.TrimSpace(got) != "Saya aman" {
		p.t.Errorf("the first answer is %q, want Saya aman", got)
	}
	phone.Go("form button[value='1']")
	if got := phone.Text("h2"); !strings.Contains(got, "Tercatat: aman") {
		p.t.Errorf("after the answer the page says %q", got)
	}
	phone.NoFaults()
}

func (p *plant) boardMovesByItself() {
	p.hr.WaitFor(5*time.Second, "[data-n=confirmed]", "1")
	p.hr.WaitFor(time.Second, "[data-n=answered]", "1")
	if !apptest.Eval[bool](p.hr, "window.marker === true") {
		p.t.Error("the board was loaded again to show the answer")
	}
}

func (p *plant) answerWithoutSignal() {
	phone := p.browser.Tab("id", 360, 740)
	phone.Open(p.link("E4", "/r/"))
	phone.Signal(false)
	phone.Press("form button[value='2']")
	phone.WaitFor(time.Second, "#st", "BELUM TERKIRIM")
	phone.Signal(true)
	phone.WaitFor(5*time.Second, "#box h2", "Tercatat: butuh bantuan")
	if got := phone.Text("#st"); got != "" {
		p.t.Errorf("after sending, the notice still says %q", got)
	}
	phone.NoFaults()
	p.hr.WaitFor(5*time.Second, "[data-n=need_help]", "1")
}

func (p *plant) managerAccountsForSomebody() {
	manager := p.browser.Tab("id", 360, 740)
	manager.Open(p.link("E2", "/t/"))
	if got := manager.Text("main"); !strings.Contains(got, "Agus Wijaya") || !strings.Contains(got, "Joko") || strings.Contains(got, "Andrew") {
		p.t.Errorf("the manager sees %q, want their own people only", got)
	}
	manager.Press("[form=bulk][name=n]") // the first who has not answered
	manager.Press("#bulk [name=a][value='1']")
	manager.Press("#bulk [name=how][value=saw]")
	manager.Go("#bulk button")
	p.hr.WaitFor(5*time.Second, "[data-n=confirmed]", "2")
	manager.NoFaults()
}

func (p *plant) ownPageShowsTheAlert() {
	var enrol struct{ Path string }
	if err := p.API.Call(p.t.Context(), http.MethodPost, "/api/v1/people/E7/enrol", "", nil, &enrol); err != nil {
		p.t.Fatal(err)
	}
	phone := p.browser.Tab("id", 360, 740)
	phone.Open(p.API.URL + enrol.Path)
	phone.Go("main button")
	if got := phone.Text("main"); !strings.Contains(got, "Halo Nur") || !strings.Contains(got, "Pabrik Cikande") {
		p.t.Errorf("their own page says %q, want a greeting and the open alert", got)
	}
	phone.Go("main section a")
	phone.Press("form button[value='1']")
	phone.WaitFor(5*time.Second, "#box h2", "Tercatat: aman")
	phone.NoFaults()
}
