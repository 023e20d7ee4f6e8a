package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
)

// Limits of one file. A company of 50,000 fits with room to spare; more is a
// mistake, or somebody filling our memory.
const (
	MaxRows  = 50_000
	MaxBytes = 10 << 20
)

// sheet is a file as a spreadsheet shows it.
type sheet struct {
	heading []string
	rows    []sheetRow
}

type sheetRow struct {
	number int // as a spreadsheet numbers it: the heading is row 1
	cells  []string
}

// readSheet reads a file as people send it: an Excel workbook, or a CSV file as
// spreadsheets in Indonesia and elsewhere write it, separated by comma, semicolon
// or tab, in UTF-8, UTF-16 or Windows-1252. An error means that r failed; faults
// of the file are returned as such.
func readSheet(r io.Reader) (sheet, []RowError, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return sheet{}, nil, fmt.Errorf("read file: %w", err)
	}
	if len(data) > MaxBytes {
		return sheet{}, []RowError{{Reason: "the file is larger than 10 MB"}}, nil
	}
	var g grid
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		g.readWorkbook(data)
	case bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")):
		g.bad = []RowError{{Reason: "this Excel file is of an old kind or has a password; save it as .xlsx without a password, or as CSV"}}
	default:
		g.readText(data)
	}
	s, bad := g.sheet()
	return s, bad, nil
}

// grid is the rows of a file that are not blank, before anybody knows which of
// them is the heading.
type grid struct {
	rows   []sheetRow
	ragged bool // rows may be shorter than the heading: a workbook leaves off empty cells
	bad    []RowError
}

// above is how many rows of title and date may stand above a heading.
const above = 10

// take adds a row; it reports false when the file is too long.
func (g *grid) take(row int, cells []string) bool {
	for i, c := range cells {
		cells[i] = clean(c)
	}
	if blank(cells) { // spreadsheets export the empty rows below a table
		return true
	}
	if len(g.rows) == MaxRows+above {
		return false
	}
	g.rows = append(g.rows, sheetRow{row, cells})
	return true
}

// heading finds the row with the names of the columns: people put a title and a
// date above their tables. It is the first of the first rows with two names that
// we know, else the very first.
func (g *grid) heading() int {
	for i, row := range g.rows[:min(len(g.rows), above)] {
		known := 0
		for _, cell := range row.cells {
			if _, ok := columnOf[foldHeading(cell)]; ok {
				known++
			}
		}
		if known >= 2 {
			return i
		}
	}
	return 0
}

func (g *grid) sheet() (sheet, []RowError) {
	var s sheet
	bad := g.bad
	if len(g.rows) == 0 {
		if len(bad) == 0 {
			bad = append(bad, RowError{Row: 1, Reason: "the file is empty"})
		}
		return s, bad
	}
	at := g.heading()
	s.heading = g.rows[at].cells
	for _, row := range g.rows[at+1:] {
		if g.ragged && len(row.cells) < len(s.heading) {
			row.cells = append(row.cells, make([]string, len(s.heading)-len(row.cells))...)
		}
		switch {
		case len(s.rows) == MaxRows:
			return s, append(bad, RowError{Row: row.number, Reason: "the file has more than 50,000 people"})
		case len(row.cells) < len(s.heading) || len(row.cells) > len(s.heading) && !blank(row.cells[len(s.heading):]):
			bad = append(bad, RowError{Row: row.number, Reason: fmt.Sprintf("has %d cells, but the heading has %d", len(row.cells), len(s.heading))})
		default:
			row.cells = row.cells[:len(s.heading)]
			s.rows = append(s.rows, row)
		}
	}
	if len(s.rows) == 0 && len(bad) == 0 {
		bad = append(bad, RowError{Row: 1, Reason: "the file has a heading but no people"})
	}
	return s, bad
}

// readText reads CSV.
func (g *grid) readText(data []byte) {
	text, comma := separator(decode(data))
	cr := csv.NewReader(bytes.NewReader(text))
	cr.Comma = comma
	cr.FieldsPerRecord = -1 // told per row, in words
	for row, offset := 0, int64(0); ; {
		cells, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		row += 1 + emptyLines(text[offset:])
		offset = cr.InputOffset()
		if err != nil {
			g.bad = append(g.bad, RowError{Row: row, Reason: "has a quotation mark in the wrong place, so that the file cannot be read from here on"})
			return
		}
		if !g.take(row, cells) {
			return
		}
	}
}

// decode returns UTF-8 with line breaks that encoding/csv knows.
func decode(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		// "Unicode Text" of Excel. Faulty pairs become U+FFFD, refused later.
		data, _ = utf.UTF16(utf.LittleEndian, utf.UseBOM).NewDecoder().Bytes(data)
	case !utf8.Valid(data):
		// Windows-1252 decodes any byte; five unassigned ones become U+FFFD.
		data, _ = charmap.Windows1252.NewDecoder().Bytes(data)
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if !bytes.ContainsRune(data, '\n') {
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n")) // Macintosh
	}
	return data
}

// separator returns the text without Excel's "sep=" line, and what separates its
// cells: whatever stands most often in the heading outside quotes.
func separator(text []byte) ([]byte, rune) {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if sep := strings.TrimRight(string(line), "\r"); len(sep) == 5 && strings.EqualFold(sep[:4], "sep=") && strings.ContainsAny(sep[4:], ",;\t") {
		return rest, rune(sep[4])
	}
	count := map[rune]int{}
	quoted := false
	for _, r := range string(bytes.TrimLeft(text, "\r\n")) {
		if r == '"' {
			quoted = !quoted
		} else if r == '\n' && !quoted {
			break
		} else if !quoted {
			count[r]++
		}
	}
	best := ','
	for _, r := range ";\t" {
		if count[r] > count[best] {
			best = r
		}
	}
	return text, best
}

// emptyLines counts the line breaks before the next record: encoding/csv passes
// over empty lines, a spreadsheet numbers them.
func emptyLines(text []byte) int {
	n := 0
	for _, b := range text {
		if b == '\n' {
			n++
		} else if b != '\r' {
			break
		}
	}
	return n
}

// clean returns a cell with composed letters and single spaces, without the
// invisible characters that mean nothing. Zero-width joiners stay: names in
// Persian and Malayalam need them.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case 0x200B, 0xFEFF:
			return -1
		case 0x00A0, 0x202F:
			return ' '
		}
		return r
	}, s)
	return norm.NFC.String(strings.Trim(s, " "))
}

func blank(cells []string) bool {
	for _, c := range cells {
		if c != "" {
			return false
		}
	}
	return true
}
