package app

import (
	"slices"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// A new house with a real provider practises: the console sends drills to a
// handful, nothing else, until the setup is done and HR has switched to live. The
// switch stays.
func TestNewHousePractises(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief push, agus manager:chief, wati manager:chief, dewi manager:chief, rudi manager:chief", func(h *rehearsal) {
		ctx, desk, c := h.t.Context(), h.house.desk, h.house.config
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		staff := h.people()
		if desk.practice() {
			t.Fatal("the sandbox practises: nothing could be tried there")
		}
		c.SMSProvider, c.Countdown = "twilio", 5*time.Second
		held := func(d web.Draft, form string) bool {
			t.Helper()
			p, err := desk.Preview(ctx, hr, d)
			if err != nil {
				t.Fatal(err)
			}
			_, err = desk.Prepare(ctx, hr, d, form)
			if p.Practice != (err != nil) {
				t.Errorf("the page says held back: %v, the server says %v", p.Practice, err)
			}
			return err != nil
		}
		if !held(h.draft("Fire", to("siti")), "1") || !held(h.draft("Fire", asDrill), "2") || held(h.draft("Fire", to("siti", "agus"), asDrill), "3") {
			t.Error("want only the drill to two people to go out")
		}
		h.After(10 * time.Second)
		h.Phone("siti").ExpectPush("DRILL")
		h.Phone("wati").ExpectNothing()

		if err := staff.GoLive(ctx, hr); err == nil {
			t.Fatal("switched to live before the setup is done")
		}
		h.finishSetup(staff, hr)
		if err := staff.GoLive(ctx, web.Principal{Grant: web.As(web.Viewer)}); err == nil {
			t.Error("a viewer switched to live")
		}
		if err := staff.GoLive(ctx, hr); err != nil {
			tasks, _ := staff.Tasks(ctx)
			t.Fatalf("not live: %v, tasks %+v", err, tasks)
		}
		if held(h.draft("Fire", to("siti")), "4") {
			t.Error("still held back")
		}
		other, err := openTrials(ctx, h.house.vault)
		if err != nil || other.get().Live.IsZero() {
			t.Errorf("another node does not know that the house is live: %v", err)
		}
	})
}

// A house whose people have sent a real alert needs no practice; a script is no practice.
func TestHouseThatHasSentIsLive(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief", func(h *rehearsal) {
		h.house.config.SMSProvider = "twilio"
		if !h.house.desk.practice() {
			t.Fatal("a new house is live")
		}
		h.Announce("Fire", to("siti"))
		if !h.house.desk.practice() {
			t.Error("a script has switched it to live")
		}
		hr := web.Principal{Actor: "account:hr", Grant: web.As(web.Sender)}
		if _, _, err := h.house.desk.Announce(h.t.Context(), hr, h.draft("Flood", to("siti")), ""); err != nil {
			t.Fatal(err)
		}
		if h.house.desk.practice() {
			t.Error("it still practises")
		}
	})
}

// people is what the console asks about people.
func (h *rehearsal) people() *people {
	h.t.Helper()
	files, err := openUploads(h.t.Context(), h.house.vault, time.Now)
	if err != nil {
		h.t.Fatal(err)
	}
	guard, err := openAccess(h.t.Context(), h.house.vault, h.house.config, h.house.links.key, h.house.audit, time.Now)
	if err != nil {
		h.t.Fatal(err)
	}
	return &people{directory: h.house.directory, links: h.house.links, desk: h.house.desk, uploads: files, errands: h.house.desk.errands, access: guard}
}

// finishSetup does the first seven tasks.
func (h *rehearsal) finishSetup(staff *people, hr web.Principal) {
	h.t.Helper()
	ctx := h.t.Context()
	h.house.config.OrgName = "PT Contoh"
	real := h.staffFile(func(employee) bool { return true })
	if r, err := staff.Import(ctx, hr, real, false, 0); err != nil || len(r.Errors) > 0 {
		h.t.Fatal(err, r.Errors)
	}
	if err := staff.SaveSite(ctx, hr, web.Site{Name: "Harbour", Assembly: []string{"Gate 1"}, Zone: "Asia/Jakarta"}); err != nil {
		h.t.Fatal(err)
	}
	for _, channel := range []announcement.Channel{announcement.SMS, announcement.WebPush} {
		if err := staff.SendTest(ctx, hr, "siti", channel); err != nil {
			h.t.Fatal(err)
		}
	}
	h.Phone("siti").Tap(announcement.Safe)
	h.settle()
	again := h.Announce("Wrong button", to("siti"), asDrill)
	h.Close(again, announcement.AsCorrected)
}

// A company that sends no SMS is asked for no test of one.
func TestSetupAsksOnlyForWhatIsSetUp(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief push", func(h *rehearsal) {
		h.house.config.SMSProvider = "none"
		state := func(key string) (state string, ticks []string) {
			tasks, err := h.people().Tasks(h.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range tasks {
				if task.Key == key {
					state = task.State
					for _, tick := range task.Ticks {
						ticks = append(ticks, tick.Label)
					}
				}
			}
			return state, ticks
		}
		if got, _ := state("channels"); got != "in progress" {
			t.Errorf("before a test of push: got %q", got)
		}
		if err := h.house.desk.trials.change(h.t.Context(), func(t *tried) { t.Push = time.Now().UTC() }); err != nil {
			t.Fatal(err)
		}
		if got, _ := state("channels"); got != "completed" {
			t.Errorf("after it: got %q, want it completed without SMS", got)
		}
		if _, ticks := state("yourself"); slices.Contains(ticks, "SMS arrived") || !slices.Contains(ticks, "Push arrived") {
			t.Errorf("to try out: %v", ticks)
		}
	})
}
