// Package channeltest judges a channel.Sender: what every sender must keep, so
// that dispatch can treat them alike.
package channeltest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Suite is a sender whose provider takes the message.
type Suite struct {
	Sender  channel.Sender
	To      announcement.ContactPoints
	Secrets []string         // what no error may hold: numbers, endpoints, keys
	Failing []channel.Sender // the same sender with providers that fail in different ways
}

// Message is a message such as dispatch sends. Its parts are recognisable, so
// that an error that repeats one is found.
func Message() announcement.Message {
	now := time.Now()
	return announcement.Message{
		Announcement: "aaaaaaaaaaaaaaaa", Kind: announcement.SayAlert, Mode: announcement.Live, Severity: announcement.Extreme,
		Answers: announcement.Safety, Lane: announcement.Emergency, Language: announcement.Indonesian,
		Title: "GEMPA - Pabrik Rahasia", Body: "Lindungi kepala Rahasia", SMS: "PT SinarAbc: GEMPA Rahasia siaga.example/r/rahasiatoken",
		Link: "https://siaga.example/r/rahasiatoken", Token: "rahasiatoken", Asks: true, Sent: now, Expires: now.Add(time.Hour),
	}
}

// Run judges the sender.
func Run(t *testing.T, s Suite) {
	t.Helper()
	t.Run("takes a message", func(t *testing.T) {
		handed, err := s.Sender.Send(t.Context(), "send1", s.To, Message())
		if err != nil {
			t.Fatalf("got %v, want it taken", err)
		}
		if handed.Rank != announcement.Accepted || handed.Points < 1 || len(handed.Retired) > 0 {
			t.Errorf("got %+v, want it accepted by a contact point and none retired", handed)
		}
	})
	t.Run("honours its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Sender.Send(ctx, "send2", s.To, Message())
		s.checkError(t, err)
		if reason := channel.ReasonOf(err); !reason.Retry() {
			t.Errorf("got %s, want a reason to try again: the call was given up, not refused", reason)
		}
	})
	for _, failing := range s.Failing {
		t.Run("fails plainly", func(t *testing.T) {
			_, err := failing.Send(t.Context(), "send3", s.To, Message())
			s.checkError(t, err)
		})
	}
}

// checkError fails the test unless err is a *channel.Error without secrets.
func (s Suite) checkError(t *testing.T, err error) {
	t.Helper()
	var typed *channel.Error
	if !errors.As(err, &typed) {
		t.Fatalf("got %v (%T), want a *channel.Error", err, err)
	}
	for _, secret := range append([]string{"Rahasia", "rahasiatoken"}, s.Secrets...) {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}
