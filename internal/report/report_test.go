package report_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"kentongan/internal/report"
)

func document(rows ...[]string) report.Document {
	return report.Document{Title: "Fire: Cikande", Note: "so far", Facts: [][2]string{{"Sent to", "1,248"}},
		Tables: []report.Table{{Name: "Sites", Head: []string{"Site", "All"}, Rows: report.Rows([][]string{{"Pabrik", "9"}})}},
		People: report.Table{Name: "People", Head: []string{"Name", "Words"}, Rows: report.Rows(rows)}}
}

// TestACellIsNeverAFormula writes what somebody could send by SMS to harm whoever
// opens the file.
func TestACellIsNeverAFormula(t *testing.T) {
	evil := []string{"=HYPERLINK(\"http://x\",\"y\")", "+62812", "-1+1", "@SUM(A1)", "\tx", "aman", "", "kaki luka, \"lantai\" 3"}
	var rows [][]string
	for _, e := range evil {
		rows = append(rows, []string{"Siti", e})
	}
	var out bytes.Buffer
	if err := report.CSV(&out, document(rows...)); err != nil {
		t.Fatal(err)
	}
	read, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.String(), "\uFEFF"))).ReadAll()
	if err != nil || len(read) != len(evil)+1 {
		t.Fatalf("got %d rows, %v", len(read), err)
	}
	for i, e := range evil {
		want := e
		if i < 5 {
			want = "'" + e
		}
		if read[i+1][1] != want {
			t.Errorf("%q is written as %q, want %q", e, read[i+1][1], want)
		}
	}

	out.Reset()
	if err := report.XLSX(&out, document(rows...)); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if formula, _ := f.GetCellFormula("People", "B2"); formula != "" {
		t.Errorf("the sheet holds the formula %q", formula)
	}
	if text, _ := f.GetCellValue("People", "B2"); text != evil[0] {
		t.Errorf("the sheet says %q, want what was written", text)
	}
	if all := f.GetSheetList(); len(all) != 3 {
		t.Errorf("got the sheets %v, want three", all)
	}
}

func TestPDFListsSomeAndSaysHowManyMore(t *testing.T) {
	var rows [][]string
	for range 120 {
		rows = append(rows, []string{"Muhammad Rizky Ramadhan Hidayatullah \u4e2d\u6587", "tidak ada"})
	}
	left := 0
	var out bytes.Buffer
	if err := report.PDF(&out, document(rows...), report.Limits{People: 100, More: func(n int) string { left = n; return "more" }, Lost: "Letters are lost:", Whole: "https://siaga.example/report.xlsx"}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "%PDF-") || left != 20 {
		t.Errorf("got %.10q and %d more, want a PDF and 20", out.String(), left)
	}
	if !strings.Contains(out.String(), "(https://siaga.example/report.xlsx)") {
		t.Error("letters were lost, and no page links the file that has them")
	}
}

func TestPDFThatHasEveryLetterSaysNothing(t *testing.T) {
	var out bytes.Buffer
	l := report.Limits{People: 9, More: func(int) string { return "" }, Lost: "Letters are lost:", Whole: "https://siaga.example/report.xlsx"}
	if err := report.PDF(&out, document([]string{"Andr\u00e9 B. S\u00f8rensen", "."}), l); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "siaga.example") {
		t.Error("nothing was lost, and the PDF says so")
	}
}

func TestAFaultWhileReadingIsNotAShortFile(t *testing.T) {
	broken := errors.New("store away")
	d := document()
	d.People.Rows = func(yield func([]string, error) bool) {
		_ = yield([]string{"Siti", ""}, nil) && yield(nil, broken)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"csv": func(b *bytes.Buffer) error { return report.CSV(b, d) }, "xlsx": func(b *bytes.Buffer) error { return report.XLSX(b, d) },
		"pdf": func(b *bytes.Buffer) error {
			return report.PDF(b, d, report.Limits{People: 9, More: func(int) string { return "" }})
		},
	} {
		if err := write(new(bytes.Buffer)); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the fault", name, err)
		}
	}
}
