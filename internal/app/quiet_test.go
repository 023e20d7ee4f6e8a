package app

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// A story begins at 07:00 in Jakarta, 01:00 in Berlin and 19:00 in New York.
const abroad = "chief, budi manager:chief zone:Europe/Berlin, siti manager:budi, dewi manager:chief zone:Europe/Berlin, agus manager:chief zone:America/New_York"

// asNotice is news of the work: it asks by SMS, again after 15 minutes, and tells
// managers after two hours.
func asNotice(d *web.Draft) {
	d.Severity, d.Channels = announcement.Info, []announcement.Channel{announcement.SMS, announcement.InApp}
	d.Policy = &announcement.Policy{Steps: []announcement.Step{step(15*time.Minute, announcement.CallRecipient), step(2*time.Hour, announcement.CallManager)}}
}

func asEmergency(d *web.Draft) { d.Class = announcement.ClassEmergency }

func TestNoticeWaitsForEverybodysOwnMorning(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, abroad, func(h *rehearsal) {
		water := h.Announce("The water is off", to("siti", "dewi", "agus"), asNotice)
		h.Phone("siti").ExpectSMS("The water is off")
		h.Phone("agus").ExpectSMS("The water is off")
		h.NothingElse() // dewi sleeps
		if s := h.summary(water); s.Class != announcement.ClassNotice || s.Asleep != 1 || s.Morning == nil || !s.Morning.Equal(time.Date(2000, 1, 1, 5, 0, 0, 0, time.UTC)) {
			t.Errorf("the board says class %q, %d asleep until %v", s.Class, s.Asleep, s.Morning)
		}
		h.After(15 * time.Minute)
		h.Phone("siti").ExpectSMS("We have no answer from you")
		h.Phone("agus").ExpectSMS("We have no answer from you")
		h.After(105 * time.Minute) // two hours: it is 03:00 for budi, who leads siti, and 21:00 for agus
		h.NothingElse()
		h.After(3 * time.Hour) // 06:00 in Berlin
		h.Phone("dewi").ExpectSMS("The water is off")
		h.Phone("budi").ExpectSMS("1 of your team has not answered")
		h.NothingElse()
		h.ExpectReason(water, "morning")
		h.After(15 * time.Minute)
		h.Phone("dewi").ExpectSMS("We have no answer from you")
		h.NothingElse()
		h.After(105 * time.Minute)
		h.Phone("chief").ExpectSMS("1 of your team has not answered") // dewi
		h.After(4 * time.Hour)                                        // 06:00 in New York
		h.Phone("chief").ExpectSMS("1 of your team has not answered") // agus
		h.NothingElse()
		h.ExpectOpen(water)
	})
}

// Who looks by themselves at night, and answers, is let sleep; and so is a manager
// who would only have been told of them.
func TestWhoAnswersAtNightIsNotCalledInTheMorning(t *testing.T) {
	t.Parallel()
	rehearse(t, abroad, func(h *rehearsal) {
		water := h.Announce("The water is off", to("siti", "dewi"), asNotice)
		h.Phone("siti").ExpectSMS("The water is off")
		token := h.house.links.answerToken(water, h.recipient(water, "dewi").Index)
		me, err := h.house.desk.AnswerPage(h.t.Context(), token)
		if err != nil || me.Text.Title != "The water is off" {
			t.Fatalf("at night the page shows %+v, %v", me.Text, err)
		}
		if _, err := h.house.desk.Answer(h.t.Context(), token, web.Press{Answer: announcement.Safe, Ref: "night"}); err != nil {
			t.Fatal(err)
		}
		h.After(15 * time.Minute)
		h.Phone("siti").ExpectSMS("We have no answer from you")
		h.After(2 * time.Hour) // budi's list of the silent waits for his morning
		h.ExpectState(water, "siti", announcement.NoAnswer)
		h.Phone("siti").Reply("1")
		h.Phone("siti").ExpectSMS("Recorded")
		h.ExpectClosed(water, announcement.AsAccounted)
		h.After(8 * time.Hour)
		h.NothingElse()
	})
}

func TestHelpBreaksQuietHours(t *testing.T) {
	t.Parallel()
	rehearse(t, abroad, func(h *rehearsal) {
		h.Announce("The water is off", to("siti", "dewi"), asNotice)
		h.Phone("siti").ExpectSMS("The water is off")
		h.Phone("siti").Reply("2")
		h.Phone("siti").ExpectSMS("HELP")
		h.Phone("budi").ExpectSMS("siti") // it is 01:00 for him
		h.Phone("chief").ExpectSMS("siti")
		h.NothingElse()
	})
}

// What follows a notice waits for the morning as well: whoever was called by day, and
// for whom it is night now.
func TestUpdateOfANoticeWaitsToo(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, abroad, func(h *rehearsal) {
		h.After(13*time.Hour + 30*time.Minute) // 20:30 in Jakarta
		water := h.Announce("The water is off", to("siti"), asNotice, steps(72*time.Hour))
		h.Phone("siti").ExpectSMS("The water is off")
		h.After(time.Hour) // 21:30
		if _, err := h.house.desk.Update(h.t.Context(), hr, water, map[announcement.Language]string{"en": "It is back."}); err != nil {
			t.Fatal(err)
		}
		h.After(time.Hour)
		h.NothingElse()
		h.After(7*time.Hour + 30*time.Minute) // 06:00
		h.Phone("siti").ExpectSMS("It is back.")
		h.NothingElse()
	})
}

func TestEmergencyBreaksQuietHoursAndIsCounted(t *testing.T) {
	t.Parallel()
	rehearse(t, abroad, func(h *rehearsal) {
		h.house.config.QuietBudget = 1
		desk, ctx := h.house.desk, h.t.Context()
		everybody := to("siti", "dewi", "budi", "agus")
		p, err := desk.Preview(ctx, hr, h.draft("Fire in hall 3", everybody))
		if err != nil || !p.Wakes() || p.Asleep() != 2 {
			t.Fatalf("before: got %+v, %v, want two people who sleep", p.Mornings, err)
		}
		if p, err := desk.Preview(ctx, hr, h.draft("The water is off", everybody, asNotice)); err != nil || p.Wakes() || p.Asleep() != 2 {
			t.Errorf("a notice: got %+v, %v, want nobody woken", p.Mornings, err)
		}
		h.Announce("Fire in hall 3", everybody)
		for _, name := range []string{"siti", "dewi", "budi", "agus"} {
			h.Phone(name).ExpectSMS("Fire in hall 3")
		}
		h.Announce("The water is off", to("dewi"), asNotice, asEmergency) // told to wake them
		h.Phone("dewi").ExpectSMS("The water is off")
		h.Announce("Gas in hall 3", to("siti"))         // it is day for her
		h.Announce("Tea", to("dewi", "siti"), asNotice) // waits
		got := desk.BrokenQuiet(ctx)
		if len(got) != 1 || got[0].Announcements != 2 || got[0].People != 3 || !got[0].Over || got[0].Month != "2000-01" || got[0].By == "" {
			t.Errorf("the report says %+v, want two that woke three people", got)
		}
		var report struct {
			Budget int
			Rows   []web.BrokenQuiet
		}
		if err := h.api.Call(ctx, http.MethodGet, "/api/v1/reports/quiet-hours", "", nil, &report); err != nil || report.Budget != 1 || len(report.Rows) != 1 || report.Rows[0] != got[0] {
			t.Errorf("the API says %+v, %v", report, err)
		}
		v, _ := desk.tracker.View(desk.tracker.IDs()[0])
		if b := desk.QuietBudget(ctx, web.Principal{Actor: v.By}); b.Used != 2 || b.Allowed != 1 {
			t.Errorf("the sender is told %+v", b)
		}
		if b := desk.QuietBudget(ctx, web.Principal{Actor: "account:other"}); b.Used != 0 {
			t.Errorf("another sender is told %+v", b)
		}
		desk.now = func() time.Time { return time.Now().Add(31 * 24 * time.Hour) }
		if b := desk.QuietBudget(ctx, web.Principal{Actor: v.By}); b.Used != 0 {
			t.Errorf("a month later: %+v", b)
		}
		desk.now = time.Now
	})
}

func TestClassIsRefusedWhenItIsNone(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief", func(h *rehearsal) {
		_, err := h.house.desk.Preview(h.t.Context(), hr, h.draft("Fire", func(d *web.Draft) { d.Class = "loud" }))
		if err == nil || !strings.Contains(err.Error(), `class: "loud"`) {
			t.Errorf("got %v, want the class refused", err)
		}
	})
}

// Who may use which class is a permission of an account and of a token. It holds for
// acts on what is open too, and by every way in.
func TestSenderOfNoticesOnly(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		desk, ctx := h.house.desk, h.t.Context()
		calm := web.Principal{Actor: "account:calm", Grant: web.Grant{Roles: []web.Role{web.Sender}, Calm: true}}
		refused := func(what string, err error) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), "you may send notices only") {
				t.Errorf("%s: got %v, want it refused", what, err)
			}
		}
		fire := h.draft("Fire in hall 3", to("siti"))
		_, err := desk.Preview(ctx, calm, fire)
		refused("looking", err)
		_, err = desk.Prepare(ctx, calm, fire, "form-1")
		refused("sending by the console", err)
		_, _, err = desk.Announce(ctx, calm, fire, "")
		refused("sending", err)
		loud := h.draft("The water is off", to("siti"), asNotice, asEmergency)
		_, _, err = desk.Announce(ctx, calm, loud, "")
		refused("waking people for a notice", err)
		drill := h.draft("Fire in hall 3", to("siti"), asDrill)
		_, _, err = desk.Announce(ctx, calm, drill, "")
		refused("a drill of an emergency", err)
		h.settle()
		h.NothingElse()
		if _, _, err := desk.Announce(ctx, calm, h.draft("The water is off", to("siti"), asNotice), ""); err != nil {
			t.Errorf("a notice: %v", err)
		}
		h.settle()
		h.Phone("siti").ExpectSMS("The water is off")

		open := h.Announce("Fire in hall 3", to("siti"))
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		if _, err := desk.Remind(ctx, calm, open, ""); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("reminding in an emergency: %v", err)
		}
		if _, err := desk.Update(ctx, calm, open, map[announcement.Language]string{"en": "Come back."}); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("an update of an emergency: %v", err)
		}
		if err := desk.Close(ctx, calm, open, announcement.AsAllClear, "over"); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("all clear of an emergency: %v", err)
		}
		if err := desk.RemindAt(ctx, calm, open, 0); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("calling one person in an emergency: %v", err)
		}
		if err := desk.MarkAt(ctx, calm, open, web.Mark{Index: 0, Answer: announcement.Safe, How: announcement.SawThem}); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("vouching in an emergency: %v", err)
		}
		if err := desk.ClaimAt(ctx, calm, open, 0, ""); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("claiming a call for help in an emergency: %v", err)
		}

		var made struct{ Token string }
		if err := h.api.JSON(ctx, http.MethodPost, "/api/v1/tokens", map[string]any{"name": "canteen", "role": "sender", "notices_only": true}, &made); err != nil {
			t.Fatal(err)
		}
		canteen := *h.api
		canteen.Token = made.Token
		if err := canteen.JSON(ctx, http.MethodPost, "/api/v1/announcements", fire, nil); err == nil || !strings.Contains(err.Error(), "notices only") {
			t.Errorf("by a token: got %v, want it refused", err)
		}
		if err := canteen.JSON(ctx, http.MethodPost, "/api/v1/announcements", h.draft("Tea", to("agus"), asNotice), nil); err != nil {
			t.Errorf("a notice by a token: %v", err)
		}
		if err := h.api.JSON(ctx, http.MethodPost, "/api/v1/tokens", map[string]any{"name": "wall", "role": "viewer", "notices_only": true}, nil); err == nil {
			t.Error("a viewer's token of notices was made")
		}
	})
}
