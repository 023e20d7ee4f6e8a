package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
)

// write sends a text that no webhook may bring to us.
func (p handset) write(text string) {
	p.t.Helper()
	p.beyond(http.MethodPost, "/sandbox/act", sandbox.Act{Number: p.owner.name, Via: "sms", Text: text}, nil)
	p.settle()
}

// answers returns how often somebody's answer is in the ledger, and when the last was given.
func (h *rehearsal) answers(id announcement.ID, name string) (n int, said time.Time) {
	h.t.Helper()
	who, _ := h.house.directory.ByNumber(name)
	err := h.house.ledger.Read(h.t.Context(), id, func(r ledger.Record) error {
		for _, f := range r.Facts {
			if f.Answered != nil && f.Actor == announcement.ByPerson(who.ID) {
				n, said = n+1, f.Answered.Said
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n, said
}

// Nothing of the provider reaches us for five minutes while a fire is open. No reply is
// lost: within a minute each is counted, as of when it was written, and thanked for.
func TestReconcileHearsWhatNoWebhookBrought(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "budi"), steps(time.Hour))
		siti, agus, budi := h.Phone("siti"), h.Phone("agus"), h.Phone("budi")
		for _, p := range []handset{siti, agus, budi} {
			p.ExpectSMS("Fire in hall 3")
		}
		h.deaf.Store(true)
		wrote := time.Now()
		siti.write("1")
		agus.write("tolong, kaki saya terjepit")
		budi.write("STOP")
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		h.After(2 * time.Minute)
		h.ExpectState(fire, "siti", announcement.Confirmed)
		h.ExpectState(fire, "agus", announcement.NeedsHelp)
		if n, said := h.answers(fire, "siti"); n != 1 || said.Sub(wrote).Abs() > time.Second {
			t.Errorf("siti answered %d times, at %s, and wrote at %s", n, said, wrote)
		}
		siti.ExpectSMS("SAFE")
		if who, _ := h.house.directory.ByNumber("budi"); !h.house.directory.Contact(who.ID).SMSStopped {
			t.Error("budi wrote STOP, and is not said to have stopped SMS")
		}
		h.After(5 * time.Minute)
		h.deaf.Store(false)
		h.After(5 * time.Minute)
		if n, _ := h.answers(fire, "siti"); n != 1 {
			t.Errorf("siti's one text is %d answers", n)
		}
		siti.ExpectNothing() // nor thanked again
		scraped := httptest.NewRecorder()
		h.house.server.Handler().ServeHTTP(scraped, httptest.NewRequest(http.MethodGet, rehearsalURL+"/metrics", nil))
		if n := value(t, scraped.Body.Bytes(), "kentongan_replies_found_total"); n != 3 {
			t.Errorf("metrics say that %v were found, want 3", n)
		}
	})
}

// What a webhook has brought is heard once, however often the provider lists it.
func TestReconcileChangesNothingThatWasHeard(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		siti := h.Phone("siti")
		siti.Reply("1")
		h.After(10 * time.Minute)
		if n, _ := h.answers(fire, "siti"); n != 1 {
			t.Errorf("siti's one text is %d answers", n)
		}
		if got := siti.unread(); len(got) != 2 { // the alert, and thanks
			t.Errorf("siti got %d messages, want the alert and one answer: %+v", len(got), got)
		}
	})
}

// A text that comes to us late does not undo what somebody said since, and is no answer
// to what went out after it was written.
func TestReconcileKeepsTheOrderInWhichThingsWereSaid(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(time.Hour))
		h.deaf.Store(true)
		h.Phone("siti").write("1")
		h.Phone("siti").Tap(announcement.NeedHelp) // the page works
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		flood := h.Announce("Flood at the gate", to("siti"), steps(time.Hour))
		h.After(3 * time.Minute)
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(flood, "siti", announcement.NoAnswer)
	})
}

// How our texts ended is asked for too: the provider's names of them are kept, sealed,
// until that is known, and are never in the ledger.
func TestReconcileAsksHowTextsEnded(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.deaf.Store(true)
		fire := h.Announce("Fire in hall 3", to("siti"), steps(time.Hour))
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "30005"}, nil)
		flood := h.Announce("Flood at the gate", to("agus"), steps(time.Hour))
		h.After(10 * time.Second)
		if l := h.recipient(fire, "siti").Channels[announcement.SMS]; l.Rank != "accepted" {
			t.Fatalf("it is known already: %+v", l)
		}
		if len(h.present("sent")) == 0 {
			t.Error("what the provider calls the texts is not kept: a restart would forget it")
		}
		h.After(3 * time.Minute)
		if l := h.recipient(fire, "siti").Channels[announcement.SMS]; l.Rank != "delivered" {
			t.Errorf("got %+v, want delivered", l)
		}
		if l := h.recipient(flood, "agus").Channels[announcement.SMS]; l.Rank != "failed" || l.Failure != "invalid_number" {
			t.Errorf("got %+v, want that the number is no good", l)
		}
		if left := h.present("sent"); len(left) != 0 {
			t.Errorf("%d values are kept of texts whose end is known", len(left))
		}
		for _, id := range []announcement.ID{fire, flood} {
			err := h.house.ledger.Read(h.t.Context(), id, func(r ledger.Record) error {
				for _, f := range r.Facts {
					if b, _ := json.Marshal(f); strings.Contains(string(b), `"SM`) || strings.Contains(string(b), "+62") {
						t.Errorf("the ledger holds what names a text or a number: %s", b)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Of several nodes one asks in a minute; nothing is asked while nothing is open.
func TestReconcileAsksOnceAMinute(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		r := h.house.reconciler
		other := &reconciler{desk: r.desk, accounts: r.accounts, found: func() {}, known: map[string]time.Time{}}
		stored := func() string {
			b, _ := h.house.vault.Get(h.t.Context(), inquiryKey+"first")
			return string(b)
		}
		before := stored()
		h.After(5 * time.Minute)
		if stored() != before {
			t.Error("it was asked while nothing is open")
		}
		h.Announce("Fire in hall 3", to("siti"), steps(time.Hour))
		h.After(90 * time.Second)
		if stored() == before {
			t.Error("it was not asked while an alert is open")
		}
		if mine, err := other.replies(h.t.Context(), r.accounts[0], false); mine || err != nil {
			t.Errorf("a second node asks in the same minute: %v", err)
		}
		if mine, err := other.replies(h.t.Context(), r.accounts[0], true); !mine || err != nil {
			t.Errorf("a node that starts does not ask: %v", err)
		}
	})
}
