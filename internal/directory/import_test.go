package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	utf "golang.org/x/text/encoding/unicode"

	"kentongan/internal/announcement"
)

func importFile(t *testing.T, d *Directory, name string) ImportReport {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return mustImport(t, d, string(data))
}

func TestThousandPeople(t *testing.T) {
	t.Parallel()
	d := open(t, newMemory())
	got := importFile(t, d, "people-1000.csv")
	if got.Added != 1000 || got.Rows != 1000 || got.Mended != 0 {
		t.Errorf("added %d of %d, mended %d; want 1000 of 1000, 0", got.Added, got.Rows, got.Mended)
	}
	// Once more as Excel writes it: semicolons, a byte order mark, CRLF.
	again := importFile(t, d, "people-1000-excel.csv")
	if again.Unchanged != 1000 || again.Changed+again.Added+again.Missing != 0 {
		t.Errorf("second file: %+v, want 1000 unchanged", again)
	}
	if n := len(d.Everybody()); n != 981 { // 19 of the file left
		t.Errorf("%d active people, want 981", n)
	}
	sum := 0
	for _, n := range d.Sites() {
		sum += n
	}
	if sum != 981 {
		t.Errorf("sites sum to %d, want 981", sum)
	}
	p, _ := d.ByNumber("e100592")
	if p.Language != "zh" || p.Zone != "Asia/Shanghai" || p.Name != "庞君浩" || p.Given != "君浩" {
		t.Error("the person in Shanghai came in wrong")
	}
}

func TestCheck45EncodingsAndSeparators(t *testing.T) {
	t.Parallel()
	const file = "NIP,Nama Karyawan,No. HP,Bagian,Cabang,NIP Atasan,Bahasa\r\nB1,José,0812-3456-7890,K3,Cikande,,Indonesia\r\nB2,\"Sri, Ayu\",,K3,Cikande,b1,inggris\r\n"
	latin, err := charmap.Windows1252.NewEncoder().String(file)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := utf.UTF16(utf.LittleEndian, utf.UseBOM).NewEncoder().String(strings.ReplaceAll(file, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	wide = strings.Replace(wide, "\"\x00S\x00r\x00i\x00\t\x00", "\"\x00S\x00r\x00i\x00,\x00", 1)
	quoted := func(sep string) string {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(file, "Sri, Ayu", "\a"), ",", sep), "\a", "Sri, Ayu")
	}
	semicolonLatin, err := charmap.Windows1252.NewEncoder().String(quoted(";"))
	if err != nil {
		t.Fatal(err)
	}
	everybody := func(d *Directory) (all []Person) {
		for _, p := range d.Everybody() {
			p.ID = "" // drawn anew
			all = append(all, p)
		}
		slices.SortFunc(all, func(a, b Person) int { return strings.Compare(a.Number, b.Number) })
		return all
	}
	want := everybody(imported(t, file))
	for name, text := range map[string]string{
		"BOM, semicolon":          "\uFEFF" + quoted(";"),
		"Windows-1252, semicolon": semicolonLatin,

		"BOM":               "\uFEFF" + file,
		"semicolon":         quoted(";"),
		"tab":               quoted("\t"),
		"sep line":          "sep=;\r\n" + quoted(";"),
		"Windows-1252":      latin,
		"UTF-16":            wide,
		"Macintosh":         strings.ReplaceAll(file, "\r\n", "\r"),
		"empty rows below":  file + ",,,,,,\r\n\r\n",
		"empty line on top": "\r\n" + file,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := imported(t, text)
			if got := everybody(d); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want the people of the plain file: %+v", got, want)
			}
			one, _ := d.ByNumber("B1")
			two, _ := d.ByNumber("B2")
			if one.Name != "José" || one.Mobile != "+6281234567890" || one.Site != "Cikande" || one.Department != "K3" || one.Language != "id" {
				t.Errorf("first person came in wrong: %q %q", one.Name, one.Site)
			}
			if two.Name != "Sri, Ayu" || two.Manager != "B1" || two.Language != "en" || two.Mobile != "" {
				t.Errorf("second person came in wrong: %q under %q", two.Name, two.Manager)
			}
		})
	}
}

func TestCheck46ManySpellingsAreOneNumber(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp\n1,Sri,81234567890\n2,Adi,081234567890\n3,Budi,6281234567890\n4,Cici,+62 812-3456-7890\n")
	if got := d.ByMobile("+6281234567890"); len(got) != 4 {
		t.Errorf("%d of 4 people have the number, want all", len(got))
	}
	report, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n5,Dedi,6.28E+12\n"), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Errors) != 1 || report.Errors[0].Row != 2 || report.Errors[0].Field != "hp" || report.Errors[0].Value != "6.28E+12" || !strings.Contains(report.Errors[0].Reason, "Excel has damaged this number") {
		t.Errorf("got %+v, want the cell that Excel damaged", report.Errors)
	}
}

func TestRowErrors(t *testing.T) {
	t.Parallel()
	const heading = "nip,nama,hp,atasan,aktif,bahasa,zona waktu,negara,bagian\n"
	good := "1,Sri,081234567890,,,,,,\n"
	for _, tt := range []struct {
		name, file string
		row        int
		field      string
		value      string
		reason     string // part of it
	}{
		{"short number", heading + good + "2,Adi,0812345,,,,,,\n", 3, "hp", "0812345", "too short"},
		{"long number", heading + "2,Adi,081234567890123,,,,,,\n", 2, "hp", "081234567890123", "too long"},
		{"letters", heading + "2,Adi,O81234567890,,,,,,\n", 2, "hp", "O81234567890", "letters"},
		{"damaged by Excel", heading + "2,Adi,6.28E+12,,,,,,\n", 2, "hp", "6.28E+12", "Excel has damaged this number. Format the column as Text and export again."},
		{"damaged by Excel, comma", heading + "2,Adi,\"6,28123E+12\",,,,,,\n", 2, "hp", "6,28123E+12", "Excel has damaged"},
		{"decimal zero", heading + "2,Adi,81234567890.0,,,,,,\n", 2, "hp", "81234567890.0", "Excel has damaged"},
		{"formula", heading + "2,Adi,=0812+1,,,,,,\n", 2, "hp", "=0812+1", "character"},
		{"duplicate", heading + good + "1,Adi,,,,,,,\n", 3, "nip", "1", "also in row 2"},
		{"duplicate by case", heading + "a1,Sri,,,,,,,\nA1,Adi,,,,,,,\n", 3, "nip", "A1", "also in row 2"},
		{"no employee number", heading + ",Adi,,,,,,,\n", 2, "nip", "", "empty"},
		{"damaged employee number", heading + "1E+05,Adi,,,,,,,\n", 2, "nip", "1E+05", "Excel has damaged"},
		{"empty name", heading + "2, ,,,,,,,\n", 2, "nama", "", "name is empty"},
		{"name of dashes", heading + "2,--,,,,,,,\n", 2, "nama", "--", "name is empty"},
		{"unknown manager", heading + "2,Adi,,9,,,,,\n", 2, "atasan", "9", "no manager"},
		{"own manager", heading + "2,Adi,,2,,,,,\n", 2, "atasan", "2", "themselves"},
		{"manager loop", heading + "a,Adi,,c,,,,,\nb,Budi,,a,,,,,\nc,Cici,,b,,,,,\n", 2, "atasan", "c", "a → c → b → a"},
		{"active", heading + "2,Adi,,,perhaps,,,,\n", 2, "aktif", "perhaps", "true or false"},
		{"language", heading + "2,Adi,,,,klingonese!,,,\n", 2, "bahasa", "klingonese!", "not a language"},
		{"time zone", heading + "2,Adi,,,,,Local,,\n", 2, "zona waktu", "Local", "not a time zone"},
		{"country", heading + "2,Adi,,,,,,ZZ9,\n", 2, "negara", "ZZ9", "not a country"},
		{"direction override", heading + "2,Adi\u202Eirs,,,,,,,\n", 2, "nama", "Adi□irs", "direction"},
		{"NUL", heading + "2,A\x00di,,,,,,,\n", 2, "nama", "A□di", "control"},
		{"line break", heading + "2,\"Adi\nBudi\",,,,,,,\n", 2, "nama", "Adi□Budi", "control"},
		{"name too long", heading + "2," + strings.Repeat("x", 201) + ",,,,,,,\n", 2, "nama", strings.Repeat("x", 40) + "…", "longer than 200"},
		{"too few cells", heading + "2,Adi\n", 2, "", "", "2 cells, but the heading has 9"},
		{"too many cells", heading + "2,Adi,,,,,,,,x\n", 2, "", "", "10 cells"},
		{"quotation mark", heading + "2,Adi \"Bos\" Wijaya,,,,,,,\n", 2, "", "", "quotation mark"},
		{"numbered after empty lines", heading + "\n\n2,,,,,,,,\n", 4, "nama", "", "name is empty"},
		{"numbered after a cell of two lines", heading + "1,Sri,,,,,,,\"x\ny\"\n2,,,,,,,,\n", 3, "nama", "", "name is empty"},
		{"empty file", "", 1, "", "", "file is empty"},
		{"only blanks", "\n\n,,\n", 1, "", "", "file is empty"},
		{"heading only", heading, 1, "", "", "no people"},
		{"heading twice", "nip,nik,nama,hp\n1,1,Sri,\n", 1, "nik", "nik", `same as the heading "nip"`},
		{"no number column", "nama,hp\nSri,\n", 1, "employee_id", "", "no column"},
		{"no name column", "nip,hp\n1,\n", 1, "display_name", "", "no column"},
		{"no mobile column", "nip,nama\n1,Sri\n", 1, "mobile_phone", "", "no column"},
		{"too many rows", heading + strings.Repeat("2,Adi,,,,,,,\n", MaxRows+1), MaxRows + 2, "", "", "more than 50,000"},
		{"too large", strings.Repeat("x", MaxBytes+1), 0, "", "", "10 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, newMemory())
			report, err := d.Import(t.Context(), strings.NewReader(tt.file), ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range report.Errors {
				if e.Row == tt.row && e.Field == tt.field && e.Value == tt.value && strings.Contains(e.Reason, tt.reason) {
					if len(d.Everybody()) != 0 || report.Added != 0 {
						t.Error("people were imported from a faulty file")
					}
					return
				}
			}
			t.Errorf("faults = %+v, want row %d field %q value %q reason …%s…", report.Errors[:min(3, len(report.Errors))], tt.row, tt.field, tt.value, tt.reason)
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp\n1,Sri,081234567890\n2,Adi,\n")
	report := mustImport(t, d, "nip,nama,hp\n3,Budi,+6281234567890\n4,Cici,(021) 3456789\n5,Dedi,\n6,Eka,+62 812 9999 888\n7,Feri,0812 9999 888\n")
	want := map[int]string{2: "employee 1", 3: "cannot take an SMS", 4: "has no number", 6: "row 5"}
	for _, w := range report.Warnings {
		if !strings.Contains(w.Reason, want[w.Row]) || want[w.Row] == "" {
			t.Errorf("unexpected warning %+v", w)
		}
		delete(want, w.Row)
	}
	if len(want) > 0 {
		t.Errorf("warnings missing: %v", want)
	}
	if report.Missing != 2 || report.Added != 5 || report.Mended != 2 {
		t.Errorf("missing %d added %d mended %d, want 2 5 2", report.Missing, report.Added, report.Mended)
	}
	if got := d.ByMobile("+6281234567890"); len(got) != 2 {
		t.Errorf("%d people share the number, want 2", len(got))
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp,cabang,aktif\nA1,Sri,081234567890,Cikande,ya\nA2,Adi,,Cikande,ya\n")
	before := id(t, d, "A1")

	// The file has no site: what is known stays. Letters of a number may change.
	got := mustImport(t, d, "nip,nama,hp,aktif\na1,Sri Ayu,081234567891,tidak\n")
	if got.Changed != 1 || got.Leaving != 1 || got.Missing != 1 || got.Added != 0 {
		t.Errorf("report = %+v", got)
	}
	p, _ := d.ByNumber("A1")
	if p.ID != before || p.Name != "Sri Ayu" || p.Site != "Cikande" || p.Active || p.Given != "Sri" {
		t.Errorf("person came out wrong: %q at %q, active %v", p.Name, p.Site, p.Active)
	}
	if len(d.ByMobile("+6281234567890")) != 0 || len(d.ByMobile("+6281234567891")) != 1 {
		t.Error("the index of numbers kept the old one")
	}
	if p, _ := d.ByNumber("A2"); !p.Active {
		t.Error("somebody missing from the file was changed")
	}
	if _, _, ok := d.ContactPoints(before); ok {
		t.Error("somebody who left can still be called")
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	d := open(t, newMemory())
	got, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n1,Sri,\n"), ImportOptions{DryRun: true})
	if err != nil || !got.DryRun || got.Added != 1 {
		t.Errorf("report = %+v, %v", got, err)
	}
	if len(d.Everybody()) != 0 {
		t.Error("a dry run imported people")
	}
}

func TestSamplePeople(t *testing.T) {
	t.Parallel()
	d := imported(t, "nip,nama,hp\n1,Sri,\n")
	if d.HasSample() {
		t.Error("real people taken for made-up ones")
	}
	if _, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n1,Sri,\n2,Adi,081234567890\n"), ImportOptions{Sample: true}); err != nil {
		t.Fatal(err)
	}
	if p, _ := d.ByNumber("1"); p.Sample {
		t.Error("a sample file made a real person unreachable")
	}
	if to, _, _ := d.ContactPoints(id(t, d, "2")); !to.Sample || !d.HasSample() {
		t.Error("a made-up person may be called for real")
	}
	mustImport(t, d, "nip,nama,hp\n2,Adi,081234567890\n")
	if d.HasSample() {
		t.Error("a person in a real file stayed made up, and would never be called")
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"people-1000.csv", "people-1000-excel.csv"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:bytes.LastIndexByte(data[:4000], '\n')+1])
	}
	f.Add([]byte("nip;nama;hp;atasan\na;A;0812;b\nb;B;;a\n"))
	f.Add([]byte("sep=,\nnip,nama,hp\n1,\"a\n\",\x00\xff\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := open(t, newMemory())
		got, err := d.Import(t.Context(), bytes.NewReader(data), ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Errors) > 0 {
			if len(d.Everybody()) > 0 || got.Added > 0 {
				t.Fatal("a faulty file was imported")
			}
			return
		}
		if got.Added != got.Rows {
			t.Fatalf("added %d of %d rows", got.Added, got.Rows)
		}
		again, err := d.Import(t.Context(), bytes.NewReader(data), ImportOptions{})
		if err != nil || again.Unchanged != again.Rows || again.Missing != 0 {
			t.Fatalf("the same file again: %+v, %v", again, err)
		}
		for _, p := range d.Everybody() {
			if p.Name == "" || p.Given == "" || p.Number == "" {
				t.Fatal("somebody without a name or number")
			}
		}
	})
}

func BenchmarkImport(b *testing.B) {
	var s strings.Builder
	s.WriteString("nip,nama,hp,atasan\n")
	for i := range 20_000 {
		fmt.Fprintf(&s, "%d,Nama %d,0812%07d,%d\n", i+1, i, i, max(1, i/10))
	}
	csv := strings.Replace(s.String(), "1,Nama 0,08120000000,1\n", "1,Nama 0,08120000000,\n", 1)
	for b.Loop() {
		imported(b, csv)
	}
}

// tiring is a store that takes a number of batches of people, and then none.
type tiring struct {
	Store
	left int
}

func (s *tiring) PutAll(ctx context.Context, values map[string][]byte) error {
	if s.left--; s.left < 0 {
		return errors.New("the store is away")
	}
	return s.Store.PutAll(ctx, values)
}

// TestImportThatWasCutOffIsOne: begun again under its id, it ends as if it had
// never been cut off, and one undo takes all of it back.
func TestImportThatWasCutOffIsOne(t *testing.T) {
	t.Parallel()
	store := &tiring{Store: newMemory(), left: 1}
	d := open(t, store)
	if _, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\nold,Sri,\n"), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	file.WriteString("nip,nama,hp\nold,Sri Lestari,\n")
	for i := range 2*storedAtOnce + 50 {
		fmt.Fprintf(&file, "n%d,Orang %d,\n", i, i)
	}
	said := []int{0}
	o := ImportOptions{Undo: "hr", UndoID: "upload1", Progress: func(p int) { said = append(said, p) }}
	store.left = 1
	if _, err := d.Import(t.Context(), strings.NewReader(file.String()), o); err == nil {
		t.Fatal("the store was away and nobody said so")
	}
	if n := len(d.Everybody()); n < storedAtOnce || n > storedAtOnce+1 {
		t.Fatalf("cut off after %d people, want the first batch", n)
	}
	if !slices.IsSorted(said) || said[len(said)-1] <= 60 || said[len(said)-1] >= 100 {
		t.Errorf("progress: %v", said)
	}
	store.left = 100
	d = open(t, store) // on another node
	report, err := d.Import(t.Context(), strings.NewReader(file.String()), o)
	if err != nil || report.Undo != "upload1" {
		t.Fatalf("got %q %v", report.Undo, err)
	}
	if n := len(d.Everybody()); n != 2*storedAtOnce+51 || len(d.Imports()) != 1 {
		t.Errorf("got %d people and %d imports", n, len(d.Imports()))
	}
	if err := d.Undo(t.Context(), "upload1", func(announcement.PersonID) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if sri, _ := d.Listing("old"); len(d.Everybody()) != 1 || sri.Name != "Sri" {
		t.Errorf("after the undo: %d people, and %q", len(d.Everybody()), sri.Name)
	}
}
