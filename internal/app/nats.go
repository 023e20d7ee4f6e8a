package app

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// openNATS connects to the operator's NATS, or starts a real nats-server in
// this process that syncs every write to disk before it answers.
func openNATS(c *Config, log *slog.Logger) (*nats.Conn, func(), error) {
	options := []nats.Option{
		nats.Name("kentongan"), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.Timeout(5 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("NATS connection lost: nothing is recorded until it is back", "reason", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS connection is back") }),
	}
	if c.NATSURL != "" {
		nc, err := nats.Connect(c.NATSURL, options...)
		if err != nil {
			return nil, nil, fmt.Errorf("connect to NATS: %w", err)
		}
		for deadline := time.Now().Add(30 * time.Second); !nc.IsConnected(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				nc.Close()
				return nil, nil, errors.New("NATS at KENTONGAN_NATS_URL does not answer within 30 s")
			}
		}
		return nc, nc.Close, nil
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "kentongan", DontListen: true, JetStream: true, NoSigs: true, MaxPayload: maxPayload,
		StoreDir: filepath.Join(c.Data, "nats"), SyncAlways: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start embedded NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, nil, errors.New("embedded NATS did not start within 30 s: is another server using this data folder?")
	}
	nc, err := nats.Connect("", append(options, nats.InProcessServer(s))...)
	if err != nil {
		s.Shutdown()
		return nil, nil, fmt.Errorf("connect to embedded NATS: %w", err)
	}
	return nc, func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }, nil
}

// maxPayload lets one decision name every manager of a very large company: a
// list of 8,000 is about 1 MB, the default limit of NATS.
const maxPayload = 8 << 20
