package web

import (
	"context"
	"io"
	"time"

	"kentongan/internal/announcement"
)

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

// Choice is a site or a department with its number of active people.
type Choice struct {
	Name   string
	People int
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

// Importing is the import of people in four steps. An upload is kept for an hour
// under an id that cannot be guessed, so that any node can take the next step and
// a step can be looked at again.
type Importing interface {
	Keep(ctx context.Context, p Principal, name string, file []byte) (id string, err error)
	Upload(ctx context.Context, id string) (Upload, error) // ErrNotFound when it is too old
	// Match says what each column holds. Faults are FieldErrors named "c0", "c1" …
	Match(ctx context.Context, p Principal, id string, columns []string) error
	// Check says what the import would do; of a large file it may return *Underway. whole: who is not in the file leaves.
	Check(ctx context.Context, id string, skipFaulty, whole bool) (ImportCheck, error)
	// Apply imports, a large file on its own: then it returns *Underway. typed is how many people leave, where that must be confirmed.
	Apply(ctx context.Context, p Principal, id string, c ImportChoice) (done string, err error)
	// Applying says how the import of a large file goes, for which Apply returned
	// Underway. Result is the import.
	Applying(ctx context.Context, id string) (Errand, error)
	Imported(ctx context.Context, done string) (Imported, error)
	Imports(ctx context.Context) []Imported // newest first
	Undo(ctx context.Context, p Principal, done string) error
}

// Upload is a file on its way in.
type Upload struct {
	ID       string
	Name     string
	Rows     int
	Headings []string
	Samples  [][]string // up to three values of each column
	Columns  []string   // what each column holds, as guessed or as chosen
	Kinds    []string   // what a column can hold
}

// ImportCheck is what an import would do.
type ImportCheck struct {
	ImportReport
	Name    string
	Fine    int // rows without a fault
	Skipped int // faulty rows that are left out
	Fatal   bool
	Faulty  []FaultyRow
	Sums    []FaultSum // most first
	Lists   ImportLists
	Active  int // people who work here now
}

// MustType reports whether so many people leave that the number has to be typed.
// Leaving out who is not in the file always needs it.
func (c ImportCheck) MustType(whole bool) bool {
	return whole && c.Missing > 0 || c.Confirm
}

// LeavingWith is how many people leave by a choice.
func (c ImportCheck) LeavingWith(whole bool) int {
	if whole {
		return c.Leaving + c.Missing
	}
	return c.Leaving
}

// ImportLists name the people behind the numbers, not always all of them.
type ImportLists struct{ Added, Changed, Leaving, Missing, Mended []Listed }

// Listed is one person of an import.
type Listed struct {
	Row          int
	Number, Name string
	Changes      []Change
}

// Change is one thing about a person that an import changes.
type Change struct{ Column, From, To string }

// FaultyRow is a row with what is wrong in each of its cells, by column.
type FaultyRow struct {
	Row      int
	Cells    map[string]string
	Problems map[string]string
}

// FaultSum is how many rows have a fault in a column, and the first of them.
type FaultSum struct {
	Column      string
	Rows, First int
}

// ImportChoice is what a person decided about an import.
type ImportChoice struct {
	SkipFaulty bool
	Whole      bool // people who are not in the file leave
	Typed      int  // -1: nothing that is a number
}

// Imported is an import that was made.
type Imported struct {
	ID                    string
	At                    time.Time
	By                    string
	Added, Changed, Left  int
	Skipped, Mended, Kept int
	Until                 time.Time // it can be undone until then; zero if not
	Undone                bool
}

// Staff is the list of people.
type Staff interface {
	People(ctx context.Context, p Principal, f PeopleFilter) (PeoplePage, error)
	Person(ctx context.Context, p Principal, number string) (Person, error)
	// SavePerson changes a person, or adds one whose version is 0. values are by
	// column. Faults are FieldErrors named by column, ErrConflict says that somebody
	// else changed the person first.
	SavePerson(ctx context.Context, p Principal, values map[string]string, version int64) error
	// Invite sends a person the link by which their phone joins.
	Invite(ctx context.Context, p Principal, number string) error
	// ClearNumber takes back what a network or a stranger said about a person's number.
	ClearNumber(ctx context.Context, p Principal, number string) error
	// SetAway says from which day to which a person is away, and who answers for their
	// people meanwhile, by employee number; empty: they are not. FieldErrors are named
	// from, to and delegate.
	SetAway(ctx context.Context, p Principal, number, from, to, delegate string) error
	// DisconnectPhones shuts out every phone and browser that a person has connected.
	DisconnectPhones(ctx context.Context, p Principal, number string) error
}

// PeopleFilter chooses people of the list.
type PeopleFilter struct {
	Search, Site, Trouble string
	Offset, Limit         int
}

// PeoplePage is part of the list.
type PeoplePage struct {
	Total    int
	People   []Person
	Next     *int
	Troubles map[string]int // how many people have each trouble
	Sites    []string
}

// Person is somebody in the list of people.
type Person struct {
	Name
	Version           int64
	Given, Email      string
	Mobile            string // E.164
	Landline          bool
	Country, Zone     string
	Language          announcement.Language
	Site, Department  string
	Title, Shift      string
	Active, Sample    bool
	ManagerNumber     string
	AwayFrom, AwayTo  string // days, "2026-12-24"; empty: not
	StandIn           Name   // who answers for their people meanwhile
	Channels          []announcement.Channel
	SMSStopped, Wrong bool
	Troubles          []string
	Sharing           []Name
	Devices           []Handset
}

// Handset is a phone or computer that gets push.
type Handset struct {
	Name  string // "Chrome", as far as it is known
	Seen  time.Time
	Stale bool
}

// Places are the sites and groups.
type Places interface {
	AllSites(ctx context.Context) []Site
	SaveSite(ctx context.Context, p Principal, s Site) error
	DeleteSite(ctx context.Context, p Principal, id string) error

	AllGroups(ctx context.Context) []Group
	Group(ctx context.Context, p Principal, id string) (Group, []Name, error)
	SaveGroup(ctx context.Context, p Principal, g Group) (id string, err error)
	DeleteGroup(ctx context.Context, p Principal, id string) error
	// GroupChoices are the values a rule can ask for.
	GroupChoices(ctx context.Context) GroupChoices
}

// Site is a place where people work.
type Site struct {
	ID        string // empty: only people say that it exists
	Name      string
	Assembly  []string // the usual assembly point first
	Zone      string
	Emergency string // number to dial when life is in danger
	People    int
}

// Group is people who are called together.
type Group struct {
	ID                                 string
	Name                               string
	ByRule                             bool
	Numbers                            []string // employee numbers: its people, or the managers of its rule
	Sites, Departments, Shifts, Titles []string // of its rule
	Count                              int
}

// GroupChoices are the values a rule can ask for, with their number of people.
type GroupChoices struct{ Sites, Departments, Shifts, Titles []Choice }

// Preparing is what has to be right before an alert.
type Preparing interface {
	Report(ctx context.Context) (ReadyReport, error)
	Tasks(ctx context.Context) ([]Task, error)
	// GoLive ends the practice of a new house; FieldErrors when tasks are left that
	// come before the first real alert.
	GoLive(ctx context.Context, p Principal) error
	Duty(ctx context.Context) (numbers []string, called []Name)
	SetDuty(ctx context.Context, p Principal, numbers []string) error

	Trials(ctx context.Context) Trials
	// SendTest sends a message that says that it is a test to one person.
	SendTest(ctx context.Context, p Principal, number string, c announcement.Channel) error
	// StartReplyTest asks one person by SMS to reply. When the reply arrives, texts
	// may ask for replies.
	StartReplyTest(ctx context.Context, p Principal, number string) error
	LockOneWay(ctx context.Context, p Principal) error
}

// ReadyReport is how well everybody could be reached now.
type ReadyReport struct {
	Readiness
	Sites, Teams []ReachRow // the worst first
	Troubles     map[string]int
	LastSMS      *time.Time
	Since        map[string]int // days since "sms" and "drill"
}

// ReachRow is how the people of a site or a team are reached.
type ReachRow struct {
	Name                         string
	People, TwoOrMore, One, None int
}

// Task is one of the tasks before the first alert.
type Task struct {
	Key   string
	State string // not started, in progress, completed
	Path  string // where it is done; empty: by whoever runs the server
	Ticks []Tick

	Before bool // it comes before the first real alert
}

// Tick is a part of a task.
type Tick struct {
	Label string
	Done  bool
}

// Trials is what the tests of the providers have shown.
type Trials struct {
	SMSProvider   string
	Sender        string
	Push          bool
	SMSAt, PushAt time.Time // when a test was last taken
	TwoWay        bool
	Forced        bool // the operator says so
	Proven        time.Time
	WaitsUntil    time.Time // a reply test is under way
	Asked         string    // the person who was asked to reply
	Failing       map[announcement.Channel]string
}

// Editing is the prepared texts and their versions.
type Editing interface {
	Editions(ctx context.Context) []Edition
	Edition(ctx context.Context, key string) (Edition, error)
	// Judge measures words as they would be sent, with the longest names there are.
	Judge(ctx context.Context, key string, texts map[announcement.Language]announcement.Text) map[announcement.Language]Judgment
	// SaveWords keeps words as a draft; it refuses what could not be sent at all.
	SaveWords(ctx context.Context, p Principal, key string, texts map[announcement.Language]announcement.Text, version int64) error
	// Publish makes the draft what is sent from now on. It refuses, as FieldErrors,
	// what does not fit an SMS where lives depend on it.
	Publish(ctx context.Context, p Principal, key string) error
	// Restore makes an earlier version the draft; 0 is what the product came with.
	Restore(ctx context.Context, p Principal, key string, version int) error
	// TryWords sends the draft, marked as a test, to one person.
	TryWords(ctx context.Context, p Principal, key, number string) error
}

// Edition is a prepared text with its versions.
type Edition struct {
	Template
	Revision  int64 // of what is stored, for ErrConflict
	Texts     map[announcement.Language]announcement.Text
	Published map[announcement.Language]announcement.Text // what is sent now
	Draft     bool                                        // Texts is not what is sent now
	Version   int                                         // published; 0: as the product came
	Versions  []EditionOf                                 // newest first
	Units     map[announcement.Language]int               // longest SMS of what is sent now
}

// EditionOf is one published version.
type EditionOf struct {
	Number int
	At     time.Time
	By     string
	Texts  map[announcement.Language]announcement.Text
	Before map[announcement.Language]announcement.Text // of the version before; nil when it is no longer kept
}

// Judgment is what words are like as they would be sent.
type Judgment struct {
	SMS      string // with the longest names there are
	Push     [2]string
	Units    int
	Limit    int
	Segments int
	Over     int // units too many for one SMS
	Awkward  []announcement.Awkward
	Long     []string // sentences with too many words
	Strict   bool     // lives depend on it: what does not fit is refused
}
