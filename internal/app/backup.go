package app

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"kentongan/internal/announcement"
	"kentongan/internal/client"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// A backup is one file, encrypted with age (age-encryption.org/v1): what it is, the
// keys, the ledger and the vault. With it and its passphrase everybody's data can be
// read, so that it is never written without one.

// sealing is how a backup is encrypted: for the holder of an age identity, or with a
// passphrase.
type sealing struct {
	Recipient  string `name:"recipient" env:"KENTONGAN_BACKUP_RECIPIENT" help:"Public age key (age1...) that the backup is encrypted for."`
	Passphrase string `name:"passphrase" env:"KENTONGAN_BACKUP_PASSPHRASE" help:"Or a passphrase of 16 characters or more (secret)."`
}

const shortPassphrase = 16

// source says where the ledger is: in a data folder, or on the operator's NATS.
type source struct {
	client.Connection
	Data     string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Data folder."`
	NATSURL  string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS."`
	KeysFile string `name:"keys-file" env:"KENTONGAN_KEYS_FILE" help:"File of the keys. Default: keys.json in the data folder; elsewhere, whoever takes the disk or its backup reads nobody."`
}

// aboutBackup is the first file of a backup.
type aboutBackup struct {
	Format int       `json:"format"`
	At     time.Time `json:"at"`
}

const backupFormat = 1

// Backup is the command `backup`. The service goes on meanwhile.
type Backup struct {
	source
	sealing
	File string `arg:"" help:"File to write. It must not exist."`
}

// Run writes the file whole, or not at all.
func (b *Backup) Run(ctx context.Context) (err error) {
	to, err := b.recipient()
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(keysPath(b.KeysFile, b.Data))
	if err != nil {
		return &client.Failure{Err: fmt.Errorf("read the keys: %w", err), Hint: "run this where the server runs, with its KENTONGAN_DATA: without the keys nobody's data in a backup can be read"}
	}
	part := b.File + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &client.Failure{Err: fmt.Errorf("write the backup: %w", err), Hint: fmt.Sprintf("another backup to this name is running, or one was cut off: if none is running, delete %s", part)}
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	defer func() { _ = f.Close(); _ = os.Remove(part) }()
	sealed, err := age.Encrypt(f, to)
	if err != nil {
		return fmt.Errorf("encrypt the backup: %w", err)
	}
	if err := b.write(ctx, sealed, secret); err != nil {
		return err
	}
	if err := errors.Join(sealed.Close(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	err = os.Link(part, b.File) // a rename would replace an earlier backup
	if err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Lstat(b.File); errors.Is(there, os.ErrNotExist) { // a stick without hard links
			err = os.Rename(part, b.File)
		}
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	info, err := os.Stat(b.File)
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	fmt.Printf("%s: %d bytes, encrypted. Try it once: kentongan restore into another data folder.\n", b.File, info.Size())
	return nil
}

func (s sealing) recipient() (age.Recipient, error) {
	switch {
	case s.Recipient != "":
		r, err := age.ParseX25519Recipient(s.Recipient)
		if err != nil {
			return nil, fmt.Errorf("KENTONGAN_BACKUP_RECIPIENT is not a public age key: %w", err)
		}
		return r, nil
	case len([]rune(s.Passphrase)) >= shortPassphrase:
		r, err := age.NewScryptRecipient(s.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("KENTONGAN_BACKUP_PASSPHRASE: %w", err)
		}
		return r, nil
	}
	return nil, &client.Failure{Err: errors.New("a backup holds the keys to everybody's data, and is not written in the open"),
		Hint: "set KENTONGAN_BACKUP_PASSPHRASE_FILE to a file with 16 characters or more, or KENTONGAN_BACKUP_RECIPIENT to a public age key; keep its secret apart from the backups"}
}

// write makes the content: about, keys, streams.
func (b *Backup) write(ctx context.Context, w io.Writer, secret []byte) error {
	now := time.Now().UTC()
	about, err := json.Marshal(aboutBackup{Format: backupFormat, At: now})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{{"backup.json", about}, {"keys.json", secret}} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: 0o600, Size: int64(len(file.content)), ModTime: now}); err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
		if _, err := archive.Write(file.content); err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
	}
	streams, in := io.Pipe()
	go func() { in.CloseWithError(b.snapshot(ctx, in)) }()
	defer streams.Close()
	for from := tar.NewReader(streams); ; {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = archive.WriteHeader(h)
		}
		if err == nil {
			_, err = io.Copy(archive, from) //nolint:gosec // what our own server sends, as large as the ledger is
		}
		if err != nil {
			return fmt.Errorf("read what is to be backed up: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// snapshot reads the streams where they can be read: on the operator's NATS, in the
// data folder, or, while a server has that folder, through the server.
func (b *Backup) snapshot(ctx context.Context, w io.Writer) error {
	if err := refuseUnfinished(&Config{Data: b.Data, NATSURL: b.NATSURL}); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	nc, closeNATS, err := openNATS(ctx, &Config{Data: b.Data, NATSURL: b.NATSURL}, log)
	if errors.Is(err, ErrInUse) {
		return b.Client().Download(ctx, http.MethodPost, "/api/v1/ledger:backup", w)
	}
	if err != nil {
		return err
	}
	defer closeNATS()
	if l, err := ledger.ReadJetStream(ctx, nc, ledger.Options{Now: time.Now, Log: log}); err == nil {
		noteByOperator(ctx, l, announcement.BackupMade, announcement.About{})
		_ = l.Close()
	}
	return ledger.Snapshot(ctx, nc, w, time.Now())
}

// backup is the same for a server that runs.
func (h *House) backup(ctx context.Context, w io.Writer) error {
	return ledger.Snapshot(ctx, h.nats, w, h.now())
}

// noteByOperator puts into the trail what was done by whoever has the files or the servers
// of an installation in their hands. It is done all the same where it cannot be noted: a
// disk that is full must not keep anybody from a backup.
func noteByOperator(ctx context.Context, l ledger.Ledger, act announcement.Act, about announcement.About) {
	_, err := l.Append(ctx, announcement.Fact{Announcement: announcement.House, Kind: announcement.KindNoted, At: time.Now().UTC(), Actor: byOperator,
		Noted: &announcement.Noted{Act: act, About: about}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "the trail does not say %s: %v\n", act, err)
	}
}

// Restore is the command `restore`: into an empty data folder, or an empty NATS.
type Restore struct {
	Data       string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Data folder; it must not have a ledger."`
	NATSURL    string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS; it must not have a ledger."`
	KeysFile   string `name:"keys-file" env:"KENTONGAN_KEYS_FILE" help:"File of the keys. Default: keys.json in the data folder; elsewhere, whoever takes the disk or its backup reads nobody."`
	RedisURL   string `name:"redis-url" env:"KENTONGAN_REDIS_URL" help:"Your own Redis: what it knows is of another time, and is forgotten."`
	Identity   string `name:"identity" env:"KENTONGAN_BACKUP_IDENTITY" type:"path" help:"File with the secret age key that the backup was encrypted for."`
	Passphrase string `name:"passphrase" env:"KENTONGAN_BACKUP_PASSPHRASE" help:"Or the passphrase (secret)."`
	File       string `arg:"" type:"existingfile" help:"The backup."`
}

// Run brings everything back, and says what it found.
func (r *Restore) Run(ctx context.Context) error {
	identities, err := r.identities()
	if err != nil {
		return err
	}
	f, err := os.Open(r.File)
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer f.Close()
	opened, err := age.Decrypt(f, identities...)
	if err != nil {
		return &client.Failure{Err: fmt.Errorf("open the backup: %w", err), Hint: "this passphrase or key is not the one that it was encrypted with, or the file is damaged"}
	}
	archive := tar.NewReader(opened)
	var about aboutBackup
	if err := r.read(archive, "backup.json", func(b []byte) error { return json.Unmarshal(b, &about) }); err != nil {
		return err
	}
	if about.Format != backupFormat {
		return fmt.Errorf("the backup has format %d, and this version reads %d: restore it with the version that wrote it, then update", about.Format, backupFormat)
	}
	if err := os.MkdirAll(r.Data, 0o700); err != nil {
		return fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	if r.NATSURL == "" {
		if err := clearUnfinished(r.Data); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	nc, closeNATS, err := openNATS(ctx, &Config{Data: r.Data, NATSURL: r.NATSURL}, log)
	if err != nil {
		return err
	}
	defer closeNATS()
	var secret []byte
	if err := r.read(archive, "keys.json", func(b []byte) error { secret = b; return r.fits(b) }); err != nil {
		return err
	}
	if err := ledger.Empty(nc); err != nil {
		return r.notEmpty(err)
	}
	if err := r.forgetWorkingState(ctx); err != nil { // before anything is written, and never beside a house that lives
		return err
	}
	if r.NATSURL == "" {
		if err := keepOnce(unfinishedRestore(r.Data), []byte("A restore into this folder began and did not end.\n")); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("KENTONGAN_DATA: %w", err)
		}
	}
	if err := ledger.Restore(ctx, nc, archive); err != nil {
		return r.notEmpty(err)
	}
	if err := keepOnce(keysPath(r.KeysFile, r.Data), secret); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("write keys: %w", err)
	}
	l, err := ledger.ReadJetStream(ctx, nc, ledger.Options{Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	defer l.Close()
	trust, err := trustIn(r.KeysFile, r.Data, "")
	if err != nil {
		return err
	}
	report, err := verify(ctx, l, trust, nil)
	if err != nil {
		return err
	}
	if len(report.Faults) == 0 {
		noteByOperator(ctx, l, announcement.BackupRestored, announcement.About{Object: about.At.UTC().Format("20060102T150405Z")})
	}
	if r.NATSURL == "" {
		err := os.Remove(unfinishedRestore(r.Data))
		if err == nil {
			err = syncFolder(r.Data) // one that comes back after a power cut would cost what is recorded from now on
		}
		if err != nil {
			return fmt.Errorf("KENTONGAN_DATA: %w", err)
		}
	}
	fmt.Printf("restored as of %s\n", about.At.Format(time.RFC3339))
	return printReport(os.Stdout, report)
}

func (r *Restore) notEmpty(err error) error {
	if !errors.Is(err, ledger.ErrNotEmpty) {
		return err
	}
	hint := "restore into an empty data folder or NATS; what is there stays as it is"
	if r.NATSURL != "" {
		hint += ". If an earlier restore into this NATS was cut off, delete its streams kentongan-ledger and KV_kentongan-people, and restore again before any node starts"
	}
	return &client.Failure{Err: err, Hint: hint}
}

// unfinishedRestore is the file that stands in a data folder from before the first thing is
// restored until the last one is: with the ledger and without its people, an open alert
// would go on and call nobody.
func unfinishedRestore(data string) string { return filepath.Join(data, "restore.unfinished") }

// refuseUnfinished keeps everything but another restore away from such a folder.
func refuseUnfinished(c *Config) error {
	if c.NATSURL != "" {
		return nil
	}
	path := unfinishedRestore(c.Data)
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	return fmt.Errorf("%s: a restore into this folder has not ended, and only a part of the backup is there: run `kentongan restore` again, into this folder or an empty one", path)
}

// clearUnfinished removes the ledger that a restore which was cut off left. There was none
// before that one. Keys stay: they are those of the backup, or were there before it.
func clearUnfinished(data string) error {
	unlock, err := lockFolder(data)
	if err != nil {
		return err
	}
	defer unlock()
	switch _, err := os.Stat(unfinishedRestore(data)); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(data, "nats")); err != nil {
		return fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	return nil
}

func (r *Restore) identities() ([]age.Identity, error) {
	switch {
	case r.Identity != "":
		f, err := os.Open(r.Identity)
		if err != nil {
			return nil, fmt.Errorf("KENTONGAN_BACKUP_IDENTITY: %w", err)
		}
		defer f.Close()
		all, err := age.ParseIdentities(f)
		if err != nil {
			return nil, errors.New("KENTONGAN_BACKUP_IDENTITY is not a file with secret age keys") // the cause may repeat one
		}
		return all, nil
	case r.Passphrase != "":
		one, err := age.NewScryptIdentity(r.Passphrase)
		if err != nil {
			return nil, fmt.Errorf("KENTONGAN_BACKUP_PASSPHRASE: %w", err)
		}
		return []age.Identity{one}, nil
	}
	return nil, &client.Failure{Err: errors.New("the backup is encrypted"), Hint: "set KENTONGAN_BACKUP_PASSPHRASE_FILE or KENTONGAN_BACKUP_IDENTITY"}
}

// read takes the next file of the backup, which has this name.
func (r *Restore) read(archive *tar.Reader, name string, take func([]byte) error) error {
	h, err := archive.Next()
	if err != nil || h.Name != name {
		return fmt.Errorf("this is no whole backup of Kentongan: %s is missing", name)
	}
	b, err := io.ReadAll(io.LimitReader(archive, 1<<20))
	if err == nil {
		err = take(b)
	}
	if err != nil {
		return fmt.Errorf("read %s of the backup: %w", name, err)
	}
	return nil
}

// fits refuses keys when others are there already.
func (r *Restore) fits(secret []byte) error {
	path := keysPath(r.KeysFile, r.Data)
	there, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err == nil && string(there) != string(secret):
		err = &client.Failure{Err: fmt.Errorf("%s holds other keys than the backup", path), Hint: "move that file away, if nothing that it belongs to is needed any more"}
	}
	return err
}

// forgetWorkingState empties the operator's Redis of what it knows of announcements:
// it may have seen more than the backup has, and would be believed.
func (r *Restore) forgetWorkingState(ctx context.Context) error {
	if r.RedisURL == "" {
		return nil
	}
	c, err := dialRedis(r.RedisURL)
	if err != nil {
		return fmt.Errorf("KENTONGAN_REDIS_URL: %w", err)
	}
	defer c.Close()
	if err := tracker.ForgetRedis(ctx, c); err != nil {
		return &client.Failure{Err: fmt.Errorf("KENTONGAN_REDIS_URL: %w", err), Hint: "stop every node, start Redis, and restore again: what it knows is of another time and has to be forgotten"}
	}
	return nil
}
