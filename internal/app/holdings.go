package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// A holding is one kind of thing that is kept in the vault: what it is, whose, how
// long, and who takes it away. The table drives what erases, the page that says so,
// and what an employee reads of themselves; TestEveryKindIsNamed refuses a key of a
// kind that it does not name.
type holding struct {
	Kind  string // first part of its keys
	Holds string // in plain words
	Whose whose
	Days  func(*Config) int // how long; nil: see Until
	Until string            // from when Days count, or what ends it
	Named bool              // the second part of its keys is the person it belongs to

	// due reports whether a value has to go now. Nil: something else takes it away, in
	// the moment that Until says.
	due func(k *keeper, key string, value []byte, put time.Time) bool
}

// whose words a page has for it.
type whose string

const (
	ofEmployees whose = "employees"
	ofConsole   whose = "people of the console"
	ofNobody    whose = "nobody"
)

func days(n int) func(*Config) int { return func(*Config) int { return n } }

const day = 24 * time.Hour

// placeDays is how long a place is kept at the most. There is nothing to set: it
// is what everybody is told before they share it.
const placeDays = 30

// holdings are all of them, in the order in which people want to know.
var holdings = []holding{
	{Kind: "person", Whose: ofEmployees, Holds: "Name, employee number, mobile number, e-mail, language, site, team and manager", Named: true,
		Days: func(c *Config) int { return c.RetainLeft }, Until: "after they leave; then the person is erased"},
	{Kind: "contact", Whose: ofEmployees, Holds: "Connected phones and their push addresses, and whether SMS was stopped", Named: true,
		Days: days(30), Until: "after they leave; a phone that is disconnected or gone, at once"},
	{Kind: "note", Whose: ofEmployees, Holds: "What people wrote in an alert in their own words, and reasons that HR wrote", Days: func(c *Config) int { return c.RetainWords }, Until: "after the alert ended",
		due: func(k *keeper, key string, _ []byte, _ time.Time) bool { return k.ended(key, k.config.RetainWords) }},
	{Kind: "place", Whose: ofEmployees, Holds: "Where somebody was who needed help and shared it once", Days: days(placeDays), Until: "after it was shared; its owner can erase it at once",
		due: func(k *keeper, key string, _ []byte, put time.Time) bool {
			return k.older(put, placeDays) || k.ended(key, k.config.RetainWords)
		}},
	{Kind: "inbox", Whose: ofEmployees, Holds: "Texts that belong to no alert, and reported emergencies", Days: func(c *Config) int { return c.RetainWords }, Until: "after they came; of numbers that nobody here has, sooner",
		due: (*keeper).textDue},
	{Kind: "photo", Whose: ofEmployees, Holds: "Photos of reported emergencies", Days: func(c *Config) int { return c.RetainWords }, Until: "with their report",
		due: func(k *keeper, key string, _ []byte, put time.Time) bool {
			return k.now().Sub(put) > time.Hour && !k.desk.inbox.holds(second(key))
		}},
	{Kind: "code", Whose: ofEmployees, Holds: "Codes sent by SMS, hashed, and a new number that waits for its code", Named: true, Days: days(1), Until: "after they were sent", due: aged(1)},
	{Kind: "approved", Whose: ofEmployees, Holds: "That a code of a manager was used", Named: true, Days: days(1), Until: "after it was used", due: aged(1)},
	{Kind: "try", Whose: ofEmployees, Holds: "How often a code was tried", Named: true, Days: days(1), Until: "after the try", due: aged(1)},
	{Kind: "heard", Whose: ofEmployees, Holds: "That a text was taken, by its hashed number at the provider", Days: days(30), Until: "after it came", due: aged(30)},
	{Kind: "sent", Whose: ofEmployees, Holds: "What the provider calls a text of which it is not known how it ended", Days: days(1), Until: "after it was sent; once that is known, at once", due: aged(1)},
	{Kind: "upload", Whose: ofEmployees, Holds: "A file of people on its way in", Days: days(1), Until: "after it was uploaded", due: aged(1)},
	{Kind: "uploadpart", Whose: ofEmployees, Holds: "Its content", Days: days(1), Until: "after it was uploaded", due: aged(1)},
	{Kind: "import", Whose: ofConsole, Holds: "That an import was made, by whom, and numbers only", Days: days(730), Until: "after it was made", due: aged(730)},
	{Kind: "importpart", Whose: ofEmployees, Holds: "How people were before an import, to undo it", Days: days(1), Until: "after the import"},
	{Kind: "errand", Whose: ofEmployees, Holds: "A large import or report that is made", Days: days(7), Until: "after it was ordered"},
	{Kind: "errandturn", Whose: ofNobody, Holds: "Which server makes it", Days: days(7), Until: "after it was ordered", due: aged(8)},
	{Kind: "errandpart", Whose: ofEmployees, Holds: "The file of a large report", Days: days(7), Until: "after it was ordered", due: aged(8)},
	{Kind: "draft", Whose: ofConsole, Holds: "Alerts that somebody began to write", Days: days(90), Until: "after they were last saved", due: aged(90)},
	{Kind: "approval", Whose: ofConsole, Holds: "Who let an alert go out that needs a second person", Days: days(1), Until: "after it went out or was cancelled"},
	{Kind: "prepared", Whose: ofConsole, Holds: "Alerts that wait until they go out", Days: days(1), Until: "after they went out or were cancelled"},
	{Kind: "countdown", Whose: ofConsole, Holds: "How that ended", Days: days(1), Until: "after they went out or were cancelled"},
	{Kind: "ledger", Whose: ofNobody, Holds: "When the ledger was last found whole", Until: "until the next check"},
	{Kind: "account", Whose: ofConsole, Holds: "Name, roles, hashed password and passkeys of somebody who runs the console", Until: "until the account is ended"},
	{Kind: "passkey", Whose: ofConsole, Holds: "How often a passkey was used", Until: "until the account is ended"},
	{Kind: "session", Whose: ofConsole, Holds: "Who is signed in, hashed", Days: days(1), Until: "after they signed in", due: aged(1)},
	{Kind: "seen", Whose: ofConsole, Holds: "When they last pressed something", Days: days(1), Until: "after they did", due: aged(1)},
	{Kind: "token", Whose: ofConsole, Holds: "Tokens of scripts, hashed", Until: "until the token is ended"},
	{Kind: "challenge", Whose: ofConsole, Holds: "That a passkey was asked for", Days: days(1), Until: "after it was asked for", due: aged(1)},
	{Kind: "codespent", Whose: ofConsole, Holds: "That a code of an app was used", Days: days(1), Until: "after it was used", due: aged(1)},
	{Kind: "setting", Whose: ofNobody, Holds: "Sites, groups, the duty list, prepared texts, and what tests have shown", Until: "until somebody changes it"},
	{Kind: "sweep", Whose: ofNobody, Holds: "What was erased when, in numbers", Days: days(730), Until: "after it was erased", due: aged(730)},
	{Kind: "erasure", Whose: ofNobody, Holds: "That a person was erased, without who it was", Days: days(730), Until: "after it was done",
		due: func(k *keeper, _ string, value []byte, put time.Time) bool {
			var e erasure
			return json.Unmarshal(value, &e) == nil && !e.Ended.IsZero() && k.older(put, 730)
		}},
	{Kind: "keys", Whose: ofNobody, Holds: "Fingerprints of the keys, by which another is found at the start", Until: "until a key is changed"},
	{Kind: "probe", Whose: ofNobody, Holds: "A test whether anything can be written", Until: "until the next"},
}

func aged(n int) func(*keeper, string, []byte, time.Time) bool {
	return func(k *keeper, _ string, _ []byte, put time.Time) bool { return k.older(put, n) }
}

func kindOfKey(key string) string { kind, _, _ := strings.Cut(key, "."); return kind }

// second is the part of a key after its kind.
func second(key string) string {
	_, rest, _ := strings.Cut(key, ".")
	part, _, _ := strings.Cut(rest, ".")
	return part
}

func holdingOf(kind string) (holding, bool) {
	i := slices.IndexFunc(holdings, func(h holding) bool { return h.Kind == kind })
	if i < 0 {
		return holding{}, false
	}
	return holdings[i], true
}

// keeper keeps what is kept no longer than it may be.
type keeper struct {
	*desk
	now func() time.Time // of its own: years go by here without an alert that escalates meanwhile
}

func (k *keeper) older(put time.Time, n int) bool {
	return k.now().Sub(put) >= time.Duration(n)*day
}

// ended reports whether the announcement that a key names ended so many days ago.
// One that is not known may be one that this node has not heard of yet.
func (k *keeper) ended(key string, n int) bool {
	v, ok := k.tracker.View(announcement.ID(second(key)))
	return ok && v.Status == announcement.StatusClosed && k.older(v.ClosedAt, n)
}

// textDue reports whether a text of the inbox has to go: that of a stranger some days
// after somebody has dealt with it, and nothing is kept for ever because nobody did.
func (k *keeper) textDue(_ string, value []byte, put time.Time) bool {
	var t text
	if json.Unmarshal(value, &t) != nil || k.older(put, k.config.RetainWords) {
		return true
	}
	stranger := t.Person == "" && len(k.directory.ByMobile(t.From)) == 0
	return stranger && t.Handled && k.older(put, k.config.RetainStrangers)
}

// Holdings says what is kept, of whom and how long.
func (k *keeper) Holdings(context.Context) []web.Holding {
	out := make([]web.Holding, 0, len(holdings))
	for _, h := range holdings {
		w := web.Holding{Kind: h.Kind, Holds: h.Holds, Whose: string(h.Whose), Until: h.Until}
		if h.Days != nil {
			w.Days = h.Days(k.config)
		}
		out = append(out, w)
	}
	return out
}
