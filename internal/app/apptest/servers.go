package apptest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	address, folder := freeAddress(t), t.TempDir()
	b, err := os.ReadFile(filepath.Join(deploy, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("0.0.0.0:4222", address, "http: 127.0.0.1:8222", "", "/data", t.TempDir()).Replace(string(b))
	users, err := os.ReadFile(filepath.Join(deploy, "nats-users.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"nats.conf": text, "nats-users.conf": strings.Replace(string(users), "$NATS_PASSWORD", Password, 1)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, path, "-c", filepath.Join(folder, "nats.conf"))
	waitForPort(t, address)
	return "nats://kentongan:" + Password + "@" + address
}

// Password is that of the service at the servers that run as deploy/ sets them up.
const Password = "an0ther-passw0rd"

// deploy is seen from the packages whose tests start servers.
const deploy = "../../deploy"

// StartShippedRedis runs a redis-server as deploy/ sets it up, and returns its URL and
// its address.
func StartShippedRedis(t testing.TB) (url, address string) {
	t.Helper()
	FindRedis(t)
	address = freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	t.Setenv("REDIS_PASSWORD", Password)
	t.Setenv("REDIS_RUN", t.TempDir())
	t.Setenv("REDIS_ACL", filepath.Join(deploy, "redis-users.acl"))
	run(t, "/bin/sh", filepath.Join(deploy, "redis-start.sh"), "redis-server", filepath.Join(deploy, "redis.conf"), "--bind", host, "--port", port, "--dir", t.TempDir())
	waitForPort(t, address)
	return "redis://kentongan:" + Password + "@" + address + "/0", address
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
	path := FindRedis(t)
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

// StartShippedSentinel runs a Sentinel as deploy/ sets it up, which alone watches the
// shipped Redis at an address, and returns its own address.
func StartShippedSentinel(t testing.TB, watched string) (address string) {
	t.Helper()
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	b, err := os.ReadFile(filepath.Join(deploy, "sentinel.conf"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := strings.NewReplacer("port 26379", "port "+port, "redis-1 6379 2", strings.Replace(watched, ":", " ", 1)+" 1", "dir /tmp", "dir "+folder).Replace(string(b))
	config := filepath.Join(folder, "shipped.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_RUN", folder)
	run(t, "/bin/sh", filepath.Join(deploy, "redis-start.sh"), "redis-sentinel", config)
	waitForPort(t, address)
	return address
}

// FindRedis returns the program. Without it the test is named and left out; on CI it
// fails, because a check that does not run finds nothing.
func FindRedis(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not on the PATH; install it")
		}
		t.Skip("NOT TESTED: redis-server is not on the PATH (apt-get install redis-server)")
	}
	return path
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
	// The kernel ends the child with the thread that started it, and a house in this
	// process ends threads (keepRedis). So this one does nothing else, and stays.
	started, stopping, ended := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		<-stopping
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		close(stopping)
		<-ended
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
