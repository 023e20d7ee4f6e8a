package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"kentongan/internal/app/apptest"
)

// TestBackupAndRestore: an alert is open to a thousand people, some have answered. A
// backup is written while the service runs; then everything is destroyed. On another
// data folder the alert goes on where it stood, with everybody's links, and closes.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	const passphrase = "a long sentence that nobody guesses"
	w := apptest.New(t, 1)
	b := announce(t, w, "5s", "8s", "11s", "40s")
	folder := t.TempDir()
	file, half := filepath.Join(folder, "kentongan.backup"), filepath.Join(folder, "half")
	since := 0 // messages after the backup began: they are not in it, and come again
	end := b.untilClosed(func() {
		time.Sleep(2 * time.Second) // what people have pressed is recorded: a backup holds what was thanked before it
		if out, err := w.Command("backup", file, "--passphrase", "too short"); err == nil || !strings.Contains(out, "hint:") {
			t.Errorf("a short passphrase: %v %s", err, out)
		}
		before := len(w.Log())
		if out, err := w.Command("backup", file, "--passphrase", passphrase); err != nil {
			t.Fatalf("backup: %v %s", err, out)
		}
		w.Nodes[0].Kill()
		since = len(w.Log()) - before
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(raw, []byte("age-encryption.org/v1")) || bytes.Contains(raw, []byte("Fire in hall")) {
			t.Error("the backup is not sealed")
		}
		t.Logf("the backup has %d kB", len(raw)>>10)
		if out, err := w.Command("backup", file, "--passphrase", passphrase); err == nil {
			t.Errorf("an earlier backup was written over: %s", out)
		}
		elsewhere := w.MoveTo(t.TempDir())
		if out, err := w.Command("restore", file, "--passphrase", "another long sentence"); err == nil || !strings.Contains(out, "hint:") {
			t.Errorf("a wrong passphrase: %v %s", err, out)
		}
		if err := os.WriteFile(half, raw[:len(raw)*2/3], 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := w.Command("restore", half, "--passphrase", passphrase); err == nil {
			t.Errorf("half a backup was restored: %s", out)
		}
		if _, err := os.Stat(filepath.Join(elsewhere, "keys.json")); err == nil {
			t.Error("half a backup left keys behind")
		}
		out, err := w.Command("restore", file, "--passphrase", passphrase)
		if err != nil || !strings.Contains(out, "the ledger is whole") {
			t.Fatalf("restore: %v %s", err, out)
		}
		t.Log(strings.TrimSpace(out))
		if strings.Contains(out, "trail") {
			t.Errorf("the restore is not noted: %s", out)
		}
		if out, err := w.Command("restore", file, "--passphrase", passphrase); err == nil || !strings.Contains(out, "there is a ledger already") {
			t.Errorf("a ledger was written over: %v %s", err, out)
		}
		w.Nodes[0].Start()
	})
	b.check(end, 32+since)
}

// TestBackupForARecipient: whoever makes backups need not be able to read them.
func TestBackupForARecipient(t *testing.T) {
	w := apptest.New(t, 1)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	secret, file := filepath.Join(folder, "secret"), filepath.Join(folder, "backup")
	if err := os.WriteFile(secret, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Command("backup", file, "--recipient", identity.Recipient().String()); err != nil {
		t.Fatalf("backup: %v %s", err, out)
	}
	if err := w.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	// A stopped house is backed up from its folder.
	if out, err := w.Command("backup", file+"2", "--recipient", identity.Recipient().String()); err != nil {
		t.Fatalf("backup of a stopped house: %v %s", err, out)
	}
	for _, f := range []string{file, file + "2"} {
		w.MoveTo(t.TempDir())
		if out, err := w.Command("restore", f, "--identity", secret); err != nil || !strings.Contains(out, "the ledger is whole") {
			t.Fatalf("restore: %v %s", err, out)
		}
	}
	if out, _ := w.Command("backup", filepath.Join(folder, "x")); !strings.Contains(out, "not written in the open") {
		t.Errorf("a backup without a secret: %s", out)
	}
}
