package ledger_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"kentongan/internal/ledger"
	"kentongan/internal/ledger/ledgertest"
)

// startServer runs a real nats-server in process, with files under dir.
func startServer(t *testing.T, dir string) (*server.Server, *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		ServerName: "test", DontListen: true, JetStream: true, StoreDir: dir, SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("nats-server did not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return s, nc
}

func open(t *testing.T, nc *nats.Conn) *ledger.JetStream {
	t.Helper()
	l, err := ledger.OpenJetStream(t.Context(), nc, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestJetStream(t *testing.T) {
	t.Parallel()
	ledgertest.Ledger(t, func(t *testing.T) ledger.Ledger {
		_, nc := startServer(t, t.TempDir())
		return open(t, nc)
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	ledgertest.Ledger(t, func(*testing.T) ledger.Ledger { return ledger.NewMemory(time.Now) })
}

func TestKV(t *testing.T) {
	t.Parallel()
	ledgertest.Vault(t, func(t *testing.T) ledger.Vault {
		_, nc := startServer(t, t.TempDir())
		v, err := ledger.OpenVault(t.Context(), nc, ledger.VaultOptions{Key: [32]byte{1, 2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
}

func TestMemoryVault(t *testing.T) {
	t.Parallel()
	ledgertest.Vault(t, func(*testing.T) ledger.Vault { return ledger.NewMemoryVault() })
}
