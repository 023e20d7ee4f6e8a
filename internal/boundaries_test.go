// Package internal holds one test: who may import whom.
package internal

import (
	"os/exec"
	"strings"
	"testing"
)

// The story is told in the order of the packages; a package may know only
// those before it that it needs. Vendors each have one door.
var mayImport = map[string]string{
	"announcement":    "",
	"directory":       "announcement",
	"ledger":          "announcement",
	"channel":         "announcement",
	"channel/sms":     "announcement channel",
	"channel/webpush": "announcement channel",
	"channel/inapp":   "announcement channel",
	"dispatch":        "announcement channel ledger",
	"tracker":         "announcement ledger",
	"report":          "",
	"scim":            "",
	"web":             "announcement report scim templates",
	"sandbox":         "announcement",
	"client":          "",
	"chaos":           "announcement client ledger sandbox",
}

var doors = map[string]string{
	"github.com/twilio/twilio-go":           "channel/sms",
	"github.com/SherClockHolmes/webpush-go": "channel/webpush",
	"github.com/nats-io/nats.go":            "ledger dispatch app chaos",
	"github.com/nats-io/jsm.go":             "ledger",
	"filippo.io/age":                        "app",
	"github.com/nats-io/nats-server":        "app",
	"github.com/redis/go-redis":             "tracker app chaos",
	"github.com/Shopify/toxiproxy":          "chaos",
	"github.com/sony/gobreaker":             "dispatch",
	"github.com/nyaruka/phonenumbers":       "directory",
	"github.com/chromedp/chromedp":          "app/apptest",
	"github.com/xuri/excelize":              "directory report",
	"codeberg.org/go-pdf/fpdf":              "report",
	"rsc.io/qr":                             "web",
	"github.com/go-webauthn/webauthn":       "app",
	"github.com/pquerna/otp":                "app",
	"github.com/coreos/go-oidc":             "app",
	"github.com/scim2/filter-parser":        "scim",
	"go.opentelemetry.io/otel":              "app",
	"go.opentelemetry.io/proto/otlp":        "app",
}

func TestImportDirections(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "kentongan/...").Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], "kentongan/internal/"), "kentongan/")
		for _, imported := range fields[1:] {
			if own, ok := strings.CutPrefix(imported, "kentongan/"); ok {
				own = strings.TrimPrefix(own, "internal/")
				allowed, guarded := mayImport[name]
				if guarded && !contains(allowed, own) {
					t.Errorf("%s imports %s; it may import only: %s", name, own, allowed)
				}
			}
			for vendor, by := range doors {
				if (imported == vendor || strings.HasPrefix(imported, vendor+"/")) && !contains(by, name) {
					t.Errorf("%s imports %s; its door is %s", name, imported, by)
				}
			}
		}
	}
}

func contains(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}
