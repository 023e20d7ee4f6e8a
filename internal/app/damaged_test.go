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
	data := t.TempDir()
	h := openIn(t, data)
	defer h.Close()
	for range 40 {
		if err := h.audit.note(t.Context(), announcement.ByConsole, announcement.WentLive, announcement.About{}); err != nil {
			t.Fatal(err)
		}
	}
	killed := filepath.Join(t.TempDir(), "data") // what a kill leaves: the files of a server that runs
	if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	flip(t, killed, "1.blk", func(b []byte) int { return len(b)/2 + bytes.IndexByte(b[len(b)/2:], '"') + 1 }) // in what a record says
	return killed
}

// flip changes one bit of a file of the ledger.
func flip(t *testing.T, data, name string, at func([]byte) int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "nats", "jetstream", "*", "streams", "kentongan-ledger", "msgs", name))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[at(b)] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
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
	data := t.TempDir()
	h := openIn(t, data)
	h.Close()
	flip(t, data, "index.db", func(b []byte) int { return len(b) / 2 })
	log := &kept{}
	_, stop, err := openNATS(t.Context(), &Config{Data: data}, slog.New(log))
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
