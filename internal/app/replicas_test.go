package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"kentongan/internal/ledger"
)

// TestCopiesOfTheLedgerAreKept opens a ledger of three copies, on a real cluster,
// with a node whose KENTONGAN_REPLICAS is not set.
func TestCopiesOfTheLedgerAreKept(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three nats-servers")
	}
	secret := rehearsalKeys(t)
	url := startCluster(t)
	for _, configured := range []int{3, 1} {
		var log bytes.Buffer
		h := &House{config: &Config{Data: t.TempDir(), NATSURL: url, Replicas: configured}, log: slog.New(slog.NewTextHandler(&log, nil)), now: time.Now}
		nc, err := h.openLedger(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.Replicas(t.Context(), nc)
		if err != nil || got != 3 || h.config.Replicas != 3 {
			t.Errorf("with KENTONGAN_REPLICAS=%d: %d copies, %v; want 3 kept", configured, got, err)
		}
		if said := strings.Contains(log.String(), "copies are kept"); said != (configured == 1) {
			t.Errorf("with KENTONGAN_REPLICAS=%d the log says %q", configured, log.String())
		}
		h.Close()
	}
}

// startCluster runs three nats-servers with JetStream that know each other.
func startCluster(t *testing.T) string {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
		_ = l.Close()
	}
	var servers []*server.Server
	for i := range 3 {
		s, err := server.NewServer(&server.Options{ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true,
			MaxPayload: maxPayload, SyncAlways: true, Cluster: server.ClusterOpts{Name: "copies", Host: "127.0.0.1", Port: ports[i]}, Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		for _, s := range servers {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 {
				return servers[0].ClientURL()
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the three did not become a cluster")
		}
	}
}
