package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// camera lets a phone without a camera scan: each text in window.shown is a code
// held before it.
const camera = `window.shown = []; window.BarcodeDetector = function () { this.detect = () => Promise.resolve(window.shown.splice(0).map(rawValue => ({rawValue}))) };
	Object.defineProperty(navigator, "mediaDevices", {value: {getUserMedia: () => Promise.resolve(document.createElement("canvas").captureStream())}});`

// TestRollCallWithoutASignal calls the roll where there is no signal: the list is
// there though it was never opened, ticks stay over a reload and can be taken back,
// codes are read, and all arrives afterwards.
func TestRollCallWithoutASignal(t *testing.T) {
	company := "employee_id,display_name,mobile_phone,manager_id,site,locale,active\nE1,Rina Wulandari,+6281200000001,,Pabrik Cikande,id-ID,true\n"
	for i := 2; i <= 7; i++ {
		company += fmt.Sprintf("E%d,Operator %d,+62812000000%02d,E1,Pabrik Cikande,id-ID,true\n", i, i, i)
	}
	p := openPlantOf(t, company)
	var s summary
	body := `{"mode":"live","severity":"extreme","answers":"safety","text":{"id":{"title":"Kebakaran","body":"Keluar."}},"audience":{"all":true},
		"policy":{"steps":[{"after":"1s","whom":"manager"}]}}`
	if err := p.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(body), &s); err != nil {
		t.Fatal(err)
	}
	manager := p.browser.Tab("id", 360, 740)
	manager.Before(camera)
	team := p.link("E1", "/t/")
	manager.Open(team)
	apptest.Eventually(t, pageWait, "the roll to be kept", func() (bool, string) {
		return apptest.Await[bool](manager, `caches.open("answers").then(c => c.match(location.pathname + "/roll")).then(r => !!r && !!navigator.serviceWorker.controller)`), ""
	})
	manager.Signal(false)
	manager.WorkerSignal(false)
	manager.Go("a[href$='/roll']")
	tick := func(number string) { manager.Press("label:has([data-number=" + number + "])") }
	for _, number := range []string{"E2", "E3", "E4"} {
		tick(number)
	}
	manager.WaitFor(time.Second, "#unsent", "BELUM TERKIRIM: 3")
	tick("E4") // somebody else
	manager.WaitFor(time.Second, "#unsent", "BELUM TERKIRIM: 2")
	manager.Press("#scan")
	apptest.Eval[bool](manager, `!!window.shown.push("e5", "E99")`)
	manager.WaitFor(2*time.Second, "#found", "E99 tidak ada di daftar ini")
	manager.WaitFor(time.Second, "#unsent", "BELUM TERKIRIM: 3")
	manager.Reload()
	manager.WaitFor(pageWait, "#unsent", "BELUM TERKIRIM: 3")
	if got := apptest.Eval[[]string](manager, `[...document.querySelectorAll("#roll [data-number]:checked")].map(b => b.dataset.number)`); !slices.Equal(got, []string{"E2", "E3", "E5"}) {
		t.Errorf("after a reload %q are ticked", got)
	}
	p.say("E3", 3, "", "3") // who was ticked by mistake answers for themselves
	manager.WorkerSignal(true)
	manager.Signal(true)
	for number, want := range map[string]string{"E2": "confirmed", "E3": "not_on_site", "E4": "no_answer", "E5": "confirmed"} {
		p.waitState(s.ID, number, want)
	}
	manager.WaitFor(pageWait, "label:has([data-number=E2]) .st", "Tercatat hadir")
	tick("E2") // it was not them: sent already, and taken back
	p.waitState(s.ID, "E2", "no_answer")
	manager.NoFaults()
}
