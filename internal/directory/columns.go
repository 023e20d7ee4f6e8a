package directory

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// column is something a file can say about a person.
type column int

const (
	colNumber column = iota
	colName
	colGiven
	colFamily
	colEmail
	colMobile
	colManager
	colSite
	colCountry
	colZone
	colLocale
	colDepartment
	colTitle
	colShift
	colActive
	columnCount
)

// columnKeys name the columns in mappings, in the order of the columns; they are
// headings of the standard file too.
var columnKeys = [columnCount]string{"employee_id", "display_name", "given_name", "family_name", "email", "mobile_phone", "manager_id", "site", "country", "timezone", "locale", "department", "job_title", "shift", "active"}

// ColumnKeys lists what a column of a file can hold.
func ColumnKeys() []string { return slices.Clone(columnKeys[:]) }

// headings are the names companies give their columns, English and Indonesian,
// as foldHeading leaves them.
var headings = map[column][]string{
	colNumber: {"employee id", "employee number", "employee no", "employee", "employee code", "emp id", "emp no", "staff id", "staff no", "personnel number", "number",
		"nik", "nip", "nrp", "npk", "no karyawan", "nomor karyawan", "id karyawan", "kode karyawan", "no pegawai", "nomor pegawai", "id pegawai", "nomor induk", "no induk", "nomor induk karyawan", "nomor induk pegawai"},
	colName: {"display name", "name", "full name", "fullname", "employee name", "staff name",
		"nama", "nama karyawan", "nama pegawai", "nama lengkap"},
	colGiven:  {"given name", "first name", "firstname", "forename", "given", "nama depan", "nama panggilan", "panggilan"},
	colFamily: {"family name", "last name", "lastname", "surname", "nama belakang", "nama keluarga"},
	colEmail:  {"email", "e mail", "email address", "work email", "mail", "surel", "alamat email"},
	colMobile: {"mobile phone", "mobile", "mobile number", "mobile no", "mobile phone number", "cell", "cell phone", "cellphone", "phone", "phone number", "phone no", "telephone", "whatsapp", "whatsapp number", "wa", "no wa", "nomor wa", "no whatsapp", "nomor whatsapp",
		"hp", "no hp", "nomor hp", "no handphone", "nomor handphone", "handphone", "telepon", "no telepon", "nomor telepon", "no telp", "telp", "nomor telp", "nomor ponsel", "no ponsel", "ponsel", "no tlp"},
	colManager: {"manager id", "manager", "manager number", "manager no", "manager employee id", "manager employee number", "supervisor", "supervisor id", "line manager", "line manager id", "reports to", "reporting to", "boss",
		"atasan", "nip atasan", "nik atasan", "id atasan", "no atasan", "nomor atasan", "no karyawan atasan", "nomor karyawan atasan", "atasan langsung", "nip atasan langsung", "nik atasan langsung"},
	colSite:       {"site", "location", "office", "plant", "branch", "work location", "lokasi", "lokasi kerja", "cabang", "kantor", "pabrik", "lokasi cabang"},
	colCountry:    {"country", "country code", "negara", "kode negara"},
	colZone:       {"timezone", "time zone", "zone", "tz", "zona waktu", "zona"},
	colLocale:     {"locale", "language", "lang", "preferred language", "bahasa"},
	colDepartment: {"department", "dept", "division", "unit", "departemen", "bagian", "divisi", "unit kerja"},
	colTitle:      {"job title", "title", "position", "role", "jabatan", "posisi"},
	colShift:      {"shift", "regu", "jadwal shift"},
	colActive:     {"active", "status", "employment status", "is active", "enabled", "aktif", "status aktif", "status karyawan", "status pegawai"},
}

var columnOf = func() map[string]column {
	all := map[string]column{}
	for c, names := range headings {
		for _, name := range names {
			if _, twice := all[name]; twice {
				panic("heading " + name + " means two columns")
			}
			all[name] = c
		}
	}
	return all
}()

// foldHeading makes "No. HP", "no_hp" and "NO HP*" the same.
func foldHeading(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}

// columns says where in a row each column stands, -1 if the file lacks it.
type columns struct {
	at      [columnCount]int
	heading []string // as in the file
}

// readHeadings recognises the columns. Unknown ones are passed over.
//
// A file must have employee numbers, names and a column of numbers to call:
// without the last its heading is one we do not know, and importing it would
// leave everybody unreachable in silence.
func readHeadings(row []string) (columns, []RowError) {
	cs := columns{heading: row}
	for c := range cs.at {
		cs.at[c] = -1
	}
	var bad []RowError
	for i, h := range row {
		c, known := columnOf[foldHeading(h)]
		if !known {
			continue
		}
		if first := cs.at[c]; first >= 0 {
			bad = append(bad, RowError{Row: 1, Field: h, Value: h, Reason: fmt.Sprintf("means the same as the heading %q; keep one of them", row[first])})
			continue
		}
		cs.at[c] = i
	}
	return cs, append(bad, cs.lacking()...)
}

// matchHeadings takes the columns as a person matched them: for each column of
// the file its key, empty for one to pass over.
func matchHeadings(row, keys []string) (columns, []RowError) {
	cs := columns{heading: row}
	for c := range cs.at {
		cs.at[c] = -1
	}
	var bad []RowError
	for i, key := range keys {
		c := column(slices.Index(columnKeys[:], key))
		switch {
		case key == "" || i >= len(row):
		case c < 0:
			bad = append(bad, RowError{Row: 1, Field: row[i], Value: shorten(key), Reason: "is nothing that a column can hold"})
		case cs.at[c] >= 0:
			bad = append(bad, RowError{Row: 1, Field: row[i], Value: key, Reason: fmt.Sprintf("means the same as the heading %q; keep one of them", row[cs.at[c]])})
		default:
			cs.at[c] = i
		}
	}
	return cs, append(bad, cs.lacking()...)
}

// guess returns what each column of a file seems to hold. Two columns of the
// same kind are both named: a person decides between them.
func guess(row []string) []string {
	keys := make([]string, len(row))
	for i, h := range row {
		if c, known := columnOf[foldHeading(h)]; known {
			keys[i] = columnKeys[c]
		}
	}
	return keys
}

// lacking says which columns a file must have and has not.
func (cs *columns) lacking() []RowError {
	var bad []RowError
	need := func(present bool, field, what string) {
		if !present {
			bad = append(bad, RowError{Row: 1, Field: field, Reason: "the file has no column for " + what})
		}
	}
	need(cs.has(colNumber), "employee_id", `the employee number, such as "employee_id" or "NIP"`)
	need(cs.has(colName) || cs.has(colGiven), "display_name", `the name, such as "display_name" or "Nama"`)
	need(cs.has(colMobile), "mobile_phone", `the mobile number, such as "mobile_phone" or "No HP"; it may be left empty below`)
	return bad
}

func (cs *columns) has(c column) bool { return cs.at[c] >= 0 }

// name returns the heading of c as in the file.
func (cs *columns) name(c column) string {
	if !cs.has(c) {
		return ""
	}
	return cs.heading[cs.at[c]]
}

// cell returns the cell of c, empty if the file lacks it.
func (cs *columns) cell(row []string, c column) string {
	if !cs.has(c) || cs.at[c] >= len(row) {
		return ""
	}
	return row[cs.at[c]]
}
