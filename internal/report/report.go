// Package report writes tables as files that leave the house: CSV for scripts,
// XLSX for spreadsheets, PDF for whoever must be shown something on paper.
//
// # Decisions
//
// A cell is text and never a formula, whatever a person wrote into it. PDF is
// made with go-pdf/fpdf: pure Go, kept by its own community since gofpdf was
// given up, and without a font file to carry; it knows the letters of Western
// languages, so that a name in another script shows as dots there and whole in the
// other two. Each page that has lost a letter says so, and where the whole names are.
package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"github.com/xuri/excelize/v2"
)

// Document is a report in the reader's language.
type Document struct {
	Title  string
	Note   string      // under the title: how old it is, and whether it is a drill
	Facts  [][2]string // what is counted, and how many
	Tables []Table     // short ones
	People Table       // the long one
}

// Table is a table; Rows may be long, and end with an error.
type Table struct {
	Name string
	Head []string
	Rows iter.Seq2[[]string, error]
}

// Rows makes rows of what is there already.
func Rows(rows [][]string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Safe makes a spreadsheet read a cell as text: one that begins like a formula
// gets a quote before it.
func Safe(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// CSV writes the people. It begins with a byte order mark, without which Excel
// breaks every letter beyond ASCII.
func CSV(w io.Writer, d Document) error {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	out := csv.NewWriter(w)
	_ = out.Write(d.People.Head) // Flush tells
	for row, err := range d.People.Rows {
		if err != nil {
			return err
		}
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = Safe(cell)
		}
		_ = out.Write(safe)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}

// XLSX writes everything, a sheet to each table. Cells are stored as text.
func XLSX(w io.Writer, d Document) error {
	f := excelize.NewFile()
	defer f.Close()
	facts := [][]string{{d.Note, ""}}
	for _, fact := range d.Facts {
		facts = append(facts, fact[:])
	}
	tables := append([]Table{{Name: "1", Head: []string{d.Title, ""}, Rows: Rows(facts)}}, append(d.Tables[:len(d.Tables):len(d.Tables)], d.People)...)
	for i, t := range tables {
		name := t.Name
		if i == 0 {
			name = f.GetSheetName(0)
		} else if _, err := f.NewSheet(name); err != nil {
			return fmt.Errorf("write xlsx: %w", err)
		}
		if err := sheet(f, name, t); err != nil {
			return err
		}
	}
	if _, err := f.WriteTo(w); err != nil {
		return fmt.Errorf("write xlsx: %w", err)
	}
	return nil
}

func sheet(f *excelize.File, name string, t Table) error {
	out, err := f.NewStreamWriter(name)
	if err != nil {
		return fmt.Errorf("write xlsx: %w", err)
	}
	line := 0
	put := func(row []string) error {
		line++
		cells := make([]any, len(row))
		for i, c := range row {
			cells[i] = c
		}
		return out.SetRow(fmt.Sprintf("A%d", line), cells)
	}
	if err := out.SetColWidth(1, max(len(t.Head), 1), 20); err != nil {
		return fmt.Errorf("write xlsx: %w", err)
	}
	if err := put(t.Head); err != nil {
		return fmt.Errorf("write xlsx: %w", err)
	}
	for row, err := range t.Rows {
		if err != nil {
			return err
		}
		if err := put(row); err != nil {
			return fmt.Errorf("write xlsx: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write xlsx: %w", err)
	}
	return nil
}

// Limits are what a PDF leaves out, and what it says about that.
type Limits struct {
	People int                   // how many it lists
	More   func(left int) string // how many more there are
	Lost   string                // letters could not be printed
	Whole  string                // address of the file that has all of it
}

// PDF writes everything on A4, within the limits.
func PDF(w io.Writer, d Document, l Limits) error {
	p := fpdf.New("P", "mm", "A4", "")
	known := p.UnicodeTranslatorFromDescriptor("")
	lost := false
	letters := func(text string) string {
		printed := known(text)
		if !lost && strings.Count(printed, ".") > strings.Count(text, ".") { // what it does not know becomes a dot
			lost = true
		}
		return printed
	}
	p.SetTitle(d.Title, true)
	p.SetAutoPageBreak(true, 20)
	p.SetFooterFunc(func() {
		p.SetY(-12)
		p.SetFont("Helvetica", "", 8)
		if lost {
			p.SetY(-16)
			p.CellFormat(0, 4, known(l.Lost+" "+l.Whole), "", 1, "L", false, 0, l.Whole)
		}
		p.CellFormat(0, 6, known(fmt.Sprintf("%s - %d", d.Title, p.PageNo())), "", 0, "C", false, 0, "")
	})
	p.AddPage()
	p.SetFont("Helvetica", "B", 16)
	p.MultiCell(0, 8, letters(d.Title), "", "L", false)
	p.SetFont("Helvetica", "", 10)
	p.MultiCell(0, 5, letters(d.Note), "", "L", false)
	p.Ln(3)
	for _, f := range d.Facts {
		p.SetFont("Helvetica", "", 10)
		p.CellFormat(110, 6, letters(f[0]), "B", 0, "L", false, 0, "")
		p.SetFont("Helvetica", "B", 10)
		p.CellFormat(70, 6, letters(f[1]), "B", 1, "R", false, 0, "")
	}
	for _, t := range append(d.Tables[:len(d.Tables):len(d.Tables)], d.People) {
		limit := -1
		if t.Name == d.People.Name {
			limit = l.People
		}
		if err := table(p, letters, t, limit, l.More); err != nil {
			return err
		}
	}
	if err := p.Output(w); err != nil {
		return fmt.Errorf("write pdf: %w", err)
	}
	return nil
}

// pdfColumns is how many columns fit on a page; further ones are left to CSV and
// XLSX.
const pdfColumns = 7

func table(p *fpdf.Fpdf, letters func(string) string, t Table, limit int, more func(int) string) error {
	columns := min(len(t.Head), pdfColumns)
	width := 180.0 / float64(max(columns, 1))
	p.Ln(5)
	p.SetFont("Helvetica", "B", 12)
	p.CellFormat(0, 8, letters(t.Name), "", 1, "L", false, 0, "")
	row := func(cells []string, style string) {
		p.SetFont("Helvetica", style, 8)
		for _, c := range cells[:min(len(cells), columns)] {
			text := letters(c)
			for len(text) > 1 && p.GetStringWidth(text) > width-2 {
				text = text[:len(text)-1] // one byte is one letter here
			}
			p.CellFormat(width, 5, text, "B", 0, "L", false, 0, "")
		}
		p.Ln(5)
	}
	row(t.Head, "B")
	n := 0
	for cells, err := range t.Rows {
		if err != nil {
			return err
		}
		if n++; limit < 0 || n <= limit {
			row(cells, "")
		}
	}
	if limit >= 0 && n > limit {
		p.SetFont("Helvetica", "", 9)
		p.CellFormat(0, 7, letters(more(n-limit)), "", 1, "L", false, 0, "")
	}
	return nil
}
