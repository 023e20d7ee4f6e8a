package app

import (
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// A real alert is never one person's secret: those on the duty list who have a
// phone with notifications hear of it at once, with the way to correct it. A drill
// wakes nobody, and nor does an alert that a call for help has caused.
func TestWhoMaySendHearsOfARealAlert(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, dewi push, budi manager:chief, siti manager:budi", func(h *rehearsal) {
		if err := h.house.directory.SetDuty(h.t.Context(), []string{"chief", "dewi", "budi"}); err != nil {
			t.Fatal(err)
		}
		fire := h.Announce("Fire in hall 3", to("siti"))
		for _, who := range []string{"chief", "dewi"} {
			e := h.Phone(who).unread()
			if len(e) != 1 || !strings.Contains(e[0].Title, "sent: Fire in hall 3") || !strings.HasSuffix(e[0].Link, "/alerts/"+string(fire)) {
				t.Errorf("%s got %+v, want who sent it and the way to the board", who, e)
			}
			h.Phone(who).ExpectPush("sent: Fire in hall 3", "It went to 1 people")
		}
		h.Phone("budi").ExpectNothing() // no notifications: it is not worth an SMS
		h.Phone("siti").ExpectSMS("Fire in hall 3")
		story, err := h.house.desk.whole().Timeline(h.t.Context(), fire)
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for _, e := range story {
			told = told || e.Kind == announcement.KindDecided && e.What == "3 people on the duty list are told that it was sent"
		}
		if !told {
			t.Errorf("the timeline does not say who was told: %+v", story)
		}
		h.Close(fire, announcement.AsCancelled)

		h.Announce("Fire in hall 4", to("siti"), asDrill)
		h.Phone("chief").ExpectNothing()
		h.Phone("siti").ExpectSMS("Fire in hall 4")

		h.Stranger("+628999000111").Reply("tolong, kebakaran di gudang")
		h.Phone("dewi").ExpectPush("HELP asked for by SMS")
		h.Phone("dewi").ExpectSMS("HELP asked for by SMS")
		h.Phone("dewi").ExpectNothing()
	})
}
