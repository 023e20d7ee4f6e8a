package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

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
