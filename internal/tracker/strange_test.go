package tracker

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// A ledger that is not the one the working state has seen has lost answers: that is an
// alarm, and no empty board.
func TestAnotherLedgerIsAnAlarm(t *testing.T) {
	for name, seen := range map[string]struct {
		epoch string
		seq   uint64
	}{"made anew": {"the-one-before", 7}, "cut off": {"", 1 << 40}} {
		t.Run(name, func(t *testing.T) {
			l, s := ledger.NewMemory(time.Now), NewMemoryStore()
			open(t, l, time.Now(), 3)
			if seen.epoch == "" {
				epoch, err := l.Epoch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				seen.epoch = epoch
			}
			if err := s.SetCursor(t.Context(), seen.epoch, seen.seq); err != nil {
				t.Fatal(err)
			}
			tr := house(t, l, s, time.Now)
			if err := tr.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if ready, why := tr.Ready(); ready || !strings.Contains(why, "restore") {
				t.Errorf("it is ready, %t: %q", ready, why)
			}
		})
	}
}

// A Redis that may throw keys away would forget somebody silently.
func TestRedisThatMayEvictIsRefused(t *testing.T) {
	made, there := stores(t)["redis"]
	if !there {
		t.Skip("NOT TESTED: redis-server is not on the PATH")
	}
	s := made().(*RedisStore)
	c := s.c
	if err := CheckRedis(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	operator, _ := operators.Load(s)
	if err := operator.(*redis.Client).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	if err := CheckRedis(t.Context(), c); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("got %v, want the setting named", err)
	}
}

// A Redis that has forgotten its scripts is sent them again, and nobody notices.
func TestForgottenScriptsAreSentAgain(t *testing.T) {
	made, there := stores(t)["redis"]
	if !there {
		t.Skip("NOT TESTED: redis-server is not on the PATH")
	}
	s := made().(*RedisStore)
	at := time.Now()
	l := ledger.NewMemory(time.Now)
	open(t, l, at, 5)
	tr := house(t, l, s, time.Now)
	operator, _ := operators.Load(s)
	for n := range 5 {
		if err := operator.(*redis.Client).ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		write(t, l, answer(n, announcement.Safe, at, "r"))
		if c := counts(t, tr); c.Confirmed != n+1 {
			t.Errorf("%d have confirmed, want %d", c.Confirmed, n+1)
		}
	}
}
