package app

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// hr is who presses the buttons of the console in a story.
var hr = web.Principal{Actor: announcement.ByConsole, Name: "hr", Grant: web.As(web.Sender)}

// Prepare confirms an announcement on the console: it goes out after the countdown.
func (h *rehearsal) Prepare(title, key string, choices ...choice) announcement.ID {
	h.t.Helper()
	id, err := h.house.desk.Prepare(h.t.Context(), hr, h.draft(title, choices...), key)
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestCheck27CancelInTheCountdownCallsNobody(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.house.config.Countdown = 10 * time.Second
		id := h.Prepare("Fire in hall 3", "form-1")
		if again := h.Prepare("Fire in hall 3", "form-1"); again != id {
			t.Errorf("pressed twice: got %s and %s, want one", id, again)
		}
		h.After(7 * time.Second) // two of the ten are left with the time it takes to settle
		c, err := h.house.desk.Countdown(h.t.Context(), id)
		if err != nil || c.Status != announcement.StatusCountdown || c.Left <= 0 || c.People != 5 {
			t.Fatalf("got %+v, %v, want a countdown to 5 people", c, err)
		}
		h.NothingElse()
		if err := h.house.desk.Cancel(h.t.Context(), hr, id); err != nil {
			t.Fatal(err)
		}
		h.After(time.Hour)
		h.NothingElse()
		c, _ = h.house.desk.Countdown(h.t.Context(), id)
		if c.Status != announcement.StatusDraft || c.CancelledBy == "" || c.Draft.Text[announcement.English].Title != "Fire in hall 3" {
			t.Errorf("got %+v, want a draft that says who cancelled it", c)
		}
	})
}

// A node may learn later of the one than of the other when a countdown that
// ended long ago is forgotten.
func TestCancelledCountdownStaysCancelledWhenItIsForgotten(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, crew, func(h *rehearsal) {
		h.house.config.Countdown = 10 * time.Second
		id := h.Prepare("Fire in hall 3", "form-1")
		kept, err := h.house.vault.Get(h.t.Context(), preparedKey+string(id))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.house.desk.Cancel(h.t.Context(), hr, id); err != nil {
			t.Fatal(err)
		}
		h.After(25 * time.Hour)
		h.house.desk.countdowns.learn(preparedKey+string(id), kept)
		h.After(time.Minute)
		h.NothingElse()
	})
}

func TestCountdownEndsByItself(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.house.config.Countdown = 5 * time.Second
		id := h.Prepare("Fire in hall 3", "form-1", to("siti"))
		h.After(2 * time.Second)
		h.NothingElse()
		h.After(4 * time.Second)
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.ExpectOpen(id)
		if err := h.house.desk.Cancel(h.t.Context(), hr, id); !errors.Is(err, web.ErrClosed) {
			t.Errorf("cancel too late: got %v, want closed", err)
		}
		h.After(time.Minute)
		h.NothingElse() // once
	})
}

func TestUpdateReachesThoseWhoWereCalled(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		n, err := h.house.desk.Update(h.t.Context(), hr, fire, map[announcement.Language]string{"en": "Use the west gate.", "id": "Pakai gerbang barat."})
		if err != nil || n != 2 {
			t.Fatalf("got %d, %v, want two people told", n, err)
		}
		h.settle()
		h.Phone("siti").ExpectSMS("UPDATE Fire in hall 3", "Use the west gate.")
		h.Phone("agus").ExpectSMS("UPDATE Fire in hall 3", "Use the west gate.")
		if _, err := h.house.desk.Update(h.t.Context(), hr, fire, map[announcement.Language]string{"en": "Use the west gate.", "id": "Pakai gerbang barat."}); err != nil {
			t.Errorf("pressed twice: got %v", err)
		}
		h.settle()
		h.NothingElse() // once
		if _, err := h.house.desk.Update(h.t.Context(), hr, fire, map[announcement.Language]string{"en": " "}); err == nil {
			t.Error("an update without words was sent")
		}
	})
}

func TestEscalateNowTakesTheNextStep(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		if n, err := h.house.desk.Escalate(h.t.Context(), hr, fire, 0); err != nil || n != 1 {
			t.Fatalf("got %d, %v, want one manager called", n, err)
		}
		h.settle()
		h.Phone("budi").ExpectSMS("1 of your team has not answered")
		h.ExpectReason(fire, "escalated_by_hand")
		h.After(5*time.Minute + 10*time.Second) // when that step would have come by itself
		h.Phone("siti").ExpectSMS("We have no answer from you")
		h.NothingElse()
	})
}

func TestActSaysWhatItWouldDo(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.house.config.SMSPrice, h.house.config.Currency = 350, "Rp"
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		act := func(kind announcement.MessageKind, words map[announcement.Language]string) web.Act {
			t.Helper()
			a, err := h.house.desk.Act(h.t.Context(), fire, kind, words)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		if a := act(announcement.SayCorrection, nil); a.People != 2 || a.Cost != "Rp 700" || !strings.Contains(a.SMS["en"].Text, "SENT IN ERROR") {
			t.Errorf("correct: got %+v, want both of them told for Rp 700", a)
		}
		if a := act(announcement.SayUpdate, map[announcement.Language]string{"en": "Use the west gate."}); a.People != 2 || !strings.Contains(a.SMS["en"].Text, "Use the west gate.") {
			t.Errorf("update: got %+v, want the words for both", a)
		}
		if a := act(announcement.SayDigest, nil); a.People != 1 || len(a.Who) != 1 || !strings.HasPrefix(a.Who[0].Name, "budi") {
			t.Errorf("escalate: got %+v, want their manager", a)
		}
		if a := act(announcement.SayReminder, nil); a.People != 1 || !a.Next.IsZero() {
			t.Errorf("remind: got %+v, want one without an answer, now", a)
		}
		h.NothingElse() // nothing was done
		if _, err := h.house.desk.Remind(h.t.Context(), hr, fire, "again"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.Phone("agus").ExpectSMS("We have no answer from you")
		if a := act(announcement.SayReminder, nil); a.Next.Sub(a.Last) != remindAllEvery {
			t.Errorf("remind again: got %+v, want it to say when", a)
		}
	})
}

func TestCountSMSTakesTheLongestSite(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		count := func(fields map[string]string) web.SMSCount {
			t.Helper()
			counts, err := h.house.desk.CountSMS(h.t.Context(), web.Draft{Mode: announcement.Live, Template: "fire", Fields: fields})
			if err != nil || len(counts) != 2 {
				t.Fatalf("got %v, %v, want both languages", counts, err)
			}
			return counts[announcement.English]
		}
		empty := count(nil)
		longest := h.house.desk.longestSite()
		if empty.Longest != longest || !strings.Contains(empty.Text, longest) || empty.Over != 0 {
			t.Errorf("got %+v, want it counted with %q", empty, longest)
		}
		long := count(map[string]string{"site": "Kantor", "muster": strings.Repeat("L", 80)})
		if long.Over == 0 || long.Over != long.Units-160 || long.Longest != "" || !strings.Contains(long.Text, strings.Repeat("L", 80)) {
			t.Errorf("got %+v, want it whole and too long", long)
		}
		if odd := count(map[string]string{"muster": "“B” 5€"}); len(odd.Awkward) != 3 {
			t.Errorf("got %+v, want three awkward characters", odd)
		}
	})
}

func TestAllClearThatKeepsAsking(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		if err := h.house.desk.AllClear(h.t.Context(), hr, fire, true, "fire is out"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.Phone("siti").ExpectSMS("ALL CLEAR")
		h.Phone("agus").ExpectSMS("ALL CLEAR")
		h.ExpectOpen(fire)
		h.After(3*time.Minute + 10*time.Second)
		h.Phone("agus").ExpectSMS("We have no answer from you")
		h.Phone("agus").Reply("1")
		h.Phone("agus").ExpectSMS("Recorded SAFE")
		h.After(time.Minute)
		h.ExpectClosed(fire, announcement.AsAccounted)
		h.NothingElse() // the all clear is not said again
	})
}

func TestPreviewRaisesDoubts(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := func(names ...string) choice {
			return func(d *web.Draft) {
				d.Text, d.Template = nil, "fire"
				d.Fields = map[string]string{"site": "Harbour", "muster": "Lot B"}
				d.Audience = announcement.Audience{People: names}
			}
		}
		h.house.config.SMSPrice, h.house.config.Currency = 350, "Rp"
		first := h.Announce("", fire("siti"))
		p, err := h.house.desk.Preview(h.t.Context(), hr, h.draft("", fire("siti")))
		if err != nil || p.Repeats == nil || p.Repeats.ID != first || p.Repeats.Share != 100 || p.Usual != [2]int{1, 1} || p.Cost != "Rp 350" {
			t.Errorf("got %+v, %v, want a repetition to the same person for Rp 350", p, err)
		}
		for range failingAfter {
			h.house.desk.providers.note(announcement.SMS, announcement.Queued, "unauthorized")
		}
		p, err = h.house.desk.Preview(h.t.Context(), hr, h.draft("", fire("siti", "agus")))
		if err != nil || p.Hit[announcement.SMS] != (web.Hit{Nothing: 2}) || p.Failing[announcement.SMS] != "unauthorized" || p.Repeats != nil {
			t.Errorf("got %+v, %v, want two people whom only a failing SMS reaches", p, err)
		}
	})
}

func TestMoney(t *testing.T) {
	if got := []string{money("Rp", 416500), money("Rp", 350), money("Rp", 1000000)}; !slices.Equal(got, []string{"Rp 416.500", "Rp 350", "Rp 1.000.000"}) {
		t.Errorf("got %v", got)
	}
}
