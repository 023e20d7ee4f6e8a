package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"kentongan/internal/app/apptest"
)

// hand counts what somebody does on the way to a goal: pages that load, and clicks.
// Typing into a blank is not counted.
type hand struct {
	*apptest.Tab
	pages, actions int
}

func (h *hand) Go(css string)    { h.pages, h.actions = h.pages+1, h.actions+1; h.Tab.Go(css) }
func (h *hand) Press(css string) { h.actions++; h.Tab.Press(css) }

// way is one fire from the first click of HR to the last word, step by step.
type way struct {
	*plant
	alert string    // its identity
	told  time.Time // everybody was called
	table tabwriter.Writer
}

// TestTheWholeWay is a fire as people meet it, in a browser with the real program
// behind it: on the screens of HR, of employees whose phones are in a bad way, and of
// their manager. It prints what every step took.
func TestTheWholeWay(t *testing.T) {
	company := smallCompany
	for i := 10; i <= 18; i++ { // so that ten of Budi's shift are silent in the end
		company += fmt.Sprintf("E%d,Operator %d,+62812000000%d,E2,Pabrik Cikande,id-ID,Gudang,Operator,true\n", i, i, i)
	}
	w := &way{plant: openPlantOf(t, company)}
	w.hr = w.signIn("en", 1366, 768)
	dewi := &hand{Tab: w.browser.Tab("id", 360, 740)}
	dewi.Permission("granted")
	w.connect(dewi.Tab, "E5")
	dewi.Open(w.API.URL + "/me")

	var printed bytes.Buffer
	w.table.Init(&printed, 0, 0, 2, ' ', 0)
	fmt.Fprintln(&w.table, "step\tpages\tactions\ttook")
	defer func() {
		_ = w.table.Flush()
		t.Logf("the whole way:\n%s", printed.String())
	}()
	for _, step := range []struct {
		name, says string
		on         *apptest.Tab
		take       func(*way, *hand)
	}{
		{"Check20SendInSixPages", "HR sends an alert from a template", w.hr, (*way).send},
		{"EverybodyIsCalled", "phones ring after the countdown", w.hr, (*way).ring},
		{"AnswerWithoutScript", "Siti answers with JavaScript off", nil, (*way).answerWithoutScript},
		{"AnswerWithoutSignal", "Agus asks for help, the network cut after the page came", nil, (*way).answerWithoutSignal},
		{"AnswerFromANotification", "Dewi answers with a button of her notification", dewi.Tab, (*way).answerFromANotification},
		{"AnswerFromTheOwnPage", "Nur connects her phone and answers there", nil, (*way).answerFromTheOwnPage},
		{"Check44MarksMadeWithoutASignal", "Budi accounts for ten people without a signal", nil, (*way).markWithoutSignal},
		{"Check29CorrectInTwoActions", "HR corrects: sent in error", w.hr, (*way).correct},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			part := *w
			part.plant = w.on(t)
			h := &hand{Tab: step.on}
			if step.on == nil {
				h.Tab = part.browser.Tab("id", 320, 640)
			}
			began := time.Now()
			step.take(&part, h)
			fmt.Fprintf(&w.table, "%s\t%d\t%d\t%.1f s\n", step.says, h.pages, h.actions, time.Since(began).Seconds())
			h.NoFaults()
			w.alert, w.told = part.alert, part.told
		}) {
			return // what follows builds on it
		}
	}
}

func (w *way) send(hr *hand) {
	hr.Open(w.API.URL + "/?lang=en")
	hr.Go("main .btn[href='/new']")
	hr.Press("[name=mode][value=live]")
	hr.Press("[name=template][value=fire]")
	hr.Go("[value=choose]")
	hr.Fill(`[name="f.site"]`, "Pabrik Cikande")
	hr.Fill(`[name="f.muster"]`, "Lapangan B")
	hr.Go("[value=write]")
	hr.Go("[value=who]")
	hr.Go("[value=preview]")
	hr.Fill("[name=typed]", "18")
	hr.Go("[value=send]")
	if got := hr.Text("h1"); !strings.Contains(got, "Sending to 18 people in ") {
		w.t.Fatalf("after sending the page says %q", got)
	}
	if hr.pages > 6 || hr.actions > 12 {
		w.t.Errorf("it took %d pages and %d actions, want at most 6 and 12", hr.pages, hr.actions)
	}
}

func (w *way) ring(hr *hand) {
	hr.WaitFor(pageWait, "#board h2", "of 18 people have answered")
	w.alert = strings.TrimPrefix(apptest.Eval[string](hr.Tab, "location.pathname"), "/alerts/")
	apptest.Eventually(w.t, pageWait, "everybody with a phone to be called", func() (bool, string) {
		who := w.texted("KEBAKARAN", "FIRE")
		return len(who) == 17, fmt.Sprint(who)
	})
	apptest.Eval[bool](hr.Tab, "window.marker = true") // gone after a reload
}

// texted returns the numbers that got an SMS with one of these words.
func (p *plant) texted(words ...string) []string {
	who := map[string]bool{}
	for _, e := range p.Log() {
		if e.Channel == "sms" && slices.ContainsFunc(words, func(word string) bool { return strings.Contains(e.Text, word) }) {
			who[e.Mobile] = true
		}
	}
	return slices.Sorted(maps.Keys(who))
}

// onTheBoard waits until HR sees a number, on the page that they have open.
func (w *way) onTheBoard(tile, number string) {
	w.t.Helper()
	w.hr.WaitFor(5*time.Second, "[data-n="+tile+"]", number)
	if !apptest.Eval[bool](w.hr, "window.marker === true") {
		w.t.Error("the board was loaded again to show the answer")
	}
}

func (w *way) answerWithoutScript(siti *hand) {
	siti.Scripts(false)
	siti.Open(w.link("E3", "/r/"))
	siti.Go("form button[value='1']")
	if got := siti.Text("h2"); !strings.Contains(got, "Tercatat: aman") {
		w.t.Errorf("after the answer the page says %q", got)
	}
	w.onTheBoard("confirmed", "1")
}

func (w *way) answerWithoutSignal(agus *hand) {
	agus.Open(w.link("E4", "/r/"))
	agus.Signal(false)
	agus.Press("form button[value='2']")
	agus.WaitFor(time.Second, "#st", "BELUM TERKIRIM")
	agus.Signal(true)
	agus.WaitFor(5*time.Second, "#box h2", "Tercatat: butuh bantuan")
	if got := agus.Text("#st"); got != "" {
		w.t.Errorf("after sending, the notice still says %q", got)
	}
	w.onTheBoard("need_help", "1")
}

func (w *way) answerFromANotification(dewi *hand) {
	_, token, _ := strings.Cut(w.link("E5", "/r/"), "/r/")
	apptest.Worker[[]string](dewi.Tab, pushed(asking("KEBAKARAN", w.alert, token)))
	apptest.Worker[bool](dewi.Tab, tapped("KEBAKARAN", "1"))
	dewi.actions++
	w.waitState(w.alert, "E5", "confirmed")
	w.onTheBoard("confirmed", "2")
}

func (w *way) answerFromTheOwnPage(nur *hand) {
	w.connect(nur.Tab, "E7")
	nur.Open(w.API.URL + "/me")
	if got := nur.Text("main"); !strings.Contains(got, "Halo Nur") || !strings.Contains(got, "Pabrik Cikande") {
		w.t.Errorf("their own page says %q, want a greeting and the open alert", got)
	}
	nur.Go("main section a")
	nur.Press("form button[value='1']")
	nur.WaitFor(5*time.Second, "#box h2", "Tercatat: aman")
	w.onTheBoard("confirmed", "3")
}

// markWithoutSignal lets a manager account for ten people in a car park without a
// signal: the page says how many are not sent, and later exactly ten marks arrive,
// with the times at which they were made.
func (w *way) markWithoutSignal(budi *hand) {
	silent := map[int]string{w.index(w.alert, "E6"): "E6"}
	for i := 10; i <= 18; i++ {
		number := fmt.Sprint("E", i)
		silent[w.index(w.alert, number)] = number
	}
	budi.Open(w.link("E2", "/t/")) // he was called when Agus asked for help
	if got := budi.Text("main"); !strings.Contains(got, "Agus Wijaya") || !strings.Contains(got, "Joko") || strings.Contains(got, "Andrew") {
		w.t.Errorf("the manager sees %q, want their own people only", got)
	}
	budi.Signal(false)
	made := map[string]time.Time{}
	for n, number := range silent {
		budi.Press(fmt.Sprintf("[form=bulk][name=n][value='%d']", n))
		budi.Press("#bulk [name=a][value='1']")
		budi.Press("#bulk [name=how][value=saw]")
		budi.Press("#bulk button")
		budi.WaitFor(time.Second, "#unsent", fmt.Sprintf("BELUM TERKIRIM: %d.", len(made)+1))
		made[number] = time.Now()
	}
	time.Sleep(3 * time.Second) // the signal is away for a while: the times must not be those of arrival
	var s summary
	if err := w.API.Call(w.t.Context(), http.MethodGet, "/api/v1/announcements/"+w.alert, "", nil, &s); err != nil || s.Counts.VouchedBy != 0 {
		w.t.Fatalf("%d marks arrived without a signal, %v", s.Counts.VouchedBy, err)
	}
	budi.Signal(true)
	apptest.Eventually(w.t, pageWait, "ten marks", func() (bool, string) {
		err := w.API.Call(w.t.Context(), http.MethodGet, "/api/v1/announcements/"+w.alert, "", nil, &s)
		return err == nil && s.Counts.VouchedBy == 10, fmt.Sprint(s.Counts.VouchedBy, " arrived, ", err)
	})
	var page struct {
		Recipients []struct {
			Number    string
			VouchedAt *time.Time `json:"vouched_at"`
		}
	}
	if err := w.API.Call(w.t.Context(), http.MethodGet, "/api/v1/announcements/"+w.alert+"/recipients", "", nil, &page); err != nil {
		w.t.Fatal(err)
	}
	const slack = 2 * time.Second // between this clock and a slow browser
	for _, r := range page.Recipients {
		at, ok := made[r.Number]
		if ok != (r.VouchedAt != nil) || ok && r.VouchedAt.Sub(at).Abs() > slack {
			w.t.Errorf("the mark of %s has the time %v, want %v", r.Number, r.VouchedAt, at)
		}
	}
	budi.WaitFor(pageWait, "main", "Tercatat")
	if got := budi.Text("#unsent"); got != "" {
		w.t.Errorf("after sending, the page still says %q", got)
	}
	w.onTheBoard("confirmed", "13")
}

// correct takes the alert back: exactly those who were called hear that it was
// wrong, and nothing of it goes out any more.
func (w *way) correct(hr *hand) {
	called := w.texted("KEBAKARAN", "FIRE")
	hr.Go("nav.acts .btn-warn")
	hr.Go("main .btn-danger")
	if hr.actions != 2 || !strings.Contains(hr.Text("main"), "sent in error") {
		w.t.Errorf("correcting took %d actions and says %q", hr.actions, hr.Text("main"))
	}
	apptest.Eventually(w.t, pageWait, "the same people to hear that it was wrong", func() (bool, string) {
		wrong := w.texted("PESAN SALAH", "SENT IN ERROR")
		return slices.Equal(wrong, called), fmt.Sprint(wrong, " of ", called)
	})
	w.quiet()
	last := map[string]string{}
	for _, e := range w.Log() {
		if e.Channel == "sms" {
			last[e.Mobile] = e.Text
		}
	}
	for mobile, text := range last {
		if !strings.Contains(text, "PESAN SALAH") && !strings.Contains(text, "SENT IN ERROR") {
			w.t.Errorf("the last text to %s is %q, want the correction", mobile, text)
		}
	}
}
