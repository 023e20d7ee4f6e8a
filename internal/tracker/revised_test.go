package tracker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

func revision(at time.Time, version int) announcement.Fact {
	return announcement.Fact{Announcement: fire, Kind: announcement.KindRevised, At: at, Actor: announcement.ByConsole,
		Revised: &announcement.Revised{Version: version, Material: true, Changed: map[announcement.Language]string{announcement.English: "Use the west gate."},
			Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire", Body: "Leave by the west gate."}}}}
}

// TestFoldOfVersions judges all stores by what becomes of answers when the text
// changes.
func TestFoldOfVersions(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			start := time.Now().UTC().Truncate(time.Millisecond)
			l, s := ledger.NewMemory(time.Now), store()
			open(t, l, start, 20)
			a, b := house(t, l, s, time.Now), house(t, l, s, time.Now)
			later := func(d int) time.Time { return start.Add(time.Duration(d) * time.Second) }
			say := func(n int, as announcement.Answer, said int, ref string, version int) announcement.Fact {
				f := answer(n, as, later(said), ref)
				f.Answered.Version = version
				return f
			}
			vouch := func(n int, as announcement.Answer, said int, ref string, version int) announcement.Fact {
				return announcement.Fact{Announcement: fire, Kind: announcement.KindVouched, At: later(said), Actor: announcement.ByPerson("p0"),
					Vouched: &announcement.Vouched{Number: n, Answer: as, By: "p0", How: announcement.SawThem, Said: later(said), Ref: ref, Version: version}}
			}
			call := func(n, version int, c announcement.Channel, rank announcement.Rank) announcement.Fact {
				return announcement.Fact{Announcement: fire, Kind: announcement.KindCalled, At: later(20),
					Called: &announcement.Called{Channel: c, Number: n, Rank: rank, Version: version}}
			}
			write(t, l, say(1, announcement.Safe, 1, "a", 0), say(2, announcement.NeedHelp, 1, "b", 0), say(3, announcement.NotOnSite, 1, "c", 0),
				vouch(4, announcement.Safe, 1, "d", 0), vouch(5, announcement.NeedHelp, 1, "e", 0),
				announcement.Fact{Announcement: fire, Kind: announcement.KindOpened, At: later(1), Opened: &announcement.Opened{Number: 6}},
				announcement.Fact{Announcement: fire, Kind: announcement.KindExcused, At: later(1), Excused: &announcement.Excused{Number: 7}},
				call(1, 0, announcement.SMS, announcement.Accepted), call(8, 0, announcement.SMS, announcement.Failed), call(8, 0, announcement.WebPush, announcement.Failed), call(8, 0, announcement.InApp, announcement.Failed),
				say(15, announcement.NeedHelp, 3, "p", 0))
			before := announcement.Counts{Recipients: 19, NeedHelp: 3, Confirmed: 2, NotOnSite: 1, Opened: 1, Unreachable: 1, NoAnswer: 11, VouchedBy: 2, Excused: 1}
			if got := counts(t, a); got != before {
				t.Fatalf("before: got %+v, want %+v", got, before)
			}
			write(t, l, revision(later(10), 2))
			after := announcement.Counts{Recipients: 19, NeedHelp: 3, NoAnswer: 16, VouchedBy: 1, Excused: 1}
			if got := counts(t, a); got != after {
				t.Fatalf("after the revision: got %+v, want %+v", got, after)
			}
			write(t, l,
				say(1, announcement.Safe, 12, "a2", 1),      // pressed later, on the old page: stays for version 1
				say(9, announcement.NeedHelp, 12, "i", 1),   // help counts whatever it was an answer to
				say(2, announcement.Safe, 2, "b2", 1),       // kept without a signal since before: does not end a call for help
				say(10, announcement.Safe, 12, "j", 2),      // of the new text
				say(10, announcement.NotOnSite, 13, "k", 1), // and the old button does not change that
				say(3, announcement.Safe, 5, "l", 2),        // a slow clock: the page says which text it was
				say(15, announcement.Safe, 14, "p2", 2),     // safe now, says who needed help
				vouch(11, announcement.Safe, 2, "m", 1), vouch(12, announcement.Safe, 12, "n", 2), vouch(4, announcement.NeedHelp, 3, "o", 1))
			want := announcement.Counts{Recipients: 19, NeedHelp: 4, Confirmed: 4, NoAnswer: 11, VouchedBy: 3, Excused: 1}
			check := func(when string) {
				t.Helper()
				for i, tr := range []*Tracker{a, b} {
					if got := counts(t, tr); got != want {
						t.Errorf("%s, node %d: got %+v, want %+v", when, i, got, want)
					}
				}
				d, err := b.Details(t.Context(), fire, []int{1, 2, 3, 10, 9})
				if err != nil || d[0].Answer != 0 || d[0].Earlier == nil || d[0].Earlier.Answer != announcement.Safe || d[0].Earlier.Version != 1 || !d[0].Since.Equal(later(10)) ||
					d[1].State != announcement.NeedsHelp || d[1].Earlier != nil || d[2].State != announcement.Confirmed || d[2].Version != 2 ||
					d[3].Answer != announcement.Safe || d[4].State != announcement.NeedsHelp {
					t.Errorf("%s: details: got %+v, %v", when, d, err)
				}
			}
			check("then")
			for range 5 {
				flush(t, s)
				check("after FLUSHALL")
			}

			// What is handed over now is of the new text. What a network says later of the
			// old one is not told of the new one.
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindReceipt, At: later(20), Receipt: &announcement.Receipt{Channel: announcement.SMS, Number: 1, Rank: announcement.Delivered}})
			d, err := a.Details(t.Context(), fire, []int{1, 13})
			if err != nil || len(d[0].Ladder) != 0 || !d[0].Told.IsZero() {
				t.Errorf("called before: got %+v, %v", d[0], err)
			}
			write(t, l, announcement.Fact{Announcement: fire, Kind: announcement.KindDecided, At: later(20), Decided: &announcement.Decided{Round: roundOf(2, 0, 0), Version: 2,
				Message: announcement.SayRevised, Only: announcement.OnlyAsked, Channels: announcement.Channels}})
			again := call(1, 2, announcement.SMS, announcement.Accepted)
			again.Called.Round = roundOf(2, 0, 0)
			write(t, l, again)
			_ = counts(t, a)
			if d, err = a.Details(t.Context(), fire, []int{1}); err != nil || d[0].Ladder[announcement.SMS].Rank != announcement.Accepted || !d[0].Told.Equal(later(20)) {
				t.Errorf("called again: got %+v, %v", d[0], err)
			}

			may := func(round int64, n int) string {
				t.Helper()
				r, err := a.Round(t.Context(), fire, round)
				if err != nil {
					t.Fatal(err)
				}
				_, why, err := a.MayCall(t.Context(), r, announcement.SMS, n)
				if err != nil {
					t.Fatal(err)
				}
				return why
			}
			got := []string{may(0, 13), may(roundOf(2, 0, 0), 13), may(roundOf(2, 0, 0), 2), may(roundOf(2, 0, 0), 10), may(roundOf(2, 0, 0), 7)}
			if want := []string{"revised", "", "", "answered", "excused"}; !slices.Equal(got, want) {
				t.Errorf("may call: got %q, want %q", got, want)
			}
		})
	}
}

// Steps begin anew with a version, and none of the version before is taken.
func TestEscalationBeginsAnewWithAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC()
		l, s := ledger.NewMemory(time.Now), NewMemoryStore()
		open(t, l, start, 3) // extreme: 3, 5, 8, 10, 15 and 16 minutes
		a := house(t, l, s, time.Now)
		_ = house(t, l, s, time.Now)
		time.Sleep(4 * time.Minute)
		revisedAt := time.Now().UTC()
		write(t, l, revision(revisedAt, 2))
		time.Sleep(time.Second)
		s.Flush()
		time.Sleep(20 * time.Minute)
		v, _ := a.View(fire)
		type taken struct {
			version, step int
			after         time.Duration
		}
		var got []taken
		for i, d := range v.Rounds {
			if d.Step > 0 || isAlert(d) {
				base := start
				if d.Version > 1 {
					base = revisedAt
				}
				got = append(got, taken{d.Version, d.Step, v.RoundsAt[i].Sub(base).Truncate(time.Minute)})
			}
		}
		want := []taken{{1, 1, 3 * time.Minute}, {2, 0, 0}, {2, 1, 3 * time.Minute}, {2, 2, 5 * time.Minute}, {2, 3, 8 * time.Minute}, {2, 4, 10 * time.Minute}, {2, 5, 15 * time.Minute}, {2, 6, 16 * time.Minute}}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if v.Version != 2 || v.Announcement.Text[announcement.English].Body != "Leave by the west gate." || v.Before[announcement.English].Body != "Leave" || v.Announcement.Mode != announcement.Live {
			t.Errorf("got version %d: %+v", v.Version, v.Announcement)
		}
	})
}
