package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// A file outside that knows more than the ledger is said by a node that stays in
// service: an alarm matters more than the proof of an earlier one.
func TestCutEndIsSaidAndHoldsNothingUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	h := openIn(t, folder)
	if err := h.audit.note(t.Context(), announcement.ByConsole, announcement.WentLive, announcement.About{}); err != nil {
		t.Fatal(err)
	}
	h.sealLast(t.Context())
	if r, err := h.verify(t.Context()); err != nil || len(r.Faults) > 0 || r.Checkpoints != 1 || r.Witnessed != 1 || h.sealed() != "" {
		t.Errorf("got %+v, %v, %q", r, err, h.sealed())
	}
	h.Close()
	kept, err := os.ReadFile(filepath.Join(folder, "checkpoints.jsonl"))
	if err != nil || !bytes.Contains(kept, []byte(`"number":1`)) {
		t.Fatalf("the file outside holds %q, %v", kept, err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "nats")); err != nil {
		t.Fatal(err)
	}
	h = openIn(t, folder)
	defer h.Close()
	h.sealLast(t.Context())
	if !strings.Contains(h.sealed(), "the end is cut off") {
		t.Errorf("got %q", h.sealed())
	}
	said := false
	for _, c := range (health{h}).Ready(t.Context()) {
		if c.Name == "seals" {
			said = c.OK && strings.Contains(c.Hint, "deploy/runbook/ledger.md")
		}
	}
	if !said {
		t.Error("/readyz does not say it, or takes the node out of service")
	}
	if err := h.audit.note(t.Context(), announcement.ByConsole, announcement.WentLive, announcement.About{}); err != nil {
		t.Errorf("nothing is recorded any more: %v", err)
	}
	if now, err := os.ReadFile(filepath.Join(folder, "checkpoints.jsonl")); err != nil || !bytes.Equal(now, kept) {
		t.Error("the file outside was changed, and covers up what happened")
	}
}
