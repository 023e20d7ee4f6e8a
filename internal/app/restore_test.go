package app

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"kentongan/internal/client"
	"kentongan/internal/ledger"
)

// backedUp returns a house's backup, the file that opens it, and the same backup cut off
// behind the ledger.
func backedUp(t *testing.T) (whole, secret, cut string) {
	t.Helper()
	data := t.TempDir()
	openIn(t, data).Close()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	whole, secret, cut = filepath.Join(folder, "whole"), filepath.Join(folder, "secret"), filepath.Join(folder, "cut")
	b := &Backup{source: source{Data: data}, sealing: sealing{Recipient: identity.Recipient().String()}, File: whole}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte(identity.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := age.Decrypt(bytes.NewReader(raw), identity)
	if err != nil {
		t.Fatal(err)
	}
	var part bytes.Buffer
	sealed, err := age.Encrypt(&part, identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	from, to := tar.NewReader(opened), tar.NewWriter(sealed)
	for {
		header, err := from.Next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(header.Name, "KV_") {
			break
		}
		if err := to.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), sealed.Close(), os.WriteFile(cut, part.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return whole, secret, cut
}

// TestRestoreThatWasCutOff: a folder with the ledger and without its people starts nothing,
// and another restore into it brings everything back.
func TestRestoreThatWasCutOff(t *testing.T) {
	t.Parallel()
	whole, secret, cut := backedUp(t)
	c := *fine()
	c.Data = t.TempDir()
	restore := func(file string) error {
		return (&Restore{Data: c.Data, Identity: secret, File: file}).Run(t.Context())
	}
	open := func() error {
		h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
		if err == nil {
			h.Close()
		}
		return err
	}
	if err := restore(cut); err == nil {
		t.Fatal("a backup without its people was restored")
	}
	// A kill leaves what an error takes away again.
	nc, closeNATS, err := openNATS(t.Context(), &Config{Data: c.Data}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.OpenJetStream(t.Context(), nc, ledger.Options{Replicas: 1, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	closeNATS()
	for what, err := range map[string]error{
		"serve":         open(),
		"backup":        (&Backup{source: source{Data: c.Data}}).snapshot(t.Context(), io.Discard),
		"ledger verify": (&VerifyLedger{Data: c.Data}).Run(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "restore.unfinished") || !strings.Contains(err.Error(), "`kentongan restore` again") {
			t.Errorf("%s in half a restore: got %v, want the file named and what to do", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.Data, "keys.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("keys were made that are not those of the backup: %v", err)
	}
	if err := restore(whole); err != nil {
		t.Fatalf("once more into the same folder: %v", err)
	}
	if err := open(); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := restore(whole); !errors.Is(err, ledger.ErrNotEmpty) {
		t.Errorf("over a house: got %v, want that there is a ledger", err)
	}
}

// TestBackupBesideWhatAnotherLeft: a backup that was killed leaves its part, which the next
// one does not touch; it says what may be done.
func TestBackupBesideWhatAnotherLeft(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"keys.json", "backup.part"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &Backup{source: source{Data: folder}, sealing: sealing{Passphrase: strings.Repeat("long ", 5)}, File: filepath.Join(folder, "backup")}
	err := b.Run(t.Context())
	var told *client.Failure
	if !errors.As(err, &told) || !strings.Contains(told.Hint, "delete "+b.File+".part") {
		t.Errorf("got %v, want the file named and that it may be deleted", err)
	}
	if _, err := os.Stat(b.File + ".part"); err != nil {
		t.Errorf("the part of what may be another backup: %v", err)
	}
}
