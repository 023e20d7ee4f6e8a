package apptest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildNATS: the module is one of ours already, so this needs nothing but Go.
var buildNATS = built("github.com/nats-io/nats-server/v2")

// built compiles a program once, when it is first wanted.
func built(program string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		folder, err := os.MkdirTemp("", "kentongan-built-")
		if err != nil {
			return "", err
		}
		path := filepath.Join(folder, "program")
		if out, err := exec.Command("go", "build", "-o", path, program).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w: %s", program, err, out)
		}
		return path, nil
	})
}

// StartNATS runs a real nats-server of its own, as deploy/nats.conf sets it up,
// and returns its URL.
func StartNATS(t testing.TB) string {
	t.Helper()
	path, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	config := filepath.Join(t.TempDir(), "nats.conf")
	text := fmt.Sprintf("listen: %q\nmax_payload: 8MB\njetstream { store_dir: %q, sync_interval: always }\n", address, t.TempDir())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, path, "-c", config)
	waitForPort(t, address)
	return "nats://" + address
}

// Redis is a real redis-server of its own.
type Redis struct {
	URL     string
	address string
	Start   func() // again after Stop, and empty
	Stop    func() // at once
}

// StartRedis runs a redis-server from the PATH. Where there is none the test is
// not silently passed: on CI it fails, elsewhere it is named and left out.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not on the PATH; install it")
		}
		t.Skip("NOT TESTED: redis-server is not on the PATH (apt-get install redis-server)")
	}
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	r := &Redis{URL: "redis://" + address + "/0", address: address}
	r.Start = func() {
		r.Stop = run(t, path, "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
		waitForPort(t, address)
	}
	r.Start()
	return r
}

// FlushAll empties it, as an operator's mistake would.
func (r *Redis) FlushAll(t testing.TB) {
	t.Helper()
	if got := r.command(t, "FLUSHALL\r\n"); !strings.HasPrefix(got, "+OK") {
		t.Fatalf("FLUSHALL: %s", got)
	}
}

func (r *Redis) command(t testing.TB, line string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(line)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func run(t testing.TB, path string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func waitForPort(t testing.TB, address string) {
	t.Helper()
	Eventually(t, 20*time.Second, address+" to listen", func() (bool, string) {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false, err.Error()
		}
		return c.Close() == nil, ""
	})
}
