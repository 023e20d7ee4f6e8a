package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"kentongan/internal/client"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// VerifyLedger is the command `ledger verify`. It reads the ledger where it can
// be read: on the operator's NATS, in a copy of the data folder, or, while a server
// has that folder, through the server.
type VerifyLedger struct {
	client.Connection
	Export  string `arg:"" optional:"" type:"existingfile" help:"An export of one announcement, which is checked without the server. Empty: the whole ledger."`
	Data    string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Data folder."`
	NATSURL string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS."`

	KeysFile    string `name:"keys-file" env:"KENTONGAN_KEYS_FILE" help:"File of the keys. Default: keys.json in the data folder; elsewhere, whoever takes the disk or its backup reads nobody."`
	Checkpoints string `name:"checkpoints-file" env:"KENTONGAN_CHECKPOINTS_FILE" help:"File of checkpoints outside of NATS. Default: checkpoints.jsonl in the data folder. While a server has the folder, its own counts."`
}

// Run prints what was found; any fault is an error.
func (v *VerifyLedger) Run(ctx context.Context) error {
	if v.Export != "" {
		return v.verifyExport()
	}
	report, err := v.read(ctx)
	if err != nil {
		return err
	}
	return printReport(os.Stdout, report)
}

// verifyExport holds an export against the keys of the data folder, where there are any.
func (v *VerifyLedger) verifyExport() error {
	f, err := os.Open(v.Export)
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	defer f.Close()
	keys, err := sealKeysIn(v.KeysFile, v.Data)
	if err != nil {
		return err
	}
	return verifyExport(f, keys)
}

func printReport(w io.Writer, r web.LedgerReport) error {
	fmt.Fprintf(w, "%d records, %d facts, %d announcements\n", r.Records, r.Facts, r.Announcements)
	if r.Checkpoints > 0 {
		fmt.Fprintf(w, "%d checkpoints, %d of them in the file outside too; sealed to record %d of %d by key %s\n", r.Checkpoints, r.Witnessed, r.Sealed, r.Last, r.Key)
	}
	for _, fault := range r.Faults {
		fmt.Fprintln(w, "fault:", fault)
	}
	if len(r.Faults) > 0 {
		return &client.Failure{Err: fmt.Errorf("the ledger has %d faults", len(r.Faults)), Hint: "keep the data folder or the NATS volume, and the file of checkpoints, as they are; runbook: deploy/runbook/ledger.md"}
	}
	fmt.Fprintln(w, "the ledger is whole")
	return nil
}

func (v *VerifyLedger) read(ctx context.Context) (report web.LedgerReport, err error) {
	if err := refuseUnfinished(&Config{Data: v.Data, NATSURL: v.NATSURL}); err != nil {
		return report, err
	}
	if v.NATSURL == "" {
		if _, err := os.Stat(filepath.Join(v.Data, "nats")); err != nil {
			return report, &client.Failure{Err: fmt.Errorf("there is no ledger in KENTONGAN_DATA=%s: %w", v.Data, err), Hint: "give the data folder of the server with --data, or your own NATS with --nats-url"}
		}
	}
	if err := checkNATSURL(v.NATSURL); err != nil {
		return report, fmt.Errorf("KENTONGAN_NATS_URL: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	folder := v.Data
	if v.NATSURL == "" {
		unlock, err := lockFolder(v.Data)
		if errors.Is(err, ErrInUse) {
			err = v.Client().Call(ctx, http.MethodPost, "/api/v1/ledger:verify", "", nil, &report)
			return report, err
		}
		if err != nil {
			return report, err
		}
		defer unlock()
		var remove func()
		if folder, remove, err = copyStore(ctx, v.Data); err != nil {
			return report, err
		}
		defer remove()
	}
	nc, closeNATS, err := openNATS(ctx, &Config{Data: folder, NATSURL: v.NATSURL}, log)
	if err != nil {
		return report, err
	}
	defer closeNATS()
	l, err := ledger.ReadJetStream(ctx, nc, ledger.Options{Now: time.Now, Log: log})
	if err != nil {
		return report, err
	}
	defer l.Close()
	trust, err := trustIn(v.KeysFile, v.Data, v.Checkpoints)
	if err != nil && !errors.Is(err, ledger.ErrWitness) {
		return report, err
	}
	unread := err
	if trust.Keys == nil {
		fmt.Fprintln(os.Stderr, "no keys are here: the first key that signs is believed; compare its name with that of the installation")
	}
	if report, err = verify(ctx, l, trust, unread); err != nil || v.NATSURL != "" {
		return report, err
	}
	cut, err := cutFiles(v.Data, folder)
	report.Faults = append(report.Faults, cut...)
	return report, err
}

// copyStore copies the embedded NATS's files to a folder of ours, whose remove takes it
// away again. nats-server mends what a kill has left as it opens it: it cuts a file off
// at the first record that it cannot read, and sound ones behind it are gone. The copy
// lies in the data folder, where there is a disk that is large enough, or none is; what
// a killed verify left there is taken away. The folder has to be locked.
func copyStore(ctx context.Context, data string) (folder string, remove func(), err error) {
	left, err := filepath.Glob(filepath.Join(data, "verify-*"))
	if err != nil {
		return "", nil, fmt.Errorf("copy the ledger: %w", err)
	}
	for _, l := range left {
		if err := os.RemoveAll(l); err != nil {
			return "", nil, fmt.Errorf("copy the ledger: %w", err)
		}
	}
	if folder, err = os.MkdirTemp(data, "verify-"); err != nil {
		return "", nil, fmt.Errorf("copy the ledger: %w", err)
	}
	remove = func() { _ = os.RemoveAll(folder) }
	if err := copyFiles(ctx, filepath.Join(data, "nats"), filepath.Join(folder, "nats")); err != nil {
		remove()
		return "", nil, &client.Failure{Err: fmt.Errorf("copy the ledger: %w", err), Hint: "verify reads a copy of the folder nats in the data folder, and needs as much room again"}
	}
	return folder, remove, nil
}

func copyFiles(ctx context.Context, from, to string) error {
	source := os.DirFS(from)
	return fs.WalkDir(source, ".", func(name string, e fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case e.IsDir():
			return os.Mkdir(target, 0o700)
		case !e.Type().IsRegular(): // a link would lead back to what must not be changed
			return fmt.Errorf("%s is no plain file", name)
		}
		in, err := source.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	})
}

// cutFiles says which files of records nats-server has cut off, or taken away, as it
// opened their copies. What was behind is not sealed perhaps, and then nothing else
// would tell.
func cutFiles(data, opened string) (faults []string, err error) {
	files, err := filepath.Glob(filepath.Join(data, "nats", "jetstream", "*", "streams", "kentongan-ledger", "msgs", "*.blk"))
	if err != nil {
		return nil, fmt.Errorf("compare the files of the ledger: %w", err)
	}
	for _, file := range files {
		was, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("compare the files of the ledger: %w", err)
		}
		name, err := filepath.Rel(data, file)
		if err != nil {
			return nil, fmt.Errorf("compare the files of the ledger: %w", err)
		}
		var size int64
		switch is, err := os.Stat(filepath.Join(opened, name)); {
		case err == nil:
			size = is.Size()
		case !errors.Is(err, os.ErrNotExist):
			return nil, fmt.Errorf("compare the files of the ledger: %w", err)
		}
		if size < was.Size() {
			faults = append(faults, fmt.Sprintf("the file %s: damaged at byte %d of %d; the next start of the server cuts it off there", name, size, was.Size()))
		}
	}
	return faults, nil
}

// verify is the same for a server that runs.
func (h *House) verify(ctx context.Context) (web.LedgerReport, error) {
	r, err := h.check(ctx)
	if err != nil {
		return r, err
	}
	return r, h.desk.keepChecked(ctx, r)
}

func (h *House) check(ctx context.Context) (web.LedgerReport, error) {
	if h.notary == nil {
		return verify(ctx, h.ledger, ledger.Trust{}, nil)
	}
	trust, err := h.notary.Trust()
	if err != nil && !errors.Is(err, ledger.ErrWitness) {
		return web.LedgerReport{}, fmt.Errorf("verify ledger: %w", err)
	}
	return verify(ctx, h.ledger, trust, err)
}

// verify holds a ledger against what is outside of it; unread is why the file there
// could not be, which is a fault like others.
func verify(ctx context.Context, l ledger.Ledger, t ledger.Trust, unread error) (web.LedgerReport, error) {
	r, err := ledger.VerifyAgainst(ctx, l, t)
	if err != nil {
		return web.LedgerReport{}, err
	}
	if unread != nil {
		r.Faults = append(r.Faults, unread.Error())
	}
	return web.LedgerReport{Records: r.Records, Facts: r.Facts, Announcements: r.Announcements, Last: r.Last, Sealed: r.Sealed,
		Checkpoints: r.Checkpoints, Witnessed: r.Witnessed, Key: r.Key, Faults: append([]string{}, r.Faults...)}, nil
}
