package app

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/app/apptest"
)

// soon is how long a change may take to be seen on a board, on a machine that is
// busy with other tests.
const soon = 20 * time.Second

// said writes that recipients answered.
func (m *multitude) said(t *testing.T, a announcement.Answer, numbers ...int) {
	t.Helper()
	m.write(t, len(numbers), func(i int) announcement.Fact {
		return announcement.Fact{Kind: announcement.KindAnswered, Actor: announcement.ByNetwork, Answered: &announcement.Answered{Number: numbers[i], Answer: a,
			Via: announcement.ViaPage, Said: time.Now().UTC(), Ref: fmt.Sprint(numbers[i], a, time.Now().UnixNano())}}
	})
}

func (m *multitude) board() string { return m.url + "/alerts/" + string(m.id) }

// watch opens the board and waits until it is live.
func (m *multitude) watch(t *testing.T, b *apptest.Browser, width, height int) *apptest.Tab {
	t.Helper()
	tab := b.Tab("en", width, height)
	t.Cleanup(func() { tab.Open("about:blank") }) // nobody watches any more
	tab.Open(m.board())
	tab.WaitFor(soon, "#conn", "Live, updated")
	return tab
}

// tileSum adds the six tiles up, as they stand on the page.
const tileSum = `["need_help","no_answer","unreachable","opened","confirmed","not_on_site"].reduce((n, k) => n + +document.querySelector(".tile [data-n=" + k + "]").textContent.replace(/\D/g, ""), 0)`

// TestBoardInTheBrowser watches a board while 1,248 people answer. Its parts are
// named by the checks of the usability plan.
func TestBoardInTheBrowser(t *testing.T) {
	browser := apptest.StartBrowser(t)
	m := gather(t, 1248)
	first := func(from, n int) (out []int) {
		for i := range n {
			out = append(out, from+i)
		}
		return out
	}

	t.Run("Check32TheTilesAddUpAtEveryEvent", func(t *testing.T) {
		tab := m.watch(t, browser, 1280, 900)
		apptest.Eval[bool](tab, `window.sums = [], document.getElementById("board").addEventListener("htmx:sseBeforeMessage", () => setTimeout(() => sums.push(`+tileSum+`))), true`)
		random := rand.New(rand.NewPCG(32, 1))
		for range 100 {
			n := random.IntN(1200)
			switch random.IntN(4) {
			case 0:
				m.write(t, 1, func(int) announcement.Fact {
					return announcement.Fact{Kind: announcement.KindOpened, Opened: &announcement.Opened{Number: n}}
				})
			default:
				m.said(t, announcement.Answer(1+random.IntN(3)), n)
			}
			var now struct {
				announcement.Counts
				At int
			}
			m.read(t, "/now", &now)
			if sum := now.NeedHelp + now.Confirmed + now.NotOnSite + now.Opened + now.NoAnswer + now.Unreachable; sum != 1248 || now.Recipients != 1248 {
				t.Fatalf("the six states are %d of %d people, want 1,248: %+v", sum, now.Recipients, now.Counts)
			}
		}
		apptest.Eventually(t, soon, "some events", func() (bool, string) {
			return apptest.Eval[int](tab, "sums.length") >= 2, ""
		})
		if got := apptest.Eval[string](tab, "JSON.stringify(sums.filter(n => n !== 1248))"); got != "[]" {
			t.Errorf("the tiles added up to %s, want 1248 at every event", got)
		}
		tab.NoFaults()
	})

	t.Run("Check33ACallForHelpIsSaidWithItsName", func(t *testing.T) {
		m.said(t, announcement.Safe, first(0, 1200)...) // the others keep it open
		tab := m.watch(t, browser, 1280, 900)
		tab.WaitFor(soon, "[data-n=confirmed]", "1,2")
		apptest.Eval[bool](tab, `window.urgent = [], new MutationObserver(list => list.forEach(m => m.addedNodes.forEach(n => urgent.push(n.nodeName + ":" + n.textContent)))).observe(document.getElementById("urgent"), {childList: true, subtree: true}), true`)
		m.said(t, announcement.NeedHelp, 777)
		tab.WaitFor(soon, "#help", "Karyawan Nomor")
		name := tab.Text("#help .who a")
		apptest.Eventually(t, soon, "the title", func() (bool, string) {
			title := apptest.Eval[string](tab, "document.title")
			return strings.HasPrefix(title, "(1 need help) "), title
		})
		if got := apptest.Eval[string](tab, "JSON.stringify(urgent)"); got != `["#text:`+name+` needs help"]` {
			t.Errorf("the urgent region got %s, want one text node with %q", got, name)
		}
		tab.NoFaults()
	})

	t.Run("Check34ScreenReadersAreNotFlooded", func(t *testing.T) {
		tab := m.watch(t, browser, 1280, 900)
		apptest.Eval[bool](tab, `window.polite = [], new MutationObserver(list => list.forEach(m => m.addedNodes.forEach(n => polite.push(Date.now())))).observe(document.getElementById("announce"), {childList: true}), true`)
		m.said(t, announcement.NotOnSite, first(300, 100)...)
		for end := time.Now().Add(18 * time.Second); time.Now().Before(end); {
			m.write(t, 10, func(i int) announcement.Fact {
				return announcement.Fact{Kind: announcement.KindOpened, Opened: &announcement.Opened{Number: i}}
			})
			m.said(t, announcement.Answer(1+2*rand.IntN(2)), first(rand.IntN(1000), 10)...)
			<-time.After(200 * time.Millisecond)
		}
		if got := apptest.Eval[string](tab, "JSON.stringify(polite.map((t, i) => i && t - polite[i - 1]).slice(1).filter(d => d < 15000))"); got != "[]" {
			t.Errorf("the polite region changed again after %s ms, want 15,000 between two", got)
		}
		tab.NoFaults()
	})

	t.Run("Check35NothingMovesUnderTheFinger", func(t *testing.T) {
		tab := m.watch(t, browser, 1280, 700)
		m.hold(tab)
		var numbers []int
		for _, r := range strings.Split(apptest.Eval[string](tab, "held.order"), ",")[5:15] {
			var n int
			_, _ = fmt.Sscanf(r, "r%d", &n)
			numbers = append(numbers, n)
		}
		for i := range 20 {
			m.said(t, announcement.Answer(1+2*(i%2)), numbers[i%10], 600+i)
			<-time.After(250 * time.Millisecond)
		}
		tab.WaitFor(soon, "#news:not([hidden])", "Show them")
		apptest.Eventually(t, soon, "the rows to change in place", func() (bool, string) {
			text := tab.Text("#r" + fmt.Sprint(numbers[9]))
			return strings.Contains(text, "Not on site"), text
		})
		for _, fault := range m.moved(tab) {
			t.Error(fault)
		}
		if by := apptest.Eval[int](tab, "scrollY - held.y"); by != 0 {
			t.Errorf("the page scrolled by %d px", by)
		}
		tab.NoFaults()
	})

	t.Run("Check36ALostStreamIsSaid", func(t *testing.T) {
		tab := m.watch(t, browser, 1280, 900)
		m.cut.Store(true)
		m.ends()
		began := time.Now()
		tab.WaitFor(soon, "#strip:not([hidden])", "Not live since ")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the strip came after %s, want 5 s", took)
		}
		if got := tab.Text("#strip"); !strings.Contains(got, "Reconnecting (try ") || !strings.Contains(got, "Refresh") {
			t.Errorf("the strip says %q", got)
		}
		apptest.Eventually(t, soon, "every number to say how old it is", func() (bool, string) {
			missing := apptest.Eval[string](tab, `[...document.querySelectorAll(".tile .asof, #sum .asof, #helph .asof, #peopleh .asof, #delivery .asof")].filter(e => e.hidden || !/^as of \d\d:\d\d:\d\d/.test(e.textContent)).map(e => e.parentNode.textContent).join()`)
			return missing == "", missing
		})
		m.said(t, announcement.NeedHelp, 900, 901)
		m.cut.Store(false)
		apptest.Eventually(t, 2*soon, "the strip to go", func() (bool, string) {
			return apptest.Eval[bool](tab, `document.getElementById("strip").hidden && [...document.querySelectorAll(".asof")].every(e => e.hidden)`), tab.Text("#strip")
		})
		var now announcement.Counts
		m.read(t, "/now", &now)
		tab.WaitFor(soon, "[data-n=need_help]", fmt.Sprint(now.NeedHelp))
		if sum := apptest.Eval[int](tab, tileSum); sum != 1248 {
			t.Errorf("the tiles add up to %d afterwards", sum)
		}
	})

	t.Run("Check37WholeWithoutScript", func(t *testing.T) {
		tab := browser.Tab("en", 1280, 900)
		tab.Scripts(false)
		tab.Open(m.board())
		text := tab.Text("body")
		for _, want := range []string{"As of ", "Refresh", "people have answered", "Needs help", "Delivery", "Timeline", "Karyawan Nomor"} {
			if !strings.Contains(text, want) {
				t.Errorf("without script the board lacks %q", want)
			}
		}
		if n := apptest.Eval[int](tab, `document.querySelectorAll("meta[http-equiv=refresh], [hidden]:not(.asof):not(#strip):not(#news):not(#ended)").length`); n != 0 {
			t.Errorf("%d things reload by themselves or are hidden for want of script", n)
		}
	})

	t.Run("Check38EveryTileOpensItsPeople", func(t *testing.T) {
		tab := browser.Tab("en", 1280, 900)
		for i := range 6 {
			tab.Open(m.board())
			tile := apptest.Eval[int](tab, fmt.Sprintf(`+document.querySelectorAll(".tile b")[%d].textContent.replace(/\D/g, "")`, i))
			tab.Open(m.url + apptest.Eval[string](tab, fmt.Sprintf(`document.querySelectorAll(".tile")[%d].getAttribute("href")`, i)))
			rows := 0
			for {
				rows += apptest.Eval[int](tab, `document.querySelectorAll("#rows tr").length`)
				next := apptest.Eval[string](tab, `([...document.querySelectorAll(".pages a")].find(a => a.textContent === "Next") || {href: ""}).href`)
				if next == "" {
					break
				}
				tab.Open(next)
			}
			if rows != tile {
				t.Errorf("tile %d says %d and lists %d people", i, tile, rows)
			}
		}
		tab.NoFaults()
	})
}

// hold puts the focus on a row in the middle of the screen.
func (m *multitude) hold(tab *apptest.Tab) {
	apptest.Eval[bool](tab, `(() => {
		const row = document.querySelectorAll("#rows tr")[10]; row.querySelector("a").focus(); row.scrollIntoView({block: "center"});
		window.held = {row, y: scrollY, top: row.getBoundingClientRect().top, order: [...document.querySelectorAll("#rows tr")].map(r => r.id).join()};
		return true })()`)
}

// moved says what has moved before the eyes since: the focus, or the rows. A call for
// help that comes in above them makes the page longer, not the rows move.
func (m *multitude) moved(tab *apptest.Tab) []string {
	return apptest.Eval[[]string](tab, `(() => {
		const out = [], on = document.activeElement.closest("tr");
		if (on !== held.row) out.push("the focus went to " + (on ? on.id : document.activeElement.tagName));
		if (!held.row.isConnected || Math.abs(held.row.getBoundingClientRect().top - held.top) >= 2) out.push("the row with the focus moved");
		if ([...document.querySelectorAll("#rows tr")].map(r => r.id).join() !== held.order) out.push("rows were moved, replaced or inserted");
		return out })()`)
}

// read reads JSON below the board.
func (m *multitude) read(t *testing.T, path string, into any) {
	t.Helper()
	res, err := http.Get(m.board() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(b, into) != nil {
		t.Fatalf("%s: %s %s %v", path, res.Status, b, err)
	}
}
