package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/ledger"
)

// openNATS connects to the operator's NATS, or starts a real nats-server in
// this process.
func openNATS(ctx context.Context, c *Config, log *slog.Logger) (*nats.Conn, func(), error) {
	options := []nats.Option{
		nats.Name("kentongan"), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond),
		nats.RetryOnFailedConnect(true), nats.Timeout(5 * time.Second),
		// Nothing is kept for later while the connection is away: an alert of which somebody
		// was told that it was not recorded would go out by itself minutes afterwards.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Error("NATS connection lost: nothing is recorded until it is back", "reason", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("NATS connection is back") }),
	}
	if c.NATSURL != "" {
		if err := checkNATSURL(c.NATSURL); err != nil { // else its error would repeat the password
			return nil, nil, fmt.Errorf("KENTONGAN_NATS_URL: %w", err)
		}
		nc, err := nats.Connect(c.NATSURL, options...)
		if err != nil {
			return nil, nil, fmt.Errorf("KENTONGAN_NATS_URL: %w", err)
		}
		for deadline := time.Now().Add(30 * time.Second); !nc.IsConnected(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) || ctx.Err() != nil {
				err := errors.Join(nc.LastError(), ctx.Err())
				nc.Close()
				if err == nil {
					err = errors.New("nobody answers")
				}
				return nil, nil, fmt.Errorf("KENTONGAN_NATS_URL: not connected within 30 s: %w", err)
			}
		}
		if err := patiently(ctx, c, log, func(ctx context.Context) error { return checkJetStream(ctx, nc) }); err != nil {
			nc.Close()
			return nil, nil, fmt.Errorf("KENTONGAN_NATS_URL: %w", err)
		}
		return nc, nc.Close, nil
	}
	unlock, err := lockFolder(c.Data)
	if err != nil {
		return nil, nil, err
	}
	nc, stop, err := embedNATS(c.Data, options, log)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return nc, func() { stop(); unlock() }, nil
}

func checkJetStream(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return errors.New("this NATS has no JetStream: start it with deploy/nats.conf")
	}
	if err != nil {
		return fmt.Errorf("ask for JetStream: %w", err)
	}
	return nil
}

// patiently repeats what needs a cluster that has found its leaders: where everything is
// started at once, or comes back after the power was away, that takes a while. Errors of
// another kind, and a server of our own, are not waited for.
func patiently(ctx context.Context, c *Config, log *slog.Logger, open func(context.Context) error) error {
	for deadline := time.Now().Add(clusterWait); ; {
		err := open(ctx)
		if err == nil || c.NATSURL == "" || !unled(err) || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		log.Warn("NATS keeps nothing yet: its servers may be starting; trying again", "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// clusterWait is how long a start waits for the cluster; then it ends with the reason.
const clusterWait = 60 * time.Second

// unled reports whether an error is that of a cluster without a leader, or with too few
// servers: what JetStream calls 503, or no answer at all.
func unled(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503 || api.ErrorCode == noPeers
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, ledger.ErrUnavailable)
}

// noPeers is JSClusterNoPeersErrF of nats-server: not enough servers for the copies, so far.
const noPeers = 10005

// ErrInUse says that another process has the data folder.
var ErrInUse = errors.New("the data folder is in use by another kentongan")

// lockFolder takes the data folder for this process: two servers on one store
// would destroy it. The kernel gives the lock back with the process, however it
// ends.
func lockFolder(folder string) (unlock func(), err error) {
	path := filepath.Join(folder, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("KENTONGAN_DATA: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("KENTONGAN_DATA=%s: %w", folder, ErrInUse)
		}
		return nil, fmt.Errorf("KENTONGAN_DATA: lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// embedNATS starts nats-server in this process. It syncs every write to disk
// before it answers.
func embedNATS(data string, options []nats.Option, log *slog.Logger) (*nats.Conn, func(), error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "kentongan", DontListen: true, JetStream: true, NoSigs: true, MaxPayload: maxPayload,
		StoreDir: filepath.Join(data, "nats"), SyncAlways: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start embedded NATS: %w", err)
	}
	s.SetLoggerV2(embeddedLog{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, nil, errors.New("embedded NATS did not start within 30 s")
	}
	nc, err := nats.Connect("", append(options, nats.InProcessServer(s))...)
	if err != nil {
		s.Shutdown()
		return nil, nil, fmt.Errorf("connect to embedded NATS: %w", err)
	}
	return nc, func() { nc.Close(); s.Shutdown(); s.WaitForShutdown() }, nil
}

// embeddedLog passes on what the embedded server warns of, such as a file that it cut
// off. The rest is of no use to an operator. It says names of streams and subjects,
// which hold ids only, and never what is in a message.
type embeddedLog struct{ log *slog.Logger }

const embeddedSays = "the embedded NATS says"

func (e embeddedLog) Warnf(format string, v ...any) {
	e.log.Warn(embeddedSays, "step", "nats", "reason", fmt.Sprintf(format, v...))
}

func (e embeddedLog) Errorf(format string, v ...any) {
	e.log.Error(embeddedSays, "step", "nats", "reason", fmt.Sprintf(format, v...))
}

// Fatalf is an error too: unlike the server's own logger it ends no process.
func (e embeddedLog) Fatalf(format string, v ...any) { e.Errorf(format, v...) }

func (embeddedLog) Noticef(string, ...any) {}
func (embeddedLog) Debugf(string, ...any)  {}
func (embeddedLog) Tracef(string, ...any)  {}

// maxPayload lets one decision name every manager of a very large company: a
// list of 8,000 is about 1 MB, the default limit of NATS.
const maxPayload = 8 << 20
