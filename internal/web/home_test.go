package web

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

// deaf is a house whose alerts cannot be listed, and which counts how often
// everybody was looked at.
type deaf struct {
	*house
	looked int
}

func (d *deaf) Boards(Principal) Boards { return d }

func (d *deaf) List(context.Context) ([]Summary, error) { return nil, errors.New("the store is gone") }
func (d *deaf) Readiness(ctx context.Context) Readiness {
	d.looked++
	return d.house.Readiness(ctx)
}

func TestPartOfTheFirstPageFailsAlone(t *testing.T) {
	t.Parallel()
	h := &deaf{house: newHouse()}
	h.open = true
	h.countdown = Countdown{ID: "c1", Status: announcement.StatusCountdown, People: 1248, By: "Rina", Left: 7, Draft: Draft{Mode: announcement.Live}}
	h.saved = []SavedDraft{{ID: "d1", Draft: Draft{Mode: announcement.Drill, Template: "fire"}, At: noon}}
	srv := newServerOf(t, h)
	page := call(t, srv, "GET", "/?lang=en", "")
	for _, want := range []string{"The alerts cannot be listed now.", `href="/new"`, `action="/alerts/c1/cancel"`, "Texts that ask for help: 1", "/new?draft=d1", "Readiness"} {
		if page.Code != 200 || !strings.Contains(page.Body.String(), want) {
			t.Errorf("got %d without %q: %s", page.Code, want, page.Body)
		}
	}
}

// What renews itself every few seconds, for everybody who has the page open, must
// not look at 50,000 people.
func TestFirstPageRenewsWithoutLookingAtEverybody(t *testing.T) {
	t.Parallel()
	h := &deaf{house: newHouse()}
	h.open = true
	srv := newServerOf(t, h)
	part := call(t, srv, "GET", "/now?lang=en", "").Body.String()
	for _, id := range []string{"down", "waiting", "coming", "open"} {
		if !strings.Contains(part, `id="`+id+`"`) {
			t.Errorf("%s does not renew: %s", id, part)
		}
	}
	if strings.Contains(part, "<html") || h.looked != 0 {
		t.Errorf("looked at everybody %d times", h.looked)
	}
	call(t, srv, "GET", "/?lang=en", "")
	if h.looked != 1 {
		t.Errorf("the whole page looked %d times, so that this test sees nothing", h.looked)
	}
}

// Nothing open is said to be calm only while nothing is about to be sent, and a
// heading has something below it.
func TestFirstPageHasNoHeadingOfNothing(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open, h.page.Status = true, announcement.StatusClosed
	h.countdown = Countdown{ID: "c1", Status: announcement.StatusCountdown, People: 12, By: "Rina", Left: 7, Draft: Draft{Mode: announcement.Live}}
	part := call(t, newServerOf(t, h), "GET", "/now?lang=en", "").Body.String()
	if !strings.Contains(part, "About to be sent") || strings.Contains(part, "Open alerts") || strings.Contains(part, "All is calm") {
		t.Errorf("got %s, want the countdown alone", part)
	}
}

// numberless is a house in which SMS failed only for want of a number.
type numberless struct{ *house }

func (n *numberless) Boards(Principal) Boards { return n }

func (n *numberless) Pulse(ctx context.Context, id announcement.ID, after int, rows []int) (Pulse, error) {
	p, err := n.house.Pulse(ctx, id, after, rows)
	p.Summary.Deliveries = map[announcement.Channel]DeliveryCounts{announcement.SMS: {Recipients: 18, Failed: 18, Failures: map[string]int{"no_contact_point": 18}}}
	return p, err
}

// Whoever has no number may have a device: why the SMS failed says nothing of it,
// and sending it again would call nobody.
func TestWhatFailedForWantOfANumberIsNotOfferedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServerOf(t, &numberless{h})
	board := call(t, srv, "GET", "/alerts/a1?lang=en", "").Body.String()
	if !strings.Contains(board, "18 failed: no mobile number") || strings.Contains(board, "/resend") {
		t.Errorf("got %s, want that there is no number, nothing of devices, and no button", board)
	}
	if board := call(t, newServerOf(t, h), "GET", "/alerts/a1?lang=en", "").Body.String(); !strings.Contains(board, "/alerts/a1/resend") {
		t.Errorf("got %s, want a button for what can be mended", board)
	}
}

// A manager in a car park opens the link of an hour ago: that it was a mistake stands
// in the first line, in another colour, and nothing asks them to answer.
func TestTeamOfAnAlertSentInErrorDoesNotLookReal(t *testing.T) {
	t.Parallel()
	for as, want := range map[announcement.ClosedAs]string{announcement.AsCorrected: "SENT IN ERROR: ", announcement.AsAllClear: "ALL CLEAR: ", announcement.AsExpired: "CLOSED: "} {
		c := openCompany(t)
		c.team.Answered = false
		c.end(as)
		page := call(t, newServerOf(t, c), "GET", "/t/"+goodToken+"?lang=en", "").Body.String()
		if !strings.Contains(page, "</svg> "+want) || strings.Contains(page, "sev sev-extreme") {
			t.Errorf("%s: got %s, want %q in a calm band", as, page, want)
		}
		if asks := strings.Contains(page, "Answer for yourself first"); asks != (as != announcement.AsCorrected) {
			t.Errorf("%s: asks to answer: %v", as, asks)
		}
	}
}

// Whoever comes with an old invitation hears what to do, in the same words as
// whoever tries one out.
func TestInvitationThatIsOverSaysWhoHelps(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	w := call(t, newServerOf(t, h), "GET", "/welcome/NOSUCHINVITATION?lang=en", "")
	if w.Code != 404 || !strings.Contains(w.Body.String(), "Ask whoever invited you for a new one") {
		t.Errorf("got %d %s, want 404 and what to do", w.Code, w.Body)
	}
}

// A phone that is not connected may be connected by employee number: HR's link is
// not the only way.
func TestPhoneThatIsNotConnectedIsShownTheOtherWay(t *testing.T) {
	t.Parallel()
	w := call(t, newServerOf(t, newHouse()), "GET", "/me?lang=en", "")
	if w.Code != 401 || !strings.Contains(w.Body.String(), `href="/j"`) {
		t.Errorf("got %d %s, want 401 and a way on", w.Code, w.Body)
	}
	if w := call(t, newServerOf(t, newHouse()), "GET", "/r/nosuchtoken?lang=en", ""); strings.Contains(w.Body.String(), `href="/j"`) {
		t.Errorf("got %s, want nothing of connecting where a link is not known", w.Body)
	}
}

// ended is a house whose alert is closed, while somebody in it still calls for help.
type ended struct {
	*house
	mode announcement.Mode
	at   time.Time
}

func (e ended) Boards(Principal) Boards { return e }

func (e ended) List(context.Context) ([]Summary, error) {
	s := e.summary()
	s.Mode, s.Status, s.ClosedAt, s.Counts.NeedHelp = e.mode, announcement.StatusClosed, &e.at, 1
	return []Summary{s}, nil
}

func (e ended) Recipients(context.Context, announcement.ID, RecipientFilter) (RecipientPage, error) {
	return RecipientPage{Total: 1, Recipients: []Recipient{{State: announcement.NeedsHelp}}}, nil
}

// A drill calls nobody's help, and what nobody took up for a week is not news.
func TestCallsForHelpOfAClosedAlertAreNoCalm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode announcement.Mode
		ago  time.Duration
		left bool
	}{{announcement.Live, time.Hour, true}, {announcement.Drill, time.Hour, false}, {announcement.Live, 8 * 24 * time.Hour, false}} {
		h := ended{newHouse(), c.mode, noon.Add(-c.ago)}
		h.open = true
		page := call(t, newServerOf(t, h), "GET", "/?lang=en", "").Body.String()
		if strings.Contains(page, "1 call for help is open and nobody handles it.") != c.left || strings.Contains(page, "All is calm") == c.left {
			t.Errorf("%s, %s ago: the first page says %s", c.mode, c.ago, page)
		}
	}
}
