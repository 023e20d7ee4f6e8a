// Package apptest runs the real program as its users meet it: the binary as a
// process of its own that can be killed, real NATS and Redis, and the sandbox's
// SMS provider and push service over real HTTP, outside that process, so that
// what phones got is known whatever happens to the server.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kentongan/internal/client"
	"kentongan/internal/sandbox"
)

// Token is the bootstrap token of every house under test.
const Token = "acceptance-token-0001"

const (
	accountSID = "AC00000000000000000000000000000001"
	authToken  = "sandbox"
)

// World is one installation and the world around it.
type World struct {
	t       testing.TB
	Outside *httptest.Server // SMS provider, push service, phones
	Nodes   []*Node
	API     *client.Client // of the first node
	data    string
	common  []string
}

// Node is one server process.
type Node struct {
	t    testing.TB
	URL  string
	env  []string
	cmd  *exec.Cmd
	done chan error
	log  *os.File
}

var build = built("kentongan/cmd/kentongan")

// New starts an installation of n nodes with the extra environment, waits until
// it serves, and stops it when the test ends. {port} in the environment is the
// port of the first node.
func New(t testing.TB, n int, env ...string) *World {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the program as a process of its own: nothing that a race detector sees")
	}
	w := &World{t: t, data: t.TempDir(), common: env}
	urls := make([]string, n)
	for i := range urls {
		urls[i] = "http://" + freeAddress(t)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(urls[0], "http://"), ":")
	for i, pair := range w.common {
		w.common[i] = strings.ReplaceAll(pair, "{port}", port)
	}
	ctx, stop := context.WithCancel(context.Background())
	box := &lateHandler{}
	w.Outside = httptest.NewServer(box)
	s := sandbox.New(sandbox.Options{PublicURL: urls[0], BaseURL: w.Outside.URL, AccountSID: accountSID, AuthToken: authToken, Log: slog.New(slog.DiscardHandler)})
	box.set(s)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended; w.Outside.Close() })
	for i, u := range urls {
		w.start(i, u, urls[0])
	}
	w.API = &client.Client{URL: urls[0], Token: Token}
	return w
}

// lateHandler breaks the circle that the sandbox must know its own address.
type lateHandler struct {
	mu sync.RWMutex
	h  http.Handler
}

func (l *lateHandler) set(h http.Handler) { l.mu.Lock(); l.h = h; l.mu.Unlock() }
func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.RLock()
	h := l.h
	l.mu.RUnlock()
	h.ServeHTTP(w, r)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *World) start(i int, address, public string) {
	w.t.Helper()
	outside, _ := url.Parse(w.Outside.URL)
	node := &Node{t: w.t, URL: address, env: append([]string{
		"KENTONGAN_LISTEN=" + strings.TrimPrefix(address, "http://"), "KENTONGAN_PUBLIC_URL=" + public,
		"KENTONGAN_DATA=" + w.data, "KENTONGAN_ORG_NAME=PT Contoh", "KENTONGAN_QUIET_HOURS=none", "KENTONGAN_BOOTSTRAP_TOKEN=" + Token,
		"KENTONGAN_SMS_PROVIDER=sandbox", "KENTONGAN_SMS_TWO_WAY=true", "KENTONGAN_TWILIO_ACCOUNT_SID=" + accountSID,
		"KENTONGAN_TWILIO_AUTH_TOKEN=" + authToken, "KENTONGAN_TWILIO_FROM=+15005550006", "KENTONGAN_TWILIO_API_URL=" + w.Outside.URL + "/twilio",
		"KENTONGAN_PUSH_SUBJECT=alarm@kentongan.example", "KENTONGAN_PUSH_HOSTS=" + outside.Hostname(),
	}, w.common...)}
	w.Nodes = append(w.Nodes, node)
	var err error
	if node.log, err = os.Create(filepath.Join(w.t.TempDir(), fmt.Sprintf("node-%d.log", i))); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		node.Kill()
		_ = node.log.Close()
		if w.t.Failed() {
			b, _ := os.ReadFile(node.log.Name())
			w.t.Logf("log of node %d (its end):\n%s", i, b[max(0, len(b)-6000):])
		}
	})
	node.Start()
}

// Start runs the process and waits until it answers.
func (n *Node) Start() {
	n.t.Helper()
	path, err := build()
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(path, "serve")
	n.cmd.Env = append(os.Environ(), n.env...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(n.cmd, n.done)
	Eventually(n.t, 60*time.Second, "the server to serve", func() (bool, string) {
		res, err := http.Get(n.URL + "/livez")
		if err != nil {
			return false, err.Error()
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK, res.Status
	})
}

// Said returns what the process has written so far.
func (n *Node) Said() string {
	n.t.Helper()
	b, err := os.ReadFile(n.log.Name())
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// Kill ends the process at once, as a crash does.
func (n *Node) Kill() {
	if n.cmd != nil && n.cmd.Process != nil {
		_ = n.cmd.Process.Kill()
		<-n.done
		n.cmd = nil
	}
}

// Stop asks the process to end, and waits.
func (n *Node) Stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	err := <-n.done
	n.cmd = nil
	return err
}

// Eventually waits until ok, and fails the test with the last word otherwise.
func Eventually(t testing.TB, within time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		done, word := ok()
		if done {
			return
		}
		last = word
	}
	t.Fatalf("waited %s for %s: %s", within, what, last)
}

// outside calls the sandbox's own API.
func (w *World) outside(method, path string, in, out any) {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			w.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, w.Outside.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s: %.300s", method, path, res.Status, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			w.t.Fatalf("%s %s: %v: %.300s", method, path, err, b)
		}
	}
}

// MoveTo gives the nodes, which must not run, another data folder; what was in the
// one before is destroyed.
func (w *World) MoveTo(folder string) string {
	w.t.Helper()
	if err := os.RemoveAll(w.data); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range w.Nodes {
		for i, pair := range n.env {
			if pair == "KENTONGAN_DATA="+w.data {
				n.env[i] = "KENTONGAN_DATA=" + folder
			}
		}
	}
	w.data = folder
	return folder
}

// Command runs a command of the program with the first node's environment.
func (w *World) Command(args ...string) (string, error) {
	path, err := build()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), w.Nodes[0].env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
