package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

// house is a Desk, Phone, People, Hooks, Access and Health in memory. It counts
// what was asked to change, so that a test can say that nothing was.
type house struct {
	prepareErr error
	page       AnswerPage
	presses    []Press
	told       []Press
	seen       []announcement.Channel
	drafts     []Draft
	revisions  []Revision
	keys       []string
	closedAs   announcement.ClosedAs
	marks      []Mark
	claims     int
	people     int
	changed    int // acts about people, sites and groups
	stuck      []StuckJob
	found      []string // by the watch
	nobody     bool     // the company is empty
	fatal      bool     // the file cannot be imported at all
	leaving    int      // by the file
	ordered    []ReportOrder
	held       bool // people whom the identity provider takes out
	trials     *Trials
	err        error // of the next answer
	hookErr    error
	ready      bool
	open       bool
	numeric    bool // the address has no name
	prepared   bool // every task of the setup is completed
	sso        bool // the company has a sign-in of its own
	changes    chan struct{}
	subs       []announcement.Subscription

	emergencies []Emergency
	lastDevice  bool // only one of the devices reaches the person, and no SMS

	countdown    Countdown // of what was sent from the console, if its ID is set
	doubts       Preview   // Usual, Repeats, Mornings, severity and class of every preview
	saved        []SavedDraft
	enrolled     int
	asked, codes []string
	smsFails     bool
	shown        time.Time
	language     announcement.Language
	number       string
	removed      []string
	dial         string
}

var noon = time.Date(2026, 11, 23, 7, 5, 0, 0, time.UTC)

const goodToken = "7Kq2mX9b"

func newHouse() *house {
	a := &announcement.Announcement{
		ID: "a1", Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Zone: "Asia/Jakarta", At: noon,
		Text: map[announcement.Language]announcement.Text{
			announcement.Indonesian: {Title: "Gempa bumi: Pabrik Cikande", Body: "Lindungi kepala. Keluar lewat tangga.", Do: []string{"Merunduk, berlindung.", "Keluar lewat tangga.", "Kumpul di Lapangan parkir B."}, Dont: "Jangan pakai lift."},
			announcement.English:    {Title: "Earthquake: Cikande plant", Body: "Protect your head. Leave by the stairs."},
		},
	}
	return &house{ready: true, people: 60, changes: make(chan struct{}, 1), page: AnswerPage{
		Announcement: a, Text: a.Text[announcement.Indonesian], Language: announcement.Indonesian, Person: "Siti",
		Status: announcement.StatusOpen, Org: "PT SinarAbc", Nonce: "c9f1",
	}}
}

func (h *house) AnswerPage(_ context.Context, token string) (AnswerPage, error) {
	if token != goodToken {
		return AnswerPage{}, ErrNotFound
	}
	return h.page, nil
}

func (h *house) Answer(ctx context.Context, token string, p Press) (AnswerPage, error) {
	if h.err != nil {
		return AnswerPage{}, h.err
	}
	if token != goodToken {
		return AnswerPage{}, ErrNotFound
	}
	h.presses = append(h.presses, p)
	if max(p.Version, 1) < h.page.Version { // it does not count
		return h.page, nil
	}
	h.page.Answer, h.page.AnsweredAt = p.Answer, noon
	return h.page, nil
}

func (h *house) Tell(_ context.Context, token string, p Press) (AnswerPage, error) {
	if token != goodToken {
		return AnswerPage{}, ErrNotFound
	}
	h.told = append(h.told, p)
	return h.page, h.err
}

func (h *house) Seen(_ context.Context, token string, c announcement.Channel, _ int) error {
	if token != goodToken {
		return ErrNotFound
	}
	h.seen = append(h.seen, c)
	return nil
}

func (h *house) team() TeamPage {
	return TeamPage{
		Announcement: h.page.Announcement, Text: h.page.Text, Manager: "Rina", Language: announcement.Indonesian, Status: announcement.StatusOpen,
		Counts: announcement.Counts{Recipients: 2, NeedHelp: 1, NoAnswer: 1}, Recipients: h.recipients(), Org: "PT SinarAbc", Emergency: "112",
	}
}

func (h *house) TeamPage(_ context.Context, token string) (TeamPage, error) {
	if token != goodToken {
		return TeamPage{}, ErrNotFound
	}
	return h.team(), nil
}
func (h *house) TeamMark(_ context.Context, _ string, m []Mark) error {
	h.marks = append(h.marks, m...)
	return nil
}
func (h *house) TeamClaim(ctx context.Context, token string, _ int, _ announcement.Resolution) error {
	h.claims++
	return h.TeamRemind(ctx, token, 0)
}
func (h *house) TeamRemind(ctx context.Context, token string, _ int) error {
	_, err := h.TeamPage(ctx, token)
	return err
}
func (h *house) TeamChanges(ctx context.Context, token string) (<-chan struct{}, error) {
	if _, err := h.TeamPage(ctx, token); err != nil {
		return nil, err
	}
	return h.changes, nil
}
func (h *house) Me(_ context.Context, device string) (MePage, error) {
	if device != "device1" {
		return MePage{}, ErrNotFound
	}
	return MePage{Person: "Siti", Number: "2210", Language: announcement.Indonesian, Org: "PT SinarAbc", Emergency: "112", VAPIDKey: "BKey", SMS: true,
		Open: []MyAnnouncement{{ID: "a1", Mode: announcement.Live, Severity: announcement.Extreme, Title: "Gempa", Body: "Lindungi kepala.", Link: "/r/" + goodToken, At: noon}}}, nil
}
func (h *house) Subscribe(_ context.Context, device string, s announcement.Subscription) error {
	if device != "device1" {
		return ErrForbidden
	}
	h.subs = append(h.subs, s)
	return nil
}
func (h *house) Unsubscribe(context.Context, string, string) error { return nil }
func (h *house) MyChanges(context.Context, string) (<-chan struct{}, error) {
	return h.changes, nil
}

func (h *house) summary() Summary {
	return Summary{
		ID: "a1", Status: h.page.Status, Mode: h.page.Announcement.Mode, Severity: h.page.Announcement.Severity, Answers: announcement.Safety,
		Text: h.page.Announcement.Text, OpenedAt: noon, By: "Rina", AsOf: 7, Channels: announcement.Channels, Zone: "Asia/Jakarta",
		Counts:     announcement.Counts{Recipients: 1248, NeedHelp: 3, Confirmed: 871, NotOnSite: 28, Opened: 34, NoAnswer: 271, Unreachable: 41},
		Deliveries: map[announcement.Channel]DeliveryCounts{announcement.SMS: {Recipients: 1190, Accepted: 1102, Failed: 88, Failures: map[string]int{"30007": 88}}},
	}
}

func (h *house) recipients() []Recipient {
	since := noon
	return []Recipient{
		{Name: Name{Number: "2210", Name: "Agus Wijaya", Team: "Gudang"}, Index: 4, State: announcement.NeedsHelp, Since: &since, Words: "kaki luka, lantai 3", Mobile: "+6281200000001"},
		{Name: Name{Number: "2211", Name: "Siti"}, Index: 5, State: announcement.NoAnswer, Channels: map[announcement.Channel]Ladder{announcement.SMS: {Rank: "accepted"}}},
	}
}

func (h *house) Preview(_ context.Context, _ Principal, d Draft) (Preview, error) {
	if d.Audience.IsZero() {
		return Preview{}, announcement.FieldErrors{{Field: "audience", Why: "Nobody matches."}}
	}
	a := *h.page.Announcement
	a.Mode = d.Mode
	if over := h.doubts.Announcement; over.Severity != "" {
		a.Severity, a.Class = over.Severity, over.Class
	}
	if d.Class != "" {
		a.Class = d.Class
	}
	return Preview{SMSTime: h.doubts.SMSTime, Usual: h.doubts.Usual, Repeats: h.doubts.Repeats, Mornings: h.doubts.Mornings, Announcement: a, Recipients: h.people, Reach: map[announcement.Channel]int{announcement.SMS: 59}, TwoOrMore: 40, One: 19,
		Unreachable: []Name{{Number: "9", Name: "Joko", Manager: "Rina"}},
		SMS:         map[announcement.Language]SMSPreview{announcement.Indonesian: {Text: "PT SinarAbc: GEMPA", Encoding: "GSM-7", Segments: 1, Units: 18, Limit: 160}},
		Push:        map[announcement.Language][2]string{announcement.Indonesian: {"GEMPA", "Lindungi kepala."}}}, nil
}

func (h *house) QuietBudget(context.Context, Principal) QuietBudget {
	return QuietBudget{Used: 4, Allowed: 3}
}

func (h *house) BrokenQuiet(context.Context) []BrokenQuiet {
	if h.nobody {
		return nil
	}
	return []BrokenQuiet{
		{Month: "2026-11", By: "Rina Kartika", Announcements: 4, People: 4_812, Over: true},
		{Month: "2026-11", By: "an employee", Announcements: 1, People: 3},
		{Month: "2026-10", By: "Dewi Lestari", Announcements: 1, People: 1_240},
	}
}

func (h *house) CountSMS(_ context.Context, d Draft) (map[announcement.Language]SMSCount, error) {
	text, typed := "PT SinarAbc: FIRE "+d.Fields["site"]+". Leave by the stairs. Meet at "+d.Fields["muster"]+".", d.Fields["site"]+d.Fields["muster"]
	if d.Template == "" {
		typed = d.Text[announcement.English].Title + d.Text[announcement.English].Body
		text = "PT SinarAbc: " + typed
	}
	c := SMSCount{Text: text, Do: "Leave now by the stairs.", Units: len(text), Limit: 160, Segments: 1, Over: announcement.OverOneSMS(text), Awkward: announcement.AwkwardIn(typed)}
	if d.Fields["site"] == "" {
		c.Longest = "Pabrik Cikande"
	}
	return map[announcement.Language]SMSCount{announcement.English: c}, nil
}

func (h *house) Announce(_ context.Context, _ Principal, d Draft, key string) (Summary, bool, error) {
	if d.Audience.IsZero() {
		return Summary{}, false, announcement.FieldErrors{{Field: "audience", Value: "none", Why: "Say who must hear."}}
	}
	for _, k := range h.keys {
		if k == key && key != "" {
			return h.summary(), true, nil
		}
	}
	h.drafts, h.keys = append(h.drafts, d), append(h.keys, key)
	return h.summary(), false, nil
}
func (h *house) SaveDraft(_ context.Context, p Principal, d SavedDraft) error {
	if len(h.saved) > 9 {
		return announcement.FieldErrors{{Field: "draft", Why: "There are too many drafts. Delete some on the first page."}}
	}
	_ = h.DeleteDraft(context.Background(), p, d.ID)
	d.At, d.By = noon, p.Name
	h.saved = append(h.saved, d)
	return nil
}
func (h *house) Countdowns(context.Context) []Countdown {
	if h.countdown.Status == announcement.StatusCountdown {
		return []Countdown{h.countdown}
	}
	return nil
}
func (h *house) Drafts(context.Context) []SavedDraft { return h.saved }
func (h *house) SavedDraft(_ context.Context, id string) (SavedDraft, error) {
	for _, d := range h.saved {
		if d.ID == id {
			return d, nil
		}
	}
	return SavedDraft{}, ErrNotFound
}
func (h *house) DeleteDraft(_ context.Context, _ Principal, id string) error {
	h.saved = slices.DeleteFunc(h.saved, func(d SavedDraft) bool { return d.ID == id })
	return nil
}
func (h *house) List(context.Context) ([]Summary, error) { return []Summary{h.summary()}, nil }
func (h *house) Summary(_ context.Context, id announcement.ID) (Summary, error) {
	if id != "a1" {
		return Summary{}, ErrNotFound
	}
	return h.summary(), nil
}
func (h *house) Recipients(_ context.Context, id announcement.ID, _ RecipientFilter) (RecipientPage, error) {
	if id != "a1" {
		return RecipientPage{}, ErrNotFound
	}
	return RecipientPage{Total: 2, Recipients: h.recipients()}, nil
}
func (h *house) Recipient(context.Context, announcement.ID, int) (Recipient, []Entry, error) {
	return h.recipients()[0], []Entry{{Seq: 1, At: noon, What: "Answered need_help by sms", Actor: "network"}}, nil
}
func (h *house) Pulse(ctx context.Context, id announcement.ID, after int, rows []int) (Pulse, error) {
	sum, err := h.Summary(ctx, id)
	return Pulse{Summary: sum, At: 9, Rows: rows}, err
}
func (h *house) Outcome(ctx context.Context, id announcement.ID) (Outcome, error) {
	sum, err := h.Summary(ctx, id)
	o := Outcome{Summary: sum, Called: 1207, Helps: 4, Resolved: 1, Claimed: []time.Duration{40 * time.Second, 90 * time.Second}, Until: noon.Add(4 * time.Minute),
		Via: map[announcement.Via]int{announcement.ViaPage: 500, announcement.ViaPush: 300, announcement.ViaSMS: 90}}
	for i := range 890 {
		o.After = append(o.After, 10*time.Second+time.Duration(i*i/4)*time.Millisecond)
	}
	return o, err
}
func (h *house) Past(_ context.Context, f PastFilter) (PastPage, error) {
	if f.Site == "Mars" {
		return PastPage{}, nil
	}
	return PastPage{Total: 60, Summaries: []Summary{h.summary()}}, nil
}
func (h *house) RemindAt(context.Context, Principal, announcement.ID, int) error { return h.err }
func (h *house) Glance(ctx context.Context, id announcement.ID) (Summary, error) {
	return h.Summary(ctx, id)
}
func (h *house) Teams(context.Context, announcement.ID, TeamFilter) ([]Team, int, error) {
	return []Team{{Name: Name{Number: "1", Name: "Rina"}, Counts: announcement.Counts{Recipients: 5, NoAnswer: 2}}}, 1, nil
}
func (h *house) TeamName(context.Context, announcement.ID, string) (string, error) {
	return "Rina", nil
}
func (h *house) Story(ctx context.Context, id announcement.ID, f StoryFilter) (StoryPage, error) {
	entries, err := h.Timeline(ctx, id)
	return StoryPage{Total: len(entries), Entries: entries}, err
}
func (h *house) Sites(context.Context, announcement.ID) (map[string]announcement.Counts, error) {
	return nil, nil
}
func (h *house) Timeline(context.Context, announcement.ID) ([]Entry, error) {
	return []Entry{{Seq: 1, At: noon, What: "Announced (live, extreme)", Actor: "Rina"}}, nil
}
func (h *house) Close(_ context.Context, _ Principal, _ announcement.ID, as announcement.ClosedAs, _ string) error {
	h.closedAs = as
	return nil
}
func (h *house) Remind(context.Context, Principal, announcement.ID, string) (int, error) {
	return 12, nil
}
func (h *house) MarkAt(_ context.Context, _ Principal, _ announcement.ID, m Mark) error {
	h.marks = append(h.marks, m)
	return nil
}
func (h *house) ClaimAt(context.Context, Principal, announcement.ID, int, announcement.Resolution) error {
	h.claims++
	return nil
}
func (h *house) Changes(context.Context, announcement.ID) <-chan struct{} { return h.changes }
func (h *house) Templates() []Template {
	return []Template{{Key: "fire", Severity: announcement.Extreme, Answers: announcement.Safety, Name: map[announcement.Language]string{"en": "Fire", "id": "Kebakaran"}, Fields: []string{"site", "muster"}}}
}
func (h *house) Sitelist() []Choice {
	return []Choice{{Name: "Pabrik Cikande", People: 40}}
}
func (h *house) Departments() []Choice { return []Choice{{Name: "Gudang", People: 12}} }
func (h *house) Readiness(context.Context) Readiness {
	return Readiness{People: 60, TwoOrMore: 40, One: 15, None: 5, SMSProvider: "practice"}
}

func (h *house) Import(_ context.Context, _ Principal, r io.Reader, dry bool, _ int) (ImportReport, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return ImportReport{}, err
	}
	if strings.Contains(string(b), "bad") {
		return ImportReport{DryRun: dry, Rows: 1, Errors: []RowError{{Row: 2, Field: "mobile", Value: "6.28E+12", Reason: "Excel has damaged this number."}}}, nil
	}
	return ImportReport{DryRun: dry, Rows: 1, Added: 1}, nil
}
func (h *house) EnrolCode(_ context.Context, n string) (string, time.Time, error) {
	if n == "0" {
		return "", time.Time{}, ErrNotFound
	}
	return "code1", time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC), nil
}
func (h *house) Message(ctx context.Context, r HookRequest) ([]byte, error) {
	return []byte("<Response/>"), h.Status(ctx, r)
}
func (h *house) Status(_ context.Context, r HookRequest) error {
	if r.Signature == "" {
		return ErrSignature
	}
	return h.hookErr
}
func (h *house) Prepare(ctx context.Context, p Principal, d Draft, key string) (announcement.ID, error) {
	if h.prepareErr != nil {
		return "", h.prepareErr
	}
	s, _, err := h.Announce(ctx, p, d, key)
	return s.ID, err
}
func (h *house) Countdown(_ context.Context, id announcement.ID) (Countdown, error) {
	if id != h.countdown.ID {
		return Countdown{}, ErrNotFound
	}
	return h.countdown, nil
}
func (h *house) Awaited(ctx context.Context, _ announcement.ID) (Preview, error) {
	return h.Preview(ctx, Principal{}, h.countdown.Draft)
}
func (h *house) Approve(_ context.Context, p Principal, id announcement.ID, seen string) error {
	switch {
	case id != h.countdown.ID:
		return ErrNotFound
	case p.Actor == h.countdown.Author:
		return ErrForbidden
	case seen != h.countdown.Print:
		return fault("understand", "The words or the people have changed. Please check again.")
	}
	h.changed++
	return nil
}
func (h *house) Reject(_ context.Context, _ Principal, id announcement.ID, reason string) error {
	switch {
	case id != h.countdown.ID:
		return ErrNotFound
	case reason == "":
		return fault("reason", "say in a few words why (at most 500 characters)")
	}
	h.changed++
	return nil
}
func (h *house) SendAlone(ctx context.Context, p Principal, id announcement.ID, reason string) error {
	return h.Reject(ctx, p, id, reason)
}
func (h *house) Cancel(_ context.Context, p Principal, id announcement.ID) error {
	switch {
	case id != h.countdown.ID:
		return ErrNotFound
	case h.countdown.Status == announcement.StatusOpen:
		return ErrClosed
	}
	h.countdown.Status, h.countdown.CancelledBy, h.countdown.CancelledAt = announcement.StatusDraft, p.Name, noon
	return nil
}
func (h *house) Act(_ context.Context, _ announcement.ID, kind announcement.MessageKind, words map[announcement.Language]string) (Act, error) {
	return Act{People: 1207, Push: map[announcement.Language][2]string{announcement.English: {string(kind), words[announcement.English]}},
		SMS: map[announcement.Language]SMSPreview{announcement.English: {Text: "PT SinarAbc: " + string(kind) + " " + words[announcement.English], Segments: 1}}}, nil
}
func (h *house) Resend(context.Context, Principal, announcement.ID) (int, error) { return 80, nil }
func (h *house) Escalate(context.Context, Principal, announcement.ID, int) (int, error) {
	return 3, nil
}
func (h *house) Update(_ context.Context, _ Principal, _ announcement.ID, words map[announcement.Language]string) (int, error) {
	if len(words) == 0 {
		return 0, announcement.FieldErrors{{Field: "words.id", Why: "write what is new"}}
	}
	return 12, nil
}
func (h *house) Revise(_ context.Context, _ Principal, _ announcement.ID, r Revision) (int, error) {
	if r.Material && len(r.Changed) == 0 {
		return 0, announcement.FieldErrors{{Field: "changed.id", Why: "say what changed: people read it first"}}
	}
	h.revisions = append(h.revisions, r)
	return 1207, nil
}
func (h *house) AllClear(_ context.Context, _ Principal, _ announcement.ID, keepAsking bool, _ string) error {
	if !keepAsking {
		h.closedAs = announcement.AsAllClear
	}
	return nil
}
func (h *house) TeamUndo(ctx context.Context, token string, n int) error {
	return h.TeamRemind(ctx, token, n)
}
func (h *house) Inbox(context.Context) []Text {
	return []Text{{ID: "t1", At: noon, From: "+628111", Body: "tolong, terjebak di lift", Help: true}, {ID: "t2", At: noon, From: "+628112", Names: []Name{{Name: "Siti"}}, Body: "halo"}}
}
func (h *house) HandleText(_ context.Context, _ Principal, id string) error {
	if id != "t1" {
		return ErrNotFound
	}
	return nil
}
func (h *house) WaitingText(_ context.Context, id string) (Text, error) {
	for _, t := range h.Inbox(context.Background()) {
		if t.ID == id {
			return t, nil
		}
	}
	return Text{}, ErrNotFound
}
func (h *house) AssignText(_ context.Context, _ Principal, id, number string) (announcement.ID, int, error) {
	if number == "9999" {
		return "", 0, announcement.FieldErrors{{Field: "person", Value: number, Why: "nobody has this employee number"}}
	}
	h.changed++
	return "a1", 4, nil
}
func (h *house) Principal(ctx context.Context, actor announcement.Actor) (Principal, error) {
	return h.Authenticate(ctx, strings.TrimPrefix(string(actor), "token:"))
}

func (h *house) Authenticate(_ context.Context, bearer string) (Principal, error) {
	switch bearer {
	case "s":
		return Principal{Actor: "token:s", Name: "s", Grant: As(Sender)}, nil
	case "v":
		return Principal{Actor: "token:v", Name: "v", Grant: As(Viewer)}, nil
	case "p":
		return Principal{Actor: "token:p", Name: "p", Grant: As(Provisioner)}, nil
	case "a":
		return rina, nil
	}
	if g := As(Role(bearer)); g.Enters() || g.Has(Provisioner) { // somebody of one role alone
		return Principal{Actor: announcement.Actor("token:" + bearer), Name: bearer, Grant: g}, nil
	}
	return Principal{}, ErrForbidden
}
func (h *house) CreateToken(context.Context, Principal, string, Role, bool) (string, error) {
	return "secret", nil
}
func (h *house) Tokens(context.Context, Principal) ([]Token, error) {
	return []Token{{ID: "t1", Name: "payroll", Role: Viewer}}, nil
}
func (h *house) EndToken(_ context.Context, _ Principal, id string) error {
	if id != "t1" {
		return ErrNotFound
	}
	h.changed++
	return nil
}
func (h *house) OpenConsole() bool { return h.open }
func (h *house) Live() bool        { return true }
func (h *house) Ready(context.Context) []Check {
	return []Check{{Name: "ledger", OK: h.ready, Hint: "start NATS"}}
}
func (h *house) Found() []string                           { return h.found }
func (h *house) Stuck(context.Context) ([]StuckJob, error) { return h.stuck, nil }
func (h *house) TryAgain(_ context.Context, id string) error {
	return h.takeStuck(id)
}
func (h *house) DropStuck(_ context.Context, id string) error {
	return h.takeStuck(id)
}
func (h *house) takeStuck(id string) error {
	left := slices.DeleteFunc(slices.Clone(h.stuck), func(j StuckJob) bool { return j.ID == id })
	if len(left) == len(h.stuck) {
		return ErrNotFound
	}
	h.stuck = left
	h.changed++
	return nil
}

func newServer(t testing.TB, h *house) http.Handler {
	t.Helper()
	return newServerOf(t, h)
}

// anyHouse is the house, or one that differs in what it does.
type anyHouse interface {
	Desk
	Phone
	People
	Hooks
	Access
	Privacy
	Health
}

func newServerOf(t testing.TB, h anyHouse) http.Handler {
	t.Helper()
	return serverOf(t, h).Handler()
}

func serverOf(t testing.TB, h anyHouse) *Server {
	t.Helper()
	s, err := New(Options{Desk: h, Phone: h, People: h, Hooks: h, Access: h, Privacy: h, Health: h, Trail: trailOf(h), PublicURL: "http://siaga.example", Org: "PT SinarAbc",
		Secret: []byte(strings.Repeat("k", 32)), Now: func() time.Time { return noon.Add(2 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call sends one request; header holds pairs.
func call(t testing.TB, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if body != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
