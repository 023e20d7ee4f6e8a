package app

import (
	"errors"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// Stranger gives a phone to somebody whom the directory does not know.
func (h *rehearsal) Stranger(mobile string) handset {
	h.t.Helper()
	h.beyond("POST", "/sandbox/phones", []sandbox.Person{{Number: mobile, Name: "Somebody", Mobile: mobile}}, nil)
	return handset{h, employee{name: mobile, mobile: mobile}}
}

func TestHelpOutsideOfAnAlertCallsTheDutyList(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		siti := h.Phone("siti")
		siti.Reply("tolong, terjebak di lift")
		siti.ExpectSMS("HELP request recorded")
		h.Phone("chief").ExpectSMS("HELP asked for by SMS")
		h.Phone("budi").ExpectNothing()
		box := h.house.desk.whole().Inbox(h.t.Context())
		if len(box) != 1 || !box[0].Help || len(box[0].Names) != 1 || box[0].Names[0].Name != "siti" || box[0].Body != "tolong, terjebak di lift" {
			t.Fatalf("inbox: got %+v, want siti's call for help", box)
		}

		h.After(2*time.Minute + 30*time.Second) // nobody on duty has answered
		h.Phone("chief").ExpectSMS("We have no answer from you", "HELP asked for by SMS")
		h.Phone("chief").Reply("1")
		h.Phone("chief").ExpectSMS("Recorded, thank you")
		siti.Reply("masih terjebak, tolong") // the same ten minutes: filed, the duty list knows
		h.After(30 * time.Minute)
		h.Phone("chief").ExpectNothing()
		if box := h.house.desk.whole().Inbox(h.t.Context()); len(box) != 2 {
			t.Errorf("inbox: got %d texts, want both", len(box))
		}
	})
}

func TestStrangersAreFiledAndAnsweredOnceADay(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief", func(h *rehearsal) {
		stranger := h.Stranger("+628999000111")
		stranger.Reply("halo, apa kabar")
		stranger.ExpectSMS("belum terdaftar")
		h.After(time.Hour)
		stranger.Reply("halo?")
		stranger.ExpectNothing()
		h.Phone("chief").ExpectNothing()
		stranger.Reply("tolong, kebakaran di gudang")
		stranger.ExpectSMS("diteruskan ke petugas")
		h.Phone("chief").ExpectSMS("HELP asked for by SMS")
		if box := h.house.desk.whole().Inbox(h.t.Context()); len(box) != 3 || !box[0].Help || len(box[0].Names) != 0 {
			t.Errorf("inbox: got %+v, want three texts of a stranger, help first", box)
		}
	})
}

func TestSOSInADrillIsReal(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		drill := h.Announce("Fire in hall 3", to("siti"), asDrill)
		siti := h.Phone("siti")
		siti.ExpectSMS("DRILL")
		siti.Reply("2")
		siti.ExpectSMS("This is a DRILL", "Reply SOS")
		h.ExpectState(drill, "siti", announcement.NeedsHelp)
		h.Phone("chief").ExpectSMS("DRILL", "siti NEEDS HELP")
		h.Phone("chief").ExpectNothing()

		h.After(time.Minute)
		siti.Reply("SOS")
		siti.ExpectSMS("HELP request recorded")
		h.Phone("chief").ExpectSMS("HELP asked for by SMS") // not marked as a drill
	})
}

func TestYesIsAnAnswerUnlessItOptsInAgain(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		fire := h.Announce("Fire in hall 3", to("siti"))
		siti := h.Phone("siti")
		siti.ExpectSMS("Fire in hall 3")
		siti.Reply("yes") // seen: "yes" to safe or help is no answer
		siti.ExpectSMS("are you safe?")
		h.ExpectState(fire, "siti", announcement.HasOpened)
		h.After(2 * time.Minute)
		siti.Reply("STOP")
		h.After(2 * time.Minute)
		siti.Reply("YES")
		siti.ExpectSMS("Emergency SMS is on again")
		h.ExpectState(fire, "siti", announcement.HasOpened)
	})
}

// Siti borrows a stranger's phone. Somebody in HR knows whose text it is: it
// becomes her call for help in the open alert, once, and calls whom hers would.
func TestTextOfAStrangerIsAssigned(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief, siti manager:budi, agus manager:budi", func(h *rehearsal) {
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		desk := h.house.desk
		stranger := h.Stranger("+628999000111")
		fire := h.Announce("Fire in hall 3", to("siti", "budi"))
		for _, who := range []string{"siti", "budi"} {
			h.Phone(who).ExpectSMS("Fire in hall 3")
		}
		stranger.Reply("tolong, saya siti, kaki luka")
		h.After(time.Minute)
		h.ExpectState(fire, "siti", announcement.NoAnswer)
		box := desk.whole().Inbox(h.t.Context())
		if len(box) != 1 || len(box[0].Names) != 0 {
			t.Fatalf("inbox: got %+v, want one text of a stranger", box)
		}
		if _, _, err := desk.AssignText(h.t.Context(), hr, box[0].ID, "nobody"); asFieldErrors(err, "")[0].Field != "number" {
			t.Errorf("assigned to an unknown number: %v", err)
		}
		if _, _, err := desk.AssignText(h.t.Context(), web.Principal{Grant: web.As(web.Viewer)}, box[0].ID, "siti"); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("a viewer assigns: %v", err)
		}
		at, n, err := desk.AssignText(h.t.Context(), hr, box[0].ID, "siti")
		if err != nil || at != fire {
			t.Fatalf("assigned to %q, %v, want the fire", at, err)
		}
		h.settle()
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.Phone("budi").ExpectSMS("siti NEEDS HELP")
		r, _, err := desk.whole().Recipient(h.t.Context(), fire, n)
		if err != nil || r.Words != "tolong, saya siti, kaki luka" {
			t.Errorf("the board says %q, %v, want her words", r.Words, err)
		}
		if box := desk.whole().Inbox(h.t.Context()); len(box) != 0 {
			t.Errorf("it still waits: %+v", box)
		}
		if filed, _ := desk.inbox.get(box[0].ID); filed.HandledAt.IsZero() {
			t.Error("nobody knows when it was seen to")
		}
		if _, _, err := desk.AssignText(h.t.Context(), hr, box[0].ID, "agus"); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("assigned twice: %v", err)
		}

		stranger.Reply("kantor sudah buka?") // nobody becomes safe by words that say no such thing
		h.After(time.Minute)
		box = desk.whole().Inbox(h.t.Context())
		if at, _, err := desk.AssignText(h.t.Context(), hr, box[0].ID, "budi"); err != nil || at != fire {
			t.Fatalf("assigned to %q, %v, want the fire", at, err)
		}
		h.ExpectState(fire, "budi", announcement.NoAnswer)

		// No alert asks Agus: the text stays, under his name, with the number on file.
		stranger.Reply("ini agus, motor saya mogok")
		h.settle()
		box = desk.whole().Inbox(h.t.Context())
		if at, _, err := desk.AssignText(h.t.Context(), hr, box[0].ID, "agus"); err != nil || at != "" {
			t.Fatalf("assigned to %q, %v, want it to wait on", at, err)
		}
		box = desk.whole().Inbox(h.t.Context())
		if len(box) != 1 || !box[0].Assigned || box[0].Names[0].Name != "agus" || box[0].Mobile != h.employee("agus").mobile {
			t.Errorf("inbox: got %+v, want it under the name of agus", box)
		}
		if err := desk.HandleText(h.t.Context(), hr, box[0].ID); err != nil || len(desk.whole().Inbox(h.t.Context())) != 0 {
			t.Errorf("not handled: %v", err)
		}
	})
}

// TestEmergencyIsReported follows a report from an employee's own page to the duty
// list, into the inbox, and back to the one who made it.
func TestEmergencyIsReported(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief, agus manager:chief", func(h *rehearsal) {
		ctx, d, siti := h.t.Context(), h.house.desk, h.device("siti")
		report := web.Emergency{Kind: "fire", Where: "Gudang 2", What: "Asap dari panel", Photo: []byte("jpeg"), Ref: "k1"}
		id, err := d.ReportEmergency(ctx, siti, report)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := d.ReportEmergency(ctx, siti, report); err != nil || again != id {
			t.Errorf("sent again it is %q, %v, want the same report", again, err)
		}
		h.settle()
		h.Phone("chief").ExpectSMS("EMERGENCY REPORTED by an employee")
		h.NothingElse()
		box := d.whole().Inbox(ctx)
		if len(box) != 1 || !box[0].Help || box[0].Kind != "fire" || box[0].Where != "Gudang 2" || !box[0].Photo || box[0].Names[0].Name != "siti" {
			t.Fatalf("inbox: got %+v, want the report of siti", box)
		}
		if photo, err := d.whole().EmergencyPhoto(ctx, id); err != nil || string(photo) != "jpeg" {
			t.Errorf("the photo: %q, %v", photo, err)
		}
		if _, err := d.EmergencyStatus(ctx, h.device("agus"), id); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("a colleague reads it: %v", err)
		}
		if s, err := d.EmergencyStatus(ctx, siti, id); err != nil || !s.Called || s.SeenBy != "" || s.ClosedBy != "" {
			t.Errorf("at first: %+v, %v, want received and nobody yet", s, err)
		}
		h.After(time.Minute)
		h.Phone("chief").Reply("1")
		if s, _ := d.EmergencyStatus(ctx, siti, id); s.SeenBy != "chief" || !s.SeenAt.After(s.At) {
			t.Errorf("seen by %q at %s, want chief, later", s.SeenBy, s.SeenAt)
		}
		if err := d.HandleText(ctx, web.Principal{Actor: announcement.Actor("token:rina"), Name: "Rina", Grant: web.As(web.Sender)}, id); err != nil {
			t.Fatal(err)
		}
		if s, _ := d.EmergencyStatus(ctx, siti, id); s.ClosedBy != "API token rina" || s.ClosedAt.IsZero() {
			t.Errorf("handled by %q at %s, want the token of rina", s.ClosedBy, s.ClosedAt)
		}
	})
}
