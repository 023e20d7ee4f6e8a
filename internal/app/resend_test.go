package app

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// The first provider delivers nothing. HR sends it again through the second: to
// those who still wait, not to whoever answered or stopped SMS; and whoever got
// only that hears of a correction too.
func TestWhatFailedIsSentAgainThroughTheSecondProvider(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief push, agus manager:chief, wati manager:chief", func(h *rehearsal) {
		ctx, desk := h.t.Context(), h.house.desk
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		h.Phone("wati").Reply("STOP")
		h.settle()
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "30007"}, nil)
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "wati"), steps(time.Hour))
		h.Phone("siti").Tap(announcement.Safe)
		h.Phone("agus").ExpectNothing()
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{}, nil)

		act, err := desk.Act(ctx, fire, announcement.SayAlert, nil)
		if err != nil || act.People != 1 || !act.Second {
			t.Fatalf("got %+v, %v, want agus alone, through the second provider", act, err)
		}
		if _, err := desk.Resend(ctx, web.Principal{Grant: web.As(web.Viewer)}, fire); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("a viewer sends again: %v", err)
		}
		if n, err := desk.Resend(ctx, hr, fire); n != 1 || err != nil {
			t.Fatalf("sent again to %d, %v", n, err)
		}
		if _, err := desk.Resend(ctx, hr, fire); !errors.Is(err, web.ErrConflict) {
			t.Errorf("pressed twice: %v", err)
		}
		h.settle()
		got := h.Phone("agus").unread()
		if len(got) != 1 || got[0].From != "+15005550009" {
			t.Fatalf("agus got %+v, want one SMS of the second sender", got)
		}
		h.Phone("agus").ExpectSMS("Fire in hall 3")
		h.Phone("wati").ExpectNothing()
		h.Close(fire, announcement.AsCorrected)
		h.Phone("agus").ExpectSMS("SENT IN ERROR")
		if _, err := desk.Resend(ctx, hr, fire); !errors.Is(err, web.ErrClosed) {
			t.Errorf("sent again after the end: %v", err)
		}
	})
}

func TestOneProviderIsTriedAgainOnlyWhereThatCanHelp(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, agus manager:chief", func(h *rehearsal) {
		h.house.config.SMS2AccountSID = ""
		for code, people := range map[string]int{"30008": 1, "21211": 0} { // unknown error; no such number
			h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: code}, nil)
			fire := h.Announce("Fire in hall "+code, to("agus"), steps(time.Hour))
			h.After(10 * time.Minute)
			act, err := h.house.desk.Act(h.t.Context(), fire, announcement.SayAlert, nil)
			if err != nil || act.People != people || act.Second {
				t.Errorf("after %s: got %+v, %v, want %d people", code, act, err, people)
			}
			h.Close(fire, announcement.AsCancelled)
		}
	})
}
