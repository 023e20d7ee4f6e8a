package templates_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"testing"

	"kentongan/templates"
)

// What others wrote is what was taken over, unchanged, and comes with its
// licence.
func TestVendoredFilesAreWhatWasTakenOver(t *testing.T) {
	const folder = "static/vendor"
	sums, err := templates.Files.ReadFile(folder + "/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("SHA256SUMS: %q is no line of sha256sum", line)
		}
		want[name] = sum
	}
	scripts, err := fs.Glob(templates.Files, folder+"/*.js")
	if err != nil || len(scripts) != len(want) {
		t.Fatalf("got %d scripts, %v, want the %d of SHA256SUMS", len(scripts), err, len(want))
	}
	for _, name := range scripts {
		data, err := templates.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got != want[path.Base(name)] {
			t.Errorf("%s: its SHA-256 is %s, want %s; renew it with cmd/assets", name, got, want[path.Base(name)])
		}
		_, rest, _ := strings.Cut(string(data), "licence in ")
		licence, _, _ := strings.Cut(rest, " */")
		if text, err := templates.Files.ReadFile(path.Join(folder, licence)); err != nil || len(text) < 200 {
			t.Errorf("%s: its licence %q is missing: %v", name, licence, err)
		}
	}
	if text, err := templates.Files.ReadFile("web/icons.txt"); err != nil || !strings.Contains(string(text), "ISC License") {
		t.Errorf("the icons have lost their licence: %v", err)
	}
}
