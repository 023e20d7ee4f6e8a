package app

import (
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// away says from today to when somebody is away, and who stands in.
func (h *rehearsal) away(name string, days int, delegate string) {
	h.t.Helper()
	zone := announcement.Location("Asia/Jakarta")
	from, to := time.Now().In(zone).Format(time.DateOnly), time.Now().In(zone).AddDate(0, 0, days).Format(time.DateOnly)
	if err := h.people().SetAway(h.t.Context(), hr, name, from, to, delegate); err != nil {
		h.t.Fatal(err)
	}
	h.settle()
}

// Whoever stands in for a manager who is away gets the list and the calls for help, and
// opens that team and no other; the manager's manager is left alone.
func TestDelegateStandsIn(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, wati manager:chief, siti manager:budi, agus manager:budi, tono manager:wati", func(h *rehearsal) {
		h.away("budi", 3, "wati")
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "tono"), steps(2*time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.Phone("tono").Reply("1")
		h.After(6 * time.Minute)
		h.Phone("wati").ExpectSMS("2")
		h.Phone("budi").ExpectNothing()
		h.Phone("chief").ExpectNothing()
		h.ExpectReason(fire, "stands_in")
		page := h.Team(fire, "wati").Look()
		for _, name := range []string{"siti", "agus"} {
			if !strings.Contains(page, name) {
				t.Errorf("the page of who stands in lacks %s", name)
			}
		}
		h.Phone("siti").Reply("2 stuck")
		h.settle()
		h.Phone("wati").ExpectSMS("siti")
		h.Phone("budi").ExpectNothing()
	})
}

// Who stands in and leads people of their own is told of both teams, and opens both.
func TestDelegateWithATeamOfTheirOwn(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, wati manager:chief, siti manager:budi, tono manager:wati", func(h *rehearsal) {
		h.away("budi", 3, "wati")
		fire := h.Announce("Fire in hall 3", to("siti", "tono"), steps(2*time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.After(6 * time.Minute)
		h.Phone("wati").ExpectSMS("2")
		page := h.Team(fire, "wati").Look()
		if !strings.Contains(page, "siti") || !strings.Contains(page, "tono") {
			t.Error("the page lacks one of the two teams")
		}
		h.Phone("chief").ExpectNothing()
	})
}

// Somebody who stands in and is silent themselves is called, and so is the next one up.
func TestSilentDelegate(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, wati manager:chief, siti manager:budi", func(h *rehearsal) {
		h.away("budi", 3, "wati")
		h.Announce("Fire in hall 3", to("siti", "wati"), steps(2*time.Hour, step(5*time.Minute, announcement.CallManager)))
		h.After(6 * time.Minute)
		h.Phone("wati").ExpectSMS("1")
		h.Phone("chief").ExpectSMS("2")
	})
}

// Without anybody who stands in, with one who is away too, and where two name each
// other, the next one up is called.
func TestNobodyStandsInSoTheNextOneUpIsCalled(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(*rehearsal){
		"nobody":     func(h *rehearsal) { h.away("budi", 3, "") },
		"each other": func(h *rehearsal) { h.away("budi", 3, "wati"); h.away("wati", 3, "budi") },
		"who left":   func(h *rehearsal) { h.away("budi", 3, "wati"); h.Leaves("wati") },
	} {
		t.Run(name, func(t *testing.T) {
			rehearse(t, "chief, budi manager:chief, wati manager:chief, siti manager:budi", func(h *rehearsal) {
				say(h)
				fire := h.Announce("Fire in hall 3", to("siti"), steps(2*time.Hour, step(5*time.Minute, announcement.CallManager)))
				h.After(6 * time.Minute)
				h.Phone("chief").ExpectSMS("1")
				h.Phone("budi").ExpectNothing()
				h.ExpectReason(fire, "manager_away")
			})
		})
	}
}

// An absence begins and ends at midnight where the person is, by itself.
func TestAbsenceEndsAtMidnightWhereTheyAre(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, "chief, budi manager:chief zone:Europe/Berlin, siti manager:budi", func(h *rehearsal) {
		berlin := announcement.Location("Europe/Berlin")
		today := time.Now().In(berlin)
		if err := h.people().SetAway(h.t.Context(), hr, "budi", today.Format(time.DateOnly), today.Format(time.DateOnly), ""); err != nil {
			t.Fatal(err)
		}
		h.settle()
		who, _ := h.house.directory.ByNumber("budi")
		midnight := time.Date(today.Year(), today.Month(), today.Day()+1, 0, 0, 0, 0, berlin)
		time.Sleep(time.Until(midnight) - time.Second)
		if _, away := h.house.directory.StandIn(who.ID); !away {
			t.Error("he is back a second before midnight")
		}
		time.Sleep(time.Second)
		if _, away := h.house.directory.StandIn(who.ID); away {
			t.Error("he is away after midnight")
		}
	})
}

func TestAbsenceIsChecked(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, gone manager:chief", func(h *rehearsal) {
		h.Leaves("gone")
		for why, v := range map[string][3]string{
			"is before the first day":            {"2026-12-24", "2026-12-20", ""},
			"is not a day such as 2026-12-24":    {"24/12/2026", "2026-12-26", ""},
			"nobody has this employee number":    {"2026-12-24", "2026-12-26", "nobody"},
			"this person is no longer active":    {"2026-12-24", "2026-12-26", "gone"},
			"nobody stands in for themselves":    {"2026-12-24", "2026-12-26", "budi"},
			"from: is not a day such as 2026-12": {"", "", "chief"},
		} {
			err := h.people().SetAway(h.t.Context(), hr, "budi", v[0], v[1], v[2])
			if err == nil || !strings.Contains(err.Error(), why) && !strings.Contains(err.Error(), strings.TrimPrefix(why, "from: ")) {
				t.Errorf("%v: got %v, want %q", v, err, why)
			}
		}
		if p, err := h.people().Person(h.t.Context(), hr, "budi"); err != nil || p.AwayFrom != "" {
			t.Errorf("something was kept: %+v, %v", p.AwayFrom, err)
		}
		if err := h.people().SetAway(h.t.Context(), web.Principal{Grant: web.As(web.Viewer)}, "budi", "", "", ""); err == nil {
			t.Error("a viewer may")
		}
	})
}
