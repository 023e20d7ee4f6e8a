package web

import (
	"context"
	"errors"
	"io"
	"time"

	"kentongan/internal/announcement"
)

// What people may be told went wrong. Anything else is an internal error: one
// calm sentence and a reference for the log.
var (
	ErrNotFound  = errors.New("not found")                                    // also for tokens: tells nothing
	ErrForbidden = errors.New("not allowed for this role")                    // 403
	ErrClosed    = errors.New("the announcement is closed")                   // 409
	ErrConflict  = errors.New("somebody else changed this first")             // 409
	ErrReused    = errors.New("this Idempotency-Key was used for other text") // 422
	ErrNotYet    = errors.New("not recorded yet")                             // 503, try again with the same id
	ErrSignature = errors.New("signature does not match")                     // 403, nothing else is said
)

// Draft is an announcement as a person or a script asks for it.
type Draft struct {
	Mode     announcement.Mode                           `json:"mode"`
	Severity announcement.Severity                       `json:"severity,omitempty"`
	Class    announcement.Class                          `json:"class,omitempty"` // empty: as the severity says
	Answers  announcement.Answers                        `json:"answers,omitempty"`
	Text     map[announcement.Language]announcement.Text `json:"text,omitempty"`
	Template string                                      `json:"template,omitempty"`
	Fields   map[string]string                           `json:"fields,omitempty"`
	Audience announcement.Audience                       `json:"audience"`
	Channels []announcement.Channel                      `json:"channels,omitempty"`

	AudienceMode announcement.AudienceMode `json:"audience_mode,omitempty" enum:"live,snapshot" doc:"live, the default: whoever comes to belong to the audience while it is open is called and counted. snapshot: the audience stays as it was. Whoever leaves the company is asked no more in either."`

	Policy *announcement.Policy `json:"policy,omitempty"`
}

// Preview is what would happen, before anything does.
type Preview struct {
	Announcement announcement.Announcement // completed
	Recipients   int
	Reach        map[announcement.Channel]int
	TwoOrMore    int // reachable by two or more channels
	One          int
	Unreachable  []Name
	Excluded     []Name                        // whom Except leaves out, at most 200
	Languages    map[announcement.Language]int // of the people
	Fallback     map[announcement.Language]int // people whose language the text lacks
	SMS          map[announcement.Language]SMSPreview
	Push         map[announcement.Language][2]string // title, body
	Duty         []Name
	TwoWay       bool                            // a reply by SMS arrives
	Usual        [2]int                          // smallest and largest of the last five audiences with this template, zero if none
	Repeats      *Repeat                         // the same template went to nearly the same people a moment ago
	Mornings     []Morning                       // of those for whom it is night now, the first first
	Segments     int                             // of the first round's SMS, all together, where a price is set
	Cost         string                          // of the first round's SMS, "Rp 416.500"; empty when no price is set
	Failing      map[announcement.Channel]string // channels whose provider fails now, and why
	OnlyFailing  int                             // people whom nothing else reaches
	Approval     string                          // why a second person has to look at it: many, everybody, blank; "": nobody has to
	Approvers    []string                        // who may; nobody: its author sends it alone
	Practice     bool                            // the house practises, and this is more than a small drill
}

// Morning is when the quiet hours of some people end, by the clock of one of them.
type Morning struct {
	At     time.Time
	Zone   string
	People int
}

// Asleep is for how many people it is night now.
func (p Preview) Asleep() (n int) {
	for _, m := range p.Mornings {
		n += m.People
	}
	return n
}

// Wakes reports whether it calls people in their night.
func (p Preview) Wakes() bool {
	return p.Announcement.Class != announcement.ClassNotice && len(p.Mornings) > 0
}

// QuietBudget is how often somebody has broken quiet hours this month, and how often
// the company thinks that right; 0: it does not say.
type QuietBudget struct{ Used, Allowed int }

// BrokenQuiet is how one sender broke quiet hours in one month.
type BrokenQuiet struct {
	Month         string `json:"month"` // "2026-11"
	By            string `json:"by"`
	Announcements int    `json:"announcements"` // that called people in their quiet hours
	People        int    `json:"people"`        // whom they woke, added up
	Over          bool   `json:"over_budget"`
}

// Repeat is an announcement that looks like the one about to be sent.
type Repeat struct {
	ID    announcement.ID
	At    time.Time
	Share int // percent of the people who get it again
}

// SMSPreview is the SMS as the longest case will be.
type SMSPreview struct {
	Text     string
	Encoding string // "GSM-7" or "UCS-2"
	Segments int
	Units    int // septets or UTF-16 units used
	Limit    int // of so many in this number of segments
	Awkward  []string
}

// SMSCount is the SMS of a draft as long as it can become, never shortened.
type SMSCount struct {
	Text     string
	Do       string // the instruction, as the lock screen shows it
	Units    int
	Limit    int
	Segments int
	Over     int                    // characters that are too many for one message
	Awkward  []announcement.Awkward // in what the author wrote
	Longest  string                 // the site's name that stands in for an empty blank
}

// Name is a person on a page that may show them.
type Name struct {
	Number  string `json:"number"` // employee number
	Name    string `json:"name"`
	Team    string `json:"team,omitempty"`
	Manager string `json:"manager,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Summary is an announcement and where it stands.
type Summary struct {
	ID          announcement.ID                             `json:"id"`
	Status      announcement.Status                         `json:"status"`
	ClosedAs    announcement.ClosedAs                       `json:"closed_as,omitempty"`
	Mode        announcement.Mode                           `json:"mode"`
	Severity    announcement.Severity                       `json:"severity"`
	Class       announcement.Class                          `json:"class"`
	Version     int                                         `json:"version"`              // of the text; earlier answers are not counted
	RevisedAt   *time.Time                                  `json:"revised_at,omitempty"` // when that version came
	Changed     map[announcement.Language]string            `json:"changed,omitempty"`    // by it, in the sender's words
	Answers     announcement.Answers                        `json:"answers"`
	Template    string                                      `json:"template,omitempty"`
	Text        map[announcement.Language]announcement.Text `json:"text"`
	Channels    []announcement.Channel                      `json:"channels"`
	Zone        string                                      `json:"zone"`
	OpenedAt    time.Time                                   `json:"opened_at"`
	ClosedAt    *time.Time                                  `json:"closed_at,omitempty"`
	Reason      string                                      `json:"reason,omitempty"`
	By          string                                      `json:"by"` // as a person may read it
	Counts      announcement.Counts                         `json:"counts"`
	Audience    announcement.AudienceMode                   `json:"audience_mode"`
	Deliveries  map[announcement.Channel]DeliveryCounts     `json:"channel_counts"`
	Asleep      int                                         `json:"asleep,omitempty"`     // of a notice: who hears of it in their own morning
	Morning     *time.Time                                  `json:"morning,omitempty"`    // when the first of them do
	Unreachable []Name                                      `json:"unreachable"`          // capped at 500 in lists
	AsOf        uint64                                      `json:"as_of"`                // position of the ledger that this reflects
	Rebuilding  bool                                        `json:"rebuilding,omitempty"` // counts may be low
}

// DeliveryCounts says how far the deliveries of one channel have come; each
// recipient counts once, at the highest rank.
type DeliveryCounts struct {
	Recipients int            `json:"recipients"` // of round 0
	Queued     int            `json:"queued"`
	Accepted   int            `json:"accepted"`
	Sent       int            `json:"sent"`
	Delivered  int            `json:"delivered"`
	Shown      int            `json:"shown"`
	Failed     int            `json:"failed"`
	Failures   map[string]int `json:"failures,omitempty"` // per reason
}

// Pulse is what has changed on a board since an earlier one.
type Pulse struct {
	Summary       // without Unreachable
	At      int   // what the next pulse goes on from
	Rows    []int // of those asked about, who has changed
	Help    bool  // the calls for help have changed
}

// RecipientFilter chooses recipients of an announcement.
type RecipientFilter struct {
	State  announcement.State // empty: all
	Team   string             // a manager's employee number: their whole tree
	Site   string
	Search string // part of a name or employee number
	Only   []int  // these recipient numbers, in this order; nothing else chooses then
	Offset int
	Limit  int // 1..500
}

// RecipientPage is part of a filtered list, in the order people need: help, no
// answer, unreachable, opened, the rest.
type RecipientPage struct {
	Total      int         `json:"total"`
	Recipients []Recipient `json:"recipients"`
	Next       *int        `json:"next,omitempty"` // offset of the next page
}

// Recipient is one person in one announcement.
type Recipient struct {
	Name
	Index      int                             `json:"index"` // recipient number within the announcement
	Site       string                          `json:"site,omitempty"`
	Department string                          `json:"department,omitempty"`
	Language   announcement.Language           `json:"language,omitempty"`
	State      announcement.State              `json:"state"`
	Since      *time.Time                      `json:"since,omitempty"`       // of the state
	AnsweredAt *time.Time                      `json:"answered_at,omitempty"` // the first answer, kept for ever
	Version    int                             `json:"version,omitempty"`     // of the text that their answer is for
	Earlier    *EarlierAnswer                  `json:"earlier,omitempty"`     // to a version that no longer counts
	Via        announcement.Via                `json:"via,omitempty"`
	Late       bool                            `json:"late"`
	VouchedBy  string                          `json:"vouched_by,omitempty"`
	How        announcement.How                `json:"how,omitempty"`
	VouchedAt  *time.Time                      `json:"vouched_at,omitempty"`
	Undo       bool                            `json:"-"` // the manager who looks can take their mark back
	Claimed    string                          `json:"claimed_by,omitempty"`
	ClaimedAt  *time.Time                      `json:"claimed_at,omitempty"`
	Resolved   announcement.Resolution         `json:"resolved,omitempty"` // by them, then
	FromWords  bool                            `json:"from_words,omitempty"`
	Words      string                          `json:"words,omitempty"` // what they wrote; only where it may be read
	Mobile     string                          `json:"-"`               // for a Call button only
	Channels   map[announcement.Channel]Ladder `json:"channels"`
	Excused    string                          `json:"excused,omitempty"`
}

// EarlierAnswer is what somebody said of an earlier version.
type EarlierAnswer struct {
	State   announcement.State `json:"state"`
	Version int                `json:"version"`
	At      time.Time          `json:"at"`
}

// Ladder is how far a delivery to one person has come.
type Ladder struct {
	Rank    string     `json:"rank"`
	Failure string     `json:"failure,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

// Team is a manager's whole tree in an announcement, as a number of rows.
type Team struct {
	Name                       // of the manager
	Leads  bool                `json:"-"` // other managers
	Counts announcement.Counts `json:"counts"`
}

// Outcome is what a report says beyond the counts.
type Outcome struct {
	Summary
	Called   int             // people called on any channel
	After    []time.Duration // from opening to the first own answer of each who answered, shortest first
	Via      map[announcement.Via]int
	Helps    int             // people who have called for help, resolved ones too
	Claimed  []time.Duration // from each call for help to somebody who handles it, shortest first
	Resolved int
	Until    time.Time // closed, or now
}

// PastFilter chooses announcements.
type PastFilter struct {
	Mode     announcement.Mode
	Site     string
	Template string
	From, To time.Time // opened in [From, To)
	Offset   int
	Limit    int
}

// PastPage is part of the history.
type PastPage struct {
	Total     int
	Summaries []Summary
}

// TeamFilter chooses teams.
type TeamFilter struct {
	LeadersLast bool // managers of managers after the others: their people are in those teams too, so that they would always be first and say nothing
	Offset      int
	Limit       int // 0: all
}

// StoryFilter chooses lines of the timeline.
type StoryFilter struct {
	Kinds        []announcement.Kind // empty: all
	CallsForHelp bool                // and answers that call for help
	Offset       int
	Limit        int // 1..500
}

// StoryPage is part of the timeline, newest first.
type StoryPage struct {
	Total   int
	Entries []Entry
	Next    *int // offset of the next page
}

// Entry is one line of the timeline.
type Entry struct {
	Seq    uint64            `json:"seq"`
	At     time.Time         `json:"at"`
	Kind   announcement.Kind `json:"kind"`
	Actor  string            `json:"actor"`
	Person string            `json:"person,omitempty"` // employee number, where the fact is about one person
	Name   string            `json:"name,omitempty"`
	What   string            `json:"what"` // one plain sentence in English
	Reason string            `json:"reason,omitempty"`
	Count  int               `json:"count,omitempty"` // facts folded into this line

	ApprovedBy string `json:"approved_by,omitempty"` // of an announcement that needed a second person
	Alone      bool   `json:"sent_alone,omitempty"`  // … whom nobody was, so that its author sent it, for Reason
}

// AnswerPage is what /r/{token} shows.
type AnswerPage struct {
	Announcement *announcement.Announcement
	Text         announcement.Text // placeholders filled
	Language     announcement.Language
	Person       string // given name only
	PersonLang   announcement.Language
	Status       announcement.Status
	ClosedAs     announcement.ClosedAs
	ClosedAt     time.Time
	Version      int                 // of the text
	RevisedAt    time.Time           // when that version came; zero for the first
	Before       announcement.Text   // what the version before said; zero for the first
	Changed      string              // by it, in the person's language
	Earlier      announcement.Answer // what they said of an earlier version and not yet of this one; 0: nothing
	EarlierAt    time.Time
	Answer       announcement.Answer // 0 when none was given
	AnsweredAt   time.Time           // when this answer was said
	VouchedBy    string              // who said Answer of them, as long as they have not answered themselves
	Late         bool                // they answered after the end
	Update       string              // the newest word of the sender, in the person's language
	UpdatedAt    time.Time
	ClearAt      time.Time // it is over, and they are asked on; zero if not
	Handler      string    // who handles their call for help
	HandledAt    time.Time
	Resolved     announcement.Resolution // by the handler, then
	Emergency    string                  // number to dial when life is in danger, "112"
	SMSNumber    string                  // set only where two-way SMS works
	Org          string
	Nonce        string // new press id for the form
}

// Press is one answer as it comes in through a page or a notification button.
type Press struct {
	Answer announcement.Answer
	Ref    string    // the form's k: the same press always has the same
	Said   time.Time // zero: now. Earlier when the phone had no signal
	Via    announcement.Via
	Note   string // optional words, at most 1,600 characters are kept

	Version int // of the text that the person had before them; 0: the first
}

// TeamPage is what a manager sees, /t/{token}: their own tree only.
type TeamPage struct {
	Announcement *announcement.Announcement
	Text         announcement.Text
	Manager      string
	Language     announcement.Language
	Status       announcement.Status
	ClosedAs     announcement.ClosedAs
	Counts       announcement.Counts
	Recipients   []Recipient // help, no answer, unreachable, opened first; at most 500
	Org          string
	AnswerLink   string // the manager's own answer page, if they are a recipient
	Answered     bool
	Emergency    string
}

// Mark is a manager accounting for somebody.
type Mark struct {
	Index  int // recipient number
	Answer announcement.Answer
	How    announcement.How
	Note   string
	Said   time.Time
	Ref    string
}

// MePage is what an employee's own page shows.
type MePage struct {
	Person    string
	Number    string // employee number
	Language  announcement.Language
	Org       string
	Open      []MyAnnouncement // newest first
	Leads     bool             // they have people whose phones they can help to connect
	Emergency string
	VAPIDKey  string // base64url, for PushManager.subscribe
	Devices   int
	SMS       bool      // a number is on file and not stopped
	Shown     time.Time // when one of their devices last showed a notification
	Zone      string
	EnrolLink string // absolute URL by which another browser of theirs is connected
}

// MyAnnouncement is an open announcement of a person.
type MyAnnouncement struct {
	ID       announcement.ID
	Mode     announcement.Mode
	Severity announcement.Severity
	Title    string
	Body     string
	Link     string // path of the answer page
	Answer   announcement.Answer
	Answers  announcement.Answers
	At       time.Time
	Zone     string
}

// ImportReport says what an import did, or would do.
type ImportReport struct {
	DryRun    bool       `json:"dry_run"`
	Rows      int        `json:"rows"`
	Added     int        `json:"added"`
	Changed   int        `json:"changed"`
	Unchanged int        `json:"unchanged"`
	Leaving   int        `json:"leaving"`  // active people who become inactive by this file
	Missing   int        `json:"missing"`  // known people who are not in this file; they are left alone
	Confirm   bool       `json:"confirm"`  // so many leave that their number has to be said
	Mended    int        `json:"mended"`   // numbers put into international form
	Warnings  []RowError `json:"warnings"` // shared numbers, landlines, nobody to call
	Errors    []RowError `json:"errors"`   // with any, nothing is imported
}

// RowError is a fault in one cell of an import.
type RowError struct {
	Row    int    `json:"row"`   // as a spreadsheet numbers it: the heading is row 1
	Field  string `json:"field"` // column heading as in the file
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// LedgerReport is what reading the whole ledger found.
type LedgerReport struct {
	Records       int      `json:"records"`
	Facts         int      `json:"facts"`
	Announcements int      `json:"announcements"`
	Last          uint64   `json:"last"`        // position of the last record
	Sealed        uint64   `json:"sealed"`      // position of the last record that a checkpoint covers
	Checkpoints   int      `json:"checkpoints"` // in the ledger
	Witnessed     int      `json:"witnessed"`   // of them, in the file outside of NATS too
	Key           string   `json:"key"`         // short name of the key that signed the last one
	Faults        []string `json:"faults"`      // positions and ids; empty when the ledger is whole
}

// Boards is what somebody may see of announcements and of what people wrote: of
// whom, and whether with numbers and words. What is not for them is ErrNotFound.
type Boards interface {
	List(ctx context.Context) ([]Summary, error) // newest first, open before closed, at most 100; Unreachable left out
	Summary(ctx context.Context, id announcement.ID) (Summary, error)
	Glance(ctx context.Context, id announcement.ID) (Summary, error) // Unreachable left out: cheap enough for every second
	// Pulse says what somebody who looks at the board must be told: where it stands,
	// and what has changed since the pulse before, whose At was after. rows are the
	// recipients whom they see.
	Pulse(ctx context.Context, id announcement.ID, after int, rows []int) (Pulse, error)
	Recipients(ctx context.Context, id announcement.ID, f RecipientFilter) (RecipientPage, error)
	Recipient(ctx context.Context, id announcement.ID, index int) (Recipient, []Entry, error)
	// Teams returns part of the teams, calls for help and largest outstanding
	// first, and how many there are.
	Teams(ctx context.Context, id announcement.ID, f TeamFilter) ([]Team, int, error)
	// TeamName returns who has an employee number, for the heading of a list of those
	// whom they lead in an announcement.
	TeamName(ctx context.Context, id announcement.ID, number string) (string, error)
	Sites(ctx context.Context, id announcement.ID) (map[string]announcement.Counts, error)
	Timeline(ctx context.Context, id announcement.ID) ([]Entry, error) // all of it, oldest first, read from the ledger
	// Story returns part of it, newest first, and reads no more than that.
	Story(ctx context.Context, id announcement.ID, f StoryFilter) (StoryPage, error)
	// Outcome says how an announcement went, or goes so far.
	Outcome(ctx context.Context, id announcement.ID) (Outcome, error)
	// OrderReport has a file of a large report made, for a week.
	OrderReport(ctx context.Context, p Principal, o ReportOrder) (id string, err error)
	MadeReport(ctx context.Context, id announcement.ID, made string) (MadeReport, error)
	MadeReports(ctx context.Context, id announcement.ID) []MadeReport // newest first
	ReportBytes(ctx context.Context, id announcement.ID, made string) (MadeReport, []byte, error)
	// Past lists announcements, newest first.
	Past(ctx context.Context, f PastFilter) (PastPage, error)

	// Of what nobody was sent yet, they read what concerns them and what they wrote.
	Countdown(ctx context.Context, id announcement.ID) (Countdown, error)
	Countdowns(ctx context.Context) []Countdown // those that still run, the next first
	Drafts(ctx context.Context) []SavedDraft    // newest first
	SavedDraft(ctx context.Context, id string) (SavedDraft, error)

	// Inbox lists the texts that belong to no announcement and wait for a person:
	// calls for help first.
	Inbox(ctx context.Context) []Text
	// EmergencyPhoto is the picture of a report in the inbox.
	EmergencyPhoto(ctx context.Context, id string) ([]byte, error)
	WaitingText(ctx context.Context, id string) (Text, error)
}

// Desk is what the pages and the API ask of the house. Methods return the
// errors above, or announcement.FieldErrors.
type Desk interface {
	Preview(ctx context.Context, p Principal, d Draft) (Preview, error)
	QuietBudget(ctx context.Context, p Principal) QuietBudget
	BrokenQuiet(ctx context.Context) []BrokenQuiet // newest month first
	// CountSMS measures the SMS of a draft that may still have empty blanks.
	CountSMS(ctx context.Context, d Draft) (map[announcement.Language]SMSCount, error)
	// Announce is idempotent by key (empty: no key). It returns once the
	// recipients are durable. repeated says that key had been used for this draft.
	Announce(ctx context.Context, p Principal, d Draft, key string) (s Summary, repeated bool, err error)
	// Prepare accepts an announcement that goes out after the countdown, by itself,
	// unless it is cancelled before. It is idempotent by key.
	Prepare(ctx context.Context, p Principal, d Draft, key string) (announcement.ID, error)
	// Approve lets an announcement that waits go out as it was seen (Countdown.Print):
	// ErrForbidden to its author, FieldErrors when words or people are others now, ErrClosed when it was
	// taken back, edited or rejected. Approving again is done already.
	Approve(ctx context.Context, p Principal, id announcement.ID, seen string) error
	// Awaited is what would happen if an announcement that waits went out now.
	Awaited(ctx context.Context, id announcement.ID) (Preview, error)
	Reject(ctx context.Context, p Principal, id announcement.ID, reason string) error
	// SendAlone is for its author, when nobody has approved it within ten minutes;
	// ErrConflict before.
	SendAlone(ctx context.Context, p Principal, id announcement.ID, reason string) error
	// Cancel takes a prepared announcement back, which then is a draft of the same
	// id; ErrClosed when it has gone out.
	Cancel(ctx context.Context, p Principal, id announcement.ID) error
	// SaveDraft lays a draft aside for later; saving it again under its id changes it.
	SaveDraft(ctx context.Context, p Principal, s SavedDraft) error
	DeleteDraft(ctx context.Context, p Principal, id string) error
	// Boards is what a principal may see.
	Boards(p Principal) Boards
	Close(ctx context.Context, p Principal, id announcement.ID, as announcement.ClosedAs, reason string) error
	Remind(ctx context.Context, p Principal, id announcement.ID, reason string) (called int, err error)
	// Act says what an act on an open announcement would do: SayReminder, SayDigest
	// (escalate), SayAlert (resend), SayUpdate, SayCorrection or SayAllClear. words are those of an
	// update.
	Act(ctx context.Context, id announcement.ID, kind announcement.MessageKind, words map[announcement.Language]string) (Act, error)
	// Escalate takes a step that calls managers or the duty list now, and returns how
	// many of them are called: 0 when it was taken already. Step 0 is the next one;
	// ErrConflict when none is left.
	Escalate(ctx context.Context, p Principal, id announcement.ID, step int) (called int, err error)
	// Resend sends the SMS again to those without an answer for whom it failed, through
	// the second provider where there is one, and returns how many there are.
	// ErrConflict within two minutes of the last time.
	Resend(ctx context.Context, p Principal, id announcement.ID) (called int, err error)
	// Update tells everybody who was called something new, in each language that
	// words has; others read English, else Indonesian.
	Update(ctx context.Context, p Principal, id announcement.ID, words map[announcement.Language]string) (called int, err error)
	// Revise changes the text: a material change is a new version and asks everybody
	// again, and any other calls nobody. It returns how many are told. ErrConflict:
	// somebody else changed it first.
	Revise(ctx context.Context, p Principal, id announcement.ID, r Revision) (told int, err error)
	// AllClear tells everybody who was called that it is over. With keepAsking those
	// who have not answered are still asked and escalated; else it closes.
	AllClear(ctx context.Context, p Principal, id announcement.ID, keepAsking bool, reason string) error
	MarkAt(ctx context.Context, p Principal, id announcement.ID, m Mark) error
	// ClaimAt says that somebody handles a call for help or, with a resolution, that
	// it is over. ErrConflict: somebody else was first.
	ClaimAt(ctx context.Context, p Principal, id announcement.ID, index int, resolved announcement.Resolution) error
	// RemindAt calls one silent person again: ErrConflict within 5 minutes of the last.
	RemindAt(ctx context.Context, p Principal, id announcement.ID, index int) error
	// Changes delivers a value each time the announcement changed, at most one
	// waiting; the channel is closed when ctx ends or the node stops.
	Changes(ctx context.Context, id announcement.ID) <-chan struct{}

	HandleText(ctx context.Context, p Principal, id string) error
	// AssignText says whose text it is. It returns the recipient of the open
	// announcement under whom it is filed now; no announcement: it waits on, under
	// the person's name.
	AssignText(ctx context.Context, p Principal, id, number string) (announcement.ID, int, error)

	Templates() []Template
	Sitelist() []Choice
	Departments() []Choice
	Readiness(ctx context.Context) Readiness
}

// Countdown is an announcement that was confirmed and goes out in a moment. Its
// status is countdown, open (it has gone out, or does this instant) or draft (it
// was cancelled, and nobody was called).
type Countdown struct {
	ID          announcement.ID
	Status      announcement.Status
	Draft       Draft
	Severity    announcement.Severity
	Text        map[announcement.Language]announcement.Text
	People      int // as it was confirmed
	By          string
	Due         time.Time
	Left        time.Duration
	CancelledBy string
	CancelledAt time.Time
	Fault       string // why it could not go out yet; it is tried again

	Author     announcement.Actor
	Print      string    // names the words and the people of one that waits
	Asked      time.Time // of one that a second person has to approve: since when it waits
	Approvers  []string  // who may, while it waits
	ApprovedBy string
	Alone      bool      // the author sent it after nobody came
	AloneAt    time.Time // from when on they may
	Rejected   bool      // CancelledBy did, for Reason
	Reason     string
	Lapsed     bool // nobody came at all
}

// SavedDraft is an announcement that somebody began and laid aside.
type SavedDraft struct {
	ID    string
	Draft Draft
	Step  string // of the form, to go on with
	By    string // as a person may read it
	At    time.Time
}

// Act is what an act would do, before it does.
type Act struct {
	People int    // who would be told
	Step   int    // of an escalation: which one, so that a second press takes no other
	Who    []Name // of an escalation: the managers, or the duty list; at most 200
	Push   map[announcement.Language][2]string
	SMS    map[announcement.Language]SMSPreview
	Asleep int                                         // of a notice: those of them for whom it is night, who hear it in their morning
	Text   map[announcement.Language]announcement.Text // of a revision: what it says now
	Fields map[string]string                           // of a revision: what a template was filled with
	Cost   string                                      // of the SMS; empty when no price is set
	Second bool                                        // of a resend: through the second provider
	Last   time.Time                                   // of a reminder or a resend: when the last one was too short ago,
	Next   time.Time                                   // and when the next one may be; else zero
}

// Revision is another text of an open announcement. What was made from a template is
// filled anew from Fields, or says Text.
type Revision struct {
	Text     map[announcement.Language]announcement.Text `json:"text,omitempty"`
	Fields   map[string]string                           `json:"fields,omitempty"`
	Material bool                                        `json:"material" doc:"A new version: everybody is asked again. Otherwise a typo is mended and nobody is called"`
	Changed  map[announcement.Language]string            `json:"changed,omitempty" doc:"What changed, in at most 60 characters; needed with material"`
}

// Text is an SMS that waits for a person.
type Text struct {
	ID    string
	At    time.Time
	From  string // E.164, or what the sender claims to be
	Names []Name // whose number it is; empty for a stranger
	Body  string
	Help  bool // may be a call for help

	Kind, Where string // of an emergency that was reported on a person's own page
	Photo       bool   // comes with it

	Assigned bool   // somebody in HR said whose it is
	Mobile   string // the number on file of whom it was assigned to, where it is another
}

// Choice is a site or a department with its number of active people.
type Choice struct {
	Name   string
	People int
}

// Template is a prepared announcement.
type Template struct {
	Key      string
	Severity announcement.Severity
	Answers  announcement.Answers
	Name     map[announcement.Language]string // "Fire", "Kebakaran"
	Fields   []string                         // blanks to fill, in order: site, muster, …
	Optional []string                         // blanks that may stay empty: place, …
	Ticks    []string                         // those of them that are ticked, not written
	Icon     string
}

// Readiness is how well the house could call everybody now.
type Readiness struct {
	People, TwoOrMore, One, None int
	SMSProvider                  string
	TwoWay                       bool
	LastDrill                    *time.Time
	Sample                       bool                            // the people are made up
	Practice                     bool                            // the console sends only small drills yet
	Failing                      map[announcement.Channel]string // channels whose provider does not take calls now, and why
}

// Phone is what a recipient, a manager and an employee's device ask.
type Phone interface {
	AnswerPage(ctx context.Context, token string) (AnswerPage, error)
	// Answer records before it returns: nil means durable. It returns the page as
	// it is afterwards. ErrNotYet: not recorded, try again with the same Ref.
	Answer(ctx context.Context, token string, p Press) (AnswerPage, error)
	// Tell records what a person adds to their answer, for those who help them or
	// for HR. It returns the page as it is afterwards.
	Tell(ctx context.Context, token string, p Press) (AnswerPage, error)
	// Seen records that the page was displayed or the notification shown.
	Seen(ctx context.Context, token string, c announcement.Channel, version int) error

	TeamPage(ctx context.Context, token string) (TeamPage, error)
	TeamMark(ctx context.Context, token string, m []Mark) error
	// TeamUndo takes the manager's own mark back; ErrConflict when it is older than
	// five minutes or the person has answered.
	TeamUndo(ctx context.Context, token string, index int) error
	// TeamClaim is ClaimAt for the manager of that person.
	TeamClaim(ctx context.Context, token string, index int, resolved announcement.Resolution) error
	TeamRemind(ctx context.Context, token string, index int) error // ErrConflict within 5 minutes of the last
	TeamChanges(ctx context.Context, token string) (<-chan struct{}, error)

	Employee
	Me(ctx context.Context, device string) (MePage, error)
	// Subscribe stores this device's push subscription for the person.
	Subscribe(ctx context.Context, device string, s announcement.Subscription) error
	Unsubscribe(ctx context.Context, device string, endpoint string) error
	// MyChanges wakes the person's open pages when an announcement for them
	// opens, changes or closes.
	MyChanges(ctx context.Context, device string) (<-chan struct{}, error)
}

// People is the directory as the API and the console see it.
type People interface {
	Importing
	Staff
	Places
	Preparing
	Editing
	Provisioning
	Import(ctx context.Context, p Principal, r io.Reader, dryRun bool, leaving int) (ImportReport, error)
	// EnrolCode returns a personal enrolment code for a person by employee number,
	// and until when it counts.
	EnrolCode(ctx context.Context, number string) (code string, until time.Time, err error)
}

// Hooks is where the SMS provider calls.
type Hooks interface {
	// Message handles an inbound SMS. It checks the signature over rawURL's
	// configured form and body, and returns TwiML once everything is durable.
	Message(ctx context.Context, r HookRequest) (twiml []byte, err error)
	Status(ctx context.Context, r HookRequest) error
}

// HookRequest is a webhook as it came in.
type HookRequest struct {
	Path        string // path and raw query, as received
	ContentType string
	Signature   string
	Body        []byte
}

// Check is one line of readiness.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Hint string `json:"hint,omitempty"` // what is missing and what to do
}

// Health answers the probes.
type Health interface {
	Live() bool
	Ready(ctx context.Context) []Check
}
