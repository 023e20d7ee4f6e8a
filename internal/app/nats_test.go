package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"kentongan/internal/app/apptest"
	"kentongan/internal/ledger"
)

// TestNothingIsKeptForLater: what was refused because NATS was away is not written when it
// comes back. An alert would go out that nobody waits for any more.
func TestNothingIsKeptForLater(t *testing.T) {
	t.Parallel()
	folder, port := t.TempDir(), server.RANDOM_PORT
	serve := func() *server.Server {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(10 * time.Second) {
			t.Fatal("NATS does not start")
		}
		return s
	}
	s := serve()
	port = s.Addr().(*net.TCPAddr).Port
	nc, closeNATS, err := openNATS(t.Context(), &Config{NATSURL: fmt.Sprintf("nats://127.0.0.1:%d", port)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeNATS()
	v, err := ledger.OpenVault(t.Context(), nc, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	s.WaitForShutdown()
	apptest.Eventually(t, 10*time.Second, "the connection to be lost", func() (bool, string) { return !nc.IsConnected(), "" })
	if err := v.Put(t.Context(), "alert", []byte("fire")); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("while NATS is away: %v, want that it is not available", err)
	}
	s = serve()
	defer s.Shutdown()
	if err := v.Put(t.Context(), "next", []byte("x")); err != nil { // is held until the connection is back
		t.Fatal(err)
	}
	if _, err := v.Get(t.Context(), "alert"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("afterwards: %v, want that it was never written", err)
	}
}
