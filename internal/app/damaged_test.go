package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kentongan/internal/announcement"
)

// killedHouse is the data folder of a house that was killed with 40 notes in its ledger,
// none of them sealed, and one byte in the middle of their file flipped afterwards.
func killedHouse(t *testing.T) string {
	t.Helper()
	c := *fine()
	c.Data = t.TempDir()
	h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for range 40 {
		if err := h.audit.note(t.Context(), announcement.ByConsole, announcement.WentLive, announcement.About{}); err != nil {
			t.Fatal(err)
		}
	}
	killed := filepath.Join(t.TempDir(), "data") // what a kill leaves: the files of a server that runs
	if err := os.CopyFS(killed, os.DirFS(c.Data)); err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Glob(filepath.Join(killed, "nats", "jetstream", "*", "streams", "kentongan-ledger", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	b, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := len(b)/2 + bytes.IndexByte(b[len(b)/2:], '"') + 1 // in what a record says
	b[at] ^= 1
	if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	return killed
}

// sums are the check sums of all files below a folder.
func sums(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			all[name] = "folder"
			return err
		}
		b, err := os.ReadFile(filepath.Join(folder, name))
		all[name] = fmt.Sprintf("%d %x", len(b), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// As it opens a store that was killed, nats-server cuts a file off at the first record
// that it cannot read. A verify names that, and cuts nothing.
func TestVerifyChangesNothing(t *testing.T) {
	t.Parallel()
	folder := killedHouse(t)
	before := sums(t, folder)
	for range 2 {
		r, err := (&VerifyLedger{Data: folder}).read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		named := false
		for _, f := range r.Faults {
			named = named || strings.Contains(f, "1.blk: damaged at byte ")
		}
		if !named {
			t.Errorf("the fault is not named: %q", r.Faults)
		}
	}
	after := sums(t, folder)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s: %q was %q", name, after[name], was)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, were %d", len(after), len(before))
	}
}

// kept is a log that can be read.
type kept struct {
	mu      sync.Mutex
	records []slog.Record
}

func (*kept) Enabled(context.Context, slog.Level) bool { return true }
func (k *kept) WithAttrs([]slog.Attr) slog.Handler     { return k }
func (k *kept) WithGroup(string) slog.Handler          { return k }
func (k *kept) Handle(_ context.Context, r slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, r)
	return nil
}

// What nats-server warns of as it starts stands in our log, and nothing of its chatter.
func TestEmbeddedServerWarns(t *testing.T) {
	t.Parallel()
	c := *fine()
	c.Data = t.TempDir()
	h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	states, err := filepath.Glob(filepath.Join(c.Data, "nats", "jetstream", "*", "streams", "kentongan-ledger", "msgs", "index.db"))
	if err != nil || len(states) != 1 {
		t.Fatalf("states %v, %v", states, err)
	}
	b, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(states[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &kept{}
	_, stop, err := openNATS(t.Context(), &Config{Data: c.Data}, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	log.mu.Lock()
	defer log.mu.Unlock()
	said := false
	for _, r := range log.records {
		if r.Level < slog.LevelWarn || r.Message != embeddedSays {
			t.Errorf("%s %q", r.Level, r.Message)
		}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "reason" {
				said = said || strings.Contains(a.Value.String(), "[kentongan-ledger] Stream state checksum")
			}
			return true
		})
	}
	if !said {
		t.Error("nothing says that the state of the ledger was lost")
	}
}

func TestEmbeddedLogKeepsWarningsOnly(t *testing.T) {
	t.Parallel()
	log := &kept{}
	e := embeddedLog{slog.New(log)}
	for _, say := range []func(string, ...any){e.Noticef, e.Debugf, e.Tracef, e.Warnf, e.Errorf, e.Fatalf} {
		say("%d", 7)
	}
	if len(log.records) != 3 || log.records[0].Level != slog.LevelWarn || log.records[1].Level != slog.LevelError || log.records[2].Level != slog.LevelError {
		t.Errorf("got %v", log.records)
	}
}
