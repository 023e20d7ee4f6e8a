package tracker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// noticeTo is a notice to one person in each time zone, with the steps of something
// moderate.
func noticeTo(at time.Time, zones ...string) (*announcement.Announcement, *announcement.Roster) {
	a := &announcement.Announcement{ID: fire, Mode: announcement.Live, Severity: announcement.Moderate, At: at, Zone: "Asia/Jakarta", Quiet: announcement.DefaultQuietHours,
		Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Water", Body: "The water is off."}}, Audience: announcement.Audience{All: true}}
	a.Complete()
	roster := &announcement.Roster{Lines: []announcement.Line{{Person: "boss", Up: -1, Number: -1, Lo: 0, Hi: len(zones)}}, Duty: []announcement.PersonID{"pduty"}}
	for i, z := range zones {
		roster.Recipients = append(roster.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprint("p", i)), Zone: z})
	}
	return a, roster
}

// courseOf plays an escalation to its end and says what happened when, in UTC.
func courseOf(a *announcement.Announcement, roster *announcement.Roster) []string {
	e := &entry{View: View{Announcement: a, Roster: roster, OpenedAt: a.At, Version: 1}}
	s := Situation{Announcement: a, Roster: roster, Outstanding: func(int) bool { return true },
		Active: func(announcement.PersonID) bool { return true }, Reachable: func(announcement.PersonID) bool { return true }}
	say := func(at time.Time, step int, zones []string) string {
		return fmt.Sprintf("%s step %d %s", at.UTC().Format("02 15:04"), step, strings.Join(zones, "+"))
	}
	out := []string{say(a.At, 0, e.first().Zones)}
	for at, next, left := e.due(); left; at, next, left = e.due() {
		d := decide(s, &e.View, []run{next.run}, next.step)
		d.Version = e.versionOf(d)
		e.Rounds, e.RoundsAt = append(e.Rounds, d), append(e.RoundsAt, at)
		out = append(out, say(at, next.step, d.Zones))
	}
	return out
}

func TestNoticeTakesItsStepsByDay(t *testing.T) {
	for name, row := range map[string]struct {
		at    string
		zones []string
		want  []string
	}{
		"by day": {"2026-03-10T03:00:00Z", []string{"", "Asia/Makassar"}, []string{
			"10 03:00 step 0 Asia/Jakarta+Asia/Makassar", "10 03:15 step 1 Asia/Jakarta+Asia/Makassar", "10 04:00 step 2 Asia/Jakarta+Asia/Makassar",
			"10 05:00 step 3 Asia/Jakarta+Asia/Makassar", "10 06:00 step 4 Asia/Jakarta+Asia/Makassar"}},
		"at night": {"2026-03-10T16:00:00Z", []string{""}, []string{
			"10 16:00 step 0 nowhere", "10 23:00 step 0 Asia/Jakarta", "10 23:15 step 1 Asia/Jakarta", "11 00:00 step 2 Asia/Jakarta", "11 01:00 step 3 Asia/Jakarta", "11 02:00 step 4 Asia/Jakarta"}},
		"in the evening: steps wait, and keep their distances": {"2026-03-10T13:50:00Z", []string{""}, []string{
			"10 13:50 step 0 Asia/Jakarta", "10 23:00 step 1 Asia/Jakarta", "10 23:45 step 2 Asia/Jakarta", "11 00:45 step 3 Asia/Jakarta", "11 01:45 step 4 Asia/Jakarta"}},
		"on both sides of the world": {"2026-03-10T03:00:00Z", []string{"Pacific/Kiritimati", "Etc/GMT+12"}, []string{
			"10 03:00 step 0 Pacific/Kiritimati+Etc/GMT+12", "10 03:15 step 1 Pacific/Kiritimati+Etc/GMT+12", "10 04:00 step 2 Pacific/Kiritimati+Etc/GMT+12",
			"10 05:00 step 3 Pacific/Kiritimati+Etc/GMT+12", "10 06:00 step 4 Pacific/Kiritimati+Etc/GMT+12"}},
		"here by day, there at night": {"2026-03-10T03:00:00Z", []string{"", "America/New_York"}, []string{
			"10 03:00 step 0 Asia/Jakarta", "10 03:15 step 1 Asia/Jakarta", "10 04:00 step 2 Asia/Jakarta", "10 05:00 step 3 Asia/Jakarta", "10 06:00 step 4 Asia/Jakarta",
			"10 10:00 step 0 America/New_York", "10 10:15 step 1 America/New_York", "10 11:00 step 2 America/New_York", "10 12:00 step 3 America/New_York", "10 13:00 step 4 America/New_York"}},
		"Berlin, the night that is an hour shorter": {"2026-03-28T21:00:00Z", []string{"Europe/Berlin"}, []string{
			"28 21:00 step 0 nowhere", "29 04:00 step 0 Europe/Berlin", "29 04:15 step 1 Europe/Berlin", "29 05:00 step 2 Europe/Berlin", "29 06:00 step 3 Europe/Berlin", "29 07:00 step 4 Europe/Berlin"}},
		"New York, the night that is an hour longer": {"2026-11-01T02:00:00Z", []string{"America/New_York"}, []string{
			"01 02:00 step 0 nowhere", "01 11:00 step 0 America/New_York", "01 11:15 step 1 America/New_York", "01 12:00 step 2 America/New_York", "01 13:00 step 3 America/New_York", "01 14:00 step 4 America/New_York"}},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, row.at)
			if err != nil {
				t.Fatal(err)
			}
			a, roster := noticeTo(at, row.zones...)
			if got := courseOf(a, roster); !slices.Equal(got, row.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(row.want, "\n"))
			}
			a.Class = announcement.ClassEmergency // the same at any hour, for all together
			if got := courseOf(a, roster); len(got) != 5 || !strings.HasSuffix(got[4], "step 4 ") {
				t.Errorf("as an emergency: got %q", got)
			}
		})
	}
}

// Whatever the zones and the hour: everybody's alert is decided once, never in their
// night, every step once for each, no round number twice, and no two of somebody's
// steps closer than the policy says.
func TestEveryCourseOfANotice(t *testing.T) {
	zones := []string{"", "Asia/Makassar", "Asia/Jayapura", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe"}
	for _, day := range []time.Time{time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)} {
		for at := day; at.Sub(day) < 30*time.Hour; at = at.Add(25 * time.Minute) {
			a, roster := noticeTo(at, zones...)
			e := &entry{View: View{Announcement: a, Roster: roster, OpenedAt: a.At, Version: 1}}
			taken, numbers := map[string]time.Time{}, map[int64]bool{}
			take := func(at time.Time, d announcement.Decided) {
				if numbers[d.Round] {
					t.Fatalf("%s: round %d twice", a.At, d.Round)
				}
				numbers[d.Round] = true
				for _, z := range d.Zones {
					if z == nowhere {
						continue
					}
					key := fmt.Sprint(z, d.Step)
					before, again := taken[key]
					if again {
						t.Fatalf("%s: step %d of %s at %s and at %s", a.At, d.Step, z, before, at)
					}
					if a.Quiet.Contain(at, z) {
						t.Fatalf("%s: step %d of %s in their night, at %s", a.At, d.Step, z, at)
					}
					if d.Step > 0 && at.Sub(taken[fmt.Sprint(z, d.Step-1)]) < apart(a.Policy.Steps, d.Step-1) {
						t.Fatalf("%s: step %d of %s too early, at %s", a.At, d.Step, z, at)
					}
					taken[key] = at
				}
			}
			take(a.At, e.first())
			s := Situation{Announcement: a, Roster: roster, Outstanding: func(int) bool { return true },
				Active: func(announcement.PersonID) bool { return true }, Reachable: func(announcement.PersonID) bool { return true }}
			for when, next, left := e.due(); left; when, next, left = e.due() {
				d := decide(s, &e.View, []run{next.run}, next.step)
				take(when, d)
				d.Version = e.versionOf(d)
				e.Rounds, e.RoundsAt = append(e.Rounds, d), append(e.RoundsAt, when)
			}
			if want := len(zones) * (1 + len(a.Policy.Steps)); len(taken) != want {
				t.Fatalf("%s: %d steps were taken, want %d", a.At, len(taken), want)
			}
		}
	}
}

// Two nodes, a store that is emptied in the night and a node that starts in it: the
// morning comes once.
func TestMorningSurvivesAnEmptiedStoreAndARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC, 01:00 in Berlin
		start := time.Now().UTC()
		l, store := ledger.NewMemory(time.Now), NewMemoryStore()
		a, roster := noticeTo(start, "", "Europe/Berlin", "Europe/Berlin")
		fact := func(k announcement.Kind) announcement.Fact {
			return announcement.Fact{Announcement: fire, Kind: k, At: start, Actor: announcement.ByConsole}
		}
		f := []announcement.Fact{fact(announcement.KindAnnounced), fact(announcement.KindRecipients), fact(announcement.KindCommitted)}
		f[0].Announced, f[1].Recipients = a, &announcement.Chunk{Recipients: roster.Recipients, Lines: roster.Lines, Duty: roster.Duty}
		f[2].Committed = &announcement.Committed{Recipients: 3, Chunks: 1}
		if _, err := l.Accept(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		node := func() *Tracker {
			tr := New(Options{Ledger: l, Store: store, Now: time.Now})
			go func() { _ = tr.Run(ctx) }()
			return tr
		}
		one, _ := node(), node()
		time.Sleep(time.Second)
		may := func(tr *Tracker, round int64, n int) string {
			t.Helper()
			r, err := tr.Round(t.Context(), fire, round)
			if err != nil {
				t.Fatal(err)
			}
			ok, why, err := tr.MayCall(t.Context(), r, announcement.SMS, n)
			if err != nil || ok != (why == "") {
				t.Fatal(ok, why, err)
			}
			return why
		}
		if got := []string{may(one, 0, 0), may(one, 0, 1)}; !slices.Equal(got, []string{"", "other_time_zone"}) {
			t.Errorf("at once: got %q", got)
		}
		if m, err := one.Mornings(t.Context(), fire); err != nil || len(m) != 1 || m[0].People != 2 || m[0].At.Sub(start) != 5*time.Hour {
			t.Errorf("mornings: got %v, %v", m, err)
		}
		time.Sleep(2 * time.Hour)
		store.Flush()
		write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindDecided, At: time.Now(), Decided: &announcement.Decided{Round: announcement.FirstExtraRound,
			Message: announcement.SayReminder, Only: announcement.OnlyOutstanding, Channels: a.Channels}})
		time.Sleep(time.Second)
		if got := []string{may(one, announcement.FirstExtraRound, 0), may(one, announcement.FirstExtraRound, 1)}; !slices.Equal(got, []string{"", "asleep"}) {
			t.Errorf("reminded by hand in the night: got %q", got)
		}
		later := node()
		time.Sleep(3*time.Hour - 3*time.Second) // a second before the morning
		mornings := func() (out []announcement.Decided, at []time.Time) {
			v, _ := later.View(fire)
			for i, d := range v.Rounds {
				if d.Message == announcement.SayAlert {
					out, at = append(out, d), append(at, v.RoundsAt[i])
				}
			}
			return out, at
		}
		if early, _ := mornings(); len(early) > 0 {
			t.Errorf("in the night: %v", early)
		}
		time.Sleep(3 * time.Second)
		rounds, at := mornings()
		if len(rounds) != 1 || at[0].Sub(start) < 5*time.Hour || at[0].Sub(start) > 5*time.Hour+time.Second || !slices.Equal(rounds[0].Zones, []string{"Europe/Berlin"}) {
			t.Fatalf("in the morning: got %v at %v", rounds, at)
		}
		if got := []string{may(later, rounds[0].Round, 0), may(later, rounds[0].Round, 1)}; !slices.Equal(got, []string{"other_time_zone", ""}) {
			t.Errorf("in the morning: got %q", got)
		}
		stop()
		synctest.Wait()
	})
}

// A message of a notice is held until the end of somebody's night, whatever it says;
// a call for help never is.
func TestQuietHoldsEverythingButHelp(t *testing.T) {
	night := time.Date(2026, 3, 10, 16, 0, 0, 0, time.UTC) // 23:00 in Jakarta, 17:00 in Berlin
	a, roster := noticeTo(night.Add(-4*time.Hour), "", "Europe/Berlin")
	tr := New(Options{Now: func() time.Time { return night }, Zone: func(p announcement.PersonID) string {
		return map[announcement.PersonID]string{"away": "Europe/Berlin"}[p]
	}})
	to := []announcement.Call{{Person: "boss"}, {Person: "away"}}
	round := func(m announcement.MessageKind, only announcement.Only) announcement.Round {
		d := announcement.Decided{Message: m, Only: only}
		if only == "" {
			d.To = to
		}
		return announcement.Round{Announcement: a, Roster: roster, Decided: d}
	}
	for _, r := range []announcement.Round{round(announcement.SayReminder, announcement.OnlyOutstanding), round(announcement.SayAllClear, announcement.OnlyCalled),
		round(announcement.SayUpdate, announcement.OnlyCalled), round(announcement.SayDigest, ""), round(announcement.SayReminder, "")} {
		if here, there := tr.Quiet(r, 0), tr.Quiet(r, 1); here != 7*time.Hour || there != 0 {
			t.Errorf("%s: held for %s here and %s there, want 7h and 0", r.Decided.Message, here, there)
		}
	}
	if got := tr.Quiet(round(announcement.SayHelp, ""), 0); got != 0 {
		t.Errorf("a call for help is held for %s", got)
	}
	a.Class = announcement.ClassEmergency
	if got := tr.Quiet(round(announcement.SayDigest, ""), 0); got != 0 {
		t.Errorf("an emergency is held for %s", got)
	}
}
