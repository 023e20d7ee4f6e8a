package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

// Drafting is what the pages that write an announcement ask of the house.
type Drafting interface {
	Preview(ctx context.Context, p Principal, d Draft) (Preview, error)
	// CountSMS measures the SMS of a draft that may still have empty blanks.
	CountSMS(ctx context.Context, d Draft) (map[announcement.Language]SMSCount, error)
	// SaveDraft lays a draft aside for later; saving it again under its id changes it.
	SaveDraft(ctx context.Context, p Principal, s SavedDraft) error
	DeleteDraft(ctx context.Context, p Principal, id string) error
	Templates() []Template
}

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
	SMSTime      time.Duration                   // until the last person's SMS is handed over, where that is long
	Cost         string                          // of the first round's SMS, "Rp 416.500"; empty when no price is set
	Failing      map[announcement.Channel]string // channels whose provider fails now, and why
	Hit          map[announcement.Channel]Hit    // for each of those, its people
	Sites        []Choice                        // of the recipients, the largest first
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

// SavedDraft is an announcement that somebody began and laid aside.
type SavedDraft struct {
	ID    string
	Draft Draft
	Step  string // of the form, to go on with
	By    string // as a person may read it
	At    time.Time
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

// Hit is what a channel that fails does to those who have it: whom another one reaches
// all the same, and whom nothing.
type Hit struct{ Others, Nothing int }
