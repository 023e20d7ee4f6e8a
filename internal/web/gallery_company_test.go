package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/templates"
)

// company is the house of the gallery: a plant of 1,248 people four minutes
// after an earthquake. What an exhibit wants otherwise, it changes. What is not
// here comes from house.
type company struct {
	*house
	*trail
	catalogue *announcement.Catalogue

	answer   AnswerPage
	team     TeamPage
	me       MePage
	unknown  bool // whoever asks for it has a phone that is not connected
	sum      Summary
	open     []Summary
	closed   []Summary
	rows     []Recipient
	total    int // of rows, with those on other pages
	teams    []Team
	story    []Entry
	texts    []Text
	ready    Readiness
	preview  Preview
	ownWords bool // the alert was not made from a template
	sandbox  string
	deskErr  error // of everything the console asks
	actOver  bool  // nothing is left that an act could do
	oneSMS   bool  // there is no second SMS provider
	actNext  bool  // the last reminder was a moment ago
}

// later is when the gallery is looked at.
const later = 4*time.Minute + 12*time.Second

// Names as people have them, long and short.
var someNames = []string{
	"Agus Wijaya", "Nur Aisyah Putri", "Siti Aminah", "Joko", "Dewi Lestari Kusumawardhani", "Muhammad Rizky Ramadhan Hidayatullah", "I Made Sutrisna",
	"Maria Goreti Tumundo", "Slamet", "Andrew Tan Wei Ming", "Raden Ajeng Kartika Sari Dewi Ningrum", "Ni Luh Putu Ayu", "Bonifasius Hutapea", "Sri",
}

var someTeams = []string{"Produksi A", "Produksi B", "Gudang Cikupa", "Kantor", "Pengendalian Mutu dan Laboratorium", "Pemeliharaan"}

func openCompany(t testing.TB) *company {
	t.Helper()
	cat, err := announcement.LoadCatalogue(templates.Messages())
	if err != nil {
		t.Fatal(err)
	}
	c := &company{house: newHouse(), trail: &trail{}, catalogue: cat}
	c.house.open = true
	c.setAlert(t, "earthquake", announcement.Live)
	c.people(14, false)
	drill := noon.AddDate(0, 0, -34)
	c.ready = Readiness{People: 1248, TwoOrMore: 1021, One: 186, None: 41, SMSProvider: "twilio", TwoWay: true, LastDrill: &drill}
	c.me = MePage{Person: "Siti", Number: "2210", Language: announcement.Indonesian, Org: "PT SinarAbc", Emergency: "112", VAPIDKey: "BKey", SMS: true, Devices: 2}
	c.me.Open = []MyAnnouncement{c.mine(c.answer.Announcement)}
	c.texts = []Text{
		{ID: "t4", At: noon.Add(3 * time.Minute), From: "+6281200000021", Names: []Name{{Number: "2214", Name: "Agus Wijaya"}}, Assigned: true, Help: true, Kind: "fire", Where: "Gudang 2, rak B", Body: "Asap dari panel listrik", Photo: true},
		{ID: "t1", At: noon.Add(2 * time.Minute), From: "+6281200000001", Body: "tolong, terjebak di lift gedung 2", Help: true},
		{ID: "t2", At: noon.Add(time.Minute), From: "+6281200000002", Names: []Name{{Number: "2211", Name: "Siti Aminah"}, {Number: "2212", Name: "Joko"}}, Body: "Selamat pagi, apakah besok masuk?"},
		{ID: "t3", At: noon.Add(3 * time.Minute), From: "+628999000111", Names: []Name{{Number: "2213", Name: "Dewi Lestari Kusumawardhani"}}, Assigned: true, Mobile: "+6281200000009", Body: "Ini Dewi, pakai HP tetangga. Motor mogok."},
	}
	return c
}

// setAlert makes everything be about one announcement.
func (c *company) setAlert(t testing.TB, template string, mode announcement.Mode) {
	t.Helper()
	fields := map[string]string{
		"site": "Pabrik Cikande", "muster": "Lapangan parkir B", "place": "Gedung 2, lantai 3", "date": "Senin 30 November",
		"reason": "banjir di jalan masuk", "pay_rule": "tetap dibayar", "next": "14.35", "event": "ledakan di gudang",
	}
	for _, info := range c.catalogue.Templates() {
		if info.Key != template {
			continue
		}
		mine := map[string]string{}
		for _, f := range append(info.Fields, c.catalogue.Optional(info.Key)...) {
			mine[f] = fields[f]
		}
		fields = mine
	}
	text, sev, ans, err := c.catalogue.Fill(template, mode, fields, noon, "Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	a := &announcement.Announcement{ID: "a1", Mode: mode, Severity: sev, Answers: ans, Template: template, Fields: fields, Text: text, Channels: announcement.Channels, Zone: "Asia/Jakarta", At: noon}
	c.house.page.Announcement, c.house.page.Text = a, text[announcement.Indonesian]
	c.answer = AnswerPage{
		Announcement: a, Text: text[announcement.Indonesian], Language: announcement.Indonesian, PersonLang: announcement.Indonesian, Person: "Siti",
		Status: announcement.StatusOpen, Emergency: "112", SMSNumber: "+622150001234", Org: "PT SinarAbc", Nonce: "c9f1",
	}
	counts := announcement.Counts{Recipients: 1248, NeedHelp: 3, Confirmed: 871, NotOnSite: 28, Opened: 34, NoAnswer: 271, Unreachable: 41, VouchedBy: 12}
	c.sum = Summary{
		ID: "a1", Status: announcement.StatusOpen, Mode: mode, Severity: sev, Answers: ans, Template: template, Text: text, Channels: announcement.Channels,
		Zone: "Asia/Jakarta", OpenedAt: noon, By: "Rina Wulandari", Counts: counts, AsOf: 1933,
		Deliveries: map[announcement.Channel]DeliveryCounts{
			announcement.WebPush: {Recipients: 702, Accepted: 65, Shown: 590, Failed: 47, Failures: map[string]int{"gone": 47}},
			announcement.SMS:     {Recipients: 1190, Queued: 12, Accepted: 1090, Failed: 88, Failures: map[string]int{"30007": 80, "21610": 8}},
		},
	}
	c.open = []Summary{c.sum}
	ended := noon.AddDate(0, 0, -34).Add(40 * time.Minute)
	old := c.sum
	old.ID, old.Mode, old.Status, old.ClosedAs, old.ClosedAt = "a0", announcement.Drill, announcement.StatusClosed, announcement.AsAllClear, &ended
	c.closed = []Summary{old}
	c.team = TeamPage{
		Announcement: a, Text: text[announcement.Indonesian], Manager: "Budi Santoso", Language: announcement.Indonesian, Status: announcement.StatusOpen,
		Org: "PT SinarAbc", AnswerLink: "/r/" + goodToken, Answered: true, Emergency: "112",
	}
	c.story = []Entry{
		{Seq: 1, At: noon, Kind: announcement.KindOpened, Actor: "Rina Wulandari", What: "Announced (live, extreme)"},
		{Seq: 40, At: noon.Add(90 * time.Second), Kind: announcement.KindReceipt, Actor: "Network", What: "Called by sms; the provider took it", Count: 1090},
		{Seq: 90, At: noon.Add(2 * time.Minute), Kind: announcement.KindAnswered, Actor: "Agus Wijaya", Name: "Agus Wijaya", What: "Answered need_help by page", Reason: "kaki luka, lantai 3"},
	}
	p := Preview{
		Announcement: *a, Recipients: 1248, Reach: map[announcement.Channel]int{announcement.WebPush: 702, announcement.SMS: 1190}, TwoOrMore: 1021, One: 186,
		Languages: map[announcement.Language]int{announcement.Indonesian: 1178, announcement.English: 58, "jv": 12}, Fallback: map[announcement.Language]int{"jv": 12},
		SMS: map[announcement.Language]SMSPreview{}, Push: map[announcement.Language][2]string{}, Excluded: []Name{{Number: "2211", Name: "Siti Aminah"}, {Number: "2212", Name: "Joko"}}, Duty: []Name{{Number: "1001", Name: "Rina Wulandari"}, {Number: "1002", Name: "Andi"}},
		Usual: [2]int{40, 1200}, Segments: 1190, Cost: "Rp 416.500", TwoWay: true,
	}
	for _, lang := range []announcement.Language{announcement.Indonesian, announcement.English} {
		m := c.catalogue.Compose(a, announcement.Saying{Kind: announcement.SayAlert, Language: lang, Org: "PT SinarAbc", Link: "https://siaga.example/r/" + goodToken, Token: goodToken, TwoWay: true, Now: noon})
		p.Push[lang] = [2]string{m.Title, m.Body}
		p.SMS[lang] = SMSPreview{Text: m.SMS, Encoding: "GSM-7", Segments: 1, Units: len(m.SMS), Limit: 160}
	}
	for i := range 41 {
		p.Unreachable = append(p.Unreachable, Name{Number: fmt.Sprint(5000 + i), Name: someNames[i%len(someNames)], Team: someTeams[i%len(someTeams)], Manager: "Budi Santoso", Reason: "no_contact_point"})
	}
	c.preview = p
	c.rows, c.teams = nil, nil
}

// people fills the lists with n people in every state, and as many teams.
func (c *company) people(n int, longest bool) {
	states := []announcement.State{announcement.NeedsHelp, announcement.NoAnswer, announcement.Unreachable, announcement.HasOpened, announcement.Confirmed, announcement.OffSite}
	c.rows, c.total, c.team.Recipients, c.teams = nil, max(n, 312), nil, nil
	if n == 0 {
		c.total = 0
	}
	for i := range n {
		at := noon.Add(time.Duration(i) * 7 * time.Second)
		r := Recipient{
			Name: Name{Number: fmt.Sprint(2210 + i), Name: someNames[i%len(someNames)], Team: someTeams[i%len(someTeams)], Manager: "Budi Santoso"}, Index: i,
			Site: "Pabrik Cikande", Department: someTeams[i%len(someTeams)], Language: announcement.Indonesian, State: states[i*len(states)/n], Since: &at,
			Mobile: fmt.Sprintf("+62812%08d", 40213377+i*7919), Channels: map[announcement.Channel]Ladder{
				announcement.WebPush: {Rank: "shown", At: &at}, announcement.SMS: {Rank: "accepted", At: &at},
			},
		}
		if longest {
			r.Name.Name = someNames[5] + " " + someNames[i%len(someNames)]
			r.Site = "Pabrik Pengolahan Cikande Timur"
		}
		switch r.State {
		case announcement.NeedsHelp:
			r.Words, r.AnsweredAt, r.Via = "kaki luka, di lantai 3 dekat tangga darurat", &at, announcement.ViaSMS
			if i == 1 {
				r.Claimed, r.ClaimedAt = "Budi Santoso", &at
			}
			r.FromWords = true
		case announcement.Unreachable:
			r.Channels = map[announcement.Channel]Ladder{announcement.SMS: {Rank: "failed", Failure: "30003", At: &at}}
		case announcement.Confirmed:
			r.AnsweredAt, r.Via = &at, announcement.ViaPage
			if i%2 == 0 {
				r.VouchedBy, r.How = "Budi Santoso", announcement.SawThem
			} else {
				r.Late = true
			}
		case announcement.OffSite:
			r.Excused = "on leave"
		}
		c.rows = append(c.rows, r)
		counts := announcement.Counts{Recipients: 24 + i, NeedHelp: map[bool]int{true: 1}[i == 0], Confirmed: 9, NoAnswer: 11 + i, Unreachable: 3}
		c.teams = append(c.teams, Team{Name: Name{Number: fmt.Sprint(1100 + i), Name: someNames[(i+4)%len(someNames)]}, Counts: counts})
		switch r.State {
		case announcement.NeedsHelp:
			c.team.Counts.NeedHelp++
		case announcement.NoAnswer:
			c.team.Counts.NoAnswer++
		case announcement.Unreachable:
			c.team.Counts.Unreachable++
		case announcement.HasOpened:
			c.team.Counts.Opened++
		case announcement.Confirmed:
			c.team.Counts.Confirmed++
		case announcement.OffSite:
			c.team.Counts.NotOnSite++
		}
		c.team.Counts.Recipients++
	}
	c.team.Recipients = c.rows
}

// end closes the announcement everywhere.
func (c *company) end(as announcement.ClosedAs) {
	at := noon.Add(3 * time.Minute)
	c.sum.Status, c.sum.ClosedAs, c.sum.ClosedAt, c.sum.Reason = announcement.StatusClosed, as, &at, "Gedung sudah diperiksa."
	c.answer.Status, c.answer.ClosedAs, c.answer.ClosedAt = announcement.StatusClosed, as, at
	c.team.Status, c.team.ClosedAs = announcement.StatusClosed, as
	c.open, c.closed = nil, append(c.closed, c.sum)
}

// say is Siti's answer.
func (c *company) say(a announcement.Answer) {
	c.answer.Answer, c.answer.AnsweredAt = a, noon.Add(time.Minute)
}

func (c *company) mine(a *announcement.Announcement) MyAnnouncement {
	text := a.Text[announcement.Indonesian]
	return MyAnnouncement{ID: a.ID, Mode: a.Mode, Severity: a.Severity, Title: text.Title, Body: text.Body, Link: "/r/" + goodToken, Answers: a.Answers, At: a.At, Zone: a.Zone}
}

func (c *company) AnswerPage(ctx context.Context, token string) (AnswerPage, error) {
	if _, err := c.house.AnswerPage(ctx, token); err != nil {
		return AnswerPage{}, err
	}
	return c.answer, nil
}

func (c *company) Answer(ctx context.Context, token string, p Press) (AnswerPage, error) {
	if _, err := c.house.Answer(ctx, token, p); err != nil {
		return AnswerPage{}, err
	}
	c.say(p.Answer)
	return c.answer, nil
}

func (c *company) Tell(ctx context.Context, token string, p Press) (AnswerPage, error) {
	if _, err := c.house.Tell(ctx, token, p); err != nil {
		return AnswerPage{}, err
	}
	return c.answer, nil
}

func (c *company) TeamPage(ctx context.Context, token string) (TeamPage, error) {
	if _, err := c.house.TeamPage(ctx, token); err != nil {
		return TeamPage{}, err
	}
	return c.team, nil
}

func (c *company) Me(ctx context.Context, device string) (MePage, error) {
	if _, err := c.house.Me(ctx, device); err != nil || c.unknown {
		return MePage{}, cmp.Or(err, ErrNotFound)
	}
	return c.me, nil
}

func (c *company) Boards(Principal) Boards { return c }

func (c *company) Connected(ctx context.Context, device string) error {
	_, err := c.Me(ctx, device)
	return err
}

func (c *company) List(context.Context) ([]Summary, error) {
	return append(append([]Summary{}, c.open...), c.closed...), c.deskErr
}

func (c *company) Summary(_ context.Context, id announcement.ID) (Summary, error) {
	if id != c.sum.ID {
		return Summary{}, ErrNotFound
	}
	return c.sum, c.deskErr
}

func (c *company) Recipients(_ context.Context, _ announcement.ID, f RecipientFilter) (RecipientPage, error) {
	var rows []Recipient
	for _, r := range c.rows {
		if (f.State == "" || r.State == f.State) && (f.Search == "" || strings.Contains(strings.ToLower(r.Name.Name), strings.ToLower(f.Search))) {
			rows = append(rows, r)
		}
	}
	p := RecipientPage{Total: c.total, Recipients: rows}
	if f.State != "" || f.Search != "" {
		p.Total = len(rows)
	} else if p.Total > len(rows) {
		next := f.Offset + len(rows)
		p.Next = &next
	}
	return p, c.deskErr
}

func (c *company) Recipient(_ context.Context, _ announcement.ID, n int) (Recipient, []Entry, error) {
	if n >= len(c.rows) {
		return Recipient{}, nil, ErrNotFound
	}
	return c.rows[n], c.story, c.deskErr
}

func (c *company) Pulse(ctx context.Context, id announcement.ID, after int, rows []int) (Pulse, error) {
	sum, err := c.Summary(ctx, id)
	return Pulse{Summary: sum, At: 9, Rows: rows}, err
}
func (c *company) Glance(ctx context.Context, id announcement.ID) (Summary, error) {
	return c.Summary(ctx, id)
}
func (c *company) Teams(_ context.Context, _ announcement.ID, f TeamFilter) ([]Team, int, error) {
	from := min(f.Offset, len(c.teams))
	to := len(c.teams)
	if f.Limit > 0 {
		to = min(from+f.Limit, to)
	}
	return c.teams[from:to], len(c.teams), c.deskErr
}
func (c *company) TeamName(_ context.Context, _ announcement.ID, number string) (string, error) {
	for _, t := range c.teams {
		if t.Number == number {
			return t.Name.Name, nil
		}
	}
	return "", ErrNotFound
}
func (c *company) Story(_ context.Context, _ announcement.ID, f StoryFilter) (StoryPage, error) {
	var page StoryPage
	for _, e := range slices.Backward(c.story) {
		if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, e.Kind) {
			continue
		}
		if page.Total >= f.Offset && len(page.Entries) < f.Limit {
			page.Entries = append(page.Entries, e)
		}
		page.Total++
	}
	return page, c.deskErr
}
func (c *company) Sites(context.Context, announcement.ID) (map[string]announcement.Counts, error) {
	return map[string]announcement.Counts{"Pabrik Cikande": c.sum.Counts, "Gudang Cikupa": {Recipients: 40, Confirmed: 38, NoAnswer: 2}}, c.deskErr
}
func (c *company) Timeline(context.Context, announcement.ID) ([]Entry, error) {
	return c.story, c.deskErr
}

func (c *company) Templates() []Template {
	var all []Template
	for _, t := range c.catalogue.Templates() {
		all = append(all, Template{Key: t.Key, Severity: t.Severity, Answers: t.Answers, Name: t.Name, Fields: t.Fields, Optional: c.catalogue.Optional(t.Key), Ticks: c.catalogue.Ticks(t.Key), Icon: t.Icon})
	}
	return all
}

func (c *company) Sitelist() []Choice {
	return []Choice{{Name: "Pabrik Cikande", People: 1012}, {Name: "Gudang Cikupa", People: 178}, {Name: "Kantor Jakarta", People: 58}}
}

func (c *company) Departments() []Choice {
	var all []Choice
	for i, name := range someTeams {
		all = append(all, Choice{Name: name, People: 40 + 31*i})
	}
	return all
}

func (c *company) Readiness(context.Context) Readiness { return c.ready }
func (c *company) Inbox(context.Context) []Text        { return c.texts }
func (c *company) WaitingText(_ context.Context, id string) (Text, error) {
	for _, t := range c.texts {
		if t.ID == id {
			return t, nil
		}
	}
	return Text{}, ErrNotFound
}

func (c *company) Preview(_ context.Context, _ Principal, d Draft) (Preview, error) {
	if c.deskErr != nil {
		return Preview{}, c.deskErr
	}
	if d.Audience.IsZero() {
		return Preview{}, announcement.FieldErrors{{Field: "audience", Why: "Nobody matches."}}
	}
	if slices.Contains(d.Audience.Sites, "Mars") {
		return Preview{}, announcement.FieldErrors{
			{Field: "audience.sites[0]", Value: "Mars", Why: "no active person has this site"}, {Field: "audience.groups[0]", Value: "Mars", Why: "is not the name of a group"}, {Field: "audience.departments[0]", Value: "Mars", Why: "no active person has this department"},
			{Field: "audience.under[0]", Value: "8", Why: "nobody has this employee number"}, {Field: "audience.except.people[0]", Value: "8", Why: "nobody has this employee number"},
		}
	}
	if len(d.Audience.People) > 0 && d.Audience.People[0] == "9999" {
		return Preview{}, announcement.FieldErrors{{Field: "audience.people[0]", Value: "9999", Why: "nobody has this employee number"}}
	}
	p := c.preview
	p.Announcement.Mode = d.Mode
	if d.Class != "" {
		p.Announcement.Class = d.Class
	}
	return p, nil
}

func (c *company) Awaited(ctx context.Context, _ announcement.ID) (Preview, error) {
	return c.Preview(ctx, Principal{}, c.countdown.Draft)
}

func (c *company) CountSMS(_ context.Context, d Draft) (map[announcement.Language]SMSCount, error) {
	a := &announcement.Announcement{Mode: d.Mode, Severity: d.Severity, Answers: d.Answers, Text: d.Text, Template: d.Template, Zone: "Asia/Jakarta", At: noon}
	if d.Template != "" {
		fields := map[string]string{"site": "Pabrik Cikande", "muster": "________________"}
		for name, value := range d.Fields {
			if value != "" {
				fields[name] = value
			}
		}
		for name := range fields {
			if !slices.ContainsFunc(c.catalogue.Templates(), func(t announcement.TemplateInfo) bool {
				return t.Key == d.Template && slices.Contains(append(t.Fields, c.catalogue.Optional(t.Key)...), name)
			}) {
				delete(fields, name)
			}
		}
		var err error
		if a.Text, a.Severity, a.Answers, err = c.catalogue.Fill(d.Template, d.Mode, fields, noon, "Asia/Jakarta"); err != nil {
			return nil, err
		}
	}
	counts := map[announcement.Language]SMSCount{}
	for lang, t := range a.Text {
		text := c.catalogue.Whole(a, announcement.Saying{Kind: announcement.SayAlert, Language: lang, Org: "PT SinarAbc", Link: "https://siaga.example/r/" + goodToken, Token: goodToken})
		counts[lang] = SMSCount{Text: text, Do: t.PushBody, Units: len(text), Limit: 160, Segments: (len(text) + 159) / 160, Over: announcement.OverOneSMS(text), Awkward: announcement.AwkwardIn(d.Text[lang].Title + d.Text[lang].Body + d.Fields["muster"])}
		if d.Template != "" && d.Fields["site"] == "" {
			n := counts[lang]
			n.Longest = "Pabrik Cikande"
			counts[lang] = n
		}
	}
	return counts, nil
}

// revise has the alert changed since: another assembly point.
func (c *company) revise() {
	at := noon.Add(3 * time.Minute)
	c.answer.Version, c.answer.RevisedAt, c.answer.Changed, c.answer.Before = 2, at, "Kumpul di gerbang barat, bukan di parkir B.", c.answer.Text
	c.sum.Version, c.sum.RevisedAt = 2, &at
	c.sum.Changed = map[announcement.Language]string{announcement.Indonesian: c.answer.Changed, announcement.English: "Meet at the west gate, not at car park B."}
	for i := range c.rows {
		if c.rows[i].State == announcement.NoAnswer {
			c.rows[i].Earlier = &EarlierAnswer{State: announcement.Confirmed, Version: 1, At: noon.Add(time.Minute)}
		}
	}
}

func (c *company) Act(_ context.Context, _ announcement.ID, kind announcement.MessageKind, words map[announcement.Language]string) (Act, error) {
	act := Act{People: 1207, Push: map[announcement.Language][2]string{}, SMS: map[announcement.Language]SMSPreview{}, Cost: "Rp 416.500"}
	switch {
	case c.actOver:
		return Act{}, nil
	case (kind == announcement.SayReminder || kind == announcement.SayAlert) && c.actNext:
		act.Last, act.Next = noon.Add(3*time.Minute), noon.Add(5*time.Minute)
	case kind == announcement.SayAlert:
		act.People, act.Second, act.Cost = 80, !c.oneSMS, "Rp 28.000"
	case kind == announcement.SayDigest:
		act.People, act.Who = 2, []Name{{Number: "1100", Name: "Budi Santoso", Team: "Produksi A"}, {Number: "1101", Name: "Dewi Lestari"}}
	}
	if kind == announcement.SayRevised {
		act.Text = c.answer.Announcement.Text
		if !c.ownWords {
			act.Fields = map[string]string{"site": "Pabrik Cikande", "muster": "Lapangan parkir B"}
		}
	}
	for _, lang := range both {
		m := c.catalogue.Compose(c.answer.Announcement, announcement.Saying{Kind: kind, Language: lang, Org: "PT SinarAbc", Link: "https://siaga.example/r/" + goodToken, Token: goodToken,
			TwoWay: true, Count: 7, Now: noon.Add(later), Words: announcement.Decided{Words: words}.Say(lang)})
		act.Push[lang], act.SMS[lang] = [2]string{m.Title, m.Body}, SMSPreview{Text: m.SMS, Segments: 1, Units: len(m.SMS), Limit: 160}
	}
	return act, c.deskErr
}
