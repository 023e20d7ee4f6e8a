package web

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Importing, Staff and Places in memory. A file that holds "bad" has faulty rows:
// so many as "bad" stands in it.

func (h *house) Keep(_ context.Context, _ Principal, name string, file []byte) (string, error) {
	if bytes.HasPrefix(file, []byte("%PDF")) {
		return "", announcement.FieldErrors{{Field: "file", Why: "the file is empty"}}
	}
	h.changed++
	return fmt.Sprintf("u%d", bytes.Count(file, []byte("bad"))), nil
}

func (h *house) Upload(_ context.Context, id string) (Upload, error) {
	if !strings.HasPrefix(id, "u") {
		return Upload{}, ErrNotFound
	}
	return Upload{ID: id, Name: "karyawan-nov.xlsx", Rows: 1248, Headings: []string{"NIP", "Nama Karyawan", "No HP", "HP 2", ""},
		Samples: [][]string{{"1001", "1002", "1003"}, {"Sri", "Agus Wijaya", "Dewi Lestari"}, {"0812 3450 0012", "81234500013"}, {}, {"x"}},
		Columns: []string{"employee_id", "display_name", "mobile_phone", "", ""}, Kinds: []string{"employee_id", "display_name", "mobile_phone", "site", "manager_id"}}, nil
}

func (h *house) Match(_ context.Context, _ Principal, id string, columns []string) error {
	seen := map[string]bool{}
	for i, c := range columns {
		if c != "" && seen[c] {
			return announcement.FieldErrors{{Field: fmt.Sprintf("c%d", i), Value: "HP 2", Why: `means the same as the heading "No HP"; keep one of them`}}
		}
		seen[c] = true
	}
	return nil
}

func (h *house) Check(_ context.Context, id string, skip, _ bool) (ImportCheck, error) {
	var n int
	if _, err := fmt.Sscanf(id, "u%d", &n); err != nil {
		return ImportCheck{}, ErrNotFound
	}
	if n >= 50000 {
		return ImportCheck{}, &Underway{Percent: 40}
	}
	c := ImportCheck{Name: "karyawan-nov.xlsx", Fine: 1248 - n, Active: 1248}
	c.Rows, c.Added, c.Changed, c.Unchanged, c.Leaving, c.Missing, c.Mended = 1248, 12, 31, 1199, 2, 412, 87
	if c.Fatal = h.fatal; h.leaving > 0 {
		c.Leaving, c.Missing, c.Lists.Missing = h.leaving, 0, nil
	}
	c.Lists = ImportLists{
		Added: []Listed{{Row: 3, Number: "1003", Name: "Dewi Lestari"}}, Leaving: []Listed{{Row: 9, Number: "1009", Name: "Joko"}}, Missing: []Listed{{Number: "2001", Name: "Bambang"}},
		Changed: []Listed{{Row: 4, Number: "1004", Name: "Sri", Changes: []Change{{"site", "Gudang Cikupa", "Pabrik Cikande"}, {"shift", "", "A"}, {"email", "a@b.example", ""}}}},
		Mended:  []Listed{{Row: 5, Number: "1005", Name: "Agus Wijaya", Changes: []Change{{"mobile_phone", "081234500012", "+6281234500012"}}}},
	}
	c.Warnings = []RowError{{Row: 7, Field: "No HP", Value: "0812", Reason: "is also the number in row 3; both are called there"}}
	if skip {
		c.Skipped = n
		return c, nil
	}
	for i := range n {
		row := FaultyRow{Row: 14 + i, Cells: map[string]string{"employee_id": fmt.Sprint(2000 + i), "display_name": "Agus Wijaya", "mobile_phone": "6.28E+12", "site": "Pabrik Cikande", "manager_id": "2210"}, Problems: map[string]string{}}
		switch i % 5 {
		case 1:
			row.Cells["site"], row.Problems["site"] = "Cknd", "is not one of the sites; mend it, or add the site first"
		case 2:
			row.Problems["manager_id"] = "these people manage each other in a loop: 2210 → 3301 → 2210"
		case 3:
			row.Problems["locale"] = "is not a language such as id or en"
		case 4:
			row.Problems[""] = "has 4 cells, but the heading has 5"
		default:
			row.Problems["mobile_phone"] = "Excel has damaged this number. Format the column as Text and export again."
		}
		c.Faulty = append(c.Faulty, row)
		for key := range row.Problems {
			if at := slices.IndexFunc(c.Sums, func(s FaultSum) bool { return s.Column == key }); at >= 0 {
				c.Sums[at].Rows++
			} else {
				c.Sums = append(c.Sums, FaultSum{key, 1, row.Row})
			}
		}
		c.Errors = append(c.Errors, RowError{Row: row.Row, Field: "No HP"})
	}
	return c, nil
}

func (h *house) Apply(ctx context.Context, _ Principal, id string, choice ImportChoice) (string, error) {
	c, err := h.Check(ctx, id, choice.SkipFaulty, choice.Whole)
	if err != nil {
		return "", err
	}
	if c.MustType(choice.Whole) && choice.Typed != c.LeavingWith(choice.Whole) {
		return "", announcement.FieldErrors{{Field: "typed", Why: "Type how many people leave: 414."}}
	}
	h.changed++
	return "done1", nil
}

// Applying: file u50000 is under way, u0 was refused, u1 is imported.
func (h *house) Applying(_ context.Context, id string) (Errand, error) {
	e, known := map[string]Errand{"u50000": {Percent: 70}, "u0": {Done: true, Fault: "Type how many people leave: 414."}, "u1": {Done: true, Result: "done1"}}[id]
	if !known {
		return Errand{}, ErrNotFound
	}
	return e, nil
}

// The files of a large report: made1 is ready, made2 is under way, made3 came to nothing.
func (h *house) MadeReport(_ context.Context, id announcement.ID, made string) (MadeReport, error) {
	for _, r := range h.MadeReports(context.Background(), id) {
		if r.ID == made {
			return r, nil
		}
	}
	return MadeReport{}, ErrNotFound
}

func (h *house) MadeReports(_ context.Context, id announcement.ID) []MadeReport {
	o := ReportOrder{Announcement: id, File: "report.xlsx", Language: "en"}
	return []MadeReport{
		{Errand{ID: "made2", Percent: 40, At: noon}, o},
		{Errand{ID: "made1", Percent: 100, Done: true, At: noon, Until: noon.Add(7 * 24 * time.Hour), Result: "live-2026-11-24-1205-report.xlsx"}, o},
		{Errand{ID: "made3", Percent: 100, Done: true, At: noon, Fault: "This could not be done now. Try again in a minute."}, o},
	}
}

func (h *house) OrderReport(_ context.Context, _ Principal, o ReportOrder) (string, error) {
	h.ordered = append(h.ordered, o)
	return "made2", nil
}

func (h *house) ReportBytes(ctx context.Context, id announcement.ID, made string) (MadeReport, []byte, error) {
	r, err := h.MadeReport(ctx, id, made)
	if err == nil && r.Result == "" {
		err = ErrNotFound
	}
	return r, []byte("PK made before"), err
}

func (h *house) Imported(_ context.Context, done string) (Imported, error) {
	for _, i := range h.Imports(context.Background()) {
		if i.ID == done {
			return i, nil
		}
	}
	return Imported{}, ErrNotFound
}

func (h *house) Imports(context.Context) []Imported {
	return []Imported{{ID: "done1", At: noon, By: "Rina", Added: 12, Changed: 31, Left: 2, Skipped: 6, Until: noon.Add(24 * time.Hour)}, {ID: "done0", At: noon.Add(-48 * time.Hour), By: "Rina", Added: 3, Undone: true, Kept: 2}}
}

func (h *house) Undo(context.Context, Principal, string) error { h.changed++; return nil }

func (h *house) staff() []Person {
	return []Person{
		{Name: Name{Number: "2210", Name: "Agus Wijaya", Team: "Gudang", Manager: "Rina"}, Version: 3, Mobile: "+6281234567890", Language: "id", Site: "Pabrik Cikande", Active: true,
			Title: "Operator", Channels: announcement.Channels, Devices: []Handset{{Name: "Chrome, Android", Seen: noon}, {Seen: noon.Add(-60 * 24 * time.Hour), Stale: true}},
			Sharing: []Name{{Number: "2211", Name: "Siti"}}, Troubles: []string{"shared"}},
		{Name: Name{Number: "2211", Name: "Siti"}, Version: 1, Mobile: "+622112345678", Landline: true, Language: "jv", Wrong: true, SMSStopped: true, Active: true, Troubles: []string{"unreachable", "wrong_number", "sms_stopped", "no_manager"}},
		{Name: Name{Number: "2212", Name: "Joko"}, Version: 1, Language: "en", Troubles: []string{"left"}},
	}
}

func (h *house) People(_ context.Context, _ Principal, f PeopleFilter) (PeoplePage, error) {
	p := PeoplePage{Total: 120, People: h.staff(), Sites: []string{"Pabrik Cikande"}, Troubles: map[string]int{"unreachable": 41, "stale": 3}}
	if f.Search == "zzz" || h.nobody {
		return PeoplePage{}, nil
	}
	if f.Offset < 100 {
		next := f.Offset + 50
		p.Next = &next
	}
	return p, nil
}

func (h *house) Person(_ context.Context, _ Principal, number string) (Person, error) {
	for _, p := range h.staff() {
		if p.Number == number {
			return p, nil
		}
	}
	return Person{}, ErrNotFound
}

func (h *house) SavePerson(_ context.Context, _ Principal, values map[string]string, version int64) error {
	if values["mobile_phone"] == "0812" {
		errs := announcement.FieldErrors{{Field: "mobile_phone", Value: "0812", Why: "is too short for a phone number"}}
		if version == 0 {
			errs = append(errs, &announcement.FieldError{Field: "employee_id", Value: "1", Why: "is the employee number of somebody else"})
		}
		return errs
	}
	if version == 2 {
		return ErrConflict
	}
	h.changed++
	return nil
}

func (h *house) Invite(_ context.Context, _ Principal, number string) error {
	if number == "2211" {
		return announcement.FieldErrors{{Field: "sms", Why: "This person has no number that can take an SMS."}}
	}
	h.changed++
	return nil
}

func (h *house) DisconnectPhones(context.Context, Principal, string) error { h.changed++; return nil }
func (h *house) ClearNumber(context.Context, Principal, string) error      { h.changed++; return nil }

func (h *house) AllSites(context.Context) []Site {
	if h.nobody {
		return nil
	}
	return []Site{{ID: "s1", Name: "Pabrik Cikande", Assembly: []string{"Lapangan parkir B", "Gerbang timur"}, Zone: "Asia/Jakarta", Emergency: "112", People: 40}, {ID: "s2", Name: "Gudang Cikupa", Zone: "Asia/Singapore"}, {Name: "Bandung", People: 12}}
}

func (h *house) SaveSite(_ context.Context, _ Principal, s Site) error {
	if s.Name == "" {
		return announcement.FieldErrors{{Field: "name", Why: "is empty"}, {Field: "assembly", Why: "has more than 10 lines"}, {Field: "zone", Value: "Mars", Why: "is not a time zone such as Asia/Jakarta or WIB"}, {Field: "emergency", Value: "x", Why: "is not a number that can be dialled"}}
	}
	h.changed++
	return nil
}
func (h *house) DeleteSite(context.Context, Principal, string) error { h.changed++; return nil }

func (h *house) AllGroups(context.Context) []Group {
	if h.nobody {
		return nil
	}
	return []Group{{ID: "g1", Name: "Fire wardens", Numbers: []string{"2210", "2211"}, Count: 2}, {ID: "g2", Name: "Shift A Cikande", ByRule: true, Sites: []string{"Pabrik Cikande"}, Shifts: []string{"A"}, Numbers: []string{"2210"}, Count: 31}}
}

func (h *house) Group(_ context.Context, _ Principal, id string) (Group, []Name, error) {
	for _, g := range h.AllGroups(context.Background()) {
		if g.ID == id {
			return g, []Name{{Number: "2210", Name: "Agus Wijaya", Team: "Gudang"}, {Number: "2211", Name: "Siti"}}, nil
		}
	}
	return Group{}, nil, ErrNotFound
}

func (h *house) SaveGroup(_ context.Context, _ Principal, g Group) (string, error) {
	if g.Name == "" {
		if g.ByRule {
			return "", announcement.FieldErrors{{Field: "name", Why: "is empty"}, {Field: "rule", Why: "Choose at least one thing that the people of this group have in common."}, {Field: "under[0]", Value: "9", Why: "nobody has this employee number"}}
		}
		return "", announcement.FieldErrors{{Field: "name", Why: "is empty"}, {Field: "people[0]", Value: "9", Why: "nobody has this employee number"}}
	}
	h.changed++
	return "g1", nil
}
func (h *house) DeleteGroup(context.Context, Principal, string) error { h.changed++; return nil }
func (h *house) GroupChoices(context.Context) GroupChoices {
	return GroupChoices{Sites: h.Sitelist(), Departments: h.Departments(), Shifts: []Choice{{"A", 31}}, Titles: []Choice{{"Operator", 20}}}
}

func (h *house) Report(ctx context.Context) (ReadyReport, error) {
	r := ReadyReport{Readiness: h.Readiness(ctx), Troubles: map[string]int{"unreachable": 5}, Since: map[string]int{}}
	if h.nobody {
		return r, nil
	}
	last := noon.Add(-70 * 24 * time.Hour)
	r.LastSMS, r.LastDrill, r.Since["sms"], r.Since["drill"] = &last, &last, 70, 70
	r.Sites = []ReachRow{{"Pabrik Cikande", 40, 30, 5, 5}, {"", 20, 10, 10, 0}}
	r.Teams = []ReachRow{{"Gudang", 12, 10, 2, 0}}
	return r, nil
}

func (h *house) Tasks(context.Context) ([]Task, error) {
	out := []Task{}
	for i, key := range []string{"organisation", "sites", "people", "managers", "channels", "yourself", "correction", "second", "policy", "drill"} {
		t := Task{Key: key, State: []string{"completed", "in progress", "not started"}[i%3], Path: "/" + key, Before: i < 7}
		if h.prepared {
			t.State = "completed"
		}
		switch key {
		case "organisation":
			t.Path = ""
		case "yourself":
			t.Ticks = []Tick{{"SMS arrived", true}, {"Push arrived", true}, {"Page opened", false}, {"Answer came back", false}}
		}
		out = append(out, t)
	}
	return out, nil
}

func (h *house) GoLive(context.Context, Principal) error {
	if !h.prepared {
		return announcement.FieldErrors{{Field: "live", Why: "Complete the first seven tasks before you switch to live."}}
	}
	h.changed++
	return nil
}

func (h *house) Duty(context.Context) ([]string, []Name) {
	if h.nobody {
		return nil, []Name{{Number: "2210", Name: "Agus Wijaya"}}
	}
	return []string{"2210"}, []Name{{Number: "2210", Name: "Agus Wijaya"}}
}

func (h *house) SetDuty(_ context.Context, _ Principal, numbers []string) error {
	if len(numbers) > 0 && numbers[0] == "9" {
		return announcement.FieldErrors{{Field: "duty[0]", Value: "9", Why: "nobody has this employee number"}}
	}
	h.changed++
	return nil
}

func (h *house) Trials(context.Context) Trials {
	if h.trials != nil {
		return *h.trials
	}
	return Trials{SMSProvider: "twilio", Sender: "SINARABC", Push: true, SMSAt: noon, PushAt: noon, WaitsUntil: noon.Add(time.Hour), Asked: "Siti"}
}

func (h *house) SendTest(_ context.Context, _ Principal, number string, _ announcement.Channel) error {
	if number == "2211" {
		return announcement.FieldErrors{{Field: "sms", Why: "This person has no number that can take an SMS."}}
	}
	h.changed++
	return nil
}
func (h *house) StartReplyTest(context.Context, Principal, string) error { h.changed++; return nil }
func (h *house) LockOneWay(context.Context, Principal) error             { h.changed++; return nil }

func (h *house) Editions(ctx context.Context) []Edition {
	one, _ := h.Edition(ctx, "fire")
	other := one
	other.Draft, other.Version = false, 0
	return []Edition{one, other}
}

func (h *house) Edition(_ context.Context, key string) (Edition, error) {
	if key != "fire" {
		return Edition{}, ErrNotFound
	}
	words := map[announcement.Language]announcement.Text{}
	for _, lang := range ownLanguages {
		words[lang] = announcement.Text{Title: "Kebakaran: {site}", Body: "Ada kebakaran.", SMS: "{org}: KEBAKARAN di {site}. {reply} {link}", PushTitle: "KEBAKARAN", PushBody: "Keluar.", Do: []string{"Keluar.", "Kumpul di {muster}."}, Dont: "Jangan pakai lift."}
	}
	before := map[announcement.Language]announcement.Text{"id": words["id"], "en": words["en"]}
	was := before["id"]
	was.PushBody, was.Dont = "Keluar sekarang.", ""
	before["id"] = was
	e := Edition{Template: Template{Key: "fire", Severity: announcement.Extreme, Name: map[announcement.Language]string{"en": "Fire", "id": "Kebakaran"}}, Revision: 4, Texts: words, Published: words, Draft: true, Version: 2,
		Versions: []EditionOf{{2, noon, "Rina", words, before}, {1, noon, "Budi", before, nil}}, Units: map[announcement.Language]int{"id": 157, "en": 152}}
	if h.nobody {
		e.Draft, e.Version, e.Versions = false, 0, nil
	}
	return e, nil
}

func (h *house) Judge(_ context.Context, _ string, words map[announcement.Language]announcement.Text) map[announcement.Language]Judgment {
	out := map[announcement.Language]Judgment{}
	for lang, t := range words {
		if t.SMS == "" {
			continue
		}
		j := Judgment{SMS: "PT SinarAbc: KEBAKARAN di Pabrik Cikande.", Push: [2]string{"KEBAKARAN", "Keluar."}, Units: 157, Limit: 160, Segments: 1, Strict: true}
		if strings.Contains(t.SMS, "…") {
			j.Units, j.Over, j.Segments, j.Awkward, j.Long = 190, 30, 2, announcement.AwkwardIn(t.SMS), []string{"Satu dua tiga"}
		}
		out[lang] = j
	}
	return out
}

func (h *house) SaveWords(_ context.Context, _ Principal, _ string, words map[announcement.Language]announcement.Text, revision int64) error {
	if words["id"].SMS == "" {
		return announcement.FieldErrors{{Field: "id.sms", Why: "is empty"}, {Field: "id.title", Why: "is empty"}}
	}
	if revision == 3 {
		return ErrConflict
	}
	h.changed++
	return nil
}
func (h *house) Publish(ctx context.Context, _ Principal, key string) error {
	if h.fatal {
		return announcement.FieldErrors{{Field: "id.sms", Why: "is 30 characters too long for one SMS with the longest names"}}
	}
	h.changed++
	return nil
}
func (h *house) Restore(context.Context, Principal, string, int) error { h.changed++; return nil }
func (h *house) TryWords(context.Context, Principal, string, string) error {
	h.changed++
	return nil
}

func (h *house) SetAway(_ context.Context, _ Principal, number, from, to, delegate string) error {
	switch {
	case number == "0":
		return ErrNotFound
	case delegate == "0":
		return fault("delegate", "nobody has this employee number")
	case to < from:
		return fault("to", "is before the first day")
	}
	h.changed++
	return nil
}
