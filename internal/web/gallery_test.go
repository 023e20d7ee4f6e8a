package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template/parse"
	"time"

	"kentongan/internal/announcement"
	"kentongan/templates"
)

var galleryTo = flag.String("gallery", "", "write every page with made-up data into this folder (make gallery)")

// exhibit is a page in one state. What is made for it is made by the handlers
// that people meet; only the company behind them is made up.
type exhibit struct {
	name  string
	path  string
	set   func(testing.TB, *company) // what differs from the usual company
	form  []string                   // forms posted to path one after the other, each with the sealed state of the page before
	file  string                     // a file uploaded to path
	as    string                     // token of whoever has signed in; empty: "v"
	asked string                     // employee number for which a code was asked
	want  int                        // status; 0 is 200
}

// exhibits are all pages. A new template needs a line here, and so does a state
// that looks different; everything else (budgets, axe, the validator, pictures)
// follows from it.
var exhibits = []exhibit{
	{name: "answer-real", path: "/r/" + goodToken},
	{name: "answer-drill", path: "/r/" + goodToken, set: alert("earthquake", announcement.Drill)},
	{name: "answer-severe", path: "/r/" + goodToken, set: alert("flood", announcement.Live)},
	{name: "answer-understand", path: "/r/" + goodToken, set: alert("closure", announcement.Live)},
	{name: "answer-safe", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.say(announcement.Safe) }},
	{name: "answer-help", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.say(announcement.NeedHelp) }},
	{name: "answer-help-handled", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.say(announcement.NeedHelp)
		c.answer.Handler, c.answer.HandledAt = "Budi Santoso", noon.Add(2*time.Minute)
	}},
	{name: "answer-help-resolved", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.say(announcement.NeedHelp)
		c.answer.Handler, c.answer.HandledAt, c.answer.Resolved = "Budi Santoso", noon.Add(9*time.Minute), announcement.FirstAid
	}},
	{name: "answer-not-on-site", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.say(announcement.NotOnSite) }},
	{name: "answer-change", path: "/r/" + goodToken + "?change=1", set: func(_ testing.TB, c *company) { c.say(announcement.Safe) }},
	{name: "answer-vouched", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.say(announcement.Safe); c.answer.VouchedBy = "Budi Santoso" }},
	{name: "answer-help-told", path: "/r/" + goodToken + "/tell", asked: "2210", form: []string{"k=c9f1&kind=hurt&words=lantai+3"}, set: func(_ testing.TB, c *company) { c.say(announcement.NeedHelp) }},
	{name: "answer-help-nothing-told", path: "/r/" + goodToken + "/tell", asked: "2210", form: []string{"k=c9f1"}, set: func(_ testing.TB, c *company) { c.say(announcement.NeedHelp) }, want: http.StatusUnprocessableEntity},
	{name: "answer-safe-told", path: "/r/" + goodToken + "/tell", asked: "2210", form: []string{"k=c9f1&words=Joko"}, set: func(_ testing.TB, c *company) { c.say(announcement.Safe) }},
	{name: "answer-safe-nothing-told", path: "/r/" + goodToken + "/tell", asked: "2210", form: []string{"k=c9f1"}, set: func(_ testing.TB, c *company) { c.say(announcement.Safe) }, want: http.StatusUnprocessableEntity},
	{name: "answer-understand-problem", path: "/r/" + goodToken, set: func(t testing.TB, c *company) {
		c.setAlert(t, "closure", announcement.Live)
		c.say(announcement.NeedHelp)
	}},
	{name: "answer-late", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.end(announcement.AsAllClear) }},
	{name: "answer-expired", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.end(announcement.AsExpired) }},
	{name: "answer-clear-and-asked-on", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.answer.ClearAt = noon.Add(3 * time.Minute) }},
	{name: "answer-update", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.answer.Update, c.answer.UpdatedAt = "Pakai gerbang barat. Gerbang timur ditutup.", noon.Add(3*time.Minute)
	}},
	{name: "answer-revised", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.revise() }},
	{name: "answer-revised-answered-before", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.revise()
		c.answer.Earlier, c.answer.EarlierAt = announcement.Safe, noon.Add(time.Minute)
	}},
	{name: "answer-corrected", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) { c.end(announcement.AsCorrected) }},
	{name: "answer-corrected-needs-help", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.say(announcement.NeedHelp)
		c.end(announcement.AsCorrected)
	}},
	{name: "answer-late-answered", path: "/r/" + goodToken, set: func(_ testing.TB, c *company) {
		c.say(announcement.NeedHelp)
		c.answer.Late = true
		c.end(announcement.AsAllClear)
	}},
	{name: "answer-posted", path: "/r/" + goodToken, form: []string{"a=1&k=c9f1"}},
	{name: "answer-unknown", path: "/r/unknown1", want: http.StatusNotFound},
	{name: "answer-not-recorded", path: "/r/" + goodToken, form: []string{"a=2&k=c9f1"}, set: func(_ testing.TB, c *company) { c.house.err = ErrNotYet }, want: http.StatusServiceUnavailable},
	{name: "answer-none-chosen", path: "/r/" + goodToken, form: []string{"k=c9f1"}, want: http.StatusUnprocessableEntity},

	{name: "team-real", path: "/t/" + goodToken},
	{name: "team-drill", path: "/t/" + goodToken, set: alert("fire", announcement.Drill)},
	{name: "team-50", path: "/t/" + goodToken, set: func(_ testing.TB, c *company) { c.people(50, true) }},
	{name: "team-not-answered", path: "/t/" + goodToken, set: func(_ testing.TB, c *company) { c.team.Answered = false }},
	{name: "team-nobody-waits", path: "/t/" + goodToken, set: func(_ testing.TB, c *company) {
		for i := range c.team.Recipients {
			c.team.Recipients[i].State = announcement.Confirmed
		}
		c.team.Counts = announcement.Counts{Recipients: 14, Confirmed: 14}
	}},
	{name: "roll", path: "/t/" + goodToken + "/roll"},
	{name: "roll-drill", path: "/t/" + goodToken + "/roll?done=marked", set: alert("fire", announcement.Drill)},
	{name: "roll-50", path: "/t/" + goodToken + "/roll", set: func(_ testing.TB, c *company) { c.people(50, true) }},
	{name: "roll-nobody-waits", path: "/t/" + goodToken + "/roll", set: func(_ testing.TB, c *company) {
		for i := range c.rows {
			c.rows[i].State = announcement.Confirmed
		}
	}},
	{name: "team-help-handled", path: "/t/" + goodToken, set: func(t testing.TB, c *company) {
		resolved(t, c)
		c.rows[0].Resolved = ""
	}},
	{name: "team-help-resolved", path: "/t/" + goodToken, set: resolved},
	{name: "team-closed", path: "/t/" + goodToken, set: func(_ testing.TB, c *company) { c.end(announcement.AsAllClear) }},
	{name: "team-corrected", path: "/t/" + goodToken, set: func(_ testing.TB, c *company) { c.end(announcement.AsCorrected); c.team.Answered = false }},
	{name: "team-faults", path: "/t/" + goodToken + "/mark", asked: "2210", form: []string{"a=1"}, want: http.StatusUnprocessableEntity},
	{name: "team-faults-ticked", path: "/t/" + goodToken + "/mark", asked: "2210", form: []string{"n=1&n=3&how=saw"}, want: http.StatusUnprocessableEntity},
	{name: "team-marked", path: "/t/" + goodToken + "?done=marked"},

	{name: "enrol", path: "/e/code1"},
	{name: "enrol-unknown", path: "/e/code2", want: http.StatusNotFound},
	{name: "enrol-expired", path: "/e/code3", want: http.StatusGone},
	{name: "join", path: "/j"},
	{name: "join-not-me", path: "/j?not=me"},
	{name: "join-signed-out", path: "/j?done=signed-out"},
	{name: "join-faults", path: "/j", form: []string{"number="}, want: http.StatusUnprocessableEntity},
	{name: "join-code", path: "/j/code"},
	{name: "join-code-sent", path: "/j/code", asked: "2210"},
	{name: "join-code-no-sms", path: "/j/code", asked: "2210", set: func(_ testing.TB, c *company) { c.house.smsFails = true }},
	{name: "join-code-faults", path: "/j/code", form: []string{"code=12"}, want: http.StatusUnprocessableEntity},
	{name: "join-code-wrong", path: "/j/code", asked: "2210", form: []string{"number=2210&code=482914"}, want: http.StatusUnprocessableEntity},
	{name: "join-code-old", path: "/j/code", asked: "2210", form: []string{"number=2210&code=111111"}, want: http.StatusUnprocessableEntity},
	{name: "join-code-wait", path: "/j/code", asked: "2210", form: []string{"number=2210&code=999999"}, want: http.StatusTooManyRequests},
	{name: "posters", path: "/people/posters"},
	{name: "me-allow", path: "/me/allow"},
	{name: "me-install", path: "/me/install"},
	{name: "me-install-no-push", path: "/me/install", set: func(_ testing.TB, c *company) { c.me.Devices = 0 }},
	{name: "me-test", path: "/me/test?at=1"},
	{name: "me-test-came", path: "/me/test?at=1", set: func(_ testing.TB, c *company) { c.house.shown = noon }},
	{name: "me-team", path: "/me/team"},
	{name: "emergency", path: "/me/emergency"},
	{name: "emergency-faults", path: "/me/emergency", form: []string{"k=c9f1&kind=fire&what=asap"}, want: http.StatusUnprocessableEntity},
	{name: "emergency-kind-missing", path: "/me/emergency", form: []string{"k=c9f1&where=gudang"}, want: http.StatusUnprocessableEntity},
	{name: "emergency-received", path: "/me/emergency/new"},
	{name: "emergency-nobody-called", path: "/me/emergency/alone"},
	{name: "emergency-closed", path: "/me/emergency/closed"},
	{name: "emergency-unknown", path: "/me/emergency/unknown", want: http.StatusNotFound},
	{name: "me-settings", path: "/me/settings"},
	{name: "me-data", path: "/me/data"},
	{name: "me-data-place-gone", path: "/me/data?done=place-gone"},
	{name: "me-settings-last-device", path: "/me/settings", set: func(_ testing.TB, c *company) { c.house.lastDevice = true }},
	{name: "me-settings-saved", path: "/me/settings?done=saved"},
	{name: "me-settings-code", path: "/me/settings", set: func(_ testing.TB, c *company) { c.house.number = "•••• 1234" }},
	{name: "me-settings-faults", path: "/me/number", asked: "2210", form: []string{"mobile=12"}, want: http.StatusUnprocessableEntity},
	{name: "me-settings-code-wrong", path: "/me/number/code", asked: "2210", form: []string{"code=482914"}, set: func(_ testing.TB, c *company) { c.house.number = "•••• 1234" }, want: http.StatusUnprocessableEntity},
	{name: "guides", path: "/guides"},
	{name: "guide-fire", path: "/guides/fire"},
	{name: "guides-site-number", path: "/guides", set: func(_ testing.TB, c *company) { c.house.dial = "0254-281234" }},
	{name: "guide-phone", path: "/guides/phone"},
	{name: "guide-unknown", path: "/guides/ufo", want: http.StatusNotFound},
	{name: "offline", path: "/offline"},
	{name: "me-alert", path: "/me"},
	{name: "me-drill-answered", path: "/me", set: func(t testing.TB, c *company) {
		c.setAlert(t, "fire", announcement.Drill)
		c.me.Open = []MyAnnouncement{c.mine(c.answer.Announcement)}
		c.me.Open[0].Answer = announcement.Safe
	}},
	{name: "me-calm", path: "/me", set: func(_ testing.TB, c *company) { c.me.Open = nil }},
	{name: "me-no-number", path: "/me", set: func(_ testing.TB, c *company) { c.me.Open, c.me.SMS, c.me.Devices = nil, false, 0 }},
	{name: "me-unknown-phone", path: "/me", set: func(_ testing.TB, c *company) { c.unknown = true }, want: http.StatusUnauthorized},

	{name: "home", path: "/"},
	{name: "home-drill", path: "/", set: alert("fire", announcement.Drill)},
	{name: "home-calm", path: "/", set: func(_ testing.TB, c *company) { c.open, c.texts = nil, nil }},
	{name: "home-first-day", path: "/", set: func(_ testing.TB, c *company) {
		c.open, c.closed, c.texts, c.ready = nil, nil, nil, Readiness{SMSProvider: "practice", Sample: true}
	}},
	{name: "home-practice", path: "/", set: func(_ testing.TB, c *company) { c.sandbox = "http://127.0.0.1:8181/" }},
	{name: "home-provider-down", path: "/", set: func(_ testing.TB, c *company) {
		c.ready.Failing = map[announcement.Channel]string{announcement.SMS: "unauthorized"}
	}},
	{name: "home-viewer", path: "/", set: func(_ testing.TB, c *company) { c.house.open = false }},
	{name: "home-texts", path: "/", set: func(_ testing.TB, c *company) { c.texts = c.texts[1:] }},
	{name: "signin", path: "/signin"},
	{name: "signin-wrong", path: "/signin", form: []string{"token=x"}, want: http.StatusUnauthorized},
	{name: "signin-again", path: "/signin", form: []string{"token=x&to=/inbox&kept.note=Wait"}, want: http.StatusUnauthorized},
	{name: "signed-in", path: "/signin", form: []string{"token=v&to=/inbox&kept.note=Wait"}},
	{name: "signin-wrong-password", path: "/signin", form: []string{"login=rina&password=x&code=1"}, want: http.StatusUnauthorized},
	{name: "signin-too-often", path: "/signin", form: []string{"login=tired&password=x&code=1"}, want: http.StatusUnauthorized},
	{name: "welcome", path: "/welcome/" + goodInvitation},
	{name: "welcome-faults", path: "/welcome/" + goodInvitation, form: []string{"login=r"}, want: http.StatusUnprocessableEntity},
	{name: "welcome-how", path: "/welcome/" + goodInvitation + "/how"},
	{name: "welcome-how-without-passkeys", path: "/welcome/" + goodInvitation + "/how", set: func(_ testing.TB, c *company) { c.house.numeric = true }},
	{name: "signin-company", path: "/signin?to=/inbox", set: withSSO},
	{name: "signin-company-again", path: "/signin", as: "nobody", set: withSSO, form: []string{"how=sso&to=/inbox&kept.note=Wait"}, want: http.StatusUnauthorized},
	{name: "signin-company-refused", path: "/signin/sso/back", set: withSSO, want: http.StatusUnauthorized},
	{name: "signin-without-passkeys", path: "/signin", set: func(_ testing.TB, c *company) { c.house.numeric = true }},
	{name: "welcome-how-faults", path: "/welcome/" + goodInvitation + "/password", form: []string{"password=short"}, want: http.StatusUnprocessableEntity},
	{name: "welcome-app", path: "/welcome/" + goodInvitation + "/password", form: []string{"password=correct+horse+battery"}},
	{name: "welcome-app-faults", path: "/welcome/" + goodInvitation + "/code", form: []string{"proof=000000&secret=JBSWY3DPEHPK3PXP&url=otpauth://totp/x"}, want: http.StatusUnprocessableEntity},
	{name: "account", path: "/account", as: "a", set: shut},
	{name: "account-no-such-number", path: "/account/number", as: "a", set: shut, form: []string{"number=9999"}, want: http.StatusUnprocessableEntity},
	{name: "account-how", path: "/account/how", as: "a", set: shut},
	{name: "account-of-a-token", path: "/account", set: shut},
	{name: "accounts", path: "/accounts", as: "a", set: shut},
	{name: "accounts-invited", path: "/accounts", as: "a", set: shut, form: []string{"name=Andi&login=andi&role=viewer"}},
	{name: "accounts-invited-again", path: "/accounts/andi/invite", as: "a", set: shut, form: []string{""}},
	{name: "accounts-faults", path: "/accounts", as: "a", set: shut, form: []string{"login=dewi&role=sender"}, want: http.StatusUnprocessableEntity},
	{name: "inbox", path: "/inbox"},
	{name: "inbox-whose", path: "/inbox/t1"},
	{name: "inbox-whose-found", path: "/inbox/t2?q=agus"},
	{name: "inbox-whose-nobody", path: "/inbox/t3?q=zzz"},
	{name: "inbox-whose-faults", path: "/inbox/t1/person", form: []string{"person=9999"}, want: http.StatusUnprocessableEntity},
	{name: "inbox-empty", path: "/inbox", set: func(_ testing.TB, c *company) { c.texts = nil }},

	{name: "new-choose", path: "/new"},
	{name: "new-choose-faults", path: "/new", form: []string{"step=choose"}, want: http.StatusUnprocessableEntity},
	{name: "new-choose-again", path: "/new", form: append(chosen("live", "fire"), "step=to-choose")},
	{name: "new-choose-drill-again", path: "/new", form: append(chosen("drill", "own"), "step=to-choose")},
	{name: "new-write", path: "/new", form: chosen("live", "fire")},
	{name: "new-write-drill", path: "/new", form: chosen("drill", "fire")},
	{name: "new-write-faults", path: "/new", form: append(chosen("live", "fire"), "step=write&f.site=Pabrik"), want: http.StatusUnprocessableEntity},
	{name: "new-write-awkward", path: "/new", form: append(chosen("live", "fire"), "step=write&f.site=Pabrik+Cikande&f.muster=Lapangan+%E2%80%9CB%E2%80%9D+5%E2%82%AC"), want: http.StatusUnprocessableEntity},
	{name: "new-write-mended", path: "/new", form: append(chosen("live", "fire"), "step=fix&f.site=Pabrik+Cikande&f.muster=Lapangan+%E2%80%9CB%E2%80%9D+5%E2%82%AC")},
	{name: "new-write-threat", path: "/new", form: append(chosen("live", "active_threat"), "step=measure&f.site=Pabrik+Cikande&f.police_status=yes")},
	{name: "new-write-own-too-long", path: "/new", form: append(chosen("live", "own"), "step=write&severity=extreme&answers=safety&title.en=Gas+leak+in+hall+3&body.en="+strings.Repeat("Leave+now+by+the+west+gate.+", 8)), want: http.StatusUnprocessableEntity},
	{name: "new-write-own", path: "/new", form: chosen("live", "own")},
	{name: "new-write-own-faults", path: "/new", form: append(chosen("live", "own"), "step=write&severity=severe&answers=read&title.en=Gas+leak"), want: http.StatusUnprocessableEntity},
	{name: "new-write-no-blanks", path: "/new", form: chosen("live", "cyber")},
	{name: "new-write-own-no-title", path: "/new", form: append(chosen("live", "own"), "step=write&severity=info&answers=read&body.en=Stay+at+home"), want: http.StatusUnprocessableEntity},
	{name: "new-who", path: "/new", form: written("live")},
	{name: "new-who-counted", path: "/new", form: append(written("live"), "step=count&all=1")},
	{name: "new-who-nobody", path: "/new", form: append(written("live"), "step=who"), want: http.StatusUnprocessableEntity},
	{name: "new-who-unknown", path: "/new", form: append(written("live"), "step=who&people=9999"), want: http.StatusUnprocessableEntity},
	{name: "new-who-again", path: "/new", form: append(written("live"), "step=who&site=Kantor+Jakarta&department=Kantor&except=2211", "step=to-who")},
	{name: "new-who-faults", path: "/new", form: append(written("live"), "step=who&site=Mars&department=Mars&under=8&except=8"), want: http.StatusUnprocessableEntity},
	{name: "new-preview", path: "/new", form: append(written("live"), "step=who&all=1"), set: alert("fire", announcement.Live)},
	{name: "new-preview-unchanged", path: "/new", form: append(chosen("live", "own"), "step=write&severity=info&answers=read&title.en=Water&body.en=The+water+is+off.&title.id=Air&body.id=Air+mati.", "step=who&all=1", "step=to-write",
		"step=write&severity=info&answers=read&title.en=Water&body.en=The+water+is+back.&title.id=Air&body.id=Air+mati.", "step=who&all=1")},
	{name: "new-preview-drill", path: "/new", form: append(written("drill"), "step=who&all=1"), set: alert("fire", announcement.Drill)},
	{name: "new-preview-awkward", path: "/new", form: append(written("live"), "step=who&all=1"), set: func(_ testing.TB, c *company) {
		sms := c.preview.SMS[announcement.English]
		sms.Encoding, sms.Segments, sms.Units, sms.Limit, sms.Awkward = "UCS-2", 3, 180, 201, []string{"\u201c", "\u2019"}
		c.preview.SMS[announcement.English] = sms
	}},
	{name: "new-preview-doubts", path: "/new", form: append(written("live"), "step=who&all=1"), set: doubts},
	{name: "new-confirm", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview"), set: alert("fire", announcement.Live)},
	{name: "new-preview-notice", path: "/new", form: append(written("live"), "step=who&all=1"), set: notice},
	{name: "new-confirm-notice", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview"), set: notice},
	{name: "new-confirm-at-night", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview"), set: atNight},
	{name: "audit", path: "/audit?who=account:ac1", set: noteworthy},
	{name: "audit-empty", path: "/audit?person=9999"},
	{name: "audit-faults", path: "/audit", set: func(t testing.TB, c *company) { noteworthy(t, c); c.checked.Faults = 3 }},
	{name: "quiet-hours", path: "/history/quiet-hours"},
	{name: "quiet-hours-nobody-woken", path: "/history/quiet-hours", set: func(_ testing.TB, c *company) { c.nobody = true }},
	{name: "new-doubts", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview"), set: doubts},
	{name: "new-confirm-doubts", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview", "step=doubt"), set: doubts},
	{name: "new-confirm-drill", path: "/new", form: append(written("drill"), "step=who&all=1", "step=preview"), set: alert("fire", announcement.Drill)},
	{name: "new-confirm-practice", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview"), set: practising},
	{name: "home-countdown", path: "/", set: countingDown(announcement.Live, announcement.StatusCountdown)},
	{name: "home-alerts-missing", path: "/", set: func(_ testing.TB, c *company) { c.deskErr = ErrNotYet }},
	{name: "home-not-live-yet", path: "/", set: practising},
	{name: "setup-not-live-yet", path: "/setup", set: practising},
	{name: "setup-ready-for-live", path: "/setup", set: func(t testing.TB, c *company) { practising(t, c); c.prepared = true }},
	{name: "setup-live-faults", path: "/setup/live", form: []string{"live=liv"}, set: func(t testing.TB, c *company) { practising(t, c); c.prepared = true }, want: http.StatusUnprocessableEntity},
	{name: "new-confirm-small-drill", path: "/new", form: append(written("drill"), "step=who&all=1", "step=preview"), set: smallDrillOfFire},
	{name: "new-confirm-not-ticked", path: "/new", form: append(written("drill"), "step=who&all=1", "step=preview", "step=send"), set: smallDrillOfFire, want: http.StatusUnprocessableEntity},
	{name: "new-confirm-wrong-number", path: "/new", form: append(written("live"), "step=who&all=1", "step=preview", "step=send&typed=1284"), set: alert("fire", announcement.Live), want: http.StatusUnprocessableEntity},

	{name: "approval", path: "/alerts/c1", as: "approver", set: awaitingApproval},
	{name: "approval-untouched", path: "/alerts/c1/approve", as: "approver", form: []string{"people=1248"}, set: awaitingApproval, want: http.StatusUnprocessableEntity},
	{name: "approval-no-reason", path: "/alerts/c1/reject", as: "approver", form: []string{"reason="}, set: awaitingApproval, want: http.StatusUnprocessableEntity},
	{name: "approval-own", path: "/alerts/c1", as: "a", set: awaitingApproval},
	{name: "approval-own-late", path: "/alerts/c1", as: "a", set: func(t testing.TB, c *company) { awaitingApproval(t, c); c.countdown.AloneAt = noon }},
	{name: "approval-no-why", path: "/alerts/c1/anyway", as: "a", form: []string{"reason="}, set: func(t testing.TB, c *company) { awaitingApproval(t, c); c.countdown.AloneAt = noon }, want: http.StatusUnprocessableEntity},
	{name: "approval-looks", path: "/alerts/c1", as: "v", set: awaitingApproval},
	{name: "approval-home", path: "/", as: "approver", set: awaitingApproval},
	{name: "approval-home-own", path: "/", as: "a", set: awaitingApproval},
	{name: "approval-rejected", path: "/alerts/c1", set: func(t testing.TB, c *company) {
		countingDown(announcement.Live, announcement.StatusDraft)(t, c)
		c.countdown.Rejected, c.countdown.Reason = true, "Pompa ada di Gudang Cikupa, bukan di sini."
	}},
	{name: "approval-lapsed", path: "/alerts/c1", set: func(t testing.TB, c *company) {
		countingDown(announcement.Live, announcement.StatusDraft)(t, c)
		c.countdown.Lapsed = true
	}},
	{name: "countdown-approved", path: "/alerts/c1", set: func(t testing.TB, c *company) {
		countingDown(announcement.Live, announcement.StatusCountdown)(t, c)
		c.countdown.ApprovedBy = "Andi"
	}},
	{name: "countdown", path: "/alerts/c1", set: countingDown(announcement.Live, announcement.StatusCountdown)},
	{name: "countdown-drill", path: "/alerts/c1", set: countingDown(announcement.Drill, announcement.StatusCountdown)},
	{name: "countdown-over", path: "/alerts/c1", set: countingDown(announcement.Live, announcement.StatusOpen)},
	{name: "countdown-fault", path: "/alerts/c1", set: func(t testing.TB, c *company) {
		countingDown(announcement.Live, announcement.StatusOpen)(t, c)
		c.countdown.Fault = "nobody matches"
	}},
	{name: "cancelled", path: "/alerts/c1", set: countingDown(announcement.Live, announcement.StatusDraft)},
	{name: "new-resumed", path: "/new?draft=d1", set: laidAside},
	{name: "home-drafts", path: "/?done=draft-saved", set: laidAside},

	{name: "board-real", path: "/alerts/a1"},
	{name: "board-drill", path: "/alerts/a1", set: alert("fire", announcement.Drill)},
	{name: "board-50", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.people(50, true) }},
	{name: "board-first-seconds", path: "/alerts/a1", set: func(_ testing.TB, c *company) {
		c.people(0, false)
		c.sum.Counts = announcement.Counts{Recipients: 1248, NoAnswer: 1248}
		c.sum.Deliveries = map[announcement.Channel]DeliveryCounts{announcement.SMS: {Recipients: 1190, Queued: 1190}, announcement.WebPush: {}}
		c.story = c.story[:1]
	}},
	{name: "board-counting-again", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.sum.Rebuilding = true }},
	{name: "board-closed", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.end(announcement.AsAllClear) }},
	{name: "board-corrected", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.end(announcement.AsCorrected) }},
	{name: "board-viewer", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.house.open = false }},
	{name: "board-help-resolved", path: "/alerts/a1", set: resolved},
	{name: "board-people", path: "/alerts/a1/people?state=no_answer"},
	{name: "board-people-second-page", path: "/alerts/a1/people?offset=50"},
	{name: "board-teams", path: "/alerts/a1/teams?offset=50", set: func(_ testing.TB, c *company) { c.people(120, true) }},
	{name: "board-sites", path: "/alerts/a1/sites"},
	{name: "board-timeline", path: "/alerts/a1/timeline"},
	{name: "board-timeline-decisions", path: "/alerts/a1/timeline?of=decisions"},
	{name: "report", path: "/alerts/a1/report"},
	{name: "report-drill-closed", path: "/alerts/a1/report", set: func(t testing.TB, c *company) {
		alert("fire", announcement.Drill)(t, c)
		c.end(announcement.AsAllClear)
	}},
	{name: "report-large", path: "/alerts/a1/report", set: func(_ testing.TB, c *company) { c.sum.Counts.Recipients = 50000 }},
	{name: "file-preparing", path: "/alerts/a1/report/made/made2"},
	{name: "report-ready", path: "/alerts/a1/report/made/made1"},
	{name: "report-not-made", path: "/alerts/a1/report/made/made3"},
	{name: "report-not-kept", path: "/alerts/a1/report/made/x", want: http.StatusNotFound},
	{name: "history", path: "/history?mode=live&offset=25"},
	{name: "history-none", path: "/history?site=Mars"},
	{name: "board-people-none", path: "/alerts/a1/people?q=zzz"},
	{name: "board-person-help", path: "/alerts/a1/people/0"},
	{name: "board-people-of-team", path: "/alerts/a1/people?team=1100"},
	{name: "board-person-handled", path: "/alerts/a1/people/1"},
	{name: "board-person-resolved", path: "/alerts/a1/people/0", set: resolved},
	{name: "board-person-faults", path: "/alerts/a1/people/1/mark", asked: "2210", form: []string{"a=1"}, want: http.StatusUnprocessableEntity},
	{name: "board-person-late", path: "/alerts/a1/people/11"},
	{name: "board-person-vouched", path: "/alerts/a1/people/10?done=marked"},
	{name: "board-notice-at-night", path: "/alerts/a1", set: func(t testing.TB, c *company) {
		c.setAlert(t, "closure", announcement.Live)
		morning := noon.Add(16 * time.Hour)
		c.sum.Asleep, c.sum.Morning = 212, &morning
	}},
	{name: "act-remind", path: "/alerts/a1/remind"},
	{name: "act-remind-nobody", path: "/alerts/a1/remind", set: func(_ testing.TB, c *company) { c.actOver = true }},
	{name: "act-remind-too-soon", path: "/alerts/a1/remind", set: func(_ testing.TB, c *company) { c.actNext = true }},
	{name: "act-resend", path: "/alerts/a1/resend"},
	{name: "act-resend-one-provider", path: "/alerts/a1/resend", set: func(_ testing.TB, c *company) { c.oneSMS = true }},
	{name: "act-resend-nobody", path: "/alerts/a1/resend", set: func(_ testing.TB, c *company) { c.actOver = true }},
	{name: "act-resend-too-soon", path: "/alerts/a1/resend", set: func(_ testing.TB, c *company) { c.actNext = true }},
	{name: "act-escalate", path: "/alerts/a1/escalate"},
	{name: "act-escalate-no-step", path: "/alerts/a1/escalate", set: func(_ testing.TB, c *company) { c.actOver = true }},
	{name: "act-update", path: "/alerts/a1/update"},
	{name: "act-update-look", path: "/alerts/a1/update", form: []string{"look=1&words.id=Pakai+gerbang+barat.&words.en=Use+the+west+gate."}},
	{name: "act-update-empty", path: "/alerts/a1/update", form: []string{"words.id="}, want: http.StatusUnprocessableEntity},
	{name: "act-revise", path: "/alerts/a1/revise"},
	{name: "act-revise-own-text", path: "/alerts/a1/revise", set: func(_ testing.TB, c *company) { c.ownWords = true }},
	{name: "act-revise-look", path: "/alerts/a1/revise", form: []string{"look=1&again=yes&changed.id=Kumpul+di+gerbang+barat.&changed.en=Meet+at+the+west+gate.&template=earthquake&f.site=Pabrik+Cikande&f.muster=Gerbang+barat"}},
	{name: "act-revise-faults", path: "/alerts/a1/revise", form: []string{"template=earthquake&f.site=Pabrik+Cikande&f.muster=Gerbang+barat"}, want: http.StatusUnprocessableEntity},
	{name: "act-revise-changed-missing", path: "/alerts/a1/revise", form: []string{"again=yes&template=earthquake&f.site=Pabrik+Cikande&f.muster=Gerbang+barat"}, want: http.StatusUnprocessableEntity},
	{name: "board-revised", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.revise() }},
	{name: "board-people-revised", path: "/alerts/a1/people", set: func(_ testing.TB, c *company) { c.revise() }},
	{name: "act-correct", path: "/alerts/a1/correct"},
	{name: "act-correct-drill", path: "/alerts/a1/correct", set: alert("fire", announcement.Drill)},
	{name: "act-clear", path: "/alerts/a1/clear"},
	{name: "act-clear-helped", path: "/alerts/a1/clear", set: func(_ testing.TB, c *company) {
		for i := range c.rows {
			c.rows[i].State = announcement.Confirmed
		}
		c.sum.Counts = announcement.Counts{Recipients: 1248, Confirmed: 1248}
	}},
	{name: "act-clear-faults", path: "/alerts/a1/clear", form: []string{"keep=no"}, want: http.StatusUnprocessableEntity},
	{name: "act-clear-again", path: "/alerts/a1/clear", set: func(_ testing.TB, c *company) { c.end(announcement.AsAllClear) }},
	{name: "act-correct-again", path: "/alerts/a1/correct", set: func(_ testing.TB, c *company) { c.end(announcement.AsAllClear) }},

	{name: "trouble-role", path: "/new", as: "v", set: shut, want: http.StatusForbidden},
	{name: "trouble-role-operator", path: "/people", as: "operator", set: shut, want: http.StatusForbidden},
	{name: "trouble-not-found", path: "/nowhere", want: http.StatusNotFound},
	{name: "trouble-not-now", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.deskErr = ErrNotYet }, want: http.StatusServiceUnavailable},
	{name: "trouble-internal", path: "/alerts/a1", set: func(_ testing.TB, c *company) { c.deskErr = fs.ErrClosed }, want: http.StatusInternalServerError},
}

// withSSO is a company that has a sign-in of its own.
func withSSO(_ testing.TB, c *company) { c.house.sso, c.house.open = true, false }

// shut is a console that asks who somebody is.
func shut(_ testing.TB, c *company) { c.house.open = false }

func alert(template string, mode announcement.Mode) func(testing.TB, *company) {
	return func(t testing.TB, c *company) {
		c.setAlert(t, template, mode)
		c.people(14, false)
	}
}

// practising is a new house.
func practising(_ testing.TB, c *company) { c.ready.Practice, c.preview.Practice = true, true }

// awaitingApproval is a flood alert by Rina that Andi or Dewi may let go out.
func awaitingApproval(t testing.TB, c *company) {
	shut(t, c)
	c.setAlert(t, "flood", announcement.Live)
	c.preview.Approval, c.preview.Approvers = "many", []string{"Andi", "Dewi"}
	c.countdown = Countdown{ID: "c1", Status: announcement.StatusAwaiting, Draft: Draft{Mode: announcement.Live, Template: "flood", Fields: c.answer.Announcement.Fields, Audience: announcement.Audience{All: true}}, Severity: announcement.Severe,
		Text: c.sum.Text, People: 1248, Author: rina.Actor, By: "Rina", Asked: noon, AloneAt: noon.Add(10 * time.Minute), Approvers: c.preview.Approvers}
}

// laidAside are two drafts, one just begun.
func laidAside(_ testing.TB, c *company) {
	c.saved = []SavedDraft{
		{ID: "d1", At: noon.Add(2 * time.Minute), By: "Rina Wulandari", Step: "write", Draft: Draft{Mode: announcement.Live, Template: "fire", Fields: map[string]string{"site": "Pabrik Cikande", "muster": "Lapangan parkir B"}}},
		{ID: "d2", At: noon.Add(-26 * time.Hour), By: "Andi", Step: "write", Draft: Draft{Mode: announcement.Drill, Text: map[announcement.Language]announcement.Text{"id": {Title: "Simulasi padam listrik seluruh gedung dan laboratorium"}, "en": {Title: "Power cut"}}}},
	}
}

// countingDown is an alert that was confirmed and goes out in eight seconds.
func countingDown(mode announcement.Mode, status announcement.Status) func(testing.TB, *company) {
	return func(t testing.TB, c *company) {
		c.setAlert(t, "fire", mode)
		c.countdown = Countdown{ID: "c1", Status: status, Draft: Draft{Mode: mode, Template: "fire", Fields: c.answer.Announcement.Fields}, Severity: announcement.Extreme,
			Text: c.sum.Text, People: 1248, By: "Rina Wulandari", Due: noon.Add(later + 8*time.Second), Left: 7600 * time.Millisecond}
		switch status {
		case announcement.StatusOpen:
			c.countdown.Left, c.countdown.Due = 0, noon.Add(later)
		case announcement.StatusDraft:
			c.countdown.Left, c.countdown.CancelledBy, c.countdown.CancelledAt = 0, "Rina Wulandari", noon.Add(later)
		}
	}
}

func chosen(mode, template string) []string {
	return []string{"step=choose&mode=" + mode + "&template=" + template}
}

func written(mode string) []string {
	return append(chosen(mode, "fire"), "step=write&f.site=Pabrik+Cikande&f.muster=Lapangan+parkir+B&f.place=Gedung+2")
}

func resolved(_ testing.TB, c *company) {
	at := noon.Add(9 * time.Minute)
	c.rows[0].Claimed, c.rows[0].ClaimedAt, c.rows[0].Resolved = "Budi Santoso", &at, announcement.FirstAid
}

// asleep are people in two time zones, for whom it is night.
var asleep = []Morning{{At: noon.Add(16 * time.Hour), Zone: "Asia/Jakarta", People: 1188}, {At: noon.Add(15 * time.Hour), Zone: "Asia/Makassar", People: 60}}

// notice is an alert that waits for their morning.
func notice(t testing.TB, c *company) {
	alert("closure", announcement.Live)(t, c)
	c.preview.Mornings = asleep
	c.preview.Announcement.Class = announcement.ClassNotice
}

// atNight is an alert that wakes people.
func atNight(t testing.TB, c *company) {
	alert("fire", announcement.Live)(t, c)
	c.preview.Mornings = asleep
}

// doubts are all reasons to look twice before sending.
func doubts(t testing.TB, c *company) {
	alert("fire", announcement.Live)(t, c)
	c.preview.Usual = [2]int{40, 120}
	c.preview.Repeats = &Repeat{ID: "a0", At: noon.Add(time.Minute), Share: 92}
	c.preview.Mornings = asleep
	c.preview.Announcement.Severity = announcement.Moderate
	c.preview.Failing = map[announcement.Channel]string{announcement.SMS: "temporary"}
	c.preview.Hit = map[announcement.Channel]Hit{announcement.SMS: {Others: 493, Nothing: 488}}
	c.preview.Sites = []Choice{{Name: "Surabaya Plant", People: 981}}
}

func smallDrillOfFire(t testing.TB, c *company) {
	alert("fire", announcement.Drill)(t, c)
	c.preview.Recipients, c.preview.Unreachable = 32, nil
}

// shown is an exhibit as it was sent.
type shown struct {
	exhibit
	lang   announcement.Language
	status int
	header http.Header
	html   []byte
}

// id is its name with its language: a file name.
func (s shown) id() string { return s.name + "." + string(s.lang) }

// phone reports whether people meet this page on a phone, often in a hurry: its
// targets are larger and its bytes fewer.
func (s shown) phone() bool {
	for _, start := range []string{"/r/", "/t/", "/e/", "/j", "/me", "/guides", "/offline"} {
		if strings.HasPrefix(s.path, start) {
			return true
		}
	}
	return false
}

// stage is the house that the gallery's server asks. The company on it changes
// from exhibit to exhibit.
type stage struct{ *company }

// gallery is every exhibit in both languages, made once for all tests.
type gallery struct {
	shown  []shown
	server *Server
}

// makeGallery shows all exhibits with a server whose words a test may change.
func makeGallery(t testing.TB, langs []announcement.Language, change func(*Server)) *gallery {
	t.Helper()
	st := &stage{openCompany(t)}
	srv, err := New(Options{Desk: st, Phone: st, People: st, Hooks: st, Access: st, Privacy: st, Health: st, Trail: st, PublicURL: "http://siaga.example", Org: "PT SinarAbc",
		Secret: []byte(strings.Repeat("k", 32)), Now: func() time.Time { return noon.Add(later) }, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(srv)
	}
	g := &gallery{server: srv}
	for _, x := range exhibits {
		for _, lang := range langs {
			st.company = openCompany(t)
			if x.set != nil {
				x.set(t, st.company)
			}
			srv.SandboxURL = st.sandbox
			g.shown = append(g.shown, show(t, srv, x, lang))
		}
	}
	st.company = openCompany(t)
	return g
}

var (
	galleryOnce sync.Once
	theGallery  *gallery
)

// sharedGallery is the gallery that all tests look at.
func sharedGallery(t testing.TB) *gallery {
	t.Helper()
	if testing.Short() {
		t.Skip("shows every page, one after the other: nothing that a race detector sees, and ten times as slow under it")
	}
	galleryOnce.Do(func() { theGallery = makeGallery(t, both, nil) })
	if theGallery == nil {
		t.Fatal("the gallery could not be made; see the first test that tried")
	}
	return theGallery
}

var both = []announcement.Language{announcement.Indonesian, announcement.English}

// show makes one exhibit.
func show(t testing.TB, srv *Server, x exhibit, lang announcement.Language) shown {
	t.Helper()
	target := x.path
	if q := "lang=" + string(lang); strings.Contains(target, "?") {
		target += "&" + q
	} else {
		target += "?" + q
	}
	ask := func(method, kind, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.AddCookie(&http.Cookie{Name: "device", Value: "device1"})
		if x.asked != "" {
			sealed, err := srv.seal.put(joinSeal, x.asked, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(&http.Cookie{Name: joinSeal, Value: sealed})
		}
		r.AddCookie(&http.Cookie{Name: "session", Value: "token:" + cmp.Or(x.as, "v")})
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)
		return w
	}
	var w *httptest.ResponseRecorder
	switch {
	case x.file != "":
		w = ask(http.MethodPost, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\r\n"+x.file+"\r\n--x--\r\n")
	case len(x.form) == 0:
		w = ask(http.MethodGet, "", "")
	default:
		if !strings.HasPrefix(x.path, "/r/") && x.asked == "" {
			w = ask(http.MethodGet, "", "")
		}
		for _, form := range x.form {
			if w != nil {
				if state := stateField.FindStringSubmatch(w.Body.String()); state != nil {
					form += "&state=" + url.QueryEscape(html.UnescapeString(state[1]))
				}
			}
			w = ask(http.MethodPost, "application/x-www-form-urlencoded", form)
		}
	}
	if want := cmp.Or(x.want, http.StatusOK); w.Code != want {
		t.Errorf("exhibit %s: got %d, want %d\n%.600s", x.name, w.Code, want, w.Body)
	}
	return shown{x, lang, w.Code, w.Header(), w.Body.Bytes()}
}

// watchTemplates makes every template and every branch in it say that it was
// used, and returns what lists those that were not.
func watchTemplates(t testing.TB, v *views) func() []string {
	t.Helper()
	layout, err := template.ParseFS(templates.Files, "web/layout.html")
	if err != nil {
		t.Fatal(err)
	}
	unseen := map[string]bool{}
	const mark = "galleryMark"
	var watch func(list *parse.ListNode, where string)
	watch = func(list *parse.ListNode, where string) {
		if list == nil || len(list.Nodes) == 0 {
			return
		}
		for _, n := range list.Nodes {
			var branch *parse.BranchNode
			word := ""
			switch n := n.(type) {
			case *parse.IfNode:
				branch, word = &n.BranchNode, "if"
			case *parse.RangeNode:
				branch, word = &n.BranchNode, "range"
			case *parse.WithNode:
				branch, word = &n.BranchNode, "with"
			default:
				continue
			}
			name := fmt.Sprintf("%s {{%s %s}}", where, word, branch.Pipe)
			watch(branch.List, name)
			watch(branch.ElseList, name+" {{else}}")
		}
		unseen[where] = true
		tree, err := parse.Parse("mark", fmt.Sprintf("{{%s %q}}", mark, where), "", "", map[string]any{mark: mark})
		if err != nil {
			t.Fatal(err)
		}
		list.Nodes = append([]parse.Node{tree["mark"].Root.Nodes[0]}, list.Nodes...)
	}
	for page, set := range v.pages {
		set.Funcs(template.FuncMap{mark: func(where string) template.HTMLAttr { // may stand inside a tag
			delete(unseen, where)
			return ""
		}})
		for _, d := range set.Templates() {
			// What is outside of all {{define}} has the name of its file.
			if d.Tree != nil && !strings.HasSuffix(d.Name(), ".html") {
				file := page + ".html "
				if layout.Lookup(d.Name()) != nil {
					file = "layout.html "
				}
				watch(d.Tree.Root, file+d.Name())
			}
		}
	}
	return func() []string {
		var all []string
		for where := range unseen {
			all = append(all, where)
		}
		slices.Sort(all)
		return all
	}
}

// TestGalleryShowsEveryTemplate fails when a page was added and nobody can look
// at it.
func TestGalleryShowsEveryTemplate(t *testing.T) {
	var unseen func() []string
	makeGallery(t, both, func(srv *Server) { unseen = watchTemplates(t, srv.views) })
	for _, where := range unseen() {
		file, rest, _ := strings.Cut(where, " ")
		if name, branch, _ := strings.Cut(rest, " "); branch == "" && file != "layout.html" {
			t.Errorf("%s of templates/web/%s is in no exhibit: add one to exhibits in gallery_test.go", name, file)
		} else {
			t.Logf("no exhibit shows %s", where)
		}
	}
	if *galleryTo != "" {
		writeGallery(t, sharedGallery(t), *galleryTo)
	}
}

var galleryIndex = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Gallery - Kentongan</title><link rel="stylesheet" href="static/app.css"></head>
<body><main class="wrap" id="main"><h1>Gallery</h1><p>Every page and every message with made-up data. Nothing here is connected to anything.</p>
<p><a href="messages.html">All messages</a></p>
<table><thead><tr><th scope="col">Page</th><th scope="col">Status</th><th scope="col">Bahasa Indonesia</th><th scope="col">English</th></tr></thead><tbody>
{{range .}}<tr><th scope="row">{{.Name}}</th><td>{{.Status}}</td><td><a href="{{.Name}}.id.html">id</a></td><td><a href="{{.Name}}.en.html">en</a></td></tr>
{{end}}</tbody></table></main></body></html>
`))

// writeGallery writes the pages so that they can be looked at without a server.
func writeGallery(t testing.TB, g *gallery, folder string) {
	t.Helper()
	write := func(name string, data []byte) {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Name   string
		Status int
	}
	var lines []line
	for _, s := range g.shown {
		write(s.id()+".html", bytes.ReplaceAll(s.html, []byte(`"/static/`), []byte(`"static/`)))
		if s.lang == announcement.English {
			lines = append(lines, line{s.name, s.status})
		}
	}
	for name, a := range g.server.views.assets {
		write(path.Join("static", name), a.data)
	}
	var out bytes.Buffer
	if err := galleryIndex.Execute(&out, lines); err != nil {
		t.Fatal(err)
	}
	write("index.html", out.Bytes())
	write("messages.html", messagesPage(t))
	t.Logf("%d pages in %s", len(g.shown), filepath.Join(folder, "index.html"))
}

var messagesHTML = template.Must(template.New("messages").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Messages - Kentongan</title><link rel="stylesheet" href="static/app.css"></head>
<body><main class="wrap" id="main"><h1>Every message</h1>
<p>With ordinary long blanks. The number is the length of the SMS in characters; 160 is one segment.</p>
{{range $said := .}}<section class="card"><h2 lang="{{.Lang}}">{{.Title}}</h2><p class="hint">{{.What}}</p>
{{if .Push}}<div class="lock" lang="{{.Lang}}"><b>{{.Push}}</b><span>{{.Body}}</span></div>{{end}}
{{range .SMS}}<p class="sms" lang="{{$said.Lang}}">{{.}}</p><p class="hint">{{len .}}</p>{{end}}</section>
{{end}}</main></body></html>
`))

// messagesPage is every message that the house can send, in the forms of push
// and SMS.
func messagesPage(t testing.TB) []byte {
	t.Helper()
	type said struct {
		Lang                    announcement.Language
		What, Title, Push, Body string
		SMS                     []string
	}
	var all []said
	c := openCompany(t)
	kinds := []announcement.MessageKind{announcement.SayAlert, announcement.SayReminder, announcement.SayDigest, announcement.SayHelp, announcement.SayUpdate, announcement.SayCorrection, announcement.SayAllClear, announcement.SaySent}
	for _, info := range c.catalogue.Templates() {
		for _, mode := range []announcement.Mode{announcement.Live, announcement.Drill} {
			c.setAlert(t, info.Key, mode)
			for _, lang := range both {
				for _, kind := range kinds {
					say := announcement.Saying{
						Kind: kind, Language: lang, Org: "PT SinarAbc", Link: "https://siaga.example/r/" + goodToken, Token: goodToken,
						Count: 12, Name: "Nur Aisyah P", Words: "Pakai gerbang barat.", Now: noon.Add(20 * time.Minute),
					}
					m := c.catalogue.Compose(c.answer.Announcement, say)
					s := said{Lang: lang, What: fmt.Sprintf("%s, %s, %s, %s", info.Key, mode, kind, lang), Title: c.answer.Announcement.Text[lang].Title, Push: m.Title, Body: m.Body, SMS: []string{m.SMS}}
					say.TwoWay = true
					if two := c.catalogue.Compose(c.answer.Announcement, say).SMS; two != m.SMS {
						s.SMS = append(s.SMS, two)
					}
					all = append(all, s)
				}
			}
		}
	}
	var file struct {
		AnswerBacks map[string]any `json:"answer_backs"`
	}
	if err := json.Unmarshal(templates.Messages(), &file); err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Sorted(maps.Keys(file.AnswerBacks)) {
		for _, lang := range both {
			all = append(all, said{Lang: lang, What: "answer to an SMS, " + key + ", " + string(lang), Title: key, SMS: []string{c.catalogue.AnswerBack(key, lang, map[string]string{
				"org": "PT SinarAbc", "time": announcement.FormatTime(noon, lang, "Asia/Jakarta"), "name": "Budi Santoso", "title": "Gempa bumi: Pabrik Cikande", "link": "https://siaga.example/me", "letter": "B",
			})}})
		}
	}
	var out bytes.Buffer
	if err := messagesHTML.Execute(&out, all); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
