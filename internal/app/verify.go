package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"kentongan/internal/ledger"
)

// VerifyLedger is the command `ledger verify`. It opens the ledger itself: of a
// running embedded server, stop it first or verify on your own NATS.
type VerifyLedger struct {
	Data    string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Data folder."`
	NATSURL string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS."`
}

// Run prints what was found; any fault is an error.
func (v *VerifyLedger) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if v.NATSURL == "" {
		if _, err := os.Stat(v.Data); err != nil {
			return fmt.Errorf("KENTONGAN_DATA: %w", err)
		}
	}
	nc, closeNATS, err := openNATS(&Config{Data: v.Data, NATSURL: v.NATSURL}, log)
	if err != nil {
		return err
	}
	defer closeNATS()
	l, err := ledger.OpenJetStream(ctx, nc, ledger.Options{Now: time.Now, Log: log, Replicas: 1})
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	defer l.Close()
	report, err := ledger.Verify(ctx, l)
	if err != nil {
		return fmt.Errorf("verify ledger: %w", err)
	}
	fmt.Printf("%d records, %d facts, %d announcements\n", report.Records, report.Facts, report.Announcements)
	for _, fault := range report.Faults {
		fmt.Println("fault:", fault)
	}
	if len(report.Faults) > 0 {
		return errors.New("the ledger has faults")
	}
	fmt.Println("the ledger is whole")
	return nil
}
