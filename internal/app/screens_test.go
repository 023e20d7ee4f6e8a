package app_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kentongan/internal/app/apptest"
	"kentongan/internal/sandbox"
)

// screensTo is where the pictures go. A picture proves nothing before somebody looks
// at it, and taking them is most of the test's time.
var screensTo = flag.String("screens", "", "take pictures of every page of the program into this folder (make shots)")

// widths are a cheap phone's and a laptop's.
var widths = []int{360, 1280}

// damagedPeople has one fault of each common kind.
const damagedPeople = `employee_id,display_name,mobile_phone,manager_id,site,locale,department,job_title,active
E1,Rina Wulandari,6.28E+12,,Pabrik Cikande,id-ID,Kantor,Kepala pabrik,true
E2,Budi Santoso,0812 345,E99,Pabrik Cikande,id-ID,Produksi A,Kepala regu,true
E3,,+6281200000003,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E3,Agus Wijaya,+6281200000004,E2,Pabrik Cikande,xx-klingon,Gudang,Operator,true
E5,Dewi Lestari,+6281200000005,E6,Pabrik Cikande,id-ID,Produksi A,Operator,true
E6,Joko,+6281200000006,E5,Pabrik Cikande,id-ID,Gudang,Operator,mungkin
`

// TestScreens shows every page, narrow and wide, light and dark, in both languages,
// and holds that none is wider than its screen and nothing is left in English.
func TestScreens(t *testing.T) {
	p := openPlant(t)
	if *screensTo != "" {
		if err := os.MkdirAll(*screensTo, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	visitor := p.browser.Tab("id", 1280, 900)
	p.both(visitor, "signin", p.API.URL+"/signin")
	tokenSignIn(visitor, "kt_salah")
	p.picture(visitor, "signin-wrong", "en")

	hr := p.signIn("id", 1280, 900)
	p.both(hr, "home-calm", p.API.URL+"/")
	p.both(hr, "inbox-calm", p.API.URL+"/inbox")
	p.importScreens(hr)
	p.composeScreens(hr)
	p.alertScreens(hr)
	hr.NoFaults()
}

// picture holds that what a tab shows fits at every width, and saves it in both colour
// schemes when pictures are wanted.
func (p *plant) picture(tab *apptest.Tab, name, lang string) {
	p.t.Helper()
	if lang == "id" {
		p.inIndonesian(tab, name)
	}
	fits := func(width int) {
		tab.Screen(width, 800)
		if wide := apptest.Eval[int](tab, "document.documentElement.scrollWidth"); wide > width {
			p.t.Errorf("%s in %s is %d px wide on a screen of %d px", name, lang, wide, width)
		}
	}
	fits(320) // the smallest phone, and a page at 400 %
	for _, width := range widths {
		fits(width)
		for _, dark := range []bool{false, true} {
			tab.Dark(dark)
			if *screensTo == "" {
				continue
			}
			file := fmt.Sprintf("%s.%s.%d.%s.png", name, lang, width, map[bool]string{true: "dark", false: "light"}[dark])
			if err := os.WriteFile(filepath.Join(*screensTo, file), tab.Picture(), 0o600); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// english are words that every English sentence of ours has one of, and that are
// no Indonesian words.
var english = regexp.MustCompile(`(?i)\b(the|and|is|are|was|of|with|not|your|you|their|they|who|has|have|been|this|that|from|sent|people|answer)\b[^.\n]*`)

// inIndonesian finds sentences that nobody translated. What stands in another
// language on purpose says so in its lang attribute.
func (p *plant) inIndonesian(tab *apptest.Tab, name string) {
	p.t.Helper()
	text := apptest.Eval[string](tab, `(() => {
		const copy = document.body.cloneNode(true);
		copy.querySelectorAll("[lang=en], script, style, code").forEach(e => e.remove());
		return [...copy.querySelectorAll("*")].flatMap(e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim())).filter(Boolean).join("\n");
	})()`)
	for _, found := range english.FindAllString(text, 5) {
		p.t.Errorf("%s in Indonesian says %q", name, found)
	}
}

// both takes the pictures of an address in Indonesian and in English.
func (p *plant) both(tab *apptest.Tab, name, address string) {
	p.t.Helper()
	mark := "?"
	if strings.Contains(address, "?") {
		mark = "&"
	}
	for _, lang := range []string{"id", "en"} {
		tab.Open(address + mark + "lang=" + lang)
		p.picture(tab, name, lang)
	}
}

func (p *plant) importScreens(hr *apptest.Tab) {
	p.t.Helper()
	for name, text := range map[string]string{"damaged": damagedPeople, "good": smallCompany + "E10,Sari,081234567890,E9,Pabrik Cikande,id,Kantor,Staf,true\n"} {
		file := filepath.Join(p.t.TempDir(), name+".csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
		for _, lang := range []string{"id", "en"} {
			hr.Open(p.API.URL + "/people/import?lang=" + lang)
			if name == "damaged" {
				p.picture(hr, "import-1-upload", lang)
			}
			hr.Choose("#file", file)
			hr.Go("form[enctype] button")
			if name == "damaged" {
				p.picture(hr, "import-2-columns", lang)
			}
			hr.Go("#columns .acts button")
			p.picture(hr, "import-3-"+name, lang)
		}
	}
	for _, page := range []string{"people", "people/new", "sites", "groups"} {
		p.both(hr, strings.ReplaceAll(page, "/", "-"), p.API.URL+"/"+page)
	}
}

func (p *plant) composeScreens(hr *apptest.Tab) {
	p.t.Helper()
	for _, lang := range []string{"id", "en"} {
		hr.Open(p.API.URL + "/new?lang=" + lang)
		p.picture(hr, "new-1-choose", lang)
		hr.Go("[value=choose]")
		p.picture(hr, "new-1-choose-wrong", lang)
		for _, mode := range []string{"live", "drill"} {
			hr.Open(p.API.URL + "/new")
			hr.Press("[name=mode][value=" + mode + "]")
			hr.Press("[name=template][value=fire]")
			hr.Go("[value=choose]")
			p.picture(hr, "new-2-write-"+mode, lang)
			hr.Fill(`[name="f.site"]`, "Pabrik Cikande")
			hr.Fill(`[name="f.muster"]`, "Lapangan B") // longer does not fit into one SMS beside the long address of a test server
			hr.Go("[value=write]")
			p.picture(hr, "new-3-who-"+mode, lang)
			hr.Press("[name=all]")
			hr.Go("[value=count]")
			p.picture(hr, "new-3-who-counted-"+mode, lang)
			hr.Go("[value=who]")
			p.picture(hr, "new-4-preview-"+mode, lang)
			hr.Go("[value=preview]")
			p.picture(hr, "new-5-confirm-"+mode, lang)
			hr.Go("[value=send]")
			p.picture(hr, "new-5-confirm-wrong-"+mode, lang)
		}
		hr.Open(p.API.URL + "/new")
		hr.Press("[name=mode][value=live]")
		hr.Press("[name=template][value=own]")
		hr.Go("[value=choose]")
		p.picture(hr, "new-2-write-own", lang)
	}
}

// announceBy sends a prepared announcement to everybody and returns its id and
// the tokens of those who got it.
func (p *plant) announceBy(mode, template string, fields string) (id string, tokens map[string]string) {
	p.t.Helper()
	before := uint64(0)
	for _, e := range p.Log() {
		before = max(before, e.Seq)
	}
	var s summary
	body := fmt.Sprintf(`{"mode": %q, "template": %q, "fields": %s, "audience": {"all": true}, "channels": ["webpush", "sms", "inapp"]}`, mode, template, fields)
	if err := p.API.Call(p.t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(body), &s); err != nil {
		p.t.Fatal(err)
	}
	tokens = map[string]string{}
	apptest.Eventually(p.t, pageWait, "everybody to be called", func() (bool, string) {
		for _, e := range p.Log() {
			if e.Seq > before && e.Token != "" {
				tokens[e.Phone] = e.Token
			}
		}
		return len(tokens) == 8, fmt.Sprint(tokens)
	})
	return s.ID, tokens
}

func (p *plant) say(number string, answer int, token, text string) {
	via := "link"
	if text != "" {
		via = "sms"
	}
	p.Act(sandbox.Act{Number: number, Via: via, Answer: answer, Token: token, Text: text})
}

func (p *plant) closeAs(hr *apptest.Tab, id, as, why string) {
	hr.Open(p.API.URL + "/alerts/" + id + map[string]string{"all_clear": "/clear", "corrected": "/correct"}[as])
	if as == "all_clear" {
		hr.Press("[name=keep][value=no]")
		if apptest.Eval[bool](hr, `document.getElementById("known") !== null`) {
			hr.Press("#known")
		}
	}
	hr.Fill("#reason", why)
	hr.Go("main form button:enabled")
}

func (p *plant) alertScreens(hr *apptest.Tab) {
	p.t.Helper()
	place := `{"site": "Pabrik Cikande", "muster": "Lapangan parkir B"}`
	phone := p.browser.Tab("id", 360, 740)
	page := func(name, token string) { p.both(phone, name, p.API.URL+"/r/"+token) }

	// A fire in which every state occurs.
	id, tokens := p.announceBy("live", "fire", place)
	board := p.API.URL + "/alerts/" + id
	p.both(hr, "board-first-seconds", board)
	page("answer", tokens["E7"]) // looking at it makes E7 "opened"
	p.say("E3", 1, tokens["E3"], "")
	p.say("E2", 1, tokens["E2"], "")
	p.say("E6", 3, tokens["E6"], "")
	p.say("E4", 2, tokens["E4"], "2 kaki luka, lantai 3")
	apptest.Eventually(p.t, pageWait, "the answers to count", func() (bool, string) {
		var s summary
		err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements/"+id, "", nil, &s)
		return err == nil && s.Counts.NeedHelp == 1 && s.Counts.Confirmed == 2 && s.Counts.NotOnSite == 1, fmt.Sprintf("%+v, %v", s, err)
	})
	page("answer-safe", tokens["E3"])
	page("answer-change", tokens["E3"]+"?change=1")
	page("answer-help", tokens["E4"])
	p.both(hr, "board", board)
	p.both(hr, "board-people", board+"/people?state=no_answer")
	p.both(hr, "board-people-nobody", board+"/people?q=zzz")
	for _, who := range p.recipients(id) {
		if who.State == "need_help" {
			p.both(hr, "board-person", fmt.Sprintf("%s/people/%d", board, who.Index))
		}
	}
	for _, part := range []string{"sites", "teams", "timeline", "remind", "escalate", "update"} {
		p.both(hr, "board-"+part, board+"/"+part)
	}
	p.both(hr, "close-all-clear", board+"/clear")
	p.both(hr, "close-corrected", board+"/correct")
	p.both(phone, "team", p.link("E2", "/t/"))

	// The employee's own page, and what becomes of a wrong link.
	var enrol struct{ Path string }
	if err := p.API.Call(p.t.Context(), http.MethodPost, "/api/v1/people/E7/enrol", "", nil, &enrol); err != nil {
		p.t.Fatal(err)
	}
	p.both(phone, "enrol", p.API.URL+enrol.Path)
	phone.Go("main button")
	p.both(phone, "me", p.API.URL+"/me")
	for _, part := range []string{"settings", "allow", "install", "test"} {
		p.both(phone, "me-"+part, p.API.URL+"/me/"+part)
	}
	p.both(phone, "guides", p.API.URL+"/guides")
	p.both(phone, "guide", p.API.URL+"/guides/fire")
	p.both(phone, "join", p.API.URL+"/j")
	p.both(phone, "offline", p.API.URL+"/offline")
	p.both(hr, "posters", p.API.URL+"/people/posters")
	p.both(phone, "trouble-phone", p.API.URL+"/r/AAAAAAAA")
	p.both(hr, "trouble-console", p.API.URL+"/alerts/nothing")

	p.closeAs(hr, id, "all_clear", "Api padam, gedung sudah diperiksa.")
	p.both(hr, "board-closed", board)
	page("answer-closed", tokens["E5"])
	p.both(phone, "me-calm", p.API.URL+"/me")

	drill, tokens := p.announceBy("drill", "earthquake", place)
	page("answer-drill", tokens["E7"])
	p.both(hr, "board-drill", p.API.URL+"/alerts/"+drill)
	p.both(hr, "close-drill", p.API.URL+"/alerts/"+drill+"/clear")

	wrong, tokens := p.announceBy("live", "flood", `{"site": "Pabrik Cikande"}`)
	p.both(hr, "home", p.API.URL+"/")
	p.closeAs(hr, wrong, "corrected", "Salah tekan, seharusnya latihan.")
	page("answer-corrected", tokens["E7"])
	p.both(hr, "board-corrected", p.API.URL+"/alerts/"+wrong)

	_, tokens = p.announceBy("live", "closure", `{"site": "Pabrik Cikande", "date": "25 November", "reason": "banjir di jalan masuk", "pay_rule": "tetap dibayar", "next": "18.00"}`)
	page("answer-read", tokens["E7"])
	phone.NoFaults()

	phones := p.browser.Tab("en", 1280, 900)
	phones.Open(p.Outside.URL + "/phones")
	p.picture(phones, "phones", "en")
	phones.NoFaults()
}

func (p *plant) recipients(id string) []recipient {
	p.t.Helper()
	var page struct{ Recipients []recipient }
	if err := p.API.Call(p.t.Context(), http.MethodGet, "/api/v1/announcements/"+id+"/recipients", "", nil, &page); err != nil {
		p.t.Fatal(err)
	}
	return page.Recipients
}
