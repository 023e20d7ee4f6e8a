package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/ledger/ledgertest"
)

// serverEnv makes the test binary a nats-server that can be killed: its value
// is "<port> <store folder>".
const serverEnv = "LEDGER_TEST_SERVER"

func TestMain(m *testing.M) {
	if port, dir, ok := strings.Cut(os.Getenv(serverEnv), " "); ok {
		serve(port, dir)
	}
	os.Exit(m.Run())
}

func serve(port, dir string) {
	n, err := strconv.Atoi(port)
	if err != nil {
		os.Exit(2)
	}
	s, err := server.NewServer(&server.Options{ServerName: "test", Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: dir, SyncAlways: true, NoLog: true})
	if err != nil {
		os.Exit(2)
	}
	s.Start()
	s.WaitForShutdown()
	os.Exit(0)
}

// mortal is a nats-server in a process of its own.
type mortal struct {
	t         *testing.T
	port, dir string
	cmd       *exec.Cmd
}

func startMortal(t *testing.T) *mortal {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mortal{t: t, port: strconv.Itoa(probe.Addr().(*net.TCPAddr).Port), dir: t.TempDir()}
	_ = probe.Close()
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *mortal) start() {
	m.t.Helper()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), serverEnv+"="+m.port+" "+m.dir)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// kill is kill -9.
func (m *mortal) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

func (m *mortal) connect() *nats.Conn {
	m.t.Helper()
	nc, err := nats.Connect("127.0.0.1:"+m.port, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(nc.Close)
	until(m.t, "connection", nc.IsConnected)
	return nc
}

// until polls, because a server in another process has no clock of ours.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAcknowledgedFactsSurviveKill(t *testing.T) {
	t.Parallel()
	m := startMortal(t)
	nc := m.connect()
	l := open(t, nc)
	epoch, err := l.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var followed atomic.Uint64
	followerEnded := make(chan error, 1)
	go func() {
		followerEnded <- l.Follow(ctx, 0, func(r ledger.Record) error {
			if got := followed.Add(1); got != r.Seq {
				return fmt.Errorf("follower got position %d as number %d", r.Seq, got)
			}
			return nil
		})
	}()

	id := announcement.NewID()
	const writers, each = 8, 60
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				f := ledgertest.Answered(id, w*each+i)
				var err error
				if i%10 == 0 {
					_, err = l.Once(ctx, f.Answered.Ref, f)
				} else {
					_, err = l.Append(ctx, f)
				}
				if err == nil {
					mu.Lock()
					acknowledged[f.Answered.Ref] = true
					mu.Unlock()
				}
			}
		})
	}
	for range 3 {
		at := followed.Load()
		until(t, "progress", func() bool { return followed.Load() > at+5 || complete(&mu, acknowledged, writers*each) })
		m.kill()
		m.start()
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	nc2 := m.connect()
	reopened := open(t, nc2)
	if again, err := reopened.Epoch(t.Context()); err != nil || again != epoch {
		t.Errorf("epoch after kill: got %q, %v; want %q", again, err, epoch)
	}
	stored := map[string]int{}
	err = reopened.Read(t.Context(), id, func(r ledger.Record) error {
		for _, f := range r.Facts {
			stored[f.Answered.Ref]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
	for ref := range acknowledged {
		if stored[ref] != 1 {
			t.Errorf("%s was acknowledged and is stored %d times", ref, stored[ref])
		}
	}
	last, err := reopened.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the follower", func() bool { return followed.Load() == last || len(followerEnded) > 0 })
	cancel()
	if err := <-followerEnded; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	t.Logf("%d of %d acknowledged, %d records", len(acknowledged), writers*each, last)
}

func complete(mu *sync.Mutex, acknowledged map[string]bool, want int) bool {
	mu.Lock()
	defer mu.Unlock()
	return len(acknowledged) == want
}

// An accept that was cut off before committed is completed by its repeat, as it
// was begun, even if the repeat resolved the audience anew.
func TestAcceptCutOffIsCompletedAsBegun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		begun, repeat int // recipients
	}{
		{"same content", 5, 5},
		{"fewer recipients now", 5, 3},
		{"more recipients now", 5, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, nc := startServer(t, t.TempDir())
			l := open(t, nc)
			id := announcement.NewID()
			if err := l.Begin(t.Context(), ledgertest.Acceptance(id, tc.begun)); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Accept(t.Context(), ledgertest.Acceptance(id, tc.repeat)); err != nil {
				t.Fatal(err)
			}
			r, err := ledger.Verify(t.Context(), l)
			if err != nil || len(r.Faults) > 0 || r.Announcements != 1 {
				t.Errorf("got %+v, %v", r, err)
			}
			recipients := 0
			_ = l.Read(t.Context(), id, func(r ledger.Record) error {
				if c := r.Facts[0].Recipients; c != nil {
					recipients += len(c.Recipients)
				}
				return nil
			})
			if recipients != tc.begun {
				t.Errorf("got %d recipients, want the %d that were begun", recipients, tc.begun)
			}
		})
	}
}

// A fact cannot be deleted or purged, not even by somebody with the connection.
func TestFactsCannotBeRemoved(t *testing.T) {
	t.Parallel()
	_, nc := startServer(t, t.TempDir())
	l := open(t, nc)
	if _, err := l.Append(t.Context(), ledgertest.Answered(announcement.NewID(), 1)); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "kentongan-ledger")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err == nil {
		t.Error("the stream was purged")
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("a message was deleted")
	}
}

func TestVaultIsSealed(t *testing.T) {
	t.Parallel()
	_, nc := startServer(t, t.TempDir())
	v, err := ledger.OpenVault(t.Context(), nc, ledger.VaultOptions{Key: [32]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Put(t.Context(), "person.a", []byte("+628123456789")); err != nil {
		t.Fatal(err)
	}
	js, _ := jetstream.New(nc)
	raw, err := js.KeyValue(t.Context(), "kentongan-people")
	if err != nil {
		t.Fatal(err)
	}
	e, err := raw.Get(t.Context(), "person.a")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(e.Value()), "812") {
		t.Error("the value is stored in clear")
	}
	if _, err := raw.Put(t.Context(), "person.b", e.Value()); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get(t.Context(), "person.b"); err == nil {
		t.Errorf("a value opened under another key: %d bytes", len(got))
	}
	if _, err := ledger.OpenVault(t.Context(), nc, ledger.VaultOptions{Key: [32]byte{2}}); err == nil {
		t.Error("the vault opened with another key")
	}
	if err := v.Delete(t.Context(), "person.a"); err != nil {
		t.Fatal(err)
	}
	if h, err := raw.History(t.Context(), "person.a"); err == nil {
		for _, e := range h {
			if len(e.Value()) > 0 {
				t.Error("a deleted value is still in the history")
			}
		}
	}
}
