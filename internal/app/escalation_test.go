package app

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// The crew of most stories. Dewi and the chief have nobody above them, so they
// are the duty list.
const crew = "chief, dewi, budi manager:chief, siti manager:budi, agus manager:budi"

// Whoever of KENTONGAN_DUTY has left keeps neither the service from starting nor the
// others from being on duty.
func TestDutyPersonWhoLeftStopsNoStart(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief", func(h *rehearsal) {
		start := func(duty string) error { h.house.config.Duty = duty; return h.house.openPeople(h.t.Context()) }
		h.Leaves("siti")
		for _, duty := range []string{"siti,agus", "siti"} { // of whom nobody is left, the list of before counts
			if err := start(duty); err != nil {
				t.Errorf("%s: %v", duty, err)
			}
			if got := h.house.directory.DutyNumbers(); len(got) != 1 || got[0] != "agus" {
				t.Errorf("%s: on duty are %v, want agus", duty, got)
			}
		}
		if err := start("agus,nobody"); err == nil {
			t.Error("a number that nobody ever had was taken")
		}
	})
}

func TestHelpGoesToManagerAndDutyAtOnce(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").ExpectSMS("Fire in hall 3", "1=safe 2=need help")
		h.Phone("agus").ExpectSMS("Fire in hall 3")

		h.Phone("siti").Reply("2")
		h.Phone("siti").ExpectSMS("HELP request recorded")
		for _, responder := range []string{"budi", "dewi", "chief"} {
			h.Phone(responder).ExpectSMS("siti NEEDS HELP")
		}
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectReason(fire, "asked_for_help")

		h.After(time.Minute)
		h.Phone("siti").Reply("2 behind the crane") // again: nobody is called twice for it
		h.Phone("siti").ExpectSMS("HELP request recorded")
		h.NothingElse()
		h.ExpectOpen(fire)
	})
}

func TestSilentManagerIsCalledAndSoIsTheNextOneUp(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "budi"), steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("agus").Tap(announcement.Safe)
		for _, name := range []string{"siti", "agus", "budi"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		h.After(4 * time.Minute)
		h.NothingElse()

		h.After(time.Minute)
		h.Phone("budi").ExpectSMS("1 of your team has not answered")
		h.Phone("chief").ExpectSMS("2 of your team have not answered") // siti, and budi himself
		h.ExpectReason(fire, "manager_outstanding")
		h.NothingElse()
	})
}

func TestManagerWhoLeftIsPassedBy(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"), steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Leaves("budi")
		h.After(5 * time.Minute)
		h.Phone("chief").ExpectSMS("1 of your team has not answered")
		h.ExpectReason(fire, "manager_left")
		h.NothingElse()
	})
}

func TestWhoLeftIsNoLongerAsked(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("agus").Tap(announcement.Safe)
		h.Leaves("siti")
		h.After(time.Minute)
		h.ExpectClosed(fire, announcement.AsAccounted)
		h.ExpectReason(fire, "left_the_company")
		if c := h.summary(fire).Counts; c.Recipients != 1 || c.Confirmed != 1 || c.Excused != 1 {
			t.Errorf("got %+v, want one recipient, confirmed, and one excused", c)
		}
		h.After(time.Hour)
		h.NothingElse()
	})
}

func TestLateAnswerIsRecordedAndThanked(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("agus").Tap(announcement.Safe)
		h.Close(fire, announcement.AsAllClear)
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("siti").ExpectSMS("ALL CLEAR")
		h.ExpectClosed(fire, announcement.AsAllClear)

		h.After(20 * time.Minute)
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Your answer is recorded. The alert closed at")
		h.ExpectState(fire, "siti", announcement.Confirmed)
		if r := h.recipient(fire, "siti"); !r.Late {
			t.Error("the answer is not marked as late")
		}
		if r := h.recipient(fire, "agus"); r.Late {
			t.Error("the answer in time is marked as late")
		}
		h.ExpectClosed(fire, announcement.AsAllClear)
	})
}

func TestTwoOpenAnnouncements(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		flood := h.Announce("Flood at the gate", to("siti"))
		siti := h.Phone("siti")
		siti.ExpectSMS("Fire in hall 3", "1=safe")
		siti.ExpectSMS("Flood at the gate", "1B=safe 2B=need help")

		siti.Reply("1") // of which? It marks nobody safe.
		siti.ExpectSMS("2 alerts are open", "1A=safe", "A Fire in hall 3", "B Flood at the gate")
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.ExpectState(flood, "siti", announcement.HasOpened) // seen, the newest

		h.After(time.Minute)
		siti.Reply("1a")
		siti.ExpectSMS("SAFE recorded: Fire in hall 3", "Still open: B Flood at the gate", "1B=safe 2B=need help")
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.ExpectState(flood, "siti", announcement.HasOpened)

		h.Close(flood, announcement.AsAllClear)
		siti.ExpectSMS("ALL CLEAR")
		h.After(time.Minute)
		siti.Reply("1b") // too late, and still heard
		siti.ExpectSMS("Your answer is recorded. The alert closed at")
		h.ExpectState(flood, "siti", announcement.Confirmed)
	})
}

// TestLettersBelongToTheReader: what is open for others is nothing to her.
func TestLettersBelongToTheReader(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.Announce("Leak in the lab", to("agus"))
		h.Announce("Power is off", to("agus"))
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		siti, agus := h.Phone("siti"), h.Phone("agus")
		siti.ExpectSMS("Fire in hall 3", "1=safe 2=need help")
		agus.ExpectSMS("Fire in hall 3", "1C=safe 2C=need help")
		flood := h.Announce("Flood at the gate", to("siti"))
		siti.ExpectSMS("Flood at the gate", "1B=safe 2B=need help")
		siti.Reply("2b")
		siti.ExpectSMS("HELP request recorded")
		h.ExpectState(flood, "siti", announcement.NeedsHelp)
		h.ExpectState(fire, "siti", announcement.NoAnswer)

		h.ExpectClosed(flood, announcement.AsAccounted)
		h.Announce("Smoke in hall 5", to("siti"))
		siti.ExpectSMS("Smoke in hall 5", "1C=safe") // B still means the flood
	})
}

func TestHelpCountsForEveryOpenAnnouncement(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		flood := h.Announce("Flood at the gate", to("siti"))
		h.Phone("siti").Reply("2")
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(flood, "siti", announcement.NeedsHelp)
		h.Phone("budi").ExpectSMS("siti NEEDS HELP", "Fire in hall 3")
		h.Phone("budi").ExpectSMS("siti NEEDS HELP", "Flood at the gate")
	})
}

func TestTwoPeopleShareANumber(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief mobile:siti", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		phone := h.Phone("siti")
		first := h.house.desk.given(h.rosterOf(fire)[0])
		second := h.house.desk.given(h.rosterOf(fire)[1])
		phone.ExpectSMS("Fire in hall 3", "1A="+first+" safe 2A=need help")
		phone.ExpectSMS("Fire in hall 3", "1B="+second+" safe 2B=need help")

		phone.Reply("1") // who? It marks nobody safe.
		phone.ExpectSMS("2 people use this number", "1A="+first+", 1B="+second)
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.ExpectState(fire, "agus", announcement.NoAnswer)

		h.After(time.Minute)
		phone.Reply("2") // for both: rather one too many
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(fire, "agus", announcement.NeedsHelp)
		phone.ExpectSMS("HELP request recorded")
		h.Phone("chief").ExpectSMS("siti NEEDS HELP")
		h.Phone("chief").ExpectSMS("agus NEEDS HELP")
	})
}

func TestCheck53HelpIsHeardAfterStop(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		siti := h.Phone("siti")
		siti.ExpectSMS("Fire in hall 3")
		siti.Reply("STOP")
		h.ExpectState(fire, "siti", announcement.NoAnswer) // STOP confirms nobody
		h.After(time.Minute)
		siti.Reply("2")
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.Phone("budi").ExpectSMS("siti NEEDS HELP")
		board := h.clerk().get("/alerts/" + string(fire))
		if help := between(board, `id="help"`, "</section>"); !strings.Contains(help, "siti") {
			t.Errorf("the help queue of the board does not name her: %s", help)
		}
		h.After(20 * time.Minute)
		siti.ExpectNothing() // after STOP only START is answered
	})
}

func TestDoubleTapIsOneAnswer(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, siti push manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "chief"))
		token := h.Phone("siti").unread()[0].Token
		press := url.Values{"a": {"1"}, "k": {"one-press"}, "via": {"push"}}.Encode()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				r, _ := http.NewRequestWithContext(h.t.Context(), http.MethodPost, rehearsalURL+"/r/"+token, strings.NewReader(press))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if res, err := h.api.HTTP.Do(r); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("the press was not thanked for: %v", err)
				}
			})
		}
		both.Wait()
		first := h.recipient(fire, "siti").AnsweredAt
		h.After(time.Minute)
		h.Phone("siti").Tap(announcement.Safe) // a third time, a minute later
		if r := h.recipient(fire, "siti"); r.State != announcement.Confirmed || !r.AnsweredAt.Equal(*first) {
			t.Errorf("got %s, answered at %s; want confirmed at %s", r.State, r.AnsweredAt, first)
		}
		if c := h.summary(fire).Counts; c.Confirmed != 1 || c.NoAnswer != 1 {
			t.Errorf("got %+v, want one confirmed and one without answer", c)
		}
	})
}

func TestChangedAnswerBecomesTheState(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, budi push manager:chief, siti push manager:budi", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "budi"))
		h.Phone("siti").Tap(announcement.Safe)
		first := h.recipient(fire, "siti").AnsweredAt
		h.After(10 * time.Minute)
		h.Phone("siti").Tap(announcement.NeedHelp)
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.Phone("budi").ExpectPush("siti NEEDS HELP")
		if r := h.recipient(fire, "siti"); !r.AnsweredAt.Equal(*first) {
			t.Errorf("the time of the first answer is %s, want %s kept", r.AnsweredAt, first)
		}
		h.After(time.Minute)
		h.Phone("siti").Tap(announcement.Safe)
		h.ExpectState(fire, "siti", announcement.Confirmed)
	})
}

func TestCorrectionGoesToExactlyThoseWhoWereCalled(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "21211", Share: 0.5}, nil)
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{}, nil)
		called, missed := "siti", "agus"
		if len(h.Phone("siti").unread()) == 0 {
			called, missed = missed, called
		}
		h.Phone(called).ExpectSMS("Fire in hall 3")
		h.Phone(missed).ExpectNothing()
		h.Phone(called).Reply("1")
		h.Phone(called).ExpectSMS("Recorded SAFE")
		h.Close(fire, announcement.AsCorrected)
		h.Phone(called).ExpectSMS("SENT IN ERROR", "NO danger") // answered or not: they were alarmed
		h.ExpectClosed(fire, announcement.AsCorrected)
		h.After(time.Hour)
		h.NothingElse()
	})
}

// TestWhoWasCalledAboutOthersHearsHowItGoesOn follows managers and the duty list,
// who are outside the audience: an update, then the word that it was an error.
func TestWhoWasCalledAboutOthersHearsHowItGoesOn(t *testing.T) {
	t.Parallel()
	rehearse(t, crew+", wati, joko manager:wati", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "joko"), steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		for _, name := range []string{"siti", "agus", "joko"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		h.Phone("joko").Reply("1")
		h.Phone("joko").ExpectSMS("Recorded SAFE")
		h.Phone("siti").Reply("2")
		h.Phone("siti").ExpectSMS("HELP request recorded")
		for _, name := range []string{"budi", "dewi", "chief", "wati"} { // wati is on the duty list too
			h.Phone(name).ExpectSMS("siti NEEDS HELP")
		}
		h.After(5 * time.Minute)
		h.Phone("budi").ExpectSMS("1 of your team has not answered")
		h.NothingElse()

		told := []string{"siti", "agus", "joko", "budi", "dewi", "chief", "wati"}
		words := map[announcement.Language]string{"en": "Gate 2 is closed."}
		act, err := h.house.desk.Act(h.t.Context(), fire, announcement.SayUpdate, words)
		if n, sent := h.house.desk.Update(h.t.Context(), hr, fire, words); err != nil || sent != nil || n != len(told) || act.People != len(told) {
			t.Errorf("got %d people, %v, and before %d, %v; want %d", n, sent, act.People, err, len(told))
		}
		h.settle()
		for _, name := range told {
			h.Phone(name).ExpectSMS("UPDATE", "Gate 2 is closed.")
		}
		h.NothingElse()

		h.Close(fire, announcement.AsCorrected)
		for _, name := range told {
			h.Phone(name).ExpectSMS("SENT IN ERROR", "NO danger")
		}
		h.ExpectReason(fire, "called_before")
		h.After(time.Hour)
		h.NothingElse()
	})
}

// TestFalseAlarmIsCorrectedWhileItStillGoesOut: when the sender sees the error,
// the provider has the alarm in hand and has not said yet that it took it.
func TestFalseAlarmIsCorrectedWhileItStillGoesOut(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Answer: announcement.Duration(8 * time.Second)}, nil)
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Close(fire, announcement.AsCorrected)
		h.After(2 * time.Minute)
		for _, name := range []string{"siti", "agus"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
			h.Phone(name).ExpectSMS("SENT IN ERROR", "NO danger")
		}
		h.NothingElse()
	})
}

// TestWhoCouldNotBeCalledIsNotTold lets the digest to a manager fail: what they
// never heard of needs no all clear.
func TestWhoCouldNotBeCalledIsNotTold(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"), steps(time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "21211", Share: 1}, nil)
		h.After(5 * time.Minute)
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{}, nil)
		h.Close(fire, announcement.AsAllClear)
		h.Phone("siti").ExpectSMS("ALL CLEAR")
		h.After(time.Hour)
		h.NothingElse()
	})
}

// TestTwoPeopleShareANumberInTwoAlerts: a letter is one person in one alert, so
// that "1B" can never be another person's alert B.
func TestTwoPeopleShareANumberInTwoAlerts(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief mobile:siti", func(h *rehearsal) {
		phone := h.Phone("siti")
		fire := h.Announce("Fire in hall 3", to("siti"))
		phone.ExpectSMS("Fire in hall 3", "1A=siti safe")
		flood := h.Announce("Flood at the gate", to("siti", "agus"))
		first := h.house.desk.given(h.rosterOf(flood)[0])
		phone.ExpectSMS("Flood at the gate", "1B="+first+" safe")
		phone.ExpectSMS("Flood at the gate", "1C=")
		phone.Reply("1b")
		phone.ExpectSMS("Recorded SAFE")
		h.ExpectState(flood, first, announcement.Confirmed)
		other := map[string]string{"siti": "agus", "agus": "siti"}[first]
		h.ExpectState(flood, other, announcement.NoAnswer)
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.After(time.Minute)
		phone.Reply("1")
		phone.ExpectSMS("2 people use this number", "1A=siti (Fire in hall 3)", "1C="+other)
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.After(time.Minute)
		phone.Reply("1a")
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.ExpectState(flood, other, announcement.NoAnswer)
	})
}

// rosterOf returns the recipients in the order of their numbers.
func (h *rehearsal) rosterOf(id announcement.ID) []announcement.PersonID {
	h.t.Helper()
	v, ok := h.house.tracker.View(id)
	if !ok {
		h.t.Fatal("no such announcement")
	}
	var out []announcement.PersonID
	for _, r := range v.Roster.Recipients {
		out = append(out, r.Person)
	}
	return out
}

// TestPhonesOfThoseWhoHideStayQuiet tells the first half hour with an armed person
// in the building. Budi is there too; the chief is not.
func TestPhonesOfThoseWhoHideStayQuiet(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, budi push manager:chief, siti push manager:budi, agus push manager:budi", func(h *rehearsal) {
		armed := h.Announce("", to("siti", "agus", "budi"), func(d *web.Draft) {
			d.Text, d.Template, d.Fields = nil, "active_threat", map[string]string{"site": "Harbour"}
		})
		silent := func(name string, want bool, words ...string) {
			t.Helper()
			for _, e := range h.Phone(name).unread() {
				if e.Channel != "webpush" || !strings.Contains(e.Title+e.Text, words[0]) {
					continue
				}
				if e.Silent != want {
					t.Errorf("%s: %q makes a sound: %v, want %v", name, e.Title, !e.Silent, !want)
				}
				h.read[e.Seq] = true
				return
			}
			t.Errorf("%s got no push with %q", name, words)
		}
		for _, name := range []string{"siti", "agus", "budi"} {
			silent(name, false, "ARMED PERSON")
			h.Phone(name).ExpectSMS("ARMED PERSON")
		}
		silent("budi", true, "have not answered") // the list, at once
		h.Phone("budi").ExpectSMS("have not answered")
		silent("chief", false, "have not answered") // budi has not answered himself
		h.Phone("chief").ExpectSMS("have not answered")
		h.Phone("chief").ExpectPush("sent: Armed person")
		h.After(29 * time.Minute)
		h.NothingElse()

		h.Phone("siti").Tap(announcement.NeedHelp)
		silent("budi", true, "siti NEEDS HELP")
		silent("chief", false, "siti NEEDS HELP")
		h.After(time.Minute)
		silent("agus", true, "We have no answer from you")
		h.Close(armed, announcement.AsAllClear)
		silent("agus", false, "ALL CLEAR")
	})
}

// TestWhoWasToldThatItWasSentHearsThatItWasAnError: a colleague of the sender is
// about to correct it too.
func TestWhoWasToldThatItWasSentHearsThatItWasAnError(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, siti manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		chief := h.Phone("chief")
		chief.ExpectPush("sent: Fire in hall 3")
		if act, err := h.house.desk.Act(h.t.Context(), fire, announcement.SayCorrection, nil); err != nil || act.People != 2 {
			t.Errorf("the page says that %d people would be told, %v; want 2", act.People, err)
		}
		h.Close(fire, announcement.AsCorrected)
		chief.ExpectPush("SENT IN ERROR")
		chief.ExpectSMS("SENT IN ERROR")
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("siti").ExpectSMS("SENT IN ERROR")
		h.NothingElse()
	})
}

func TestReminderSparesThoseWhoAnswered(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Tap(announcement.Safe)
		h.After(3 * time.Minute)
		h.Phone("agus").ExpectSMS("We have no answer from you")
		h.Phone("agus").Tap(announcement.NotOnSite)
		h.After(time.Hour)
		h.NothingElse()
	})
}

func TestExpiresWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(30*time.Minute, step(10*time.Minute, announcement.CallDuty)))
		h.After(29 * time.Minute)
		h.ExpectOpen(fire)
		h.After(time.Minute)
		h.ExpectClosed(fire, announcement.AsExpired)
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.Phone("dewi").ExpectSMS("2 of your team have not answered")
	})
}

func TestDrillSaysSoInEveryMessage(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, dewi lang:id, budi manager:chief lang:id, siti manager:budi, agus push manager:budi lang:id", func(h *rehearsal) {
		drill := h.Announce("Fire in hall 3", to("siti", "agus", "budi"), asDrill)
		h.Phone("siti").Reply("2")
		h.After(time.Minute)
		h.Phone("siti").Reply("1")
		h.After(15 * time.Minute) // reminders, managers, duty
		h.Phone("budi").Reply("3")
		h.Close(drill, announcement.AsAllClear)
		h.Phone("budi").Reply("aman")
		var all []sandbox.Entry
		h.beyond(http.MethodGet, "/sandbox/log", nil, &all)
		if len(all) < 25 {
			t.Errorf("only %d messages came; the story should have every kind", len(all))
		}
		for _, e := range all {
			if text := e.Title + " " + e.Text; !strings.Contains(text, "DRILL") && !strings.Contains(text, "LATIHAN") {
				t.Errorf("%s by %s does not say that it is a drill: %s", e.Phone, e.Channel, text)
			}
		}
	})
}
