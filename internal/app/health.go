package app

import (
	"context"
	"strconv"
	"time"

	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// health answers the probes: alive, and ready with what is missing.
type health struct{ *House }

// Live reports that the process works at all.
func (h health) Live() bool { return true }

// Ready says what is missing before an alarm could go out.
func (h health) Ready(ctx context.Context) []web.Check {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var checks []web.Check
	add := func(name string, ok bool, hint string) {
		if ok {
			hint = ""
		}
		checks = append(checks, web.Check{Name: name, OK: ok, Hint: hint})
	}
	_, err := h.ledger.Last(ctx)
	if err == nil {
		err = h.writes.check(ctx, h.vault)
	}
	add("ledger", err == nil, "NATS does not answer, or cannot write: nothing can be recorded; check KENTONGAN_NATS_URL and the disk, and restart NATS (without KENTONGAN_NATS_URL this server) after the disk was full")
	ok, hint := h.tracker.Ready()
	add("tracker", ok, hint)
	if far := h.tracker.Rebuilding(); ok && far != "" { // answers are taken meanwhile, so the node stays in service
		checks = append(checks, web.Check{Name: "rebuild", OK: true, Hint: "the working state was lost and is rebuilt from the ledger: " + far})
	}
	if s, found := h.working.(*tracker.Standby); found && s.Away() { // nothing waits for it, so the node stays in service
		checks = append(checks, web.Check{Name: "redis", OK: true, Hint: "Redis does not answer: this node keeps the working state in memory meanwhile; check KENTONGAN_REDIS_URL"})
	}
	if n := h.audit.behind(); n > 0 { // nothing waits for it either
		checks = append(checks, web.Check{Name: "audit", OK: true, Hint: strconv.Itoa(n) + " looks at people's data are not in the ledger yet; they are written once it takes them"})
	}
	// What the watch finds is the same on every node, and a node out of service takes no
	// answers: it stays, and says so.
	if found, _, _ := h.watch.Found(); len(found) > 0 {
		checks = append(checks, web.Check{Name: "watch", OK: true, Hint: found[0] + "; runbook: deploy/runbook/KentonganWatchFound.md"})
	}
	if hint := h.sealed(); hint != "" {
		checks = append(checks, web.Check{Name: "seals", OK: true, Hint: hint})
	}
	add("people", len(h.directory.Everybody()) > 0, "no people yet: import them with `kentongan people import FILE`")
	add("duty", len(h.directory.Duty()) > 0, "nobody is on the duty list: set KENTONGAN_DUTY")
	add("channels", h.config.SMSProvider != "none" || h.config.PushSubject != "", "neither SMS nor web push is set up: set KENTONGAN_SMS_PROVIDER or KENTONGAN_PUSH_SUBJECT")
	return checks
}
