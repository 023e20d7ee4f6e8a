package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"kentongan/internal/tracker"
)

// The client would write to standard error by itself, beside our log and in other
// words. All that it says there also comes back as an error.
func init() { logging.Disable() }

// openWorkingState opens the tracker's store: the operator's Redis, else a
// redis-server of our own on a unix socket, else memory. Whichever it is may be
// emptied at any moment: it is rebuilt from the ledger. While Redis does not
// answer, this process keeps the state itself.
func openWorkingState(ctx context.Context, c *Config, log *slog.Logger) (tracker.Store, string, func(), error) {
	if c.RedisURL != "" {
		client, err := dialRedis(c.RedisURL)
		if err != nil {
			return nil, "", nil, fmt.Errorf("KENTONGAN_REDIS_URL: %w", err)
		}
		check := func(ctx context.Context) error { return tracker.CheckRedis(ctx, client) }
		wait, cancel := context.WithTimeout(ctx, redisAtStart)
		defer cancel()
		absent := check(wait)
		if absent != nil && !errors.Is(absent, tracker.ErrAway) {
			_ = client.Close()
			return nil, "", nil, fmt.Errorf("KENTONGAN_REDIS_URL: %w", absent)
		}
		name := "redis"
		if absent != nil {
			name = "memory, until the Redis of KENTONGAN_REDIS_URL answers"
		}
		return tracker.NewStandby(tracker.NewRedisStore(client), check, absent, log), name, func() { _ = client.Close() }, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		log.Info("no redis-server on the PATH: the working state is kept in memory and rebuilt from the ledger at each start")
		return tracker.NewMemoryStore(), "memory", func() {}, nil
	}
	client, stop, err := startRedis(ctx, path, log)
	if err != nil {
		log.Warn("redis-server did not start: the working state is kept in memory", "reason", err)
		return tracker.NewMemoryStore(), "memory", func() {}, nil
	}
	check := func(ctx context.Context) error { return tracker.CheckRedis(ctx, client) }
	return tracker.NewStandby(tracker.NewRedisStore(client), check, nil, log), "redis (child)", stop, nil
}

// redisAtStart is how long a start waits for Redis before it goes on without.
const redisAtStart = 5 * time.Second

// dialRedis returns a client of the Redis at an address, or of the one that its
// Sentinels name at the moment. It repeats nothing of the address: that may hold a
// password. Whoever asks has a time limit, and goes on without Redis, so it tries
// as often as is of use.
func dialRedis(address string) (*redis.Client, error) {
	u, err := url.Parse(address)
	if err == nil && u.Query().Has("master_name") {
		o, err := redis.ParseFailoverURL(address)
		if err != nil || o.MasterName == "" {
			return nil, errRedisURL
		}
		if o.Username == "" && o.Password == "" { // the library takes them for those of the Sentinels, which need none here
			o.Username, o.Password, o.SentinelUsername, o.SentinelPassword = o.SentinelUsername, o.SentinelPassword, "", ""
		}
		o.ContextTimeoutEnabled = true
		o.DialerRetries = cmp.Or(o.DialerRetries, 1)
		o.MaxRetries = cmp.Or(o.MaxRetries, 1)
		return redis.NewFailoverClient(o), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errRedisURL
	}
	return redis.NewClient(patient(o)), nil
}

var errRedisURL = errors.New("must be redis://host:6379/0, rediss:// or unix://, with Sentinel redis://sentinel:26379/0?master_name=kentongan&addr=another:26379")

// patient returns o with as many tries as are of use: whoever asks has a time
// limit, and goes on without Redis.
func patient(o *redis.Options) *redis.Options {
	o.ContextTimeoutEnabled = true
	o.DialerRetries = cmp.Or(o.DialerRetries, 1)
	o.MaxRetries = cmp.Or(o.MaxRetries, 1)
	return o
}

// startRedis runs redis-server without persistence, for this process only. It
// dies with us: the ledger is the truth, so nothing is lost with it.
func startRedis(ctx context.Context, path string, log *slog.Logger) (*redis.Client, func(), error) {
	folder, err := os.MkdirTemp("", "kentongan-redis-") // a socket path is limited to 107 bytes
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(folder, "s")
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		keepRedis(stopping, path, folder, socket, log)
	}()
	stop := func() {
		close(stopping)
		<-stopped
		_ = os.RemoveAll(folder)
	}
	client := redis.NewClient(patient(&redis.Options{Network: "unix", Addr: socket}))
	end := func() { _ = client.Close(); stop() }
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := client.Ping(ctx).Err()
		if err == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			end()
			return nil, nil, fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
	if err := tracker.CheckRedis(ctx, client); err != nil {
		end()
		return nil, nil, err
	}
	return client, end, nil
}

// keepRedis runs redis-server until stopping is closed. One that ends by itself
// is started again: when memory is short the kernel may kill it, and without it
// nobody is called any more, not even for somebody who needs help.
func keepRedis(stopping <-chan struct{}, path, folder, socket string, log *slog.Logger) {
	// The kernel ends the child together with the thread that started it. So this
	// thread does nothing else, and is never unlocked: it ends with the function.
	runtime.LockOSThread()
	for {
		//nolint:gosec,noctx // the operator's own redis-server; it must outlive every context until it is stopped
		cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder, "--maxmemory-policy", "noeviction")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		err := cmd.Start()
		if err == nil {
			ended := make(chan struct{})
			go func() { err = cmd.Wait(); close(ended) }()
			select {
			case <-stopping:
				_ = cmd.Process.Kill()
				<-ended
				return
			case <-ended:
			}
		}
		log.Error("redis-server ended; starting it again, and rebuilding the working state from the ledger", "reason", fmt.Sprint(err))
		select {
		case <-stopping:
			return
		case <-time.After(redisPause):
		}
	}
}

// redisPause keeps a redis-server that cannot start from using up the machine.
const redisPause = 500 * time.Millisecond
