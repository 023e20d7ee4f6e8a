package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/client"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// signing returns the key that seals the ledger, and the public ones that did before.
// Keys from before the ledger was sealed have none: it is made from the key of links
// then, the same on every node, so that nobody has to hand out a new file.
func (k *keys) signing() (ed25519.PrivateKey, []ed25519.PublicKey, error) {
	seed := k.Seal
	if len(seed) == 0 {
		var err error
		if seed, err = hkdf.Key(sha256.New, k.Links, nil, "kentongan ledger checkpoints 1", ed25519.SeedSize); err != nil {
			return nil, nil, fmt.Errorf("make the key of the ledger: %w", err)
		}
	}
	var former []ed25519.PublicKey
	for _, one := range k.SealFormer {
		former = append(former, one)
	}
	return ed25519.NewKeyFromSeed(seed), former, nil
}

// checkpointsFile is where checkpoints are kept outside of NATS.
func checkpointsFile(named, data string) string {
	if named != "" {
		return named
	}
	return filepath.Join(data, "checkpoints.jsonl")
}

func openNotary(c *Config, l ledger.Ledger, secret *keys, h *House) (*ledger.Notary, error) {
	key, former, err := secret.signing()
	if err != nil {
		return nil, err
	}
	return ledger.NewNotary(ledger.NotaryOptions{Ledger: l, Key: key, Former: former, File: checkpointsFile(c.Checkpoints, c.Data), Now: h.now, Log: h.log}), nil
}

// sealTime is how long a stop waits for the last checkpoint.
const sealTime = 5 * time.Second

// sealLast seals what a stop leaves in the ledger.
func (h *House) sealLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealTime)
	defer cancel()
	if err := h.notary.Seal(ctx); err != nil {
		h.log.Warn("the end of the ledger is not sealed; the next start does it", "step", "notary", "reason", err)
	}
}

// sealed is a hint for operators: what is no longer as it was sealed. The node stays in
// service, because an alarm that goes out matters more than the proof of an older one.
func (h *House) sealed() string {
	if h.notary == nil {
		return ""
	}
	faults := h.notary.Faults()
	if len(faults) == 0 {
		return ""
	}
	return fmt.Sprintf("the ledger is not as it was sealed: %s. Run `kentongan ledger verify`; runbook: deploy/runbook/ledger.md", faults[0])
}

// trustIn is what the ledger of a data folder is held against, as far as it is there.
func trustIn(keysFile, data, file string) (ledger.Trust, error) {
	var t ledger.Trust
	var err error
	if t.Keys, err = sealKeysIn(keysFile, data); err != nil {
		return t, err
	}
	t.Witness, err = ledger.ReadWitness(checkpointsFile(file, data))
	return t, err
}

// sealKeysIn are the public keys of a data folder, in order; none where it has no file of
// keys. A file that cannot be read is not none: then any key would be believed.
func sealKeysIn(keysFile, data string) ([]ed25519.PublicKey, error) {
	k, err := readKeys(keysPath(keysFile, data))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, former, err := k.signing()
	if err != nil {
		return nil, err
	}
	return append(former, key.Public().(ed25519.PublicKey)), nil
}

// evidence writes what proves an announcement: its records and seals, the texts that
// were sent, and with names the report as its reader may see it. Who sees some of the
// people only gets none, because the records are those of everybody.
func (h *House) evidence(ctx context.Context, p web.Principal, id announcement.ID, names bool, w io.Writer) error {
	v, err := h.desk.boards(p.Grant).view(ctx, id)
	if err != nil {
		return err
	}
	if !p.Sees.IsZero() {
		return announcement.FieldErrors{{Field: "id", Value: string(id), Why: "evidence holds the records of everybody, and you see some people only; ask an auditor who sees all"}}
	}
	first, err := h.announced(ctx, v)
	if err != nil {
		return err
	}
	texts, err := json.MarshalIndent(h.desk.textsOf(v, first), "", " ")
	if err != nil {
		return fmt.Errorf("export evidence: %w", err)
	}
	files := []ledger.File{{Name: "texts.json", Content: texts}}
	kinds := []string{"report.pdf", "people.csv"}
	if !names {
		kinds = nil
	}
	for _, kind := range kinds {
		for _, lang := range []announcement.Language{announcement.Indonesian, announcement.English} {
			file, _, err := h.server.ReportFile(ctx, web.ReportOrder{Announcement: id, File: kind, Language: lang, Grant: p.Grant}, func(int) {})
			if err != nil {
				return fmt.Errorf("export evidence: %w", err)
			}
			files = append(files, ledger.File{Name: string(lang) + "-" + kind, Content: file})
		}
	}
	err = h.notary.Export(ctx, id, w, files...)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return web.ErrNotFound
	case errors.Is(err, ledger.ErrUnavailable):
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return err
}

// announced is an announcement as it was sent, before anything was revised.
func (h *House) announced(ctx context.Context, v tracker.View) (*announcement.Announcement, error) {
	if len(v.Revisions) == 0 {
		return v.Announcement, nil
	}
	var first *announcement.Announcement
	err := h.ledger.Read(ctx, v.Announcement.ID, func(r ledger.Record) error {
		for _, f := range r.Facts {
			if f.Announced != nil && first == nil {
				first = f.Announced
			}
		}
		return nil
	})
	if err != nil || first == nil {
		return nil, fmt.Errorf("%w: %w", web.ErrNotYet, errors.Join(err, errors.New("its first record was not found")))
	}
	return first, nil
}

// sentText is what one round said in one language. Links are those of nobody, because a
// person's own opens their page; and nobody is named.
type sentText struct {
	Round    int64                    `json:"round"`
	At       time.Time                `json:"at"`
	Message  announcement.MessageKind `json:"message"`
	Language announcement.Language    `json:"language"`
	Title    string                   `json:"title"` // of the notification and the page
	Body     string                   `json:"body"`
	SMS      string                   `json:"sms"`
}

// textsOf composes the texts of every round again, from the same facts: each with the
// words that counted when it was decided.
func (d *desk) textsOf(v tracker.View, first *announcement.Announcement) []sentText {
	out := []sentText{}
	rounds := append([]announcement.Decided{{Message: announcement.SayAlert}}, v.Rounds...)
	for i, r := range rounds {
		at := v.OpenedAt
		if i > 0 {
			at = v.RoundsAt[i-1]
		}
		a := *first
		for j, revised := range v.Revisions {
			if !v.RevisionsAt[j].After(at) {
				a.Text, a.Fields = revised.Text, revised.Fields
			}
		}
		for _, lang := range []announcement.Language{announcement.Indonesian, announcement.English} {
			s := announcement.Saying{Round: r.Round, Kind: r.Message, Language: lang, Org: d.config.OrgName, Link: d.config.anybodys(),
				TwoWay: d.twoWay() && !r.Second, Count: len(r.To), Name: "X", Words: r.Say(lang), Hiding: v.Announcement.Hushed(), Now: at, Expires: at.Add(orDefault(v.Announcement))}
			m := d.catalogue.Compose(&a, s)
			out = append(out, sentText{r.Round, at, r.Message, lang, m.Title, m.Body, m.SMS})
		}
	}
	return out
}

// ExportEvidence is the command `ledger export`.
type ExportEvidence struct {
	client.Connection
	Announcement string `arg:"" help:"Announcement id."`
	Out          string `name:"out" short:"o" required:"" help:"File to write. It must not exist."`
	WithoutNames bool   `name:"without-names" help:"Without the report: people are ids only."`
}

// Run writes the file whole, or not at all, and checks it.
func (e *ExportEvidence) Run(ctx context.Context) error {
	f, err := os.OpenFile(e.Out, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return &client.Failure{Err: fmt.Errorf("write evidence: %w", err), Hint: "give another file with --out: what is there is never replaced"}
	}
	defer f.Close()
	path := fmt.Sprintf("/api/v1/announcements/%s/evidence?names=%t", url.PathEscape(e.Announcement), !e.WithoutNames)
	err = e.Client().Download(ctx, http.MethodPost, path, f)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, os.Remove(e.Out))
	}
	return verifyExport(f, nil)
}

// verifyExport says whether an archive is as it was exported.
func verifyExport(f *os.File, keys []ed25519.PublicKey) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	r, err := ledger.VerifyExport(f, info.Size(), keys)
	if err != nil {
		return &client.Failure{Err: err, Hint: "ask for the file again; keep this one as it is"}
	}
	fmt.Printf("%d records, %d facts, sealed to record %d by key %s\n", r.Records, r.Facts, r.Sealed, r.Key)
	for _, fault := range r.Faults {
		fmt.Println("fault:", fault)
	}
	if len(r.Faults) > 0 {
		return &client.Failure{Err: fmt.Errorf("the evidence has %d faults", len(r.Faults)), Hint: "keep it as it is, and compare it with another copy"}
	}
	if keys == nil {
		fmt.Println("the evidence is whole, if this is the key of that installation: `kentongan ledger verify` says it there")
	} else {
		fmt.Println("the evidence is whole")
	}
	return nil
}
