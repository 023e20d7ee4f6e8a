package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server is what a NATS server says of itself and of what it keeps for us.
type Server struct {
	Version  string
	Now      time.Time // by its clock
	Last     uint64    // position of the last record
	Replicas int       // copies of the ledger; 0: there is none yet
	Lagging  int       // copies that do not follow now
	Pending  int       // decisions that nobody has planned yet
	Stored   uint64    // bytes of everything kept for us
	Limit    int64     // bytes that may be kept; -1: no limit
}

// Inspect asks the server, and changes nothing.
func Inspect(ctx context.Context, nc *nats.Conn) (Server, error) {
	s := Server{Version: nc.ConnectedServerVersion(), Limit: -1}
	js, err := jetstream.New(nc)
	if err != nil {
		return s, fmt.Errorf("inspect NATS: %w", err)
	}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return s, fmt.Errorf("inspect NATS: %w", unavailable(err))
	}
	s.Stored, s.Limit = account.Store, account.Limits.MaxStore
	stream, err := js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("inspect the ledger: %w", unavailable(err))
	}
	info := stream.CachedInfo()
	s.Now, s.Last, s.Replicas = info.TimeStamp, info.State.LastSeq, info.Config.Replicas
	if info.Cluster != nil {
		for _, peer := range info.Cluster.Replicas {
			if peer.Offline || !peer.Current {
				s.Lagging++
			}
		}
	}
	if planning, err := stream.Consumer(ctx, "dispatch"); err == nil {
		c := planning.CachedInfo()
		s.Pending = int(c.NumPending) + c.NumAckPending
	}
	return s, nil
}
