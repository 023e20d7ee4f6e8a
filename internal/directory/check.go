package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a container without zone files must read the same zones
	"unicode"

	"golang.org/x/text/language"

	"kentongan/internal/announcement"
)

// limits are the most characters of a cell: longer is a column gone astray.
var limits = map[column]int{
	colNumber: 40, colName: 200, colGiven: 100, colFamily: 100, colEmail: 254, // RFC 5321 §4.5.3.1.3
	colMobile: 60, colManager: 40, colSite: 100, colCountry: 40, colZone: 60, colLocale: 40,
	colDepartment: 100, colTitle: 150, colShift: 40, colActive: 20,
}

// check is one file held against the people already known.
type check struct {
	columns
	home     Options
	sample   bool
	report   *ImportReport
	known    map[string]record // by folded employee number
	holders  map[string]string // E.164 → employee number of an active person known, for the warning
	entries  []*entry
	all      []*entry          // also those whose row could not be read as a person
	byNumber map[string]*entry // folded
	zones    map[string]bool
	byName   map[string][]string // folded name → employee numbers, made when a manager is named

	sites     map[string]string // folded → as it is spelt; nil: any site will do
	wholeList bool
	without   map[string]bool // folded employee numbers of rows left out
}

// entry is one row: the person as known (no ID if new) and as the file wants them.
type entry struct {
	row      sheetRow
	old, new record
}

// check reads every row, then looks at the rows together. Faults and warnings
// go to the report.
func (d *Directory) check(cs columns, rows []sheetRow, o ImportOptions, report *ImportReport) *check {
	return d.checkWithout(cs, rows, nil, o, report)
}

// checkWithout is check for the rest of a file whose faulty rows are left out:
// nobody misses them, and nobody is at fault for being led by them.
func (d *Directory) checkWithout(cs columns, rows []sheetRow, without map[string]bool, o ImportOptions, report *ImportReport) *check {
	c := &check{
		wholeList: o.WholeList, without: without,
		columns: cs, home: d.Options, sample: o.Sample, report: report,
		known: map[string]record{}, holders: map[string]string{}, byNumber: map[string]*entry{}, zones: map[string]bool{},
	}
	d.mu.RLock()
	for key := range d.numbers {
		r, _ := d.byNumber(key)
		c.known[key] = r
		if r.Active && r.Mobile != "" {
			c.holders[r.Mobile] = r.Number
		}
	}
	if o.KnownSites {
		c.sites = d.knownSites()
	}
	d.mu.RUnlock()
	for i, row := range rows {
		c.row(row)
		if i%500 == 0 {
			o.said(20, 60, i, len(rows))
		}
	}
	c.managers()
	c.loops()
	c.reachability()
	slices.SortStableFunc(report.Errors, func(a, b RowError) int { return a.Row - b.Row })
	slices.SortStableFunc(report.Warnings, func(a, b RowError) int { return a.Row - b.Row })
	return c
}

func (c *check) fault(e *entry, col column, reason string) {
	c.report.Errors = append(c.report.Errors, c.rowError(e, col, reason))
}

func (c *check) warn(e *entry, col column, reason string) {
	c.report.Warnings = append(c.report.Warnings, c.rowError(e, col, reason))
}

func (c *check) rowError(e *entry, col column, reason string) RowError {
	return RowError{Row: e.row.number, Field: c.name(col), Value: shorten(printable(c.cell(e.row.cells, col))), Reason: reason}
}

// shownColumns are those by which people recognise a row.
var shownColumns = []column{colNumber, colName, colMobile, colSite, colManager}

// faulty returns the rows with faults, each with its cells, as many as a report
// names, and how many there are of each kind.
func (c *check) faulty() ([]FaultyRow, []FaultSum) {
	cells := make(map[int][]string, len(c.entries))
	for _, e := range c.all {
		cells[e.row.number] = e.row.cells
	}
	var out []FaultyRow
	var sums []FaultSum
	at := map[int]int{}
	seen := map[string]bool{} // row and column
	for _, f := range c.report.Errors {
		key := ""
		for col := range columnCount {
			if c.has(col) && c.name(col) == f.Field {
				key = columnKeys[col]
			}
		}
		cell := fmt.Sprint(f.Row, key)
		if seen[cell] {
			continue
		}
		seen[cell] = true
		sum := slices.IndexFunc(sums, func(s FaultSum) bool { return s.Column == key })
		if sum < 0 {
			sum = len(sums)
			sums = append(sums, FaultSum{Column: key, First: f.Row})
		}
		sums[sum].Rows++
		i, listed := at[f.Row]
		if !listed {
			if len(out) >= shownRows && sums[sum].Rows > 1 {
				continue
			}
			i = len(out)
			at[f.Row] = i
			row := FaultyRow{Row: f.Row, Cells: map[string]string{}, Problems: map[string]string{}}
			for _, col := range shownColumns {
				row.Cells[columnKeys[col]] = shorten(printable(c.cell(cells[f.Row], col)))
			}
			out = append(out, row)
		}
		out[i].Problems[key] = f.Reason
		if key != "" {
			out[i].Cells[key] = f.Value
		}
	}
	slices.SortStableFunc(sums, func(a, b FaultSum) int { return b.Rows - a.Rows })
	return out, sums
}

// row reads one person.
func (c *check) row(row sheetRow) {
	e := &entry{row: row}
	c.all = append(c.all, e)
	for col := range columnCount {
		cell := c.cell(row.cells, col)
		if col == colMobile { // ParseMobile takes the marks off
			cell = strings.Map(func(r rune) rune {
				if forbidden(r) {
					return -1
				}
				return r
			}, cell)
		}
		if why := cellFault(cell, limits[col]); why != "" {
			c.fault(e, col, why)
			return
		}
	}
	number := c.cell(row.cells, colNumber)
	if why := numberFault(number); why != "" {
		c.fault(e, colNumber, why)
		return
	}
	key := fold(number)
	if twin, twice := c.byNumber[key]; twice {
		c.fault(e, colNumber, fmt.Sprintf("this employee number is also in row %d", twin.row.number))
		return
	}
	e.old = c.known[key]
	e.new = e.old
	if e.old.ID == "" {
		e.new.Active, e.new.Language, e.new.Country = true, c.home.Language, c.home.Country
	}
	// A sample file never makes a real person a made-up one, whom nothing reaches.
	e.new.Sample = c.sample && (e.old.ID == "" || e.old.Sample)
	e.new.Number = number
	c.byNumber[key] = e
	c.entries = append(c.entries, e)

	c.names(e)
	for col, to := range map[column]*string{
		colEmail: &e.new.Email, colSite: &e.new.Site, colDepartment: &e.new.Department,
		colTitle: &e.new.Title, colShift: &e.new.Shift, colManager: &e.new.Manager,
	} {
		if c.has(col) {
			*to = c.cell(row.cells, col)
		}
	}
	c.site(e)
	c.place(e)
	c.active(e)
	c.mobile(e) // after place: the country decides how a number is read
	e.new.keepOwn()
}

// names reads what a person is called. One word is a whole name: every tenth
// Indonesian has just that.
func (c *check) names(e *entry) {
	name := c.cell(e.row.cells, colName)
	given := c.cell(e.row.cells, colGiven)
	if name == "" {
		name = strings.TrimSpace(given + " " + c.cell(e.row.cells, colFamily))
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		col := colName
		if !c.has(colName) {
			col = colGiven
		}
		c.fault(e, col, "the name is empty")
		return
	}
	if given == "" {
		given, _, _ = strings.Cut(name, " ")
		if !c.has(colGiven) && e.old.Name == name {
			given = e.old.Given // a file without the column leaves it alone
		}
	}
	e.new.Name, e.new.Given = name, given
}

// site checks the site where the sites of the company are known, and spells it
// as they do.
func (c *check) site(e *entry) {
	if c.sites == nil || e.new.Site == "" || !c.has(colSite) {
		return
	}
	known, ok := c.sites[fold(e.new.Site)]
	if !ok {
		reason := "is not one of the sites; mend it, or add the site first"
		if near := nearest(e.new.Site, c.sites); near != "" {
			reason = fmt.Sprintf("is not one of the sites; is %q meant?", near)
		}
		c.fault(e, colSite, reason)
		return
	}
	e.new.Site = known
}

// nearest returns the site that is a few letters away, or nothing.
func nearest(name string, sites map[string]string) string {
	near, changes := announcement.Nearest(fold(name), slices.Sorted(maps.Keys(sites)))
	if changes > max(2, len([]rune(name))/4) {
		return ""
	}
	return sites[near]
}

// place reads country, time zone and language.
func (c *check) place(e *entry) {
	if c.has(colCountry) {
		e.new.Country = c.home.Country
		if cell := c.cell(e.row.cells, colCountry); cell != "" {
			if code, ok := Country(cell); ok {
				e.new.Country = code
			} else {
				c.fault(e, colCountry, "is not a country code such as ID or SG")
			}
		}
	}
	if c.has(colZone) {
		e.new.Zone = ""
		if cell := c.cell(e.row.cells, colZone); cell != "" {
			if zone, ok := c.zone(cell); ok {
				e.new.Zone = zone
			} else {
				c.fault(e, colZone, "is not a time zone such as Asia/Jakarta or WIB")
			}
		}
	}
	if c.has(colLocale) {
		e.new.Language = c.home.Language
		if cell := c.cell(e.row.cells, colLocale); cell != "" {
			if lang, ok := languageOf(cell); ok {
				e.new.Language = lang
			} else {
				c.fault(e, colLocale, "is not a language such as id or en")
			}
		}
	}
}

// Country reads a country, as a code or, for the one most people are in, a name.
func Country(s string) (string, bool) {
	if strings.EqualFold(s, "indonesia") {
		return "ID", true
	}
	r, err := language.ParseRegion(s)
	if err != nil || !r.IsCountry() || len(r.String()) != 2 {
		return "", false
	}
	return r.String(), true
}

var indonesianZones = map[string]string{"WIB": "Asia/Jakarta", "WITA": "Asia/Makassar", "WIT": "Asia/Jayapura"}

func (c *check) zone(s string) (string, bool) {
	if zone, ok := indonesianZones[strings.ToUpper(s)]; ok {
		return zone, true
	}
	ok, seen := c.zones[s]
	if !seen {
		_, err := time.LoadLocation(s)
		ok = err == nil && s != "Local" // which is wherever the server stands
		c.zones[s] = ok
	}
	return s, ok
}

// languageWords are what people write for the two languages of most texts.
var languageWords = map[string]announcement.Language{
	"indonesia": announcement.Indonesian, "bahasa indonesia": announcement.Indonesian, "bahasa": announcement.Indonesian, "indonesian": announcement.Indonesian,
	"english": announcement.English, "inggris": announcement.English, "bahasa inggris": announcement.English,
}

// languageOf returns the primary subtag of a locale: id of id-ID.
func languageOf(s string) (announcement.Language, bool) {
	if lang, ok := languageWords[fold(s)]; ok {
		return lang, true
	}
	tag, err := language.Parse(s)
	if err != nil {
		return "", false
	}
	base, confidence := tag.Base()
	if confidence != language.Exact {
		return "", false
	}
	return announcement.Language(base.String()), true
}

// activeWords are the values spreadsheets and personnel systems write.
var activeWords = map[string]bool{
	"": true, "true": true, "1": true, "yes": true, "y": true, "active": true, "ya": true, "aktif": true, "benar": true,
	"false": false, "0": false, "no": false, "n": false, "inactive": false, "terminated": false, "left": false, "resigned": false,
	"tidak": false, "tidak aktif": false, "nonaktif": false, "non aktif": false, "non-aktif": false, "keluar": false, "resign": false, "salah": false,
}

func (c *check) active(e *entry) {
	if !c.has(colActive) {
		switch {
		case c.wholeList:
			e.new.Active = true
		case e.old.ID != "" && !e.old.Active:
			c.warn(e, colNumber, "has left and stays so, because the file does not say who is active")
		}
		return
	}
	active, ok := activeWords[fold(c.cell(e.row.cells, colActive))]
	if !ok {
		c.fault(e, colActive, "must be true or false (ya or tidak)")
		return
	}
	e.new.Active = active
}

func (c *check) mobile(e *entry) {
	if !c.has(colMobile) { // a file always has it
		return
	}
	cell := c.cell(e.row.cells, colMobile)
	n, err := parseNumber(cell, e.new.Country)
	if err != nil && !errors.Is(err, ErrNoNumber) {
		c.fault(e, colMobile, err.Error())
		return
	}
	e.new.Mobile, e.new.Landline = n.e164, n.landline
	if n.mended {
		c.report.Mended++
		list(&c.report.Lists.Mended, e.row.number, e.new, Change{columnKeys[colMobile], shorten(printable(cell)), n.e164})
	}
	switch {
	case n.landline:
		c.warn(e, colMobile, ErrLandline.Error())
	case n.unlisted:
		c.warn(e, colMobile, "is in a range of numbers we do not know; it is called, but check it")
	}
}

// forbidden are characters that hide, reorder or break a name: controls, the
// mark of a letter that was lost, and what changes direction.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || r == 0x061C || r == 0x200E || r == 0x200F ||
		r >= 0x2028 && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// printable shows forbidden characters as a box, so that a report of them is
// not broken by them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if forbidden(r) {
			return '□'
		}
		return r
	}, s)
}
