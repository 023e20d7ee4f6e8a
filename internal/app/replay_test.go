package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// hear hands in one text as the provider does, under a MessageSid of the story's choice.
func (p handset) hear(sid, body string) string {
	p.t.Helper()
	back, err := p.house.desk.hear(p.t.Context(), sms.Inbound{SID: sid, From: p.owner.mobile, To: "+15005550006", Body: body})
	if err != nil {
		p.t.Errorf("%s was not taken: %v", sid, err)
	}
	p.settle()
	return back
}

func TestReplayedTextIsOneFactForEver(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		siti := h.Phone("siti")
		siti.ExpectSMS("Fire in hall 3")
		if back := siti.hear("SM1", "1"); !strings.Contains(back, "SAFE") {
			t.Errorf("the first time: got %q, want thanks", back)
		}
		siti.hear("SM2", "STOP")
		siti.hear("SM3", "START")
		h.ExpectClosed(fire, announcement.AsAccounted)

		h.After(24 * time.Hour)
		flood := h.Announce("Flood at the gate", to("siti"))
		siti.ExpectSMS("Flood at the gate")
		for range 3 {
			if back := siti.hear("SM1", "1") + siti.hear("SM2", "STOP"); back != "" {
				t.Errorf("a replay was answered: %q", back)
			}
		}
		h.ExpectState(flood, "siti", announcement.NoAnswer) // that was said of another alert
		if siti, _ := h.house.directory.ByNumber("siti"); h.house.directory.Contact(siti.ID).SMSStopped {
			t.Error("a replayed STOP stopped the SMS of somebody who had started them again")
		}
	})
}

// Operators send a text again under another name, within seconds.
func TestCheck52ResentTextIsOneAnswerAndMachinesFallSilent(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		siti := h.Phone("siti")
		siti.ExpectSMS("Fire in hall 3")
		told := func(kind announcement.Kind, name string) (n int) {
			for _, e := range h.timeline(fire) {
				if e.Kind == kind && e.Name == name {
					n++
				}
			}
			return n
		}
		var backs []string
		for _, sid := range []string{"SM1", "SM2", "SM3"} {
			if back := siti.hear(sid, "1 di gerbang timur"); back != "" {
				backs = append(backs, back)
			}
		}
		if n := told(announcement.KindAnswered, "siti"); n != 1 || len(backs) != 1 {
			t.Errorf("three identical texts in ten seconds made %d answers and were answered by %q, want one and one", n, backs)
		}
		siti.hear("SM4", "2") // something else is news, however soon
		h.ExpectState(fire, "siti", announcement.NeedsHelp)

		// A phone that answers every text by itself faces our answers, for an hour.
		agus, sent := h.Phone("agus"), 0
		back := "Saya sedang rapat."
		for began, i := time.Now(), 0; time.Since(began) < time.Hour; i++ {
			if got := agus.hear(fmt.Sprint("SA", i), back); got != "" {
				sent, back = sent+1, got
			}
			time.Sleep(time.Minute)
		}
		if sent == 0 || sent > 6 {
			t.Errorf("two machines exchanged %d answers in an hour, want at most 6", sent)
		}
	})
}

func TestHelpInADrillSentAgainByTheOperatorIsStillADrill(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.Announce("Fire in hall 3", to("siti"), asDrill)
		siti := h.Phone("siti")
		siti.hear("SM1", "2")
		h.Phone("chief").ExpectSMS("DRILL", "siti NEEDS HELP")
		siti.hear("SM2", "2")
		h.Phone("chief").ExpectNothing()
		h.After(time.Minute)
		siti.hear("SM3", "2") // she asks again, and means it
		h.Phone("chief").ExpectSMS("HELP asked for by SMS")
	})
}

func TestHelpInADrillComingTwiceIsStillADrill(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		drill := h.Announce("Fire in hall 3", to("siti"), asDrill)
		siti := h.Phone("siti")
		siti.hear("SM1", "2")
		h.Phone("chief").ExpectSMS("DRILL", "siti NEEDS HELP")
		// The provider did not hear our answer and we had not noted the end of it.
		if err := h.house.vault.Delete(h.t.Context(), heardKey("SM1")); err != nil {
			t.Fatal(err)
		}
		siti.hear("SM1", "2")
		h.ExpectState(drill, "siti", announcement.NeedsHelp)
		h.Phone("chief").ExpectNothing()
	})
}

// failing lets the writes that are named in its list fail once.
type failing struct {
	ledger.Ledger
	fails func(announcement.Fact) bool
}

func (f *failing) Once(ctx context.Context, key string, fact announcement.Fact) (uint64, error) {
	if f.fails(fact) {
		return 0, ledger.ErrUnavailable
	}
	return f.Ledger.Once(ctx, key, fact)
}

func TestHelpForTwoSurvivesHalfAFailure(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief mobile:siti", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		in := sms.Inbound{SID: "SM1", From: h.employee("siti").mobile, Body: "2"}
		real, written := h.house.desk.ledger, 0
		h.house.desk.ledger = &failing{Ledger: real, fails: func(f announcement.Fact) bool { written++; return written == 2 }}
		if _, err := h.house.desk.hear(h.t.Context(), in); err == nil {
			t.Fatal("half of it was recorded, and the provider was told that all of it was")
		}
		h.house.desk.ledger = real
		back, err := h.house.desk.hear(h.t.Context(), in) // the provider posts it again
		if err != nil || !strings.Contains(back, "HELP") {
			t.Errorf("the second time: got %q, %v", back, err)
		}
		h.settle()
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(fire, "agus", announcement.NeedsHelp)
	})
}

func TestUnknownLetterOfASharedNumberIsHelpForBoth(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief mobile:siti", func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").Reply("2K")
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(fire, "agus", announcement.NeedsHelp)
	})
}

// In the first seconds a node has not read the ledger. What comes in then must be
// answered with "not yet", or wait: never with "we do not know you".
func TestNodeThatStillReadsTheLedgerKnowsThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		token := h.house.links.answerToken(fire, 0)
		behind := tracker.New(tracker.Options{Ledger: h.house.ledger, Store: tracker.NewMemoryStore(), Now: time.Now})
		d := h.house.desk
		late := &desk{audit: d.audit, config: d.config, ledger: d.ledger, vault: d.vault, directory: d.directory, catalogue: d.catalogue, hub: d.hub, now: d.now, log: d.log,
			inbox: d.inbox, replies: d.replies, tracker: behind, links: newLinks(d.links.key, behind)}
		press := web.Press{Answer: announcement.NeedHelp, Ref: "k"}
		if _, err := late.Answer(h.t.Context(), token, press); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("call for help: got %v, want not recorded yet", err)
		}
		if _, err := late.TeamPage(h.t.Context(), token); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("team page: got %v, want not yet", err)
		}
		if _, err := late.AnswerPage(h.t.Context(), "no token"[:7]); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("what cannot be a link: got %v, want not found", err)
		}
		in := sms.Inbound{SID: "SM1", From: h.employee("siti").mobile, Body: "1"}
		if _, err := late.hear(h.t.Context(), in); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("text: got %v, want not recorded yet", err)
		}
		ctx, stop := context.WithCancel(h.t.Context())
		ended := make(chan error)
		go func() { ended <- late.tracker.Run(ctx) }()
		if page, err := late.Answer(h.t.Context(), token, press); err != nil || page.Answer != announcement.NeedHelp {
			t.Errorf("once it has read the ledger: got %d, %v", page.Answer, err)
		}
		if _, err := late.AnswerPage(h.t.Context(), "AAAAAAAA"); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("unknown link: got %v, want not found", err)
		}
		stop()
		<-ended
		h.settle()
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
	})
}

// TestReplayedReceiptIsOneFact lets the provider post each callback five times, in
// the wrong order, and somebody post them again when the node has forgotten them.
func TestReplayedReceiptIsOneFact(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Repeat: 5, Reorder: true}, nil)
		fire := h.Announce("Fire in hall 3", to("siti"), steps(time.Hour, step(time.Minute, announcement.CallRecipient), step(2*time.Minute, announcement.CallManager)))
		h.After(3 * time.Minute)
		receipts := func() map[announcement.Receipt]int {
			n := map[announcement.Receipt]int{}
			err := h.house.ledger.Read(h.t.Context(), fire, func(r ledger.Record) error {
				for _, f := range r.Facts {
					if f.Receipt != nil {
						n[*f.Receipt]++
					}
				}
				return nil
			})
			if err != nil {
				h.t.Fatal(err)
			}
			return n
		}
		got := receipts()
		if len(got) != 6 { // sent and delivered: of the alert, the reminder, and the digest
			t.Errorf("%d receipts, want six: %v", len(got), got)
		}
		d := h.house.desk
		v, _ := d.tracker.View(fire)
		for said := range got {
			if err := d.receipt(h.t.Context(), v, said); err != nil { // as when nothing is remembered
				t.Errorf("%+v: %v", said, err)
			}
		}
		for said, times := range receipts() {
			if times != 1 {
				t.Errorf("%+v is %d facts, want one", said, times)
			}
		}
	})
}

// TestReceiptOfACallThatNobodyDecided: the provider's callbacks are signed, but what they
// are about it has from us. One that is about no call makes no fact, and the ledger stays
// whole; one about a call that this node has not followed yet is asked for again.
func TestReceiptOfACallThatNobodyDecided(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"), steps(time.Hour, step(time.Minute, announcement.CallManager)))
		h.After(2 * time.Minute)
		d := h.house.desk
		status := func(sendID string) error {
			r := web.HookRequest{Path: "/hooks/twilio/status?d=" + sendID, ContentType: "application/x-www-form-urlencoded", Body: []byte("MessageStatus=failed")}
			signed := hmac.New(sha1.New, []byte(d.config.TwilioAuthToken))
			signed.Write([]byte(d.config.PublicURL + r.Path + "MessageStatusfailed"))
			r.Signature = base64.StdEncoding.EncodeToString(signed.Sum(nil))
			return d.Status(h.t.Context(), r)
		}
		last := func() uint64 {
			seq, err := h.house.ledger.Last(h.t.Context())
			if err != nil {
				h.t.Fatal(err)
			}
			return seq
		}
		v, _ := d.tracker.View(fire)
		digest := slices.IndexFunc(v.Rounds, func(r announcement.Decided) bool { return len(r.To) > 0 })
		if digest < 0 {
			h.t.Fatal("no manager was called")
		}
		called := v.Rounds[digest]
		before := last()
		for _, id := range []string{dispatch.SendID(fire, 77, 0), dispatch.SendID(fire, 0, 1), dispatch.SendID(fire, called.Round, len(called.To))} {
			if err := status(id); err != nil {
				t.Errorf("%s: got %v, want it taken, so that it does not come again", id, err)
			}
		}
		if now := last(); now != before {
			t.Errorf("%d records were written", now-before)
		}
		for _, id := range []string{dispatch.SendID(fire, 0, 0), dispatch.SendID(fire, called.Round, 0)} {
			at := last()
			if err := status(id); err != nil || last() != at+1 {
				t.Errorf("%s: %v, %d records, want one", id, err, last()-at)
			}
		}
		report, err := ledger.Verify(h.t.Context(), h.house.ledger)
		if err != nil || len(report.Faults) > 0 {
			t.Errorf("the ledger: %v %q", err, report.Faults)
		}

		behind := &desk{config: d.config, ledger: d.ledger, now: d.now, log: d.log, // it has read nothing yet
			tracker: tracker.New(tracker.Options{Ledger: h.house.ledger, Store: tracker.NewMemoryStore(), Now: d.now})}
		err = behind.receiptOnce(h.t.Context(), v, announcement.Receipt{Round: 78, Channel: announcement.SMS, Rank: announcement.Delivered})
		if !errors.Is(err, web.ErrNotYet) {
			t.Errorf("on a node that is behind: got %v, want not recorded yet", err)
		}
	})
}
