package directory

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestParseMobile(t *testing.T) {
	t.Parallel()
	const want = "+6281234567890"
	for _, tt := range []struct {
		name, in, country string
		want              string
		mended            bool
		err               error
	}{
		{"E.164", "+6281234567890", "ID", want, false, nil},
		{"spaces and dashes", "+62 812-3456-7890", "ID", want, false, nil},
		{"trunk zero", "0812-3456-7890", "ID", want, true, nil},
		{"lost zero", "81234567890", "ID", want, true, nil},
		{"lost plus", "62 81234567890", "ID", want, true, nil},
		{"dialled out", "0062 812 3456 7890", "ID", want, false, nil},
		{"both zeros", "+62 (0) 812 3456 7890", "ID", want, true, nil},
		{"zero after code", "+62081234567890", "ID", want, true, nil},
		{"bracketed code", "(+62) 812 3456 7890", "ID", want, false, nil},
		{"lower-case country", "081234567890", "id", want, true, nil},
		{"Arabic-Indic digits", "٠٨١٢٣٤٥٦٧٨٩٠", "ID", want, true, nil},
		{"full-width digits", "０８１２３４５６７８９０", "ID", want, true, nil},
		{"direction marks", "\u202a+62 812 3456 7890\u202c", "ID", want, false, nil},
		{"zero-width and byte order mark", "\ufeff0812\u200b34567890", "ID", want, true, nil},
		{"non-breaking spaces", "0812\u00a03456\u00a07890", "ID", want, true, nil},
		{"en dash", "0812–3456–7890", "ID", want, true, nil},
		{"apostrophe of Excel", "'081234567890", "ID", want, true, nil},
		{"quoted formula", `="081234567890"`, "ID", want, true, nil},
		{"Singapore", "9123 4567", "SG", "+6591234567", true, nil},
		{"Malaysia", "012-345 6789", "MY", "+60123456789", true, nil},
		{"another country's number", "+65 9123 4567", "ID", "+6591234567", false, nil},
		{"range not yet known", "+6599842305", "ID", "+6599842305", false, nil},
		{"range not known, country guessed", "6599842305", "SG", "", false, ErrNotInUse},
		{"short with its code", "+62812345", "ID", "", false, ErrTooShort},
		{"long with its code", "+6281234567890123", "ID", "", false, ErrTooLong},
		{"slash of Germany", "0151/23456789", "DE", "+4915123456789", true, nil},

		{"landline", "(021) 3456789", "ID", "+62213456789", true, ErrLandline},
		{"Italian landline keeps its zero", "06 698 12345", "IT", "+390669812345", true, ErrLandline},

		{"empty", " ", "ID", "", false, ErrNoNumber},
		{"only an apostrophe", "'", "ID", "", false, ErrNoNumber},
		{"letter O", "O81234567890", "ID", "", false, ErrLetters},
		{"extension", "0812 3456 7890 ext 12", "ID", "", false, ErrLetters},
		{"word", "wa 0812 3456 7890", "ID", "", false, ErrLetters},
		{"Excel", "6.28E+12", "ID", "", false, ErrDamaged},
		{"Excel in Indonesian", "6,28123E+12", "ID", "", false, ErrDamaged},
		{"decimal zero", "81234567890.0", "ID", "", false, ErrDamaged},
		{"formula", "=+6281234567890", "ID", "", false, ErrCharacter},
		{"plus inside", "0812+34567890", "ID", "", false, ErrCharacter},
		{"two numbers", "081234567890/081234567891", "ID", "", false, ErrTooLong},
		{"two numbers, comma", "081234567890, 081234567891", "ID", "", false, ErrCharacter},
		{"emergency number", "112", "ID", "", false, ErrTooShort},
		{"short", "0812345", "ID", "", false, ErrTooShort},
		{"long", "081234567890123", "ID", "", false, ErrTooLong},
		{"unknown country", "081234567890", "??", "", false, ErrNotInUse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, mended, err := ParseMobile(tt.in, tt.country)
			if got != tt.want || mended != tt.mended || !errors.Is(err, tt.err) {
				t.Errorf("ParseMobile(%q, %s) = %q, %v, %v; want %q, %v, %v", tt.in, tt.country, got, mended, err, tt.want, tt.mended, tt.err)
			}
		})
	}
}

func FuzzParseMobile(f *testing.F) {
	data, err := os.ReadFile("testdata/phones.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		country, number, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		f.Add(number, country)
	}
	f.Fuzz(func(t *testing.T, s, country string) {
		e164, _, err := ParseMobile(s, country)
		if err != nil && !errors.Is(err, ErrLandline) {
			if e164 != "" {
				t.Fatalf("a number came with %v", err)
			}
			return
		}
		if !strings.HasPrefix(e164, "+") || strings.Trim(e164[1:], "0123456789") != "" || len(e164) > 16 {
			t.Fatalf("%q is not E.164", e164)
		}
		again, mended, err2 := ParseMobile(e164, country)
		if again != e164 || mended || !errors.Is(err2, err) {
			t.Fatalf("%q read again is %q, %v, %v", e164, again, mended, err2)
		}
	})
}
