package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

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
	SMSAway     bool                                        `json:"sms_away,omitempty"`   // the provider is down: texts wait until it is back
	SMSOnly     int                                         `json:"sms_only,omitempty"`   // who waits for one, and is called by nothing else
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

// TeamFilter chooses teams.
type TeamFilter struct {
	LeadersLast bool // managers of managers after the others: their people are in those teams too, so that they would always be first and say nothing
	Offset      int
	Limit       int // 0: all
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
