package directory

import (
	"bytes"

	"github.com/xuri/excelize/v2"
)

// Limits of a workbook, which is a zip file: ten megabytes can unpack to
// gigabytes, and a cell in the last column makes a row 16,384 cells wide.
const (
	maxUnzipped = 96 << 20 // bytes; 50,000 people of 15 columns are about 40 MB
	maxWidth    = 200      // columns of a table of people
	maxHeight   = 200_000  // rows, with empty ones in between
)

// readWorkbook reads the first sheet of an Excel workbook that has anything in
// it. Cells are read as they are stored, not as they are shown: a long number
// that Excel shows as 6.28E+12 is still whole in there.
func (g *grid) readWorkbook(data []byte) {
	g.ragged = true
	unreadable := RowError{Reason: "this Excel file cannot be read; open it, save it as .xlsx again, or save it as CSV"}
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped})
	if err != nil {
		g.bad = []RowError{unreadable}
		return
	}
	defer f.Close()
	for _, name := range f.GetSheetList() {
		rows, err := f.Rows(name)
		if err != nil {
			continue // a sheet of charts has no rows
		}
		for number := 1; rows.Next(); number++ {
			cells, err := rows.Columns()
			switch {
			case err != nil:
				g.bad = []RowError{unreadable}
				return
			case len(cells) > maxWidth && !blank(cells[maxWidth:]):
				g.bad = append(g.bad, RowError{Row: number, Reason: "has something far to the right of the table; delete it"})
				return
			case number > maxHeight || !g.take(number, cells[:min(len(cells), maxWidth)]):
				g.bad = append(g.bad, RowError{Row: number, Reason: "the file has more than 50,000 people"})
				return
			}
		}
		if err := rows.Close(); err != nil || rows.Error() != nil {
			g.bad = []RowError{unreadable}
			return
		}
		if len(g.rows) > 0 {
			return
		}
	}
}
