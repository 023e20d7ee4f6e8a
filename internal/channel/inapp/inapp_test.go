package inapp_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/channeltest"
	"kentongan/internal/channel/inapp"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	to := announcement.ContactPoints{Person: announcement.NewPersonID(), Subscriptions: []announcement.Subscription{{ID: "device"}}}
	channeltest.Run(t, channeltest.Suite{Sender: inapp.New(), To: to, Secrets: []string{string(to.Person)}})
}

func TestSendWakesTheOpenPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := inapp.New()
		ctx, cancel := context.WithCancel(t.Context())
		w, other := h.Watch(ctx, inapp.PersonTopic("p1")), h.Watch(ctx, inapp.PersonTopic("p2"))
		for range 3 {
			if _, err := h.Send(ctx, "", announcement.ContactPoints{Person: "p1"}, announcement.Message{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(w); got != 1 {
			t.Errorf("got %d waiting wakes after three sends, want 1", got)
		}
		if got := len(other); got != 0 {
			t.Errorf("got %d wakes for somebody else, want 0", got)
		}
		cancel()
		synctest.Wait()
		<-w // the one that waited
		if _, open := <-w; open {
			t.Error("the watch is open after its context ended")
		}
		if got := h.Watching(); got != 0 {
			t.Errorf("got %d watches, want 0", got)
		}
	})
}

func TestWhoHasNoDeviceAndNoOpenPageIsNotReached(t *testing.T) {
	t.Parallel()
	h := inapp.New()
	_, err := h.Send(t.Context(), "", announcement.ContactPoints{Person: "p1"}, announcement.Message{})
	if got := channel.ReasonOf(err); err == nil || got != channel.NoContactPoint {
		t.Errorf("got %v, want %s", err, channel.NoContactPoint)
	}
}

func TestStopClosesEveryWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := inapp.New()
		before := h.Watch(t.Context(), "a")
		h.Stop()
		h.Stop()
		synctest.Wait()
		for name, w := range map[string]<-chan struct{}{"before": before, "after": h.Watch(t.Context(), "a")} {
			if _, open := <-w; open {
				t.Errorf("a watch from %s the stop is open", name)
			}
		}
		h.Wake("a")
		if got := h.Watching(); got != 0 {
			t.Errorf("got %d watches, want 0", got)
		}
	})
}

func TestHubUnderLoad(t *testing.T) {
	t.Parallel()
	h := inapp.New()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			w := h.Watch(ctx, "a")
			h.Wake("a", "b")
			<-w
			cancel()
			for range w {
			}
		})
	}
	wg.Wait()
	if got := h.Watching(); got != 0 {
		t.Errorf("got %d watches, want 0", got)
	}
}
