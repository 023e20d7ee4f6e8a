// Command kentongan is an emergency broadcast and acknowledgment service for
// companies: the server, and the commands that talk to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
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
	Backup   app.Backup      `cmd:"" help:"Write everything into one encrypted file, while the service runs."`
	Restore  app.Restore     `cmd:"" help:"Bring a backup back into an empty data folder, or an empty NATS."`
	Doctor   doctor          `cmd:"" help:"Check an installation: settings, keys, servers, providers, certificate, disk."`
	Version  versions        `cmd:"" help:"Print the version."`
}

type people struct {
	Import client.Import `cmd:"" help:"Bring people in from a CSV file."`
}

type tokens struct {
	Create client.TokenCreate `cmd:"" help:"Make a token; it is shown once."`
}

type ledgers struct {
	Verify app.VerifyLedger   `cmd:"" help:"Check that every record is there, as it was sealed, and makes sense; or check an export."`
	Export app.ExportEvidence `cmd:"" help:"Write what proves one announcement into a file that can be checked without the server."`
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
	if err := app.RefuseUnknown(); err != nil {
		return err
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
	if h.Welcome() != "" {
		fmt.Printf("  nobody can sign in yet; this link opens once, until tomorrow:\n           %s\n", h.Welcome())
	}
	fmt.Printf("  API      %s/api/openapi.json\n  working state in %s\n", h.URL(), h.Store())
	return h.Run(ctx)
}

type doctor struct{ app.Doctor }

func (d *doctor) Run(ctx context.Context) error { return d.Examine(ctx, version, os.Stdout) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "error:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
	os.Exit(1)
}

// run does what the arguments say.
func run(ctx context.Context, args []string) error {
	if err := app.PrepareEnvironment(); err != nil {
		return err
	}
	var c commands
	parser, err := kong.New(&c, kong.Name("kentongan"),
		kong.Description("One alarm out, one answer back from every person, and a knock on the next door for everyone who has not answered."))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run()
}

// hintOf returns what to do about err, or "".
func hintOf(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		command := "kentongan"
		if wrong.Context != nil && wrong.Context.Command() != "" {
			command, _, _ = strings.Cut(command+" "+wrong.Context.Command(), " <")
		}
		return "`" + command + " --help` lists what can be given"
	}
	var config app.ConfigError
	if errors.As(err, &config) {
		return "`kentongan serve --help` and deploy/example.env explain every variable; each is also a flag"
	}
	var keys *app.KeysError
	switch {
	case errors.As(err, &keys):
		return "nothing was started or changed; runbook: deploy/runbook/keys.md"
	case errors.Is(err, app.ErrInUse):
		return "stop the other one, or choose another folder with --data"
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the program that has this address, or choose another with --listen (and --sandbox-listen)"
	}
	return client.HintOf(err)
}
