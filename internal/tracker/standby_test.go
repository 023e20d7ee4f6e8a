package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// failing fails every other hundred of its operations, some of them after they
// were carried out, as a connection that breaks does.
type failing struct {
	Store
	n atomic.Int64
}

var errAway = errors.New("connection refused")

func (f *failing) ill() error {
	if f.n.Add(1)/100%2 == 1 {
		return errAway
	}
	return nil
}

func (f *failing) Apply(ctx context.Context, id announcement.ID, prev uint64, changes []Change) error {
	err := f.ill()
	if err == nil || f.n.Load()%2 == 0 {
		return errors.Join(err, f.Store.Apply(ctx, id, prev, changes))
	}
	return err
}

func (f *failing) Snapshot(ctx context.Context, id announcement.ID) (Snapshot, error) {
	if err := f.ill(); err != nil {
		return Snapshot{}, err
	}
	return f.Store.Snapshot(ctx, id)
}

func (f *failing) Look(ctx context.Context, id announcement.ID, numbers []int, names []string) (Look, error) {
	if err := f.ill(); err != nil {
		return Look{}, err
	}
	return f.Store.Look(ctx, id, numbers, names)
}

func (f *failing) Cursor(ctx context.Context) (string, uint64, error) {
	if err := f.ill(); err != nil {
		return "", 0, err
	}
	return f.Store.Cursor(ctx)
}

// TestHelpIsCalledWithoutRedis stops a real redis-server in the middle of an
// alarm: killed, as a machine that dies, and frozen, as a network that is cut.
func TestHelpIsCalledWithoutRedis(t *testing.T) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no redis-server on PATH")
		}
		t.Skip("NOT TESTED: redis-server is not on the PATH")
	}
	for _, how := range []string{"killed", "frozen"} {
		t.Run(how, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "kr")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			socket := filepath.Join(dir, "s")
			server, stop := startRedis(t, path, socket)
			client := connect(t, socket)
			redis := NewRedisStore(client)
			s := NewStandby(redis, func(ctx context.Context) error { return CheckRedis(ctx, client) }, nil, slog.New(slog.DiscardHandler))
			s.patience, s.pause = 300*time.Millisecond, 100*time.Millisecond

			l := ledger.NewMemory(time.Now)
			open(t, l, time.Now(), 10)
			tr := house(t, l, s, time.Now)
			write(t, l, answer(1, announcement.Safe, time.Now(), "a"), answer(2, announcement.NeedHelp, time.Now(), "b"))
			if !helped(tr, 2, true) {
				t.Fatal("nobody was called while Redis was there")
			}

			if how == "killed" {
				stop()
			} else if err := server.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			write(t, l, answer(3, announcement.NeedHelp, time.Now(), "c"), answer(3, announcement.NeedHelp, time.Now(), "c2"), answer(2, announcement.NeedHelp, time.Now(), "b2"))
			pressed := time.Now()
			if !helped(tr, 3, true) {
				t.Fatal("nobody was called while Redis was away")
			}
			if took := time.Since(pressed); took > 5*time.Second {
				t.Errorf("the call took %s", took)
			}
			want := announcement.Counts{Recipients: 10, NeedHelp: 2, Confirmed: 1, NoAnswer: 7}
			if got := counts(t, tr); got != want {
				t.Errorf("while Redis is away: got %+v, want %+v", got, want)
			}
			if ok, hint := tr.Ready(); !ok || !s.Away() {
				t.Errorf("ready is %v %q, away is %v; want ready without it", ok, hint, s.Away())
			}

			if how == "killed" {
				startRedis(t, path, socket) // empty
			} else if err := server.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); s.Away(); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("Redis is there again and not used")
				}
			}
			write(t, l, answer(4, announcement.Safe, time.Now(), "d"))
			want.Confirmed, want.NoAnswer = 2, 6
			if got := counts(t, tr); got != want {
				t.Errorf("with Redis again: got %+v, want %+v", got, want)
			}
			if snap, err := redis.Snapshot(t.Context(), fire); err != nil || !snap.Bits[bitSafe].Get(4) || !snap.Bits[bitHelp].Get(3) {
				t.Errorf("Redis holds %+v, %v", snap, err)
			}
			called := map[int]int{}
			v, _ := tr.View(fire)
			for _, d := range v.Rounds {
				if d.Message == announcement.SayHelp {
					called[d.About]++
				}
			}
			if fmt.Sprint(called) != "map[2:1 3:1]" {
				t.Errorf("calls for help by person: %v, want one each", called)
			}
		})
	}
}
