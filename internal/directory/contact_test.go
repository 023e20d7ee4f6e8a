package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

func device(n int) announcement.Subscription {
	return announcement.Subscription{
		ID:       fmt.Sprintf("s%d", n),
		Endpoint: fmt.Sprintf("https://push.example/%d", n),
		Seen:     time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC),
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	ctx := t.Context()
	sri, adi := id(t, d, "1"), id(t, d, "2")
	count := func(p announcement.PersonID, want int) {
		t.Helper()
		if got := len(d.Contact(p).Subscriptions); got != want {
			t.Errorf("%d subscriptions, want %d", got, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.Subscribe(ctx, sri, device(1)))
	must(d.Subscribe(ctx, sri, device(1)))
	must(d.Subscribe(ctx, sri, device(2)))
	count(sri, 2)

	// The device changes hands.
	must(d.Subscribe(ctx, adi, device(1)))
	count(sri, 1)
	count(adi, 1)

	must(d.Retire(ctx, sri, []string{"s2", "unheard of"}))
	count(sri, 0)
	must(d.Unsubscribe(ctx, adi, device(1).Endpoint))
	must(d.Unsubscribe(ctx, adi, device(1).Endpoint))
	count(adi, 0)

	for n := range MaxDevices + 3 {
		must(d.Subscribe(ctx, sri, device(n)))
	}
	count(sri, MaxDevices)
	for _, s := range d.Contact(sri).Subscriptions {
		if s.ID == "s0" {
			t.Error("the device unseen for longest was kept")
		}
	}

	if err := d.Subscribe(ctx, "nobody", device(1)); !errors.Is(err, ErrUnknown) {
		t.Errorf("subscribing nobody = %v, want ErrUnknown", err)
	}
	if err := d.Subscribe(ctx, sri, announcement.Subscription{}); err == nil {
		t.Error("an empty subscription was taken")
	}
}

func TestConcurrentChangesAreAllKept(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	p := id(t, d, "1")
	var wg sync.WaitGroup
	for n := range MaxDevices {
		wg.Go(func() {
			if err := d.Subscribe(t.Context(), p, device(n)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { _, _, _ = d.ContactPoints(p) })
	}
	wg.Go(func() {
		if err := d.StopSMS(t.Context(), p, true); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if c := d.Contact(p); len(c.Subscriptions) != MaxDevices || !c.SMSStopped {
		t.Errorf("%d subscriptions and stopped %v, want all", len(c.Subscriptions), c.SMSStopped)
	}
}

func TestPersonIsRedacted(t *testing.T) {
	t.Parallel()
	p := Person{Name: "Sri Ayu", Mobile: "+6281234567890"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "recipient", p)
	said := fmt.Sprintf("%v %+v %#v %s", p, p, p, p) + log.String()
	for _, secret := range []string{p.Name, p.Mobile} {
		if strings.Contains(said, secret) {
			t.Errorf("%q got out: %s", secret, said)
		}
	}
	if b, err := json.Marshal(p); err != nil || !strings.Contains(string(b), p.Name) {
		t.Errorf("a person must still be storable: %s, %v", b, err)
	}
}
