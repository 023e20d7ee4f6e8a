// Command kentongan is an emergency broadcast and acknowledgment service for
// companies: the server, and the commands that talk to it.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"kentongan/internal/app"
	"kentongan/internal/client"
)

var version = "dev" // set by the linker

type commands struct {
	Serve    serve           `cmd:"" help:"Run the service."`
	People   people          `cmd:"" help:"The directory."`
	Announce client.Announce `cmd:"" help:"Send an announcement."`
	Status   client.Status   `cmd:"" help:"Where announcements stand."`
	Watch    client.Watch    `cmd:"" help:"Follow an announcement live."`
	Close    client.Close    `cmd:"" help:"End an announcement."`
	Token    tokens          `cmd:"" help:"API tokens."`
	Ledger   ledgers         `cmd:"" help:"The ledger."`
	Version  versions        `cmd:"" help:"Print the version."`
}

type people struct {
	Import client.Import `cmd:"" help:"Bring people in from a CSV file."`
}

type tokens struct {
	Create client.TokenCreate `cmd:"" help:"Make a token; it is shown once."`
}

type ledgers struct {
	Verify app.VerifyLedger `cmd:"" help:"Check that every record is there and makes sense."`
}

type versions struct{}

func (versions) Run() error {
	fmt.Println("kentongan", version)
	return nil
}

type serve struct {
	app.Config
	LogJSON bool `help:"Log as JSON."`
}

func (s *serve) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if s.LogJSON {
		log = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	h, err := app.Open(ctx, s.Config, version, log)
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Printf("Kentongan %s\n  console  %s\n", version, h.URL())
	if h.Phones() != "" {
		fmt.Printf("  phones   %s\n", h.Phones())
	}
	fmt.Printf("  API      %s/api/openapi.json\n  working state in %s\n", h.URL(), h.Store())
	return h.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.ReadSecretFiles(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	var c commands
	parsed := kong.Parse(&c, kong.Name("kentongan"), kong.UsageOnError(),
		kong.Description("One alarm out, one answer back from every person, and a knock on the next door for everyone who has not answered."))
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
