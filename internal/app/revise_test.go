package app

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// another is the same announcement with another text.
func another(body string, changed string) web.Revision {
	r := web.Revision{Text: map[announcement.Language]announcement.Text{
		announcement.English: {Title: "Fire in hall 3", Body: body}, announcement.Indonesian: {Title: "Fire in hall 3", Body: body}}}
	if changed != "" {
		r.Material, r.Changed = true, map[announcement.Language]string{announcement.English: changed}
	}
	return r
}

// Revise presses the button of the page.
func (h *rehearsal) Revise(id announcement.ID, r web.Revision, told int) {
	h.t.Helper()
	n, err := h.house.desk.Revise(h.t.Context(), hr, id, r)
	if err != nil || n != told {
		h.t.Fatalf("got %d, %v, want %d told", n, err, told)
	}
	h.settle()
}

func TestMaterialChangeAsksAgain(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief push, siti manager:budi, agus manager:budi, dewi manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "budi", "dewi"), steps(24*time.Hour, step(5*time.Minute, announcement.CallManager)))
		for _, name := range []string{"siti", "agus", "budi", "dewi"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		h.Phone("budi").ExpectPush("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		h.Phone("budi").Tap(announcement.Safe)
		h.Phone("dewi").Reply("2")
		h.Phone("dewi").ExpectSMS("HELP")
		h.Phone("chief").ExpectSMS("dewi")
		h.After(4 * time.Minute)

		h.Revise(fire, another("Leave by the west gate.", "Use the west gate, not the east gate."), 5) // four, and chief who was called about dewi
		for _, name := range []string{"siti", "agus", "budi", "dewi"} {
			h.Phone(name).ExpectSMS("ANSWER AGAIN", "Use the west gate")
		}
		h.Phone("budi").ExpectPush("CHANGED: Fire in hall 3", "Use the west gate")
		h.Phone("chief").ExpectSMS("UPDATE", "Use the west gate")
		h.NothingElse()
		s := h.summary(fire)
		if s.Version != 2 || s.Changed["en"] != "Use the west gate, not the east gate." || s.Text["en"].Body != "Leave by the west gate." || s.Mode != announcement.Live ||
			s.Counts.NeedHelp != 1 || s.Counts.NoAnswer != 3 || s.Counts.Confirmed != 0 {
			t.Errorf("the board says %+v", s)
		}
		if r := h.recipient(fire, "siti"); r.State != announcement.NoAnswer || r.Earlier == nil || r.Earlier.State != announcement.Confirmed || r.Earlier.Version != 1 {
			t.Errorf("siti is %s, earlier %+v", r.State, r.Earlier)
		}
		h.ExpectState(fire, "dewi", announcement.NeedsHelp)
		page, err := h.house.desk.AnswerPage(h.t.Context(), h.house.links.answerToken(fire, h.recipient(fire, "siti").Index))
		if err != nil || page.Version != 2 || page.Earlier != announcement.Safe || page.Answer != 0 || page.Changed == "" || page.Before.Body != "Leave by the east gate." {
			t.Errorf("the page says %+v, %v", page, err)
		}

		h.After(time.Minute) // five minutes after the first text: that step is gone
		h.NothingElse()
		h.After(20 * time.Second) // and siti has had the time to read
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		h.Phone("budi").Tap(announcement.Safe) // the button of the new notification
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.ExpectState(fire, "budi", announcement.Confirmed)
		h.After(4 * time.Minute) // five minutes after the second
		h.Phone("budi").ExpectSMS("1 of your team has not answered")
		h.Phone("budi").ExpectPush("1")
		h.NothingElse()
		h.Phone("agus").Reply("1")
		h.Phone("agus").ExpectSMS("Recorded SAFE")
		h.ExpectClosed(fire, announcement.AsAccounted)
	})
}

// What was on its way when the text changed is an answer to the old one: by SMS, by the
// button of the old notification, on the old page. A call for help counts all the same.
func TestAnswersToTheOldTextAreNoneToTheNew(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief, dewi manager:chief, wati manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "dewi", "wati"), steps(24*time.Hour))
		for _, name := range []string{"siti", "agus", "dewi", "wati"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		desk, ctx := h.house.desk, h.t.Context()
		h.Revise(fire, another("Leave by the west gate.", "Use the west gate."), 4)
		for _, name := range []string{"siti", "agus", "dewi", "wati"} {
			h.Phone(name).ExpectSMS("ANSWER AGAIN")
		}
		h.Phone("siti").Reply("1") // two seconds after: nobody reads, and answers, so fast
		h.Phone("siti").ExpectSMS("Fire in hall 3 CHANGED: Use the west gate.", "Answer again: 1=safe 2=need help")
		if r := h.recipient(fire, "siti"); r.State != announcement.HasOpened || r.Earlier == nil || r.Earlier.Version != 1 {
			t.Errorf("siti is %s, earlier %+v, want her asked on", r.State, r.Earlier)
		}
		wati := h.house.links.answerToken(fire, h.recipient(fire, "wati").Index)
		if err := desk.Seen(ctx, wati, "", 1); err != nil { // her page was loaded before
			t.Fatal(err)
		}
		h.settle()
		h.ExpectState(fire, "wati", announcement.NoAnswer)
		if err := desk.Seen(ctx, wati, "", 2); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.ExpectState(fire, "wati", announcement.HasOpened)
		h.After(70 * time.Second)
		h.Phone("siti").Reply("1") // now she knows
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		h.ExpectState(fire, "siti", announcement.Confirmed)

		agus, dewi := h.house.links.answerToken(fire, h.recipient(fire, "agus").Index), h.house.links.answerToken(fire, h.recipient(fire, "dewi").Index)
		page, err := desk.Answer(ctx, agus, web.Press{Answer: announcement.Safe, Ref: "old-button", Via: announcement.ViaPush, Version: 1})
		if err != nil || page.Answer != 0 || page.Earlier != announcement.Safe || page.Version != 2 {
			t.Errorf("the old button: the page says %+v, %v, want it to ask again", page, err)
		}
		h.settle()
		h.ExpectState(fire, "agus", announcement.NoAnswer)
		if _, err := desk.Answer(ctx, dewi, web.Press{Answer: announcement.NeedHelp, Ref: "old-page"}); err != nil { // without a version: from before
			t.Fatal(err)
		}
		h.settle()
		h.ExpectState(fire, "dewi", announcement.NeedsHelp)
		h.Phone("chief").ExpectSMS("dewi")
		if _, err := desk.Answer(ctx, agus, web.Press{Answer: announcement.Safe, Ref: "new-page", Version: 2}); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.ExpectState(fire, "agus", announcement.Confirmed)
		if _, err := desk.Answer(ctx, agus, web.Press{Answer: announcement.NotOnSite, Ref: "ahead", Version: 99}); err != nil {
			t.Fatal(err)
		}
		h.settle()
		if r := h.recipient(fire, "agus"); r.State != announcement.OffSite || r.Version != 2 {
			t.Errorf("agus is %s of version %d", r.State, r.Version)
		}
		h.NothingElse()
		h.ExpectOpen(fire) // wati
	})
}

// A page of the new text may come from another node, before this one has heard of it.
func TestAnswerToAVersionThatAnotherNodeShowed(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("chief", "siti"), steps(24*time.Hour))
		siti := h.house.links.answerToken(fire, h.recipient(fire, "siti").Index)
		told := another("Leave by the west gate.", "Use the west gate.")
		_, err := h.house.ledger.Once(h.t.Context(), "revision-1", announcement.Fact{Announcement: fire, Kind: announcement.KindRevised, At: time.Now(), Actor: hr.Actor,
			Revised: &announcement.Revised{Version: 2, Material: true, Text: told.Text, Changed: told.Changed}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.house.desk.Answer(h.t.Context(), siti, web.Press{Answer: announcement.Safe, Ref: "at once", Version: 2}); err != nil {
			t.Fatal(err)
		}
		h.settle()
		h.ExpectState(fire, "siti", announcement.Confirmed)
	})
}

// A text that is no answer does not show that somebody has the new text before them:
// neither "seen", nor a digit about which they are asked.
func TestWhatIsNoAnswerIsNoSignOfTheNewText(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief", func(h *rehearsal) {
		h.Announce("Storm", to("agus"), steps(24*time.Hour))
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(24*time.Hour))
		for _, title := range []string{"Storm", "Fire in hall 3"} {
			h.Phone("agus").ExpectSMS(title)
		}
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Revise(fire, another("Leave by the west gate.", "Use the west gate."), 2)
		h.Phone("siti").ExpectSMS("ANSWER AGAIN")
		h.Phone("agus").ExpectSMS("ANSWER AGAIN")
		h.Phone("agus").Reply("1")
		h.Phone("agus").ExpectSMS("B Fire in hall 3")
		h.Phone("agus").Reply("1B") // still of the text that they had read
		if r := h.recipient(fire, "agus"); r.State == announcement.Confirmed {
			t.Errorf("agus is %s, want him asked on", r.State)
		}
		h.Phone("siti").Reply("STOP")
		h.Phone("siti").Reply("ok")
		h.ExpectState(fire, "siti", announcement.NoAnswer) // nothing was said to her, so she has not read it
	})
}

func TestTypoCallsNobody(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(24*time.Hour, step(10*time.Minute, announcement.CallRecipient)))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded SAFE")
		typo := web.Revision{Text: map[announcement.Language]announcement.Text{
			announcement.English: {Title: "Fire in hall 4", Body: "Leave by the east gate."}, announcement.Indonesian: {Title: "Fire in hall 4", Body: "Keluar lewat gerbang timur."}}}
		h.Revise(fire, typo, 0)
		h.Revise(fire, typo, 0) // pressed twice
		h.NothingElse()
		if s := h.summary(fire); s.Version != 1 || s.Text["en"].Title != "Fire in hall 4" || s.Counts.Confirmed != 1 {
			t.Errorf("the board says %+v", s)
		}
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.After(10 * time.Minute)
		h.Phone("agus").ExpectSMS("We have no answer from you", "Fire in hall 4")
		h.NothingElse()
		told := 0
		for _, e := range h.timeline(fire) {
			if strings.Contains(e.What, "typo") {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the timeline tells of %d typos, want one", told)
		}
	})
}

func TestRevisionsThatAreRefusedChangeNothing(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"), steps(24*time.Hour), asDrill)
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		desk, ctx := h.house.desk, h.t.Context()
		english := another("Leave by the west gate.", "Use the west gate.")
		delete(english.Text, announcement.Indonesian)
		long := another("Leave by the west gate.", strings.Repeat("x", 61))
		silent := another("Leave by the west gate.", "")
		silent.Material = true
		fields := web.Revision{Fields: map[string]string{"site": "Hall 4"}}
		same := web.Revision{Text: h.draft("Fire in hall 3").Text}
		for want, r := range map[string]web.Revision{"text.id": english, "changed.en": long, "changed.id": silent, "fields": fields, "text": same,
			"text.en.body": another(" ", "Use the west gate.")} {
			_, err := desk.Revise(ctx, hr, fire, r)
			var bad announcement.FieldErrors
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), want+": ") {
				t.Errorf("got %v, want a fault in %s", err, want)
			}
		}
		if _, err := desk.Revise(ctx, web.Principal{Grant: web.As(web.Viewer)}, fire, another("Leave by the west gate.", "Use the west gate.")); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("a viewer: %v", err)
		}
		h.settle()
		h.NothingElse()
		if s := h.summary(fire); s.Version != 1 || s.Text["en"].Body != "Leave by the east gate." {
			t.Errorf("the board says %+v", s)
		}
		var out struct {
			Told         int
			Announcement web.Summary
		}
		if err := h.api.JSON(ctx, http.MethodPost, "/api/v1/announcements/"+string(fire)+"/revise", another("Leave by the west gate.", "Use the west gate."), &out); err != nil ||
			out.Told != 1 || out.Announcement.Version != 2 || out.Announcement.Mode != announcement.Drill {
			t.Errorf("by the API: got %+v, %v, want a drill of version 2", out, err)
		}
		h.settle()
		h.Phone("siti").ExpectSMS("DRILL, not real.", "ANSWER AGAIN")
		h.Close(fire, announcement.AsAllClear)
		h.Phone("siti").ExpectSMS("ALL CLEAR")
		if _, err := desk.Revise(ctx, hr, fire, another("Leave by the north gate.", "Use the north gate.")); !errors.Is(err, web.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// What was made from a template is filled anew, and a notice that is changed at night
// is said as it is now to those who slept.
func TestNoticeRevisedAtNight(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, dewi manager:chief zone:Europe/Berlin", func(h *rehearsal) {
		water := h.Announce("The water is off", to("siti", "dewi"), asNotice)
		h.Phone("siti").ExpectSMS("The water is off")
		r := another("It is back at noon.", "Back at noon.")
		for lang, text := range r.Text {
			text.Title = "The water is off"
			r.Text[lang] = text
		}
		h.Revise(water, r, 2)
		h.Phone("siti").ExpectSMS("ANSWER AGAIN", "Back at noon.")
		h.NothingElse()
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("CHANGED")
		h.After(5 * time.Hour)
		h.Phone("siti").ExpectSMS("We have no answer from you")
		h.Phone("dewi").ExpectSMS("The water is off", "It is back at noon.")
		h.Phone("dewi").ExpectNothing()
		h.Phone("dewi").Reply("1")
		h.settle()
		h.Phone("dewi").ExpectSMS("Recorded") // it is the only text she got
		h.ExpectState(water, "dewi", announcement.Confirmed)
	})
}

// Recall: what was sent in error is closed in the ledger, for good, and what is said
// of it is decided there too.
func TestRecallIsInTheLedger(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		h.Close(fire, announcement.AsCorrected)
		h.Phone("siti").ExpectSMS("SENT IN ERROR")
		kinds := map[string]int{}
		err := h.house.ledger.Read(h.t.Context(), fire, func(r ledger.Record) error {
			for _, f := range r.Facts {
				recalled(kinds, f)
			}
			return nil
		})
		if err != nil || kinds["closed"] != 1 || kinds["decided"] != 1 || kinds["called"] == 0 {
			t.Errorf("the ledger has %v, %v, want the recall, its word and who was told", kinds, err)
		}
	})
}

// recalled counts what a recall leaves in the ledger.
func recalled(kinds map[string]int, f announcement.Fact) {
	switch {
	case f.Closed != nil && f.Closed.As == announcement.AsCorrected && f.Actor != "":
		kinds["closed"]++
	case f.Decided != nil && f.Decided.Message == announcement.SayCorrection && f.Decided.Only == announcement.OnlyCalled:
		kinds["decided"]++
	case f.Called != nil && f.Called.Round != 0:
		kinds["called"]++
	}
}
