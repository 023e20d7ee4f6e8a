package app

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
	"kentongan/internal/app/apptest"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// What deploy/ gives the service is enough for the main job, see
// TestMainJobOnOwnServersWithTwoNodes; here is what it does not give.
func TestShippedNATSRefusesWhatTheServiceNeverDoes(t *testing.T) {
	t.Parallel()
	address := apptest.StartNATS(t)
	nc, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	l, err := ledger.OpenJetStream(t.Context(), nc, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func(context.Context) error{
		"delete the ledger": func(ctx context.Context) error { return js.DeleteStream(ctx, "kentongan-ledger") },
		"delete the vault":  func(ctx context.Context) error { return js.DeleteStream(ctx, "KV_kentongan-people") },
		"purge the ledger": func(ctx context.Context) error {
			s, err := js.Stream(ctx, "kentongan-ledger")
			if err != nil {
				return nil //nolint:nilerr // then it is not there: found below
			}
			return s.Purge(ctx)
		},
		"delete the list of stuck jobs": func(ctx context.Context) error { return js.DeleteStream(ctx, "kentongan-stuck") },
		"purge the list of stuck jobs": func(ctx context.Context) error {
			_, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.PURGE.kentongan-stuck", nil)
			return err
		},
		"take a record out of the ledger": func(ctx context.Context) error {
			_, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.DELETE.kentongan-ledger", []byte(`{"seq":1}`))
			return err
		},
		"a stream of its own": func(ctx context.Context) error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "other", Subjects: []string{"other.>"}})
			return err
		},
		"another's subject": func(ctx context.Context) error { _, err := nc.RequestWithContext(ctx, "orders.new", nil); return err },
		"listen to answers of others": func(ctx context.Context) error {
			s, err := nc.SubscribeSync("ledger.>")
			if err != nil {
				return err
			}
			if _, err := s.NextMsgWithContext(ctx); err != nil {
				return err
			}
			return nil
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := try(ctx); err == nil {
			t.Errorf("%s: it was allowed", name)
		}
		cancel()
		if said := nc.LastError(); said == nil || !strings.Contains(strings.ToLower(said.Error()), "permissions violation") {
			t.Errorf("%s: the server said %v", name, said)
		}
	}
	if _, err := ledger.Inspect(t.Context(), nc); err != nil {
		t.Errorf("the ledger: %v", err)
	}
	u, _ := url.Parse(address)
	u.User = nil
	if nc, err := nats.Connect(u.String()); err == nil {
		nc.Close()
		t.Error("somebody came in without a password")
	}
}

func TestShippedRedisRefusesWhatTheServiceNeverDoes(t *testing.T) {
	address, host := apptest.StartShippedRedis(t)
	c, err := dialRedis(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.HSet(t.Context(), "kentongan:cursor", "seq", 1).Err(); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG GET maxmemory-policy", "CONFIG SET maxmemory-policy allkeys-lru", "SHUTDOWN NOSAVE",
		"GET other", "SET other 1", "SUBSCRIBE x", "ACL LIST", "REPLICAOF NO ONE", "MODULE LIST", "MONITOR", "SAVE"} {
		var args []any
		for _, word := range strings.Fields(command) {
			args = append(args, word)
		}
		if err := c.Do(t.Context(), args...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%s: got %v, want it refused", command, err)
		}
	}
	stranger, err := dialRedis("redis://" + host + "/0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without a password: got %v", err)
	}
}

// A Sentinel leads to the Redis that serves, by the address that compose.cluster.yaml
// has; it comes in with its own user, and may not do more than it needs.
func TestSentinelLeadsToTheRedisThatServes(t *testing.T) {
	_, host := apptest.StartShippedRedis(t)
	sentinel := apptest.StartShippedSentinel(t, host)
	address := "redis://kentongan:" + apptest.Password + "@" + sentinel + "/0?master_name=kentongan&addr=127.0.0.1:1"
	config := fine()
	config.RedisURL = address
	if err := config.Complete(); err != nil {
		t.Fatal(err)
	}
	c, err := dialRedis(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := tracker.CheckRedis(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := c.HSet(t.Context(), "kentongan:cursor", "seq", 1).Err(); err != nil {
		t.Errorf("the service cannot write: %v", err)
	}
	spy, err := dialRedis("redis://sentinel:" + apptest.Password + "@" + host + "/0")
	if err != nil {
		t.Fatal(err)
	}
	defer spy.Close()
	if err := spy.HGet(t.Context(), "kentongan:cursor", "seq").Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the Sentinel reads: %v", err)
	}
	if _, err := dialRedis("redis://:canary@a:1/0?master_name="); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, want an address without the name refused, and not told", err)
	}
}

// TestShippedNATSLetsAStuckJobBeDecidedAbout: what may not delete a stream may still take
// out of the list what a person has decided about.
func TestShippedNATSLetsAStuckJobBeDecidedAbout(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect(apptest.StartNATS(t))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	q, err := dispatch.OpenQueue(t.Context(), nc, dispatch.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"x", "y"} {
		if err := nc.Publish("delivery.emergency.sms", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	stuck := func(want int) []dispatch.Stuck {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			all, err := q.Stuck(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == want {
				return all
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d are stuck, want %d", len(all), want)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Work(ctx, announcement.SMS, 1, func(context.Context, dispatch.Job, int) dispatch.Outcome { return dispatch.Outcome{} })
	}()
	all := stuck(2)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.TryAgain(t.Context(), all[0].ID), q.Drop(t.Context(), all[1].ID)); err != nil {
		t.Fatal(err)
	}
	stuck(0)
}
