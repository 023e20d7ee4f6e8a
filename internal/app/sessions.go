package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// sessions are the browsers that have signed in to the console. They are kept in
// the vault under the hash of what the browser holds, so that one can be ended
// from another device and every node knows at once.
type sessions struct {
	vault ledger.Vault
	now   func() time.Time

	mu   sync.RWMutex
	all  map[string]session   // by id
	seen map[string]time.Time // by id
}

// session is one of them as stored.
type session struct {
	Actor  announcement.Actor `json:"actor"`
	Began  time.Time          `json:"began"`
	Device string             `json:"device,omitempty"`
}

const (
	sessionKey = "session."
	seenKey    = "seen." // beside the session: writing it must not bring one back that was ended meanwhile

	sessionLife = 12 * time.Hour // one long shift
	sessionIdle = 4 * time.Hour  // who watches a board through a night presses nothing
	seenEvery   = 5 * time.Minute
)

func openSessions(ctx context.Context, vault ledger.Vault, now func() time.Time) (*sessions, error) {
	s := &sessions{vault: vault, now: now, all: map[string]session{}, seen: map[string]time.Time{}}
	if err := keepUp(ctx, vault, sessionKey, "sessions", s.learn); err != nil {
		return nil, err
	}
	if err := keepUp(ctx, vault, seenKey, "sessions", s.learnSeen); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *sessions) learn(key string, value []byte) {
	id := strings.TrimPrefix(key, sessionKey)
	s.mu.Lock()
	defer s.mu.Unlock()
	var one session
	if value == nil || json.Unmarshal(value, &one) != nil {
		delete(s.all, id)
		return
	}
	s.all[id] = one
}

func (s *sessions) learnSeen(key string, value []byte) {
	id := strings.TrimPrefix(key, seenKey)
	s.mu.Lock()
	defer s.mu.Unlock()
	var at time.Time
	if value == nil || at.UnmarshalText(value) != nil {
		delete(s.seen, id)
		return
	}
	s.seen[id] = at
}

// over reports whether a session has lasted too long, or nobody has used it for
// too long. It needs mu.
func (s *sessions) over(id string, one session) bool {
	now := s.now()
	last := one.Began
	if s.seen[id].After(last) {
		last = s.seen[id]
	}
	return now.Sub(one.Began) >= sessionLife || now.Sub(last) >= sessionIdle
}

// open begins a session and returns what the browser keeps. Every sign-in has one
// of its own.
func (s *sessions) open(ctx context.Context, actor announcement.Actor, device string) (string, error) {
	secret := rand.Text()
	id := shorten(secret)
	value, err := json.Marshal(session{Actor: actor, Began: s.now().UTC(), Device: device})
	if err != nil {
		return "", fmt.Errorf("encode session: %w", err)
	}
	if err := s.vault.Create(ctx, sessionKey+id, value); err != nil {
		return "", fmt.Errorf("%w: open session: %w", web.ErrNotYet, err)
	}
	s.learn(sessionKey+id, value)
	s.sweep(ctx)
	return secret, nil
}

// visitor returns who holds the secret of a session that is not over.
func (s *sessions) visitor(ctx context.Context, secret string) (announcement.Actor, bool) {
	id := shorten(secret)
	s.mu.RLock()
	one, ok := s.all[id]
	ok = ok && !s.over(id, one)
	stale := s.now().Sub(s.seen[id]) >= seenEvery
	s.mu.RUnlock()
	if ok && stale {
		if at, err := s.now().UTC().MarshalText(); err == nil && s.vault.Put(ctx, seenKey+id, at) == nil {
			s.learnSeen(seenKey+id, at) // a store that is away ends nobody's session early: it is tried at the next page
		}
	}
	return one.Actor, ok
}

// of lists an actor's sessions, the newest first.
func (s *sessions) of(actor announcement.Actor, secret string) []web.Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []web.Session
	for id, one := range s.all {
		if one.Actor == actor && !s.over(id, one) {
			out = append(out, web.Session{ID: id, Began: one.Began, Seen: s.seen[id], Device: one.Device, This: id == shorten(secret)})
		}
	}
	slices.SortFunc(out, func(a, b web.Session) int { return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.ID, b.ID)) })
	return out
}

// end ends the sessions that are chosen.
func (s *sessions) end(ctx context.Context, chosen func(id string, one session) bool) error {
	s.mu.RLock()
	var ids []string
	for id, one := range s.all {
		if chosen(id, one) {
			ids = append(ids, id)
		}
	}
	s.mu.RUnlock()
	var errs []error
	for _, id := range ids {
		if err := s.vault.Delete(ctx, sessionKey+id); err != nil {
			errs = append(errs, err)
			continue
		}
		s.learn(sessionKey+id, nil)
		if s.vault.Delete(ctx, seenKey+id) == nil {
			s.learnSeen(seenKey+id, nil)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: end sessions: %w", web.ErrNotYet, err)
	}
	return nil
}

func (s *sessions) endAllOf(ctx context.Context, actor announcement.Actor) error {
	return s.end(ctx, func(_ string, one session) bool { return one.Actor == actor })
}

// sweep forgets sessions that are over. What fails is swept next time.
func (s *sessions) sweep(ctx context.Context) {
	_ = s.end(ctx, func(id string, one session) bool { return s.over(id, one) })
}
