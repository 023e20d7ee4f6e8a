package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// TestNoRequestMakesADrillLiveNorTheReverse sends every form of the console and every
// call of the API about an open drill, one in its countdown, one that waits for
// approval and one laid aside, each with the other mode in it, and the same about a
// real one: nothing ever goes out in another mode than it was written in.
func TestNoRequestMakesADrillLiveNorTheReverse(t *testing.T) {
	for _, mode := range []announcement.Mode{announcement.Drill, announcement.Live} {
		t.Run(string(mode), func(t *testing.T) {
			twoPeople(t, func(o office) {
				desk, ctx := o.house.desk, o.t.Context()
				other := map[announcement.Mode]announcement.Mode{announcement.Drill: announcement.Live, announcement.Live: announcement.Drill}[mode]
				in := func(m announcement.Mode) choice { return func(d *web.Draft) { d.Mode = m } }
				few := to("siti")
				open, _, err := desk.Announce(ctx, o.rina, o.draft("Fire in hall 3", few, in(mode), steps(2*time.Hour)), "open")
				if err != nil {
					t.Fatal(err)
				}
				// The same key, the same words, the other mode.
				for name, send := range map[string]func(web.Draft) error{
					"announce": func(d web.Draft) error { _, _, err := desk.Announce(ctx, o.rina, d, "open"); return err },
					"prepare":  func(d web.Draft) error { _, err := desk.Prepare(ctx, o.rina, d, "soon"); return err },
				} {
					if name == "prepare" {
						if err := send(o.draft("Fire in hall 3", few, in(mode), steps(2*time.Hour))); err != nil {
							t.Fatal(err)
						}
					}
					if err := send(o.draft("Fire in hall 3", few, in(other), steps(2*time.Hour))); err == nil {
						t.Errorf("%s took the key again for the other mode", name)
					}
				}
				waits := announcement.ID("none")
				if mode == announcement.Live {
					waits = o.Write("waits")
				}
				if err := desk.SaveDraft(ctx, o.rina, web.SavedDraft{ID: "aside", Draft: o.draft("Fire", few, in(mode)), Step: "write"}); err != nil {
					t.Fatal(err)
				}
				boss := o.as("boss", web.As(web.Roles...))
				for _, route := range o.house.server.ConsoleRoutes() {
					method, path, _ := strings.Cut(route, " ")
					if method != http.MethodPost || strings.Contains(path, "/erase") {
						continue
					}
					for _, id := range []string{string(open.ID), string(waits), "aside"} {
						p := strings.NewReplacer("{id}", id, "{n}", "0", "{number}", "siti", "{key}", "fire", "{act}", "role", "{file}", "people.csv").Replace(path)
						boss.ask(method, p, "application/x-www-form-urlencoded", fmt.Sprintf("mode=%s&live=LIVE&understand=1&people=3&drill=1&typed=1&step=send&reason=x&a=1&how=saw&words.en=x&again=1&material=1&changed.en=x&text.en.title=x&title.en=x&body.en=x", other))
						o.settle()
					}
				}
				for _, call := range []string{"announcements", "announcements/" + string(open.ID) + "/revise", "announcements/" + string(open.ID) + "/remind", "announcements/" + string(open.ID) + "/close"} {
					for _, body := range []string{`{"mode":%q,"reason":"x","changed":{"en":"x"},"material":true,"text":{"en":{"title":"x","body":"x"}}}`, `{"Mode":%q}`, `{"mode":%q,"mode":"drill"}`} {
						_, _ = o.post("/api/v1/"+call, fmt.Sprintf(body, other))
						o.settle()
					}
				}
				o.After(20 * time.Minute)
				seen := 0
				for _, id := range o.house.tracker.IDs() {
					v, ok := o.house.tracker.View(id)
					if !ok || v.By == announcement.ByNetwork {
						continue
					}
					seen++
					if v.Announcement.Mode != mode {
						t.Errorf("%s went out as %s, and nobody wrote it so: %+v", id, v.Announcement.Mode, v.Announcement.Text)
					}
				}
				if seen < 2 {
					t.Errorf("only %d went out", seen)
				}
			})
		})
	}
}
