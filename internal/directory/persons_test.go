package directory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"kentongan/internal/announcement"
)

func workbook(t testing.TB, rows [][]any) string {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A workbook holds the whole number where its export as text shows 6.28E+12, and
// people put a title above the table.
func TestWorkbook(t *testing.T) {
	t.Parallel()
	d := imported(t, workbook(t, [][]any{
		{"Daftar karyawan November 2026"}, {},
		{"NIP", "Nama Karyawan", "No HP", "Lokasi", "NIP Atasan"},
		{1001, "Sri", 6281234567890, "Cikande", nil},
		{"1002", "Agus Wijaya", 81234500012, "Cikande", "Sri"},
		{1003, "Dewi", "0812-3450-0013", nil, 1001},
	}))
	for number, mobile := range map[string]string{"1001": "+6281234567890", "1002": "+6281234500012", "1003": "+6281234500013"} {
		if p, ok := d.ByNumber(number); !ok || p.Mobile != mobile {
			t.Errorf("%s: got %q, want %s", number, p.Mobile, mobile)
		}
	}
	if p, _ := d.ByNumber("1002"); p.Manager != "1001" {
		t.Errorf("a manager given by name: got %q, want 1001", p.Manager)
	}
}

func TestFilesThatAreNoTables(t *testing.T) {
	t.Parallel()
	wide := excelize.NewFile()
	_ = wide.SetCellStr("Sheet1", "A1", "nip")
	_ = wide.SetCellStr("Sheet1", "XFD1", "far away")
	var far bytes.Buffer
	_ = wide.Write(&far)
	for name, file := range map[string]string{
		"cut off": workbook(t, [][]any{{"nip", "nama", "hp"}, {1, "Sri", "08"}})[:900],
		"old":     "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
		"far":     far.String(),
		"zip":     "PK\x03\x04 nothing",
		"empty":   workbook(t, nil),
	} {
		d := open(t, newMemory())
		report, err := d.Import(t.Context(), strings.NewReader(file), ImportOptions{})
		if err != nil || len(report.Errors) == 0 || len(d.Everybody()) != 0 {
			t.Errorf("%s: got %+v, %v; want a reason", name, report, err)
		}
	}
}

func FuzzWorkbook(f *testing.F) {
	f.Add([]byte(workbook(f, [][]any{{"nip", "nama", "hp"}, {1, "Sri", "0812"}})))
	f.Fuzz(func(t *testing.T, data []byte) {
		var g grid
		g.readWorkbook(data)
		g.sheet()
	})
}

// What a person chose for the columns counts, whatever the headings say.
func TestColumnsMatchedByHand(t *testing.T) {
	t.Parallel()
	const file = "Kolom A;Kolom B;Kolom C;Catatan\n7;Sri;081234567890;x\n"
	u, err := Look(strings.NewReader(file))
	if err != nil || !slices.Equal(u.Samples[2], []string{"081234567890"}) || u.Rows != 1 {
		t.Fatalf("got %+v, %v", u, err)
	}
	if bad := Match(u.Headings, []string{"employee_id", "display_name", "display_name", ""}); len(bad) != 2 || !strings.Contains(bad[0].Reason, "Kolom B") || bad[0].Field != "Kolom C" {
		t.Errorf("two columns of one kind: got %+v, want both named", bad)
	}
	d := open(t, newMemory())
	report, err := d.Import(t.Context(), strings.NewReader(file), ImportOptions{Columns: []string{"employee_id", "display_name", "mobile_phone", ""}})
	if err != nil || report.Added != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
}

// A loop is named in the cell of each who is in it, and blocks only them. Everybody
// here has one name, as many people have.
func TestCheck49FaultyRowsAreLeftOut(t *testing.T) {
	t.Parallel()
	const file = "nip,nama,hp,atasan\nA,Adi,081234567890,B\nB,Budi,081234567891,A\n3,Sri,0812,\n4,Siti,081234567892,3\n5,Joko,081234567893,4\n"
	d := open(t, newMemory())
	report, _ := d.Import(t.Context(), strings.NewReader(file), ImportOptions{DryRun: true})
	if len(report.Faulty) != 3 || report.Faulty[0].Problems["manager_id"] == "" || report.Faulty[2].Problems["mobile_phone"] == "" {
		t.Fatalf("got %+v, want rows 2, 3 and 4", report.Faulty)
	}
	for i, loop := range []string{"A → B → A", "B → A → B"} {
		if got := report.Errors[i]; got.Row != 2+i || got.Field != "atasan" || !strings.Contains(got.Reason, loop) {
			t.Errorf("got %+v, want the loop %s named in the cell", got, loop)
		}
	}
	report, err := d.Import(t.Context(), strings.NewReader(file), ImportOptions{SkipFaulty: true})
	if err != nil || report.Added != 2 || report.Skipped != 3 {
		t.Fatalf("got %+v, %v; want 2 added, 3 left out", report, err)
	}
	if p, _ := d.ByNumber("4"); p.Manager != "" {
		t.Errorf("led by somebody who was left out: got %q, want nobody", p.Manager)
	}
	if p, _ := d.ByNumber("5"); p.Manager != "4" {
		t.Errorf("got manager %q, want 4", p.Manager)
	}
}

func TestPeopleNotInTheFile(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp\n1,Sri,081234567890\n2,Siti,081234567891\n3,Joko,081234567892\n")
	rest := "nip,nama,hp\n1,Sri,081234567890\n"
	report, _ := d.Import(t.Context(), strings.NewReader(rest), ImportOptions{})
	if report.Missing != 2 || len(d.Everybody()) != 3 {
		t.Errorf("got %+v with %d people; want 2 missing, left alone", report, len(d.Everybody()))
	}
	report, _ = d.Import(t.Context(), strings.NewReader(rest), ImportOptions{WholeList: true, Undo: "token:a"})
	if len(d.Everybody()) != 1 || len(report.Lists.Missing) != 2 {
		t.Errorf("got %d people, want 1", len(d.Everybody()))
	}
	if err := d.Undo(t.Context(), report.Undo, nil); err != nil || len(d.Everybody()) != 3 {
		t.Errorf("undone: %v, %d people, want 3", err, len(d.Everybody()))
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	store := newMemory()
	d, err := Open(t.Context(), store, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	mustImport(t, d, "nip,nama,hp\n1,Sri,081234567890\n2,Siti,081234567891\n")
	report, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n1,Sri Ayu,081234567899\n2,Siti A,081234567891\n3,Joko,081234567892\n4,Dewi,\n"), ImportOptions{Undo: "token:a"})
	if err != nil {
		t.Fatal(err)
	}
	two, _ := d.Listing("2")
	if err := d.Save(t.Context(), map[string]string{"employee_id": "2", "display_name": "Siti Aminah", "mobile_phone": "081234567891"}, two.Version, false); err != nil {
		t.Fatal(err)
	}
	called, _ := d.ByNumber("4")
	for range 2 { // a second press does no harm
		if err := d.Undo(t.Context(), report.Undo, func(p announcement.PersonID) bool { return p == called.ID }); err != nil {
			t.Fatal(err)
		}
	}
	one, _ := d.ByNumber("1")
	again, _ := d.ByNumber("2")
	four, known := d.ByNumber("4")
	if _, still := d.ByNumber("3"); still || one.Name != "Sri" || one.Mobile != "+6281234567890" || again.Name != "Siti Aminah" || !known || four.Active {
		t.Errorf("got %v %v %v %v", one.Name, again.Name, known, four.Active)
	}
	if got := d.Imports()[0]; got.Kept != 1 || got.Undone.IsZero() {
		t.Errorf("got %+v, want one person kept", got)
	}
	late, _ := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n9,Budi,\n"), ImportOptions{Undo: "token:a"})
	now = now.Add(UndoWithin)
	if err := d.Undo(t.Context(), late.Undo, nil); !errors.Is(err, ErrTooLate) {
		t.Errorf("after a day: got %v, want ErrTooLate", err)
	}
	if _, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n10,Adi,\n"), ImportOptions{Undo: "token:a"}); err != nil {
		t.Fatal(err)
	}
	for key := range store.values {
		if strings.HasPrefix(key, partKey+late.Undo) {
			t.Error("what was before is kept for ever")
		}
	}
}

func TestSitesInAFile(t *testing.T) {
	t.Parallel()
	d := open(t, newMemory())
	if _, err := d.SaveSite(t.Context(), Site{Name: "Pabrik Cikande", Assembly: []string{"Lapangan parkir B", " "}, Zone: "Asia/Jakarta", Emergency: "112"}); err != nil {
		t.Fatal(err)
	}
	file := "nip,nama,hp,lokasi\n1,Sri,,pabrik  cikande\n2,Siti,,Pabrik Cikand\n3,Joko,,Bandung\n"
	report, _ := d.Import(t.Context(), strings.NewReader(file), ImportOptions{KnownSites: true})
	if len(report.Errors) != 2 || !strings.Contains(report.Errors[0].Reason, `"Pabrik Cikande" meant`) || !strings.Contains(report.Errors[1].Reason, "add the site first") {
		t.Errorf("got %+v", report.Errors)
	}
	mustImport(t, d, file) // the API takes any site
}

func TestSites(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,lokasi\n1,Sri,,Cikande\n2,Siti,,Bandung\n")
	for _, s := range []Site{{}, {Name: "a\u202Eb"}, {Name: "Cikande", Zone: "Mars"}, {Name: "Cikande", Emergency: "call us"}, {Name: strings.Repeat("x", 61)}} {
		if _, err := d.SaveSite(t.Context(), s); err == nil {
			t.Errorf("%+v: got no error", s)
		}
	}
	id, err := d.SaveSite(t.Context(), Site{Name: "Cikande", Assembly: []string{"Lapangan parkir B"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SaveSite(t.Context(), Site{Name: "CIKANDE"}); err == nil {
		t.Error("two sites of one name")
	}
	places := d.Places()
	if len(places) != 2 || places[0].SetUp || places[0].People != 1 || !places[1].SetUp || places[1].People != 1 {
		t.Errorf("got %+v", places)
	}
	if _, err := d.SaveSite(t.Context(), Site{ID: id, Name: "Pabrik Cikande"}); err != nil {
		t.Fatal(err)
	}
	if p, _ := d.ByNumber("1"); p.Site != "Pabrik Cikande" {
		t.Errorf("its people are at %q", p.Site)
	}
}

// Whoever renames a site strands nobody: groups by a rule, open audiences and drafts that
// name it mean it still. A name that another site takes is that one's.
func TestRenamedSiteIsStillMeant(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,lokasi\n1,Sri,,Cikande\n2,Siti,,Bandung\n")
	site, err := d.SaveSite(t.Context(), Site{Name: "Cikande"})
	if err != nil {
		t.Fatal(err)
	}
	wardens, err := d.SaveGroup(t.Context(), Group{Name: "Wardens", Rule: &Rule{Sites: []string{"cikande"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.SaveSite(t.Context(), Site{ID: site, Name: "Pabrik Cikande"}); err != nil {
		t.Fatal(err)
	}
	if m := d.Members(wardens); len(m) != 1 || m[0].Number != "1" {
		t.Errorf("in the group are %d people now", len(m))
	}
	old := announcement.Audience{Sites: []string{"Cikande"}}
	nobody := func(announcement.PersonID) bool { return false }
	if j := d.Joining(old, nobody); len(j) != 1 {
		t.Errorf("an open audience finds %d people, want Sri", len(j))
	}
	if r := resolve(t, d, old); len(r.Roster.Recipients) != 1 || r.Audience.Sites[0] != "Pabrik Cikande" {
		t.Errorf("a draft goes to %v", r.Audience.Sites)
	}
	if names := d.SiteNames([]string{"Pabrik Cikande"}); !slices.Contains(names, "Cikande") {
		t.Errorf("it is called %v", names)
	}
	if _, err := d.SaveSite(t.Context(), Site{Name: "Cikande"}); err != nil {
		t.Fatal(err)
	}
	mustImport(t, d, "nip,nama,hp,lokasi\n3,Joko,,Cikande\n")
	if r := resolve(t, d, old); len(r.Roster.Recipients) != 1 || numbersOf(d, r.Roster)[0] != "3" {
		t.Errorf("the name of another site now finds %v", numbersOf(d, r.Roster))
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,lokasi,bagian,shift,atasan\n1,Sri,,Cikande,Gudang,A,\n2,Siti,,Cikande,Gudang,B,1\n3,Joko,,Bandung,Gudang,A,2\n4,Dewi,,Cikande,Kantor,A,\n")
	for _, tt := range []struct {
		name    string
		rule    *Rule
		numbers []string
		want    int
	}{
		{"Fire wardens", nil, []string{"1", "4", "1"}, 2},
		{"Gudang Cikande", &Rule{Sites: []string{"cikande"}, Departments: []string{"Gudang"}}, nil, 2},
		{"Shift A", &Rule{Shifts: []string{"A"}}, nil, 3},
		{"Under Sri", &Rule{}, []string{"1"}, 3},
		{"Under Sri at Cikande", &Rule{Sites: []string{"Cikande"}}, []string{"1"}, 2},
	} {
		if _, err := d.SaveGroup(t.Context(), Group{Name: tt.name, Rule: tt.rule}, tt.numbers); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r, err := d.Resolve(announcement.Audience{Groups: []string{strings.ToUpper(tt.name)}})
		if err != nil || len(r.Roster.Recipients) != tt.want || r.Audience.Groups[0] == tt.name {
			t.Errorf("%s: got %+v, %v; want %d people and an id in the ledger", tt.name, r, err, tt.want)
		}
	}
	for name, a := range map[string]announcement.Audience{"unknown": {Groups: []string{"Medics"}}} {
		if _, err := d.Resolve(a); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := d.SaveGroup(t.Context(), Group{Name: "Nobody"}, []string{"77"}); err == nil {
		t.Error("an unknown employee number was taken")
	}
	if _, err := d.SaveGroup(t.Context(), Group{Name: "fire  WARDENS"}, []string{"1"}); err == nil {
		t.Error("two groups of one name")
	}
	for _, g := range d.Groups() {
		if g.Name == "Fire wardens" && (g.Count != 2 || !slices.Equal(g.Numbers, []string{"1", "4"})) {
			t.Errorf("got %+v", g)
		}
	}
}

func TestFindPeople(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,lokasi,atasan,aktif\n1,Sri,081234567890,Cikande,,ya\n2,Siti,081234567890,Cikande,1,ya\n3,Joko,,Bandung,1,ya\n4,Dewi,081234567894,Cikande,,ya\n5,Adi,081234567895,Cikande,1,tidak\n")
	one, _ := d.ByNumber("1")
	four, _ := d.ByNumber("4")
	if err := d.StopSMS(t.Context(), one.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := d.WrongNumber(t.Context(), four.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := d.Subscribe(t.Context(), four.ID, announcement.Subscription{ID: "s", Endpoint: "https://p.example/1", Seen: time.Now().Add(-SilentAfter)}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "Dewi Joko Siti Sri"}, {Filter{Search: "s"}, "Siti Sri"}, {Filter{Search: "0812 3456 7894"}, "Dewi"}, {Filter{Site: "cikande"}, "Dewi Siti Sri"},
		{Filter{Trouble: Unreachable}, "Joko Sri"}, {Filter{Trouble: NoManager}, "Dewi"}, {Filter{Trouble: Stopped}, "Sri"}, {Filter{Trouble: Wrong}, "Dewi"},
		{Filter{Trouble: Shared}, "Siti Sri"}, {Filter{Trouble: Stale}, "Dewi"}, {Filter{Trouble: Gone}, "Adi"}, {Filter{Offset: 3}, "Sri"}, {Filter{Offset: 9}, ""},
	} {
		tt.f.Limit = 50
		_, page := d.Find(tt.f)
		var names []string
		for _, l := range page {
			names = append(names, l.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.f, got, tt.want)
		}
	}
}

func TestSaveOnePerson(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,atasan\n1,Sri,081234567890,\n2,Siti,,1\n")
	l, _ := d.Listing("1")
	for field, values := range map[string]map[string]string{
		"mobile_phone": {"employee_id": "1", "display_name": "Sri", "mobile_phone": "0812"},
		"manager_id":   {"employee_id": "1", "display_name": "Sri", "manager_id": "2"},
		"display_name": {"employee_id": "1", "display_name": " "},
	} {
		err := d.Save(t.Context(), values, l.Version, false)
		var bad announcement.FieldErrors
		if !errors.As(err, &bad) || bad[0].Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	values := map[string]string{"employee_id": "1", "display_name": "Sri Ayu", "mobile_phone": "0812 3456 7899", "locale": "en", "active": "true"}
	if err := d.Save(t.Context(), values, l.Version, false); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(t.Context(), values, l.Version, false); !errors.Is(err, ErrChanged) {
		t.Errorf("a form that was open for long: got %v, want ErrChanged", err)
	}
	p, _ := d.ByNumber("1")
	if p.Name != "Sri Ayu" || p.Mobile != "+6281234567899" || p.Language != "en" {
		t.Errorf("got %q %q", p.Name, p.Language)
	}
	if err := d.Save(t.Context(), map[string]string{"employee_id": "1", "display_name": "Another"}, 0, false); err == nil {
		t.Error("a new person took the employee number of another")
	}
	if err := d.Save(t.Context(), map[string]string{"employee_id": "3", "display_name": "Joko", "mobile_phone": ""}, 0, false); err != nil {
		t.Error(err)
	}
}
