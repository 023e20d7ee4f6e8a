package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"kentongan/internal/client"
	"kentongan/internal/sandbox"
)

const (
	servers  = 3 // of NATS
	nodes    = 2
	password = "chaos-passw0rd"
	token    = "chaos-bootstrap-token-0001"
	account  = "AC00000000000000000000000000000001"
)

// scene is a whole installation as deploy/compose.cluster.yaml draws it, of real
// processes, and the world around it: two nodes behind a balancer, three NATS servers,
// Redis with a replica and three Sentinels, an SMS provider and a push service. Each
// connection runs through a wire. The outside world lives in this process, which nobody
// attacks: so what phones got is known whatever happens.
type scene struct {
	folder  string
	wires   *wires
	nats    []*process
	redis   []*process
	sentry  []*process
	nodes   []*process
	urls    []string // of the nodes, past every wire
	admins  []*redis.Client
	lookout *redis.SentinelClient // one of the Sentinels, past every wire
	direct  *nats.Conn            // to the cluster, past every wire
	outside *http.Server
	box     *sandbox.Sandbox
	boxURL  string
	api     *client.Client // by the public address
	traces  *traces
	stop    []func()
}

// open starts everything, and waits until both nodes are ready to send.
func open(ctx context.Context, o Options, folder string) (_ *scene, err error) {
	s := &scene{folder: folder, wires: newWires()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, step := range []func(context.Context, Options) error{s.startNATS, s.startRedis, s.startWorld, s.startNodes} {
		if err := step(ctx, o); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *scene) close() {
	for _, end := range s.stop {
		end()
	}
	for _, p := range s.processes() {
		p.Kill()
		_ = p.log.Close()
	}
	s.wires.cut(everyWire)
}

func (s *scene) processes() []*process {
	var all []*process
	for _, some := range [][]*process{s.nodes, s.nats, s.redis, s.sentry} {
		all = append(all, some...)
	}
	return all
}

func (s *scene) write(name, text string) (path string, err error) {
	path = filepath.Join(s.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o600) //nolint:gosec // in the folder of the run
}

// startNATS starts the shipped cluster. Each server reaches each other through a
// wire: the addresses that the servers tell each other lead nowhere.
func (s *scene) startNATS(ctx context.Context, o Options) error {
	config, err := os.ReadFile(filepath.Join(o.Deploy, "nats-cluster.conf"))
	if err != nil {
		return err
	}
	users, err := os.ReadFile(filepath.Join(o.Deploy, "nats-users.conf"))
	if err != nil {
		return err
	}
	ours := "users: [\n{ user: chaos, password: " + password + " }\n"
	if _, err := s.write("nats-users.conf", strings.Replace(string(users), "users: [", ours, 1)); err != nil {
		return err
	}
	clients, routes := freeAddresses(servers), freeAddresses(servers)
	for i := range servers {
		var to []string
		for j := range servers {
			if j == i {
				continue
			}
			wire, err := s.wires.lay(fmt.Sprintf("route/%d/%d", j+1, i+1), routes[j])
			if err != nil {
				return err
			}
			to = append(to, "nats://route:"+password+"@"+wire)
		}
		name := fmt.Sprintf("nats-%d", i+1)
		head, _, _ := strings.Cut(string(config), "  routes: [")
		_, tail, _ := strings.Cut(string(config), "  ]\n")
		text := head + "  advertise: \"127.0.0.1:1\"\n  no_advertise: true\n  routes: [" + strings.Join(to, ", ") + "]\n" + tail
		text = strings.NewReplacer("0.0.0.0:4222", clients[i], "0.0.0.0:6222", routes[i], "http: 127.0.0.1:8222", "", "/data", filepath.Join(s.folder, name)).Replace(text)
		path, err := s.write(name+".conf", text)
		if err != nil {
			return err
		}
		p, err := newProcess(s.folder, name, []string{"NATS_NAME=" + name, "NATS_PASSWORD=" + password, "NATS_ROUTE_PASSWORD=" + password}, o.NATSServer, "-c", path)
		if err != nil {
			return err
		}
		s.nats = append(s.nats, p)
		for n := range nodes {
			if _, err := s.wires.lay(fmt.Sprintf("nats/%d/%d", i+1, n+1), clients[i]); err != nil {
				return err
			}
		}
		if err := p.Start(); err != nil {
			return err
		}
	}
	var all []string
	for _, address := range clients {
		all = append(all, "nats://chaos:"+password+"@"+address)
	}
	s.direct, err = nats.Connect(strings.Join(all, ","), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond), nats.RetryOnFailedConnect(true), nats.IgnoreDiscoveredServers())
	if err != nil {
		return err
	}
	s.stop = append(s.stop, s.direct.Close)
	js, err := jetstream.New(s.direct)
	if err != nil {
		return err
	}
	// A stream of three copies can be made once the three know each other.
	return s.until(ctx, time.Minute, "the NATS cluster", func(ctx context.Context) error {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "probe", Subjects: []string{"probe"}, Replicas: servers}); err != nil {
			return err
		}
		return js.DeleteStream(ctx, "probe")
	})
}

// startRedis starts the shipped Redis twice, and the shipped Sentinel three times. They
// know each other by the addresses of their wires.
func (s *scene) startRedis(ctx context.Context, o Options) error {
	acl, err := os.ReadFile(filepath.Join(o.Deploy, "redis-users.acl"))
	if err != nil {
		return err
	}
	path, err := s.write("redis-users.acl", string(acl)+"user chaos on >REDIS_PASSWORD allchannels allkeys +@all\n")
	if err != nil {
		return err
	}
	start := filepath.Join(o.Deploy, "redis-start.sh")
	addresses := freeAddresses(2)
	var wire []string
	for i, address := range addresses {
		w, err := s.wires.lay(fmt.Sprintf("redis/%d", i+1), address)
		if err != nil {
			return err
		}
		wire = append(wire, w)
		name := fmt.Sprintf("redis-%d", i+1)
		run := filepath.Join(s.folder, name)
		if err := os.MkdirAll(run, 0o700); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(address)
		_, announced, _ := net.SplitHostPort(w)
		command := []string{"/bin/sh", start, "redis-server", filepath.Join(o.Deploy, "redis.conf"), "--bind", "127.0.0.1", "--port", port, "--dir", run,
			"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", announced}
		if i > 0 {
			_, master, _ := net.SplitHostPort(wire[0])
			command = append(command, "--replicaof", "127.0.0.1", master)
		}
		p, err := newProcess(s.folder, name, []string{"REDIS_PASSWORD=" + password, "REDIS_RUN=" + run, "REDIS_ACL=" + path}, command...)
		if err != nil {
			return err
		}
		s.redis = append(s.redis, p)
		if err := p.Start(); err != nil {
			return err
		}
		admin := redis.NewClient(&redis.Options{Addr: address, Username: "chaos", Password: password, MaxRetries: -1, DialTimeout: time.Second})
		s.admins = append(s.admins, admin)
		s.stop = append(s.stop, func() { _ = admin.Close() })
		if err := s.until(ctx, 20*time.Second, name, func(ctx context.Context) error { return admin.Ping(ctx).Err() }); err != nil {
			return err
		}
	}
	sentinel, err := os.ReadFile(filepath.Join(o.Deploy, "sentinel.conf"))
	if err != nil {
		return err
	}
	for i, address := range freeAddresses(3) {
		name := fmt.Sprintf("sentinel-%d", i+1)
		run := filepath.Join(s.folder, name)
		_, port, _ := net.SplitHostPort(address)
		text := strings.NewReplacer("port 26379", "port "+port, "redis-1 6379", strings.Replace(wire[0], ":", " ", 1), "dir /tmp", "dir "+run).Replace(string(sentinel))
		path, err := s.write(name+"/shipped.conf", text)
		if err != nil {
			return err
		}
		for n := range nodes {
			if _, err := s.wires.lay(fmt.Sprintf("sentinel/%d/%d", i+1, n+1), address); err != nil {
				return err
			}
		}
		p, err := newProcess(s.folder, name, []string{"REDIS_PASSWORD=" + password, "REDIS_RUN=" + run}, "/bin/sh", start, "redis-sentinel", path)
		if err != nil {
			return err
		}
		s.sentry = append(s.sentry, p)
		if err := p.Start(); err != nil {
			return err
		}
		if i == 0 {
			s.lookout = redis.NewSentinelClient(&redis.Options{Addr: address})
			s.stop = append(s.stop, func() { _ = s.lookout.Close() })
		}
	}
	return nil
}

// startWorld opens the provider, the push service, the phones, and the balancer before
// the nodes, whose public address is a wire to it.
func (s *scene) startWorld(ctx context.Context, _ Options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.boxURL = "http://" + listener.Addr().String()
	if _, err := s.wires.lay("sms", listener.Addr().String()); err != nil {
		return err
	}
	push, err := s.wires.lay("push", listener.Addr().String())
	if err != nil {
		return err
	}
	for _, address := range freeAddresses(nodes) {
		s.urls = append(s.urls, "http://"+address)
	}
	front := newBalancer()
	balancer, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for i, u := range s.urls {
		wire, err := s.wires.lay(fmt.Sprintf("app/%d", i+1), strings.TrimPrefix(u, "http://"))
		if err != nil {
			return err
		}
		front.add("http://" + wire)
	}
	public, err := s.wires.lay("public", balancer.Addr().String())
	if err != nil {
		return err
	}
	s.api = &client.Client{URL: "http://" + public, Token: token, HTTP: &http.Client{Timeout: time.Minute}}
	s.box = sandbox.New(sandbox.Options{PublicURL: s.api.URL, BaseURL: "http://" + push, AccountSID: account, AuthToken: "sandbox", Log: slog.New(slog.DiscardHandler)})
	s.traces = &traces{}
	mux := http.NewServeMux()
	mux.Handle("/", s.box)
	mux.Handle("POST /v1/traces", s.traces)
	s.outside = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	front.server = &http.Server{Handler: front, ReadHeaderTimeout: 10 * time.Second}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.box.Run(running) }()
	go func() { _ = s.outside.Serve(listener) }()
	go func() { _ = front.server.Serve(balancer) }()
	go front.watch(running)
	s.stop = append(s.stop, func() { stop(); <-ended; _ = s.outside.Close(); _ = front.server.Close() })
	return nil
}

// startNodes starts the service, each node with its own way to everything.
func (s *scene) startNodes(ctx context.Context, o Options) error {
	for i, u := range s.urls {
		var cluster, sentinels []string
		for j := range servers {
			cluster = append(cluster, "nats://kentongan:"+password+"@"+s.address(fmt.Sprintf("nats/%d/%d", j+1, i+1)))
			sentinels = append(sentinels, s.address(fmt.Sprintf("sentinel/%d/%d", j+1, i+1)))
		}
		push, _, _ := net.SplitHostPort(s.address("push"))
		env := []string{
			"KENTONGAN_LISTEN=" + strings.TrimPrefix(u, "http://"), "KENTONGAN_PUBLIC_URL=" + s.api.URL, "KENTONGAN_DATA=" + filepath.Join(s.folder, "data"),
			"KENTONGAN_ORG_NAME=PT Contoh", "KENTONGAN_QUIET_HOURS=none", "KENTONGAN_BOOTSTRAP_TOKEN=" + token,
			"KENTONGAN_NATS_URL=" + strings.Join(cluster, ","), "KENTONGAN_REPLICAS=" + strconv.Itoa(servers),
			"KENTONGAN_REDIS_URL=redis://kentongan:" + password + "@" + sentinels[0] + "/0?master_name=kentongan&addr=" + strings.Join(sentinels[1:], "&addr="),
			"KENTONGAN_SMS_PROVIDER=sandbox", "KENTONGAN_SMS_TWO_WAY=true", "KENTONGAN_TWILIO_ACCOUNT_SID=" + account, "KENTONGAN_TWILIO_AUTH_TOKEN=sandbox",
			"KENTONGAN_TWILIO_FROM=+15005550006", "KENTONGAN_TWILIO_API_URL=http://" + s.address("sms") + "/twilio",
			"KENTONGAN_PUSH_SUBJECT=alarm@kentongan.example", "KENTONGAN_PUSH_HOSTS=" + push,
			"KENTONGAN_IN_FLIGHT=" + strconv.Itoa(inFlight), "OTEL_EXPORTER_OTLP_ENDPOINT=" + s.boxURL,
		}
		p, err := newProcess(s.folder, fmt.Sprintf("app-%d", i+1), env, o.Kentongan, "serve")
		if err != nil {
			return err
		}
		s.nodes = append(s.nodes, p)
		if err := p.Start(); err != nil {
			return err
		}
		if err := s.until(ctx, time.Minute, p.name, func(ctx context.Context) error { return get(ctx, u+"/livez", nil) }); err != nil {
			return fmt.Errorf("%w; see %s", err, p.log.Name())
		}
	}
	return nil
}

func (s *scene) address(wire string) string {
	for _, p := range s.wires.named(wire) {
		return p.Listen
	}
	return ""
}

// until asks again until there is no error, or within has passed.
func (s *scene) until(ctx context.Context, within time.Duration, what string, ask func(context.Context) error) error {
	for deadline := time.Now().Add(within); ; {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := ask(once)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("waited %s for %s: %w", within, what, err)
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

// freeAddresses returns so many that nobody listens at. They lie below the ports that
// systems give to whoever calls (from 32768 on Linux): a caller's would keep the place of
// what was stopped from those who start it again.
func freeAddresses(n int) []string {
	var all []string
	for len(all) < n {
		address := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000)) //nolint:gosec // not drawn by the seed: it is no fault
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		if err != nil {
			continue
		}
		defer l.Close() //nolint:gocritic // all are held until each is another
		all = append(all, address)
	}
	return all
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// get asks for a page and keeps its body, whatever the status; only what is no 2xx is an error.
func get(ctx context.Context, address string, keep func(body []byte)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return u.Err
		}
		return err
	}
	defer res.Body.Close()
	body, err := readAll(res.Body)
	if keep != nil {
		keep(body)
	}
	if err == nil && res.StatusCode >= 300 {
		err = errors.New(res.Status)
	}
	return err
}
