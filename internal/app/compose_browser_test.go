package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
	"kentongan/internal/sandbox"
)

// TestComposeInTheBrowser holds the checks of composing and sending, in a browser
// and with the real program behind it.
func TestComposeInTheBrowser(t *testing.T) {
	p := openPlantOf(t, smallCompany, "KENTONGAN_COUNTDOWN=4s")
	p.hr = p.signIn("en", 1366, 768)
	for _, check := range []struct {
		name string
		run  func(*plant, *testing.T)
	}{
		{"Check19NoDefault", check19}, {"Check21Counter", check21}, {"Check22LongestSite", check22}, {"Check23TheButtonSaysHowMany", check23},
		{"Check24AWrongNumberSendsNothing", check24}, {"Check25AChangedHeadcountIsAskedAgain", check25},
		{"Check27Cancel", check27}, {"Check30MissingLanguage", check30}, {"WithoutScriptFromHomeToTheBoard", withoutScript}, {"Check28SentTwice", check28},
		{"Check31FailingProvider", check31},
	} {
		t.Run(check.name, func(t *testing.T) {
			before := p.t
			p.t = t
			defer func() { p.t = before }()
			check.run(p, t)
		})
	}
	p.hr.NoFaults()
}

// write puts text into a field, also one of several lines.
func (p *plant) write(name, text string) {
	p.t.Helper()
	apptest.Eval[bool](p.hr, fmt.Sprintf(`(() => { const f = document.getElementsByName(%q)[0]; f.value = %q; return f.dispatchEvent(new Event("input", {bubbles: true})) })()`, name, text))
}

// choose begins an alert.
func (p *plant) choose(mode, template string) {
	p.hr.Open(p.API.URL + "/new?lang=en")
	p.hr.Press("[name=mode][value=" + mode + "]")
	p.hr.Press("[name=template][value=" + template + "]")
	p.hr.Go("[value=choose]")
}

func (p *plant) alerts() []summary {
	p.t.Helper()
	var all []summary
	if err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements", "", nil, &struct{ Announcements *[]summary }{&all}); err != nil {
		p.t.Fatal(err)
	}
	return all
}

func check19(p *plant, t *testing.T) {
	p.hr.Open(p.API.URL + "/new?lang=en")
	if n := apptest.Eval[int](p.hr, `document.querySelectorAll("input:checked").length`); n != 0 {
		t.Errorf("%d choices are made before anybody chose", n)
	}
	p.hr.Go("[value=choose]")
	if focus := apptest.Eval[string](p.hr, "document.activeElement.id"); focus != "faults" {
		t.Errorf("the focus is on %q, want the summary of errors", focus)
	}
	if title := apptest.Eval[string](p.hr, "document.title"); !strings.HasPrefix(title, "Error:") || !strings.Contains(p.hr.Text("#faults"), "Say whether this is real or a drill.") {
		t.Errorf("got %q and %q, want the error named", title, p.hr.Text("#faults"))
	}
}

func check21(p *plant, t *testing.T) {
	p.choose("live", "own")
	meter := func() string { return p.hr.Text("#n-en .meter") }
	p.hr.Fill(`[name="title.en"]`, "Gas")
	p.write("body.en", "Leave now.")
	p.hr.WaitFor(pageWait, "#n-en .meter", "1 message, ")
	used := 0
	if _, err := fmt.Sscanf(meter(), "1 message, %d of 160", &used); err != nil {
		t.Fatalf("the counter says %q", meter())
	}
	p.write("body.en", "Leave now."+strings.Repeat("x", 160-used))
	p.hr.WaitFor(pageWait, "#n-en .meter", "1 message, 160 of 160")
	p.write("body.en", "Leave now."+strings.Repeat("x", 161-used))
	p.hr.WaitFor(pageWait, "#n-en", "Remove 1 character for one message.")
	p.hr.Go("[value=write]")
	if got := p.hr.Text("#faults"); !strings.Contains(got, "remove 1 character from the SMS (English): it has to be one message") {
		t.Errorf("161 characters are answered with %q", got)
	}
	p.write("body.en", "Leave “hall 3” now, 5€.")
	p.hr.WaitFor(pageWait, "#n-en", "Replace “ (curly quote)")
	p.hr.WaitFor(pageWait, "#n-en", "Replace € (euro sign)")
	p.hr.Go("[value=write]")
	if got := p.hr.Text("#faults"); !strings.Contains(got, "replace € (euro sign)") || !strings.Contains(got, "replace “ (curly quote)") {
		t.Errorf("awkward characters are answered with %q", got)
	}
	p.hr.Go("[value=fix]")
	if got := apptest.Eval[string](p.hr, `document.getElementById("body.en").value`); got != `Leave "hall 3" now, 5EUR.` {
		t.Errorf("Fix wrote %q", got)
	}

	p.hr.Scripts(false)
	defer p.hr.Scripts(true)
	p.write("body.en", "Leave “hall 3” now.")
	p.hr.Go("[value=measure]")
	if got := p.hr.Text("#n-en"); !strings.Contains(got, "Replace “ (curly quote)") || !strings.Contains(got, "1 message,") {
		t.Errorf("without script the counter says %q after the form was sent", got)
	}
}

func check22(p *plant, t *testing.T) {
	p.choose("live", "fire")
	if got := p.hr.Text("#n-en"); !strings.Contains(got, "FIRE at Pabrik Cikande") || !strings.Contains(got, "Counted with the longest site name, Pabrik Cikande.") {
		t.Errorf("an empty site is counted as %q, want the longest name", got)
	}
	p.hr.Fill(`[name="f.site"]`, "Lab")
	p.hr.WaitFor(pageWait, "#n-en .bubble", "FIRE at Lab.")
}

// confirm goes to the last page of a fire at the plant.
func (p *plant) confirm(mode string) {
	p.choose(mode, "fire")
	p.hr.Fill(`[name="f.site"]`, "Pabrik Cikande")
	p.hr.Fill(`[name="f.muster"]`, "Lapangan B")
	p.hr.Go("[value=write]") // those at the site are chosen already
	p.hr.Go("[value=who]")
	p.hr.Go("[value=preview]")
}

func check23(p *plant, t *testing.T) {
	said := regexp.MustCompile(`^Send (REAL alert|DRILL) to ([\d,.]+) people$`)
	p.confirm("drill")
	if got := said.FindStringSubmatch(p.hr.Text("button[value=send]")); got == nil || got[1] != "DRILL" || got[2] != "9" {
		t.Errorf("the button of a drill says %q", p.hr.Text("button[value=send]"))
	}
	p.confirm("live")
	if got := said.FindStringSubmatch(p.hr.Text("button[value=send]")); got == nil || got[1] != "REAL alert" || got[2] != "9" {
		t.Errorf("the button says %q, want what it does to the 9 people of the directory", p.hr.Text("button[value=send]"))
	}
}

func check24(p *plant, t *testing.T) {
	p.hr.Fill("[name=typed]", "12")
	p.hr.Go("[value=send]")
	if got := p.hr.Text("#faults"); !strings.Contains(got, "You typed 12. This alert goes to 9 people.") {
		t.Errorf("a wrong number is answered with %q", got)
	}
	p.nothingWasSent()
}

// check25 hires somebody between the preview and the confirmation.
func check25(p *plant, t *testing.T) {
	file := filepath.Join(t.TempDir(), "hired.csv")
	if err := os.WriteFile(file, []byte(smallCompany+"E10,Sari,+6281200000010,E1,Pabrik Cikande,id-ID,Kantor,Staf,true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Import(file)
	p.hr.Fill("[name=typed]", "9")
	p.hr.Go("[value=send]")
	if got := p.hr.Text("#faults"); !strings.Contains(got, "changed from 9 to 10") || p.hr.Text("button[value=send]") != "Send REAL alert to 10 people" {
		t.Errorf("a changed number is answered with %q", got)
	}
	p.nothingWasSent()
}

func (p *plant) nothingWasSent() {
	p.t.Helper()
	if len(p.Log()) != 0 || len(p.alerts()) != 0 {
		p.t.Error("something was sent before the right number was typed")
	}
}

func check27(p *plant, t *testing.T) {
	p.confirm("live")
	p.hr.Fill("[name=typed]", "10")
	p.hr.Go("[value=send]")
	if got := p.hr.Text("h1"); !strings.Contains(got, "Sending to 10 people in ") {
		t.Fatalf("after sending the page says %q", got)
	}
	p.hr.Go(".btn-stop")
	if got := p.hr.Text("h1"); got != "Cancelled. Nothing was sent." {
		t.Errorf("after cancelling the page says %q", got)
	}
	p.hr.Go("main .acts .btn")
	if got := apptest.Eval[string](p.hr, `document.getElementsByName("f.muster")[0].value`); got != "Lapangan B" {
		t.Errorf("the draft came back with %q, want what was written", got)
	}
	time.Sleep(6 * time.Second) // the countdown was 4
	if len(p.Log()) != 0 || len(p.alerts()) != 0 {
		t.Errorf("%d messages of %d alerts went out after cancelling", len(p.Log()), len(p.alerts()))
	}
}

func check30(p *plant, t *testing.T) {
	p.choose("live", "own")
	p.hr.Fill(`[name="title.en"]`, "Water is off")
	p.write("body.en", "Use the tank behind the office.")
	p.hr.Go("[value=write]")
	p.hr.Press("[name=all]")
	p.hr.WaitFor(pageWait, "#heads", "10 people")
	p.hr.Go("[value=who]")
	if got := p.hr.Text("main"); !strings.Contains(got, "9 read another language and get English instead: Bahasa Indonesia 9") {
		t.Errorf("the preview says %q, want 9 people counted who get English instead", got)
	}
}

// withoutScript is the whole way with script off: what was cancelled in its
// countdown is a draft on the first page, and goes out from there.
func withoutScript(p *plant, t *testing.T) {
	p.hr.Scripts(false)
	defer p.hr.Scripts(true)
	p.hr.Open(p.API.URL + "/?lang=en")
	p.hr.Go("main .btn[href='/new']")
	p.hr.Press("[name=mode][value=drill]")
	p.hr.Press("[name=template][value=flood]")
	p.hr.Go("[value=choose]")
	p.hr.Fill(`[name="f.site"]`, "Pabrik Cikande")
	p.hr.Go("[value=write]")
	p.hr.Go("[value=count]") // the form's own button counts
	if got := p.hr.Text("#heads"); !strings.Contains(got, "10 people") {
		t.Errorf("without script the form counts %q, want 10 people", got)
	}
	p.hr.Go("[value=who]")
	p.hr.Go("[value=preview]")
	p.hr.Go("[value=send]") // not ticked
	if got := p.hr.Text("#faults"); !strings.Contains(got, "Tick that you understand this is a drill.") {
		t.Errorf("without the tick the page says %q", got)
	}
	p.hr.Press("[name=drill]")
	p.hr.Go("[value=send]")
	p.hr.Go(".btn-stop")
	if got := p.hr.Text("h1"); got != "Cancelled. Nothing was sent." {
		t.Fatalf("after cancelling the page says %q", got)
	}
	p.hr.Open(p.API.URL + "/?lang=en")
	newest := "ul.drafts li:first-child"
	if got := p.hr.Text(newest); !strings.Contains(got, "Flood: Pabrik Cikande") {
		t.Fatalf("the newest draft is %q, want what was cancelled", got)
	}
	p.hr.Go(newest + " a")
	p.hr.Go("[value=write]")
	p.hr.Go("[value=who]")
	p.hr.Go("[value=preview]")
	p.hr.Press("[name=drill]")
	p.hr.Go("[value=send]")
	p.hr.WaitFor(pageWait, "main", "of 10 people have answered") // the page of the countdown loads itself again
	p.hr.Open(p.API.URL + "/?lang=en")
	if got := p.hr.Text("main"); strings.Contains(got, "Flood: Pabrik Cikande") || !strings.Contains(got, "DRILL flood: Pabrik Cikande") {
		t.Errorf("the first page says %q, want the drill and no draft of it", got)
	}
}

func check28(p *plant, t *testing.T) {
	p.confirm("drill")
	before := len(p.alerts())
	twice := `(async () => {
		const f = document.querySelector("form.send"), body = new URLSearchParams(new FormData(f))
		body.set("step", "send"); body.set("drill", "1")
		const at = []
		for (let i = 0; i < 2; i++) at.push(new URL((await fetch("/new", {method: "POST", body})).url).pathname)
		window.at = at.join(" ")
	})()`
	apptest.Eval[any](p.hr, twice+`, true`)
	at := ""
	apptest.Eventually(t, pageWait, "both posts", func() (bool, string) {
		at = apptest.Eval[string](p.hr, `window.at || ""`)
		return at != "", at
	})
	first, second, _ := strings.Cut(at, " ")
	if first != second || !strings.HasPrefix(first, "/alerts/") {
		t.Errorf("the same form led to %q and %q, want one board", first, second)
	}
	apptest.Eventually(t, pageWait, "the drill", func() (bool, string) { n := len(p.alerts()); return n > before, fmt.Sprint(n) })
	if n := len(p.alerts()); n != before+1 {
		t.Errorf("the same form made %d alerts, want one", n-before)
	}
}

func check31(p *plant, t *testing.T) {
	p.Behave(sandbox.Behaviour{Channel: "sms", Fail: "401"})
	defer p.Behave(sandbox.Behaviour{})
	var s summary
	body := `{"mode": "drill", "template": "flood", "fields": {"site": "Pabrik Cikande"}, "audience": {"all": true}, "channels": ["webpush", "sms", "inapp"]}`
	if err := p.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(body), &s); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, pageWait, "the preview to say that SMS does not go out", func() (bool, string) {
		p.choose("live", "earthquake")
		p.hr.Fill(`[name="f.site"]`, "Pabrik Cikande")
		p.hr.Fill(`[name="f.muster"]`, "Lapangan B")
		p.hr.Go("[value=write]")
		p.hr.Go("[value=who]")
		return strings.Contains(p.hr.Text("main"), "SMS does not go out now"), p.hr.Text("main")
	})
	want := regexp.MustCompile(`SMS does not go out now \(.+\): (\d+) people would get only the other channels, (\d+) nothing\.`)
	if got := want.FindStringSubmatch(p.hr.Text("main")); got == nil || got[2] == "0" {
		t.Errorf("the preview says %q, want how many get nothing", p.hr.Text("main"))
	}
	p.hr.Go("[value=preview]")
	if !want.MatchString(p.hr.Text("main")) {
		t.Errorf("the last page says %q, want how many get nothing", p.hr.Text("main"))
	}
}
