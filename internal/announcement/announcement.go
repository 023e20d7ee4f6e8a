// Package announcement says what has happened, to whom it matters and how
// urgently: the vocabulary of Kentongan and its rules.
//
// Every other package speaks in these words, and this one imports nothing but
// the standard library, so that a rule of the mission can be read, and tested,
// without a network, a clock or a vendor.
//
// # Decisions
//
// An acknowledgment belongs to one recipient, never to an announcement.
// Facts carry opaque ids; a name, a number, an endpoint or a token never
// appears in them, because the ledger that keeps them cannot be erased.
package announcement

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ID names an announcement. It is opaque, lower-case letters and digits only,
// so that it is safe in a subject, a key and a path.
type ID string

// PersonID names a person without saying who it is. The directory alone can
// turn it into a name and contact points.
type PersonID string

const idAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// NewID returns a fresh announcement id with 75 random bits.
func NewID() ID { return ID("a" + randomID(15)) }

// NewPersonID returns a fresh person id with 75 random bits.
func NewPersonID() PersonID { return PersonID("p" + randomID(15)) }

// PersonIDFor returns the id of the person whom an import adds: the same when the
// import, cut off in the middle, is done again.
func PersonIDFor(imported, number string) PersonID {
	sum := sha256.Sum256([]byte(imported + "\x00" + number))
	return PersonID("p" + spell(sum[:15]))
}

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return spell(b)
}

// spell writes bytes with the letters of ids.
func spell(b []byte) string {
	for i := range b {
		b[i] = idAlphabet[int(b[i])%len(idAlphabet)]
	}
	return string(b)
}

// Valid reports whether id has the shape that NewID gives.
func (id ID) Valid() bool {
	return len(id) == 16 && id[0] == 'a' && strings.Trim(string(id[1:]), idAlphabet) == ""
}

// Mode says whether the danger is real. It is fixed at creation: nothing turns
// a drill into a live announcement, nor the reverse.
type Mode string

const (
	Live  Mode = "live"
	Drill Mode = "drill"
)

// Severity follows CAP 1.2 (severity), with the words HR uses.
type Severity string

const (
	Extreme  Severity = "extreme"  // life in danger now: every channel at second 0
	Severe   Severity = "severe"   // danger is likely
	Moderate Severity = "moderate" // work is affected, nobody is in danger
	Info     Severity = "info"     // good to know
)

// Answers says which question the announcement asks.
type Answers string

const (
	Safety Answers = "safety" // safe, need help, not on site
	Read   Answers = "read"   // understood, I have a problem
)

// Channel is a way to reach a person.
type Channel string

const (
	WebPush Channel = "webpush"
	SMS     Channel = "sms"
	InApp   Channel = "inapp"
)

// Channels lists every channel, in the order in which they are tried and shown.
var Channels = []Channel{WebPush, SMS, InApp}

// Language is a BCP 47 primary language subtag, lower case ("id", "en").
type Language string

const (
	Indonesian Language = "id"
	English    Language = "en"
)

// Lane orders deliveries: emergency before routine.
type Lane string

const (
	Emergency Lane = "emergency"
	Routine   Lane = "routine"
)

// Text is what is said in one language. Title and Body are always there; the
// other parts are filled from a template, or made from Title and Body.
//
// PushTitle, PushBody and SMS may hold the placeholders {org}, {link}, {reply}
// and {two}, which are filled per person; every other placeholder has been
// filled when the announcement was created.
type Text struct {
	Title     string   `json:"title"`
	Body      string   `json:"body"`
	PushTitle string   `json:"push_title,omitempty"`
	PushBody  string   `json:"push_body,omitempty"`
	SMS       string   `json:"sms,omitempty"`
	Do        []string `json:"do,omitempty"`
	Dont      string   `json:"dont,omitempty"`
}

// Announcement is what is said, to whom, and what happens if they stay silent.
// It is written into the ledger once and never changed.
type Announcement struct {
	ID       ID                `json:"id"`
	Mode     Mode              `json:"mode"`
	Severity Severity          `json:"severity"`
	Class    Class             `json:"class,omitempty"` // whether it may wake people; empty, before there were classes, is an emergency
	Quiet    QuietHours        `json:"quiet,omitzero"`  // of a notice, as they were when it was sent
	Answers  Answers           `json:"answers"`
	Template string            `json:"template,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
	Text     map[Language]Text `json:"text"`
	Audience Audience          `json:"audience"`

	AudienceMode AudienceMode `json:"audience_mode,omitempty"`

	Channels []Channel `json:"channels"`
	Policy   Policy    `json:"policy"`
	Zone     string    `json:"zone,omitempty"`     // IANA time zone in which times are shown; empty is Asia/Jakarta
	At       time.Time `json:"at"`                 // when it was created, UTC
	Approved *Approval `json:"approved,omitempty"` // nil: it needed nobody else
}

// Approval says who let an announcement go out that its author could not send alone.
type Approval struct {
	By     Actor     `json:"by"`
	At     time.Time `json:"at"`
	Alone  bool      `json:"alone,omitempty"`  // nobody came, and the author sent it after all
	Reason string    `json:"reason,omitempty"` // why they did: reference to their words
}

// Lane returns the lane its deliveries travel in. A drill trains the real
// thing, but never delays it.
func (a *Announcement) Lane() Lane {
	if a.Mode == Live && (a.Severity == Extreme || a.Severity == Severe) {
		return Emergency
	}
	return Routine
}

// Waits reports whether nobody is called in their quiet hours.
func (a *Announcement) Waits() bool { return a.Class == ClassNotice && !a.Quiet.IsZero() }

// In returns the text for a reader of lang: that language, else English for a
// reader who is not Indonesian, else Indonesian, else whichever there is. ok
// is false when a fallback was used.
func (a *Announcement) In(lang Language) (text Text, used Language, ok bool) {
	if t, found := a.Text[lang]; found {
		return t, lang, true
	}
	for _, l := range []Language{English, Indonesian} {
		if t, found := a.Text[l]; found {
			return t, l, false
		}
	}
	for l, t := range a.Text {
		return t, l, false
	}
	return Text{}, "", false
}

// Audience describes who must hear: the union of its parts, minus Except.
// Employee numbers name people where a person writes an audience; the ledger
// keeps person ids in their place.
type Audience struct {
	All         bool      `json:"all,omitempty"`
	Sites       []string  `json:"sites,omitempty"`
	Departments []string  `json:"departments,omitempty"`
	Groups      []string  `json:"groups,omitempty"` // by name; the ledger keeps their ids
	Under       []string  `json:"under,omitempty"`  // a manager and everybody who reports to them, at any depth
	People      []string  `json:"people,omitempty"` // named people
	Except      *Audience `json:"except,omitempty"`
}

// IsZero reports whether the audience names nobody at all.
func (a Audience) IsZero() bool {
	return !a.All && len(a.Sites)+len(a.Departments)+len(a.Groups)+len(a.Under)+len(a.People) == 0
}

// Duration is a time.Duration that JSON carries as text ("90s", "15m").
type Duration time.Duration

func (d Duration) String() string               { return time.Duration(d).String() }
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is text such as \"90s\" or \"15m\", not %s", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("a duration is text such as \"90s\" or \"15m\", not %q", s)
	}
	*d = Duration(v)
	return nil
}

// Whom says who is called at a step of the escalation.
type Whom string

const (
	CallRecipient   Whom = "recipient" // the silent person again
	CallManager     Whom = "manager"   // their line manager
	CallManagersOwn Whom = "manager+1" // the manager's manager
	CallDuty        Whom = "duty"      // the duty list
)

// Step says whom to call, how, and after how long, for those still outstanding.
type Step struct {
	After    Duration  `json:"after"`
	Whom     Whom      `json:"whom"`
	Channels []Channel `json:"channels,omitempty"` // empty: every channel of the announcement, and for managers every channel there is
}

// Policy is the escalation: steps in order of After, and when to stop asking.
type Policy struct {
	Steps       []Step   `json:"steps"`
	ExpireAfter Duration `json:"expire_after,omitempty"` // closed as expired; default 72 h
}

// FieldError is a fault in what somebody asked for, naming the field as they wrote it.
type FieldError struct {
	Field string // "audience.sites[0]"
	Value string // what was given, shortened; empty if it may not be shown
	Why   string // one calm sentence in English
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Why
	}
	return fmt.Sprintf("%s: %q: %s", e.Field, e.Value, e.Why)
}

// FieldErrors is every fault found, so that a person mends them in one go.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	all := make([]string, len(e))
	for i, f := range e {
		all[i] = f.Error()
	}
	return strings.Join(all, "; ")
}

// Limits of what one announcement may hold.
const (
	MaxTitle    = 120   // characters; a push title shows about 40
	MaxBody     = 4_000 // characters; the page has no need of more, and a fact stays small
	MaxSteps    = 50    // more steps than any person would plan
	MaxStep     = 30 * 24 * time.Hour
	DefaultLife = 72 * time.Hour // then closed as expired
)

// Validate returns every rule that the announcement breaks, as FieldErrors, or
// nil. It fills nothing in: see Complete.
func (a *Announcement) Validate() error {
	var bad FieldErrors
	add := func(field, value, why string) {
		if len(value) > 40 {
			value = value[:40] + "…"
		}
		bad = append(bad, &FieldError{field, value, why})
	}
	if a.Mode != Live && a.Mode != Drill {
		add("mode", string(a.Mode), `say "live" or "drill"; there is no default`)
	}
	if !slices.Contains([]Severity{Extreme, Severe, Moderate, Info}, a.Severity) {
		add("severity", string(a.Severity), "must be extreme, severe, moderate or info")
	}
	if a.Class != ClassEmergency && a.Class != ClassNotice {
		add("class", string(a.Class), "must be emergency or notice")
	}
	if a.Answers != Safety && a.Answers != Read {
		add("answers", string(a.Answers), "must be safety or read")
	}
	if len(a.Text) == 0 {
		add("text", "", "write the message in at least one language")
	}
	for lang, t := range a.Text {
		at := "text." + string(lang)
		if len(lang) < 2 || len(lang) > 3 || strings.ToLower(string(lang)) != string(lang) {
			add(at, string(lang), "is not a language code such as id or en")
		}
		checkText(add, at+".title", t.Title, MaxTitle)
		checkText(add, at+".body", t.Body, MaxBody)
	}
	if a.Audience.IsZero() {
		add("audience", "", "say who must hear this")
	}
	if a.AudienceMode != LiveAudience && a.AudienceMode != SnapshotAudience {
		add("audience_mode", string(a.AudienceMode), "must be live or snapshot")
	}
	if len(a.Channels) == 0 {
		add("channels", "", "name at least one channel")
	}
	checkChannels(add, "channels", a.Channels)
	if len(a.Policy.Steps) > MaxSteps {
		add("policy.steps", fmt.Sprint(len(a.Policy.Steps)), fmt.Sprintf("has more than %d steps", MaxSteps))
	}
	for i, s := range a.Policy.Steps {
		at := fmt.Sprintf("policy.steps[%d]", i)
		if s.After <= 0 || time.Duration(s.After) > MaxStep {
			add(at+".after", s.After.String(), "must be more than 0 and at most 30 days")
		}
		if !slices.Contains([]Whom{CallRecipient, CallManager, CallManagersOwn, CallDuty}, s.Whom) {
			add(at+".whom", string(s.Whom), "must be recipient, manager, manager+1 or duty")
		}
		checkChannels(add, at+".channels", s.Channels)
	}
	if a.Policy.ExpireAfter < 0 || time.Duration(a.Policy.ExpireAfter) > MaxStep {
		add("policy.expire_after", a.Policy.ExpireAfter.String(), "must be at most 30 days")
	}
	if len(bad) > 0 {
		slices.SortStableFunc(bad, func(x, y *FieldError) int { return strings.Compare(x.Field, y.Field) })
		return bad
	}
	return nil
}

func checkText(add func(field, value, why string), field, s string, limit int) {
	switch n := len([]rune(s)); {
	case strings.TrimSpace(s) == "":
		add(field, "", "is empty")
	case n > limit:
		add(field, fmt.Sprintf("%d characters", n), fmt.Sprintf("is longer than %d characters", limit))
	case strings.ContainsFunc(s, forbidden):
		add(field, "", "contains a control or direction character; type it again as plain text")
	}
}

// CheckWords reports why words cannot be said to people, nil when they can.
func CheckWords(s string) error {
	if strings.ContainsFunc(s, forbidden) {
		return errors.New("contains a control or direction character; type it again as plain text")
	}
	return nil
}

// forbidden are characters that hide, reorder or break a message: controls
// other than line breaks and tabs, and the bidirectional overrides.
func forbidden(r rune) bool {
	return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == '\uFFFD' ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func checkChannels(add func(field, value, why string), field string, cs []Channel) {
	for i, c := range cs {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(Channels, c) {
			add(at, string(c), "must be webpush, sms or inapp")
		} else if slices.Contains(cs[:i], c) {
			add(at, string(c), "is named twice")
		}
	}
}

// Complete fills in what was left out, by severity, and puts the steps in
// order of time.
func (a *Announcement) Complete() {
	if a.Answers == "" {
		a.Answers = Safety
	}
	if a.Class == "" {
		a.Class = ClassOf(a.Severity)
	}
	if a.AudienceMode == "" {
		a.AudienceMode = LiveAudience
	}
	channels, policy := Defaults(a.Severity)
	if a.Channels == nil {
		a.Channels = channels
	}
	if a.Policy.Steps == nil && a.Hushed() {
		a.Policy.Steps = hushedSteps()
	}
	if a.Policy.Steps == nil {
		a.Policy.Steps = policy.Steps
	}
	if a.Policy.ExpireAfter == 0 {
		a.Policy.ExpireAfter = Duration(DefaultLife)
	}
	slices.SortStableFunc(a.Policy.Steps, func(x, y Step) int { return int(x.After/1e6 - y.After/1e6) })
}

// Hushed reports whether a phone that rings may betray who hides: an armed person
// is about. After the alert itself, nothing then makes a sound at those who are in
// danger until it is over.
func (a *Announcement) Hushed() bool { return a.Template == "active_threat" }

// hushedSteps asks nobody again for half an hour: who hides cannot answer. Their
// managers have the list at once.
func hushedSteps() []Step {
	min := func(n int) Duration { return Duration(time.Duration(n) * time.Minute) }
	return []Step{
		{After: Duration(time.Second), Whom: CallManager},
		{After: min(30), Whom: CallRecipient}, {After: min(35), Whom: CallManager},
		{After: min(40), Whom: CallManagersOwn}, {After: min(45), Whom: CallRecipient}, {After: min(46), Whom: CallDuty},
	}
}

// Defaults returns the channels used at second 0 and the escalation for a
// severity. Extreme never waits for push before it sends SMS: an Android phone
// asleep may show a push minutes later.
func Defaults(s Severity) ([]Channel, Policy) {
	min := func(n int) Duration { return Duration(time.Duration(n) * time.Minute) }
	sms := []Channel{SMS}
	switch s {
	case Extreme:
		return []Channel{WebPush, SMS, InApp}, Policy{Steps: []Step{
			{After: min(3), Whom: CallRecipient}, {After: min(5), Whom: CallManager},
			{After: min(8), Whom: CallRecipient}, {After: min(10), Whom: CallManagersOwn},
			{After: min(15), Whom: CallRecipient}, {After: min(16), Whom: CallDuty},
		}}
	case Severe:
		return []Channel{WebPush, InApp}, Policy{Steps: []Step{
			{After: min(2), Whom: CallRecipient, Channels: sms}, {After: min(10), Whom: CallRecipient},
			{After: min(15), Whom: CallManager}, {After: min(25), Whom: CallRecipient},
			{After: min(30), Whom: CallManagersOwn}, {After: min(45), Whom: CallDuty},
		}}
	case Moderate:
		return []Channel{WebPush, InApp}, Policy{Steps: []Step{
			{After: min(15), Whom: CallRecipient, Channels: sms}, {After: min(60), Whom: CallRecipient},
			{After: min(120), Whom: CallManager}, {After: min(180), Whom: CallRecipient},
		}}
	default:
		return []Channel{WebPush, InApp}, Policy{Steps: []Step{}}
	}
}
