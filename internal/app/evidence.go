package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"kentongan/internal/ledger"
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
func trustIn(data, file string) (ledger.Trust, error) {
	var t ledger.Trust
	if k, err := readKeys(filepath.Join(data, "keys.json")); err == nil {
		key, former, err := k.signing()
		if err != nil {
			return t, err
		}
		t.Keys = append(former, key.Public().(ed25519.PublicKey))
	}
	var err error
	t.Witness, err = ledger.ReadWitness(checkpointsFile(file, data))
	return t, err
}
