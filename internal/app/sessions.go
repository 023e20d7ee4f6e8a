package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// sessions are the browsers that have signed in to the console. They are kept in
// the vault under the hash of what the browser holds, so that one can be ended
// from another device and every node knows at once.
type sessions struct {
	now func() time.Time
	all *shelf[session] // by id

	// When each was last used is kept beside it: writing that must not bring one back
	// that was ended meanwhile.
	seen *shelf[time.Time]
}

// session is one of them as stored.
type session struct {
	Actor  announcement.Actor `json:"actor"`
	Began  time.Time          `json:"began"`
	Device string             `json:"device,omitempty"`
}

const (
	sessionLife = 12 * time.Hour // one long shift
	sessionIdle = 4 * time.Hour  // who watches a board through a night presses nothing
	seenEvery   = 5 * time.Minute
)

func openSessions(ctx context.Context, vault ledger.Vault, now func() time.Time) (*sessions, error) {
	all, err := openShelf[session](ctx, vault, "session.", "sessions")
	if err != nil {
		return nil, err
	}
	seen, err := openShelf[time.Time](ctx, vault, "seen.", "sessions")
	return &sessions{now: now, all: all, seen: seen}, err
}

// over reports whether a session has lasted too long, or nobody has used it for
// too long.
func (s *sessions) over(id string, one session) bool {
	now := s.now()
	last := one.Began
	if seen, _ := s.seen.get(id); seen.After(last) {
		last = seen
	}
	return now.Sub(one.Began) >= sessionLife || now.Sub(last) >= sessionIdle
}

// open begins a session and returns what the browser keeps. Every sign-in has one
// of its own.
func (s *sessions) open(ctx context.Context, actor announcement.Actor, device string) (string, error) {
	secret := rand.Text()
	id := shorten(secret)
	if err := s.all.create(ctx, id, session{Actor: actor, Began: s.now().UTC(), Device: device}); err != nil {
		return "", err
	}
	s.sweep(ctx)
	return secret, nil
}

// visitor returns who holds the secret of a session that is not over.
func (s *sessions) visitor(ctx context.Context, secret string) (announcement.Actor, bool) {
	id := shorten(secret)
	one, ok := s.all.get(id)
	ok = ok && !s.over(id, one)
	if seen, _ := s.seen.get(id); ok && s.now().Sub(seen) >= seenEvery {
		// A store that is away ends nobody's session early: it is tried at the next page.
		_ = s.seen.put(ctx, id, s.now().UTC())
	}
	return one.Actor, ok
}

// of lists an actor's sessions, the newest first.
func (s *sessions) of(actor announcement.Actor, secret string) []web.Session {
	var out []web.Session
	for id, one := range s.all.walk() {
		if one.Actor == actor && !s.over(id, one) {
			seen, _ := s.seen.get(id)
			out = append(out, web.Session{ID: id, Began: one.Began, Seen: seen, Device: one.Device, This: id == shorten(secret)})
		}
	}
	slices.SortFunc(out, func(a, b web.Session) int { return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.ID, b.ID)) })
	return out
}

// end ends the sessions that are chosen.
func (s *sessions) end(ctx context.Context, chosen func(id string, one session) bool) error {
	var errs []error
	for id, one := range s.all.walk() {
		if chosen(id, one) {
			errs = append(errs, s.all.drop(ctx, id))
			_ = s.seen.drop(ctx, id) // what is left of it lets nobody in
		}
	}
	return errors.Join(errs...)
}

func (s *sessions) endAllOf(ctx context.Context, actor announcement.Actor) error {
	return s.end(ctx, func(_ string, one session) bool { return one.Actor == actor })
}

// sweep forgets sessions that are over. What fails is swept next time.
func (s *sessions) sweep(ctx context.Context) {
	_ = s.end(ctx, func(id string, one session) bool { return s.over(id, one) })
}
