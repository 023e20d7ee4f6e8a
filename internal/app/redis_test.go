package app

import (
	"log/slog"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

func TestRedisThatIsKilledIsStartedAgain(t *testing.T) {
	t.Parallel()
	path := apptest.FindRedis(t)
	client, stop, err := startRedis(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	pid := func() int {
		info, _ := client.Info(t.Context(), "server").Result()
		m := regexp.MustCompile(`process_id:(\d+)`).FindStringSubmatch(info)
		if m == nil {
			return 0
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	first := pid()
	if first == 0 {
		t.Fatal("redis-server does not say its process")
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if now := pid(); now != 0 && now != first {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody started it again")
		}
	}
}
