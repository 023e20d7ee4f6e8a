package app

import (
	"context"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// A new installation practises: from the console only drills to a handful of
// people go out, until the first tasks of the setup are done and HR has switched to
// live. The API is not held back: scripts are made by whoever runs the server, and
// in an emergency before that day there has to be a way.

// practiceDrill is how many people a drill may call while the house practises:
// oneself, and those who help.
const practiceDrill = 5

// practice reports whether the console may not send to everybody yet. In a sandbox
// all phones are made up, so that nothing has to be held back; and a house whose people
// have sent a real alert before is past its practice. What a script sends says nothing of
// whether people can.
func (d *desk) practice() bool {
	if d.config.SMSProvider == "sandbox" || !d.trials.get().Live.IsZero() {
		return false
	}
	return !slices.ContainsFunc(d.tracker.IDs(), func(id announcement.ID) bool {
		v, ok := d.tracker.View(id)
		return ok && v.Announcement.Mode == announcement.Live && v.By != announcement.ByNetwork && !strings.HasPrefix(string(v.By), "token:")
	})
}

// heldBack reports whether practice holds an announcement to so many people back.
func (d *desk) heldBack(mode announcement.Mode, people int) bool {
	return (mode == announcement.Live || people > practiceDrill) && d.practice()
}

// whyHeldBack is what the console says about it.
var whyHeldBack = announcement.FieldErrors{{Field: "practice", Why: "This house still practises. Finish the setup and switch to live first."}}

// GoLive ends the practice. It needs the tasks without which a real alert would
// not reach people.
func (p *people) GoLive(ctx context.Context, who web.Principal) error {
	if !who.May(web.Announce) {
		return web.ErrForbidden
	}
	tasks, err := p.Tasks(ctx)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.Before && t.State != "completed" {
			return announcement.FieldErrors{{Field: "live", Why: "Complete the first seven tasks before you switch to live."}}
		}
	}
	return p.desk.trials.change(ctx, func(t *tried) { t.Live = p.desk.now().UTC() })
}
