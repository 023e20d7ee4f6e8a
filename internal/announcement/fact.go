package announcement

import (
	"slices"
	"time"
)

// Fact is one thing that happened to an announcement, written once and never
// changed. Exactly one of the payloads is set, the one its Kind names.
type Fact struct {
	Announcement ID        `json:"announcement"`
	Kind         Kind      `json:"kind"`
	At           time.Time `json:"at"`               // UTC, by the node that wrote it
	Actor        Actor     `json:"actor,omitempty"`  // who caused it
	Reason       string    `json:"reason,omitempty"` // a named reason, or a person's own words on closing

	Announced  *Announcement `json:"announced,omitempty"`
	Recipients *Chunk        `json:"recipients,omitempty"`
	Committed  *Committed    `json:"committed,omitempty"`
	Called     *Called       `json:"called,omitempty"`
	Receipt    *Receipt      `json:"receipt,omitempty"`
	Opened     *Opened       `json:"opened,omitempty"`
	Answered   *Answered     `json:"answered,omitempty"`
	Vouched    *Vouched      `json:"vouched,omitempty"`
	Excused    *Excused      `json:"excused,omitempty"`
	Claimed    *Claimed      `json:"claimed,omitempty"`
	Heard      *Heard        `json:"heard,omitempty"`
	Decided    *Decided      `json:"decided,omitempty"`
	Joined     *Joined       `json:"joined,omitempty"`
	Moved      *Moved        `json:"moved,omitempty"`
	Closed     *Closed       `json:"closed,omitempty"`
	Noted      *Noted        `json:"noted,omitempty"`
	Revised    *Revised      `json:"revised,omitempty"`
	Checkpoint *Checkpoint   `json:"checkpoint,omitempty"`
}

// Known reports whether this version knows what the fact says: its kind, and the payload
// that belongs to it. A rank or an answer that it has no name for it does not know either.
func (f Fact) Known() bool {
	switch f.Kind {
	case KindAnnounced:
		return f.Announced != nil
	case KindRecipients:
		return f.Recipients != nil
	case KindCommitted: // that it is there says that calling may start
		return true
	case KindCalled:
		return f.Called != nil && f.Called.Rank <= Shown
	case KindReceipt:
		return f.Receipt != nil && f.Receipt.Rank <= Shown
	case KindOpened:
		return f.Opened != nil
	case KindAnswered:
		return f.Answered != nil && f.Answered.Answer.Valid()
	case KindVouched:
		return f.Vouched != nil && (f.Vouched.Answer.Valid() || f.Vouched.Answer == TakenBack)
	case KindExcused:
		return f.Excused != nil
	case KindClaimed:
		return f.Claimed != nil
	case KindHeard:
		return f.Heard != nil
	case KindDecided:
		return f.Decided != nil
	case KindJoined:
		return f.Joined != nil
	case KindMoved:
		return f.Moved != nil
	case KindClosed:
		return f.Closed != nil
	case KindNoted:
		return f.Noted != nil
	case KindRevised:
		return f.Revised != nil
	case KindCheckpoint:
		return f.Checkpoint != nil
	}
	return false
}

// Kind names a fact. It stands in the fact's subject.
type Kind string

const (
	KindAnnounced  Kind = "announced"  // the text, the audience, the policy
	KindRecipients Kind = "recipients" // a chunk of the frozen recipients
	KindCommitted  Kind = "committed"  // the recipients are complete: calling may start
	KindCalled     Kind = "called"     // one recipient was called on one channel, and what the network said at once
	KindReceipt    Kind = "receipt"    // what a network said later
	KindOpened     Kind = "opened"     // the page was looked at by a person with script; never an acknowledgment
	KindAnswered   Kind = "answered"   // a person's own acknowledgment
	KindVouched    Kind = "vouched"    // a named person accounts for somebody, and says how they know
	KindExcused    Kind = "excused"    // no longer asked: left, or excused with a reason
	KindClaimed    Kind = "claimed"    // a named person handles a call for help, or says it is resolved
	KindHeard      Kind = "heard"      // a person wrote something that is no answer
	KindDecided    Kind = "decided"    // a round of calls was decided: reminder, digest, help, closing word
	KindJoined     Kind = "joined"     // people came to belong to the audience, or came back
	KindMoved      Kind = "moved"      // people are led by somebody else now
	KindClosed     Kind = "closed"     // nothing escalates after this
	KindNoted      Kind = "noted"      // of the house: who did, took out or looked at what; see Noted
	KindRevised    Kind = "revised"    // the text was changed: a new version that asks again, or a typo mended
	KindCheckpoint Kind = "checkpoint" // of the house: everything before it is sealed
)

// Actor says who caused a fact: "person:<PersonID>", "account:<id>" of the
// console, "token:<token id>", "policy" for the escalation, "network" for
// providers, "console" for the page of an installation without sign-in.
type Actor string

const (
	ByPolicy  Actor = "policy"
	ByNetwork Actor = "network"
	ByConsole Actor = "console"
)

// ByPerson returns the actor for a person.
func ByPerson(p PersonID) Actor { return Actor("person:" + p) }

// Chunk is part of the frozen recipients: those numbered First and on, and the
// reporting lines (in the first chunk only unless they do not fit).
type Chunk struct {
	First      int         `json:"first"`
	Recipients []Recipient `json:"recipients"`
	LinesFirst int         `json:"lines_first,omitempty"`
	Lines      []Line      `json:"lines,omitempty"`
	Duty       []PersonID  `json:"duty,omitempty"`
}

// Recipient is one person of the frozen audience. Their number is their place
// in a depth-first walk of the reporting tree, so that a manager's whole tree
// is one contiguous range.
type Recipient struct {
	Person      PersonID  `json:"p"`
	Line        int       `json:"l"`           // index of their line manager in Roster.Lines, -1 if none
	Language    Language  `json:"g,omitempty"` // of the person, not of the text they get
	Site        string    `json:"s,omitempty"`
	Department  string    `json:"d,omitempty"`
	Zone        string    `json:"z,omitempty"` // of a notice: their IANA time zone, where it is not the announcement's
	Reach       []Channel `json:"c,omitempty"` // channels with a usable contact point when the audience was frozen
	Unreachable string    `json:"u,omitempty"` // why nothing reaches them: no_contact_point, sms_stopped, wrong_number, …
}

// Ways counts the channels that call somebody and do not hang together. The open
// page is not one of them: it is on the phone that the notification rings.
func (r Recipient) Ways() int {
	n := 0
	for _, c := range r.Reach {
		if c != InApp {
			n++
		}
	}
	return n
}

// Line is somebody in a reporting line: a manager of at least one recipient,
// near or far, recipient or not.
type Line struct {
	Person PersonID `json:"p"`
	Up     int      `json:"u"` // index of their own manager in Roster.Lines, -1 at the top
	Number int      `json:"n"` // their own recipient number, -1 if they are not a recipient
	Lo     int      `json:"lo"`
	Hi     int      `json:"hi"` // their whole tree below them is recipients [Lo, Hi), themselves not included
}

// Roster is everybody an announcement concerns, frozen when it was sent; see Joined
// and Moved for what comes to it since.
type Roster struct {
	Recipients []Recipient
	Lines      []Line
	Duty       []PersonID // called when a reporting line ends
	Strays     bool       // somebody is not in the range of their manager: ask Team
}

// Committed closes the frozen list.
type Committed struct {
	Recipients int `json:"recipients"`
	Chunks     int `json:"chunks"`
	Woken      int `json:"woken,omitempty"` // recipients whose quiet hours an emergency broke
}

// Target says whom a call of a round was for: a recipient, or somebody on a
// decided list (a manager, the duty list).
//
// Round 0 is the announcement itself, rounds 1..n are the steps of the policy,
// and rounds from FirstExtraRound were caused by people or answers.
const FirstExtraRound = 1_000

// HelpRound is the round that calls responders for a need-help answer: the
// i-th fact of the ledger record at seq. Every node derives the same number,
// so the call is decided once.
func HelpRound(seq uint64, i int) int64 { return 1<<32 + int64(seq)*1_024 + int64(i) }

// Called says that one target of a round was called on one channel, and how
// the provider took it. A called fact settles this target, round and channel:
// it is not called there again.
type Called struct {
	Round   int64   `json:"round"`
	Channel Channel `json:"channel"`
	Number  int     `json:"number"`            // recipient number, or index into Decided.To for a round with its own list
	Rank    Rank    `json:"rank"`              // accepted, or failed
	Failure string  `json:"failure,omitempty"` // the typed reason when Rank is failed
	Version int     `json:"version,omitempty"` // of the text that was handed over; 0: the first
	Doubt   bool    `json:"doubt,omitempty"`   // the provider did not say whether it took an earlier try: the person may get it twice
	Points  int     `json:"points,omitempty"`  // how many contact points took it (devices)
}

// Receipt is what a network said after the call. Ranks only rise.
type Receipt struct {
	Round   int64   `json:"round"`
	Channel Channel `json:"channel"`
	Number  int     `json:"number"`
	Rank    Rank    `json:"rank"`
	Failure string  `json:"failure,omitempty"`
	Version int     `json:"version,omitempty"` // of what a phone has shown
}

// Rank is how far a delivery is known to have come. It only rises, and never
// says that a person has read anything.
type Rank int

const (
	Queued    Rank = 0 // we have not handed it over yet
	Accepted  Rank = 1 // the provider took it; we cannot see whether it arrived
	Sent      Rank = 2 // the provider gave it to the carrier
	Delivered Rank = 3 // the carrier says the phone has it; in Indonesia not dependable
	Failed    Rank = 4 // will not arrive
	Shown     Rank = 5 // the person's own device displayed it, whatever the network said
)

func (r Rank) String() string {
	if r < Queued || r > Shown {
		return "unknown"
	}
	return [...]string{"queued", "accepted", "sent", "delivered", "failed", "shown"}[r]
}

// Opened says that the recipient's page was displayed on a device that ran its
// script; a link preview does not count.
type Opened struct {
	Number int `json:"number"`
}

// Answer is what a person says: the digit they press.
type Answer int

const (
	Safe      Answer = 1 // safe, or understood
	NeedHelp  Answer = 2 // need help, or I have a problem
	NotOnSite Answer = 3
)

// TakenBack is the answer of a Vouched fact that undoes the one before.
const TakenBack Answer = 0

// Valid reports whether the answer is one a person can give.
func (a Answer) Valid() bool { return a >= Safe && a <= NotOnSite }

// State returns the state that this answer puts a recipient in.
func (a Answer) State() State {
	switch a {
	case Safe:
		return Confirmed
	case NeedHelp:
		return NeedsHelp
	case NotOnSite:
		return OffSite
	}
	return NoAnswer
}

// Answered is an acknowledgment: what a person says themselves.
type Answered struct {
	Number    int       `json:"number"`
	Answer    Answer    `json:"answer"`
	Via       Via       `json:"via"`
	Said      time.Time `json:"said"`                 // when the person pressed; earlier than At when their phone had no signal
	Ref       string    `json:"ref"`                  // the same press always has the same ref; repeats change nothing
	Note      string    `json:"note,omitempty"`       // reference to their words, kept outside the ledger
	FromWords bool      `json:"from_words,omitempty"` // read from words, not a digit: a person should look
	Version   int       `json:"version,omitempty"`    // of the text that they answer; 0: the first
}

// Via is how an answer came in.
type Via string

const (
	ViaPage Via = "page" // the personal link or the in-app page
	ViaPush Via = "push" // a button on the notification
	ViaSMS  Via = "sms"
)

// Vouched says that a named person accounts for a recipient, or, with the answer
// TakenBack, that they no longer do.
type Vouched struct {
	Number int       `json:"number"`
	Answer Answer    `json:"answer"`
	By     PersonID  `json:"by,omitempty"` // empty when the console did it; see Fact.Actor
	How    How       `json:"how"`
	Note   string    `json:"note,omitempty"` // reference
	Said   time.Time `json:"said"`
	Ref    string    `json:"ref"`

	Version int `json:"version,omitempty"` // that counted when it was said; 0: the first
}

// How somebody knows about another person.
type How string

const (
	SawThem         How = "saw"
	SpokeByPhone    How = "phone"
	ColleagueTold   How = "colleague"
	OnLeaveSchedule How = "roster"
)

// Valid reports whether it is one of the ways a person can know.
func (h How) Valid() bool {
	return h == SawThem || h == SpokeByPhone || h == ColleagueTold || h == OnLeaveSchedule
}

// Excused takes a recipient out of the outstanding, with Fact.Reason.
type Excused struct {
	Number int `json:"number"`
}

// Claimed says who handles a recipient's call for help, or how it was resolved.
type Claimed struct {
	Number   int        `json:"number"`
	By       PersonID   `json:"by,omitempty"`
	Resolved Resolution `json:"resolved,omitempty"`
}

// Resolution is how a call for help came to its end; empty while it has not.
type Resolution string

const (
	IsSafe    Resolution = "is_safe"
	FirstAid  Resolution = "first_aid"
	Hospital  Resolution = "in_hospital"
	Rescuers  Resolution = "with_rescuers"
	ByMistake Resolution = "by_mistake"
	Solved    Resolution = "solved"
)

// Resolutions are all of them, in the order in which they are offered.
var Resolutions = []Resolution{IsSafe, FirstAid, Hospital, Rescuers, ByMistake, Solved}

// Valid reports whether it is one of them.
func (r Resolution) Valid() bool { return slices.Contains(Resolutions, r) }

// Heard is something a person wrote that is no answer: a question, free text,
// STOP. Number is -1 when it could not be tied to a recipient.
type Heard struct {
	Number int    `json:"number"`
	Class  string `json:"class"`
	Via    Via    `json:"via"`
	Note   string `json:"note,omitempty"`
	Ref    string `json:"ref"`
}

// MessageKind says which of the prepared texts a round sends.
type MessageKind string

const (
	SayAlert      MessageKind = "alert"
	SayReminder   MessageKind = "reminder"
	SayDigest     MessageKind = "manager_escalation"
	SayHelp       MessageKind = "help_to_manager"
	SayCorrection MessageKind = "correction"
	SayAllClear   MessageKind = "all_clear"
	SayUpdate     MessageKind = "update"  // something new, in the sender's own words
	SayRevised    MessageKind = "revised" // what changed, and the question anew
	SaySent       MessageKind = "sent"    // to those who may send: somebody has just sent a real alert
)

// Decided is a round of calls. Recipients means the round goes to recipients
// (which, Only says); otherwise it goes to the people in To.
type Decided struct {
	Round    int64       `json:"round"`
	Version  int         `json:"version,omitempty"` // of the announcement that it belongs to; 0: the one that counted when it was decided
	Step     int         `json:"step"`              // 1-based step of the policy; 0 for a round with another cause
	Message  MessageKind `json:"message"`
	Channels []Channel   `json:"channels"`
	Only     Only        `json:"only,omitempty"`
	Zones    []string    `json:"zones,omitempty"` // only recipients who live by one of these time zones; empty: all
	To       []Call      `json:"to,omitempty"`
	About    int         `json:"about,omitempty"` // SayHelp: the number of the recipient who needs help

	Words map[Language]string `json:"words,omitempty"` // SayUpdate: what is new; SayRevised: what changed

	Second bool `json:"second,omitempty"` // through the second SMS provider

	// Waiting: OnlyFailed is also for those whose call waits, because the provider of
	// the first round is down.
	Waiting bool `json:"waiting,omitempty"`
}

// Mends reports whether calling somebody again can help whose call failed for this
// reason. Nothing helps whoever has stopped SMS or has no number; a number that one
// provider refuses, or a carrier blocks, is worth a try through another only.
func (d Decided) Mends(failure string) bool {
	switch failure {
	case "opted_out", "no_contact_point", "sample_person":
		return false
	case "invalid_number", "blocked":
		return d.Second
	}
	return true
}

// Say returns the words of an update for a reader of lang: that language, else
// English for a reader who is not Indonesian, else Indonesian, else any.
func (d Decided) Say(lang Language) string {
	for _, l := range []Language{lang, English, Indonesian} {
		if w := d.Words[l]; w != "" {
			return w
		}
	}
	for _, w := range d.Words {
		return w
	}
	return ""
}

// Limits of an update in characters: what fits an SMS beside the rest, and a push.
const (
	MaxUpdateSMS = 60
	MaxUpdate    = 100
)

// Round is a decided round with everything needed to carry it out. Round 0 is
// made from the announcement: SayAlert to OnlyOutstanding at the time of commit.
type Round struct {
	Announcement *Announcement
	Roster       *Roster
	Decided      Decided
	At           time.Time // when it was decided
	Version      int       // of the text in Announcement
}

// Targets returns how many targets the round has.
func (r Round) Targets() int {
	if r.Decided.Only != "" {
		return len(r.Roster.Recipients)
	}
	return len(r.Decided.To)
}

// Target returns the person with target number n.
func (r Round) Target(n int) PersonID {
	if r.Decided.Only != "" {
		return r.Roster.Recipients[n].Person
	}
	return r.Decided.To[n].Person
}

// Only says which recipients a round is for.
type Only string

const (
	OnlyOutstanding Only = "outstanding" // checked again right before each call
	OnlyFailed      Only = "failed"      // outstanding, and their call on the round's channel has failed
	OnlyAsked       Only = "asked"       // outstanding, and those who need help: they hear what changed
	OnlyCalled      Only = "called"      // exactly those who were called before: a correction, an all clear
)

// NeverCalled is why a word to those who were called does not go to somebody.
const NeverCalled = "never_called"

// AlreadyCalled is why somebody is not called again on a channel in the same round.
const AlreadyCalled = "already_called"

// Call is one entry of a decided list: a manager (or the duty list), for how
// many of their people, and why they and not another.
type Call struct {
	Person PersonID `json:"p"`
	Line   int      `json:"l"`            // index into Roster.Lines; -1 for the duty list
	Count  int      `json:"n"`            // outstanding people this call is about
	Why    []string `json:"why"`          // line_manager, manager_outstanding, manager_left, no_manager, …
	Lo     int      `json:"lo,omitempty"` // the team page shows recipients [Lo, Hi)
	Hi     int      `json:"hi,omitempty"`
	Lines  []int    `json:"ls,omitempty"` // further lines whose people they are called about: they stand in for another
}

// Revised changes the text of an open announcement, and nothing else: not the mode, the
// severity, the audience nor the question. Material changes make a new version: earlier
// answers stay "for version 1", everybody is asked again, and whoever needs help goes on
// needing it. Any other revision mends a typo, and nobody is called for it.
type Revised struct {
	Version  int                 `json:"version"` // that counts from now on
	Material bool                `json:"material,omitempty"`
	Text     map[Language]Text   `json:"text"`
	Fields   map[string]string   `json:"fields,omitempty"`
	Changed  map[Language]string `json:"changed,omitempty"` // what changed, in the sender's words
	Woken    int                 `json:"woken,omitempty"`   // people whose quiet hours it breaks
}

// Closed ends an announcement.
type Closed struct {
	As ClosedAs `json:"as"`
}

// ClosedAs says how an announcement ended.
type ClosedAs string

const (
	AsAccounted ClosedAs = "accounted" // nobody is outstanding
	AsAllClear  ClosedAs = "all_clear"
	AsCorrected ClosedAs = "corrected" // it was sent in error
	AsExpired   ClosedAs = "expired"
	AsCancelled ClosedAs = "cancelled"
)

// Status of an announcement.
type Status string

const (
	StatusDraft     Status = "draft"
	StatusAwaiting  Status = "awaiting_approval"
	StatusCountdown Status = "countdown"
	StatusOpen      Status = "open"
	StatusClosed    Status = "closed"
)

// State is the one state a recipient is in.
type State string

const (
	NeedsHelp   State = "need_help"
	Confirmed   State = "confirmed" // safe, or understood
	OffSite     State = "not_on_site"
	HasOpened   State = "opened"
	NoAnswer    State = "no_answer"
	Unreachable State = "unreachable"
)

// States lists every state in the order in which people need to see them.
var States = []State{NeedsHelp, NoAnswer, Unreachable, HasOpened, OffSite, Confirmed}

// Counts says how many recipients are in each state. The six states always sum
// to Recipients; whoever was excused (left the company, say) is in neither.
type Counts struct {
	Recipients  int `json:"recipients"`
	NeedHelp    int `json:"need_help"`
	Confirmed   int `json:"confirmed"`
	NotOnSite   int `json:"not_on_site"`
	Opened      int `json:"opened"`
	NoAnswer    int `json:"no_answer"`
	Unreachable int `json:"unreachable"`
	VouchedBy   int `json:"vouched_by"` // of these, accounted for by a named person
	Late        int `json:"late"`       // answered after the close
	Excused     int `json:"excused"`
}

// Outstanding returns how many have neither answered nor been accounted for.
func (c Counts) Outstanding() int { return c.Opened + c.NoAnswer + c.Unreachable }

// Answered returns how many have answered or been accounted for.
func (c Counts) Answered() int { return c.NeedHelp + c.Confirmed + c.NotOnSite }

// Plus returns the counts of both.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Recipients + d.Recipients, c.NeedHelp + d.NeedHelp, c.Confirmed + d.Confirmed, c.NotOnSite + d.NotOnSite, c.Opened + d.Opened,
		c.NoAnswer + d.NoAnswer, c.Unreachable + d.Unreachable, c.VouchedBy + d.VouchedBy, c.Late + d.Late, c.Excused + d.Excused}
}

// Add counts one more recipient, in this state.
func (c *Counts) Add(s State) {
	c.Recipients++
	switch s {
	case NeedsHelp:
		c.NeedHelp++
	case Confirmed:
		c.Confirmed++
	case OffSite:
		c.NotOnSite++
	case HasOpened:
		c.Opened++
	case Unreachable:
		c.Unreachable++
	default:
		c.NoAnswer++
	}
}

// Of returns the count of one state.
func (c Counts) Of(s State) int {
	switch s {
	case NeedsHelp:
		return c.NeedHelp
	case Confirmed:
		return c.Confirmed
	case OffSite:
		return c.NotOnSite
	case HasOpened:
		return c.Opened
	case NoAnswer:
		return c.NoAnswer
	case Unreachable:
		return c.Unreachable
	}
	return 0
}
