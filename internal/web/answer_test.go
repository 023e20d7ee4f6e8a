package web

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

func TestAnswerPageChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	for _, method := range []string{"GET", "HEAD", "GET"} {
		w := call(t, srv, method, "/r/"+goodToken, "", "User-Agent", "WhatsApp/2")
		if w.Code != 200 {
			t.Fatalf("%s: got %d, want 200", method, w.Code)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
	if len(h.presses)+len(h.seen) != 0 {
		t.Errorf("got %d answers and %d seen, want none", len(h.presses), len(h.seen))
	}
}

func TestAnswerPageIsAllowedItsOwnParts(t *testing.T) {
	t.Parallel()
	w := call(t, newServer(t, newHouse()), "GET", "/r/"+goodToken, "")
	body := w.Body.String()
	for _, tag := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(body, "<"+tag+">")
		text, _, ok := strings.Cut(rest, "</"+tag+">")
		if !ok || !strings.Contains(w.Header().Get("Content-Security-Policy"), hashSource(text)) {
			t.Errorf("the policy does not allow the page's own %s", tag)
		}
	}
	if strings.Index(body, "Lindungi kepala") > strings.Index(body, "<button") {
		t.Error("the instruction does not stand before the buttons")
	}
}

func TestAnswerWithoutScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path, body, want string
		answer                 announcement.Answer
	}{
		{"safe", "?lang=id", "a=1&k=c9f1", "Tercatat: aman", announcement.Safe},
		{"help in English", "?lang=en", "a=2&k=c9f1", "Recorded: need help", announcement.NeedHelp},
		{"hostile id still counts", "", "a=2&k=%00%ff", "Tercatat", announcement.NeedHelp},
		{"odd time still counts", "", "a=2&said=99999999999999999", "Tercatat", announcement.NeedHelp},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse()
			w := call(t, newServer(t, h), "POST", "/r/"+goodToken+c.path, c.body)
			if w.Code != 200 || !strings.Contains(w.Body.String(), c.want) {
				t.Fatalf("got %d %s, want 200 with %q", w.Code, w.Body, c.want)
			}
			if len(h.presses) != 1 || h.presses[0].Answer != c.answer || h.presses[0].Ref == "" {
				t.Errorf("got %+v, want one answer %d", h.presses, c.answer)
			}
		})
	}
}

func TestAnswerRefTellsPressesApart(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	for _, body := range []string{"a=1&k=x", "a=1&k=x", "a=2&k=x"} {
		call(t, srv, "POST", "/r/"+goodToken, body)
	}
	if h.presses[0].Ref != h.presses[1].Ref || h.presses[0].Ref == h.presses[2].Ref {
		t.Errorf("got refs %q %q %q, want the same, the same, another", h.presses[0].Ref, h.presses[1].Ref, h.presses[2].Ref)
	}
}

// Who answers on a page of before a revision is shown all of the new one.
func TestAnswerOnAPageOfBeforeBringsTheNewOne(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.page.Version = 2
	srv := newServer(t, h)
	for body, want := range map[string]string{"a=1&k=x": "1", "a=1&k=y&v=1": "1", "a=1&k=z&v=2": ""} {
		h.page.Answer = 0
		if got := call(t, srv, "POST", "/r/"+goodToken, body, "X-Fragment", "1").Header().Get("X-Stale"); got != want {
			t.Errorf("%s: stale is %q, want %q", body, got, want)
		}
	}
}

func TestAnswerNotRecordedIsNeverThanked(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.err = ErrNotYet
	w := call(t, newServer(t, h), "POST", "/r/"+goodToken, "a=2&k=x", "X-Fragment", "1")
	if w.Code != 503 || strings.Contains(w.Body.String(), "Tercatat") || !strings.Contains(w.Body.String(), "tel:112") {
		t.Errorf("got %d %s, want 503 with tel:112 and no thanks", w.Code, w.Body)
	}
}

func TestUnknownTokenTellsNothing(t *testing.T) {
	t.Parallel()
	w := call(t, newServer(t, newHouse()), "GET", "/r/nobody", "")
	if w.Code != 404 || strings.Contains(w.Body.String(), "Siti") || !strings.Contains(w.Body.String(), "tel:112") {
		t.Errorf("got %d %s, want 404 with tel:112 and no name", w.Code, w.Body)
	}
}

func TestGuessersAreSlowedDownAndNobodyElse(t *testing.T) {
	srv := newServer(t, newHouse())
	codes := map[int]int{}
	for range 2 * missesAllowed {
		codes[call(t, srv, "GET", "/r/AAAAAAAA", "").Code]++
	}
	if codes[404] != missesAllowed || codes[429] != missesAllowed {
		t.Errorf("got %v, want %d times 404 and then 429", codes, missesAllowed)
	}
	if w := call(t, srv, "POST", "/r/"+goodToken, "a=1&k=c1"); w.Code != 200 {
		t.Errorf("a real answer from the same address: got %d, want 200", w.Code)
	}
}

func TestAnswerPageStates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		change    func(*house)
		has, lack []string
	}{
		{"real", func(*house) {}, []string{"sev-extreme", "<title>Gempa"}, []string{"LATIHAN", "DRILL"}},
		{"drill", func(h *house) { h.page.Announcement.Mode = announcement.Drill }, []string{`class="sev sev-drill"`, "<title>LATIHAN", "</svg> LATIHAN"}, nil},
		{"corrected", func(h *house) { h.page.Status, h.page.ClosedAs = announcement.StatusClosed, announcement.AsCorrected }, []string{"PESAN SALAH"}, []string{"<button"}},
		{"corrected, and in need of help", func(h *house) {
			h.page.Status, h.page.ClosedAs, h.page.Answer, h.page.Handler, h.page.HandledAt = announcement.StatusClosed, announcement.AsCorrected, announcement.NeedHelp, "Budi", noon
		}, []string{"PESAN SALAH", "tetap berlaku", "Budi menangani"}, []string{"tidak perlu", "change=1"}},
		{"closed", func(h *house) { h.page.Status, h.page.ClosedAs = announcement.StatusClosed, announcement.AsAllClear }, []string{"<button", "tetap dicatat"}, nil},
		{"read", func(h *house) { h.page.Announcement.Answers = announcement.Read }, []string{"Paham", "Ada kendala"}, []string{"Saya aman"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse()
			c.change(h)
			body := call(t, newServer(t, h), "GET", "/r/"+goodToken, "").Body.String()
			for _, s := range c.has {
				if !strings.Contains(body, s) {
					t.Errorf("%q is missing", s)
				}
			}
			_, afterStyle, _ := strings.Cut(body, "</style>")
			for _, s := range c.lack {
				if strings.Contains(afterStyle, s) {
					t.Errorf("%q is there", s)
				}
			}
		})
	}
}

func TestOnlyTheWaitOfAPhoneIsBelieved(t *testing.T) {
	s := &Server{Options: Options{Now: func() time.Time { return noon }}}
	for _, c := range []struct {
		name, said, sent string
		want             time.Time
	}{
		{"a clock that is years behind", "1000000000000", "1000000090000", noon.Add(-90 * time.Second)},
		{"a clock that is years ahead", "4000000000000", "4000000000000", noon},
		{"a clock set back meanwhile", "2000", "1000", time.Time{}},
		{"a week of waiting", "0", "604800000", time.Time{}},
		{"no time of sending", "1000", "", time.Time{}},
	} {
		if got := s.saidAt(c.said, c.sent); !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzReadPress(f *testing.F) {
	f.Add("2", "c9f1", "1763881500000", "1763881501000", "push", "kaki luka")
	f.Add("9", "\x00", "-1", "9223372036854775807", "", "\xff")
	h := newHouse()
	s := &Server{Options: Options{Now: func() time.Time { return noon }, Phone: h}}
	f.Fuzz(func(t *testing.T, a, k, said, sent, via, note string) {
		r := formRequest(url.Values{"a": {a}, "k": {k}, "said": {said}, "sent": {sent}, "via": {via}, "note": {note}})
		p, err := s.readPress(r)
		if err != nil {
			return
		}
		if !p.Answer.Valid() || p.Ref == "" || len(p.Ref) > 70 || p.Said.After(noon) || len([]rune(p.Note)) > 1600 {
			t.Errorf("got %+v", p)
		}
	})
}

// The page of a text that has changed says so, asks again, and posts which text it
// shows; a page from before posts none, and an odd one is no answer to the newest.
func TestAnswerPostsTheVersionOfItsText(t *testing.T) {
	t.Parallel()
	h := newHouse()
	srv := newServer(t, h)
	if body := call(t, srv, "GET", "/r/"+goodToken, "").Body.String(); strings.Contains(body, `name="v"`) || strings.Contains(body, "Berubah") {
		t.Error("the first text has a version on its page")
	}
	h.page.Version, h.page.RevisedAt, h.page.Changed = 2, noon, "Pakai gerbang barat."
	h.page.Earlier, h.page.EarlierAt, h.page.Before = announcement.Safe, noon, announcement.Text{Body: "Pakai gerbang timur."}
	body := call(t, srv, "GET", "/r/"+goodToken, "").Body.String()
	for _, want := range []string{`name="v" value="2"`, "Berubah", "Pakai gerbang barat.", "Anda menjawab aman", "jawab lagi", "Pakai gerbang timur.", `data-seen="2"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, form := range []string{"a=1&k=c1&v=2", "a=1&k=c2", "a=1&k=c3&v=x"} {
		call(t, srv, "POST", "/r/"+goodToken, form)
	}
	got := []int{}
	for _, p := range h.presses {
		got = append(got, p.Version)
	}
	if len(got) != 3 || got[0] != 2 || got[1] != 0 || got[2] != 0 {
		t.Errorf("got answers to versions %v, want 2, none and none", got)
	}
}

// Another's word does not end a call for help, and whoever gave it is told so.
func TestAMarkOfWhoNeedsHelpSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	h := newHouse()
	for _, r := range h.recipients() {
		want := "marked"
		if r.State == announcement.NeedsHelp {
			want = "marked-help"
		}
		w := call(t, newServer(t, h), "POST", "/t/"+goodToken+"/mark", "a=1&how=saw&n="+strconv.Itoa(r.Index))
		if got := w.Header().Get("Location"); w.Code != 303 || !strings.HasSuffix(got, "done="+want) {
			t.Errorf("%s: %d to %s, want done=%s", r.State, w.Code, got, want)
		}
	}
}
