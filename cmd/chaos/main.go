// Command chaos attacks a whole installation while it alarms five thousand people, and
// says which of its promises held. See the package internal/chaos, and `make chaos`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kentongan/internal/chaos"
)

func main() {
	var o chaos.Options
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "what is drawn: the same seed draws the same faults")
	flag.StringVar(&o.Plan, "plan", "mixed", "mixed, kills, rolling or failover")
	flag.IntVar(&o.People, "people", 5000, "how many are alarmed")
	flag.DurationVar(&o.Length, "length", 4*time.Minute, "how long the faults last")
	flag.BoolVar(&o.Short, "short", false, "faults of a third of their length")
	flag.StringVar(&o.Kentongan, "kentongan", "bin/kentongan", "the program")
	flag.StringVar(&o.NATSServer, "nats-server", "bin/nats-server", "the program of NATS")
	flag.StringVar(&o.Deploy, "deploy", "deploy", "the configuration as shipped")
	flag.StringVar(&o.Folder, "folder", "", "where logs and records are left; empty: a temporary one, deleted when all is well")
	flag.Parse()
	o.Say = os.Stdout
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	held, err := chaos.Run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	if !held {
		os.Exit(1)
	}
}
