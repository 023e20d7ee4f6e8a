package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// sso lets people in whom the company's own sign-in knows (OpenID Connect). What
// they may do follows from what it says of them, each time they come.
type sso struct {
	config *Config
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider // once it has answered: a provider that is away must not keep us from starting
}

// ssoTimeout is how long the provider may take; somebody is waiting.
const ssoTimeout = 10 * time.Second

func newSSO(c *Config, now func() time.Time) *sso {
	if c.OIDCIssuer == "" {
		return nil
	}
	return &sso{config: c, client: &http.Client{Timeout: ssoTimeout}, now: now}
}

// ssoState is what a browser keeps while somebody is at the provider.
type ssoState struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE, RFC 7636
}

func (s *sso) open(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		// The keys are fetched later with the same client, so not with a context that ends.
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.client), s.config.OIDCIssuer)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: ask KENTONGAN_OIDC_ISSUER: %w", web.ErrNotYet, err)
		}
		s.provider = p
	}
	return s.provider, &oauth2.Config{ClientID: s.config.OIDCClientID, ClientSecret: s.config.OIDCClientSecret, Endpoint: s.provider.Endpoint(),
		RedirectURL: s.config.PublicURL + "/signin/sso/back", Scopes: append([]string{oidc.ScopeOpenID, "profile", "email"}, s.config.OIDCScopes...)}, nil
}

// begin returns where to send somebody, and what to keep meanwhile.
func (s *sso) begin(ctx context.Context) (address string, state []byte, err error) {
	_, o, err := s.open(ctx)
	if err != nil {
		return "", nil, err
	}
	kept := ssoState{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	if state, err = json.Marshal(kept); err != nil {
		return "", nil, fmt.Errorf("encode the state of a sign-in: %w", err)
	}
	return o.AuthCodeURL(kept.State, oidc.Nonce(kept.Nonce), oauth2.S256ChallengeOption(kept.Verifier)), state, nil
}

// stranger is somebody as the provider describes them.
type stranger struct {
	subject, name, login string
	groups               []string
}

// finish takes what the provider sent somebody back with.
func (s *sso) finish(ctx context.Context, state []byte, back url.Values) (stranger, error) {
	var kept ssoState
	if err := json.Unmarshal(state, &kept); err != nil || kept.State == "" || !same(kept.State, back.Get("state")) {
		return stranger{}, fmt.Errorf("%w: a sign-in comes back that was not begun here", web.ErrForbidden)
	}
	if why := back.Get("error"); why != "" {
		return stranger{}, fmt.Errorf("%w: the provider refuses", web.ErrForbidden)
	}
	p, o, err := s.open(ctx)
	if err != nil {
		return stranger{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.client), 2*ssoTimeout)
	defer cancel()
	token, err := o.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(kept.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
			return stranger{}, fmt.Errorf("%w: the provider does not take its code back: %s", web.ErrForbidden, refused.ErrorCode)
		}
		return stranger{}, fmt.Errorf("%w: ask the provider for a token: %w", web.ErrNotYet, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: s.now}).Verify(ctx, raw)
	if err != nil {
		return stranger{}, fmt.Errorf("%w: check what the provider signed: %w", web.ErrForbidden, err)
	}
	if !same(id.Nonce, kept.Nonce) {
		return stranger{}, fmt.Errorf("%w: what the provider signed was for another sign-in", web.ErrForbidden)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return stranger{}, fmt.Errorf("%w: read what the provider signed: %w", web.ErrForbidden, err)
	}
	if claims[s.config.OIDCClaim] == nil || claims["name"] == nil { // many tell the rest only when asked
		more, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return stranger{}, fmt.Errorf("%w: ask the provider who it is: %w", web.ErrNotYet, err)
		}
		if more.Subject != id.Subject { // OpenID Connect Core section 5.3.2
			return stranger{}, fmt.Errorf("%w: the provider speaks of somebody else", web.ErrForbidden)
		}
		asked := map[string]any{}
		if err := more.Claims(&asked); err != nil {
			return stranger{}, fmt.Errorf("%w: read who it is: %w", web.ErrForbidden, err)
		}
		for k, v := range asked {
			if claims[k] == nil {
				claims[k] = v
			}
		}
	}
	text := func(claim string) string { v, _ := claims[claim].(string); return v }
	login := cmp.Or(text("preferred_username"), text("email"), id.Subject)
	return stranger{subject: id.Issuer + " " + id.Subject, name: cmp.Or(text("name"), login), login: login, groups: valuesOf(claims[s.config.OIDCClaim])}, nil
}

// valuesOf reads a claim that is one text or a list of them.
func valuesOf(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// roles says what somebody of these groups may do: everything that one of them
// gives. Nothing that is not named gives any.
func (s *sso) roles(groups []string) (out []web.Role) {
	for _, r := range web.Roles {
		named := map[web.Role][]string{web.Administrator: s.config.OIDCAdministrators, web.Sender: s.config.OIDCSenders, web.Approver: s.config.OIDCApprovers,
			web.Auditor: s.config.OIDCAuditors, web.Operator: s.config.OIDCOperators, web.Viewer: s.config.OIDCViewers}[r]
		if slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(named, g) }) {
			out = append(out, r)
		}
	}
	return out
}

// SSO reports whether people sign in with the company's own sign-in.
func (a *access) SSO() bool { return a.sso != nil }

// BeginSSO returns where to send somebody, and what to keep meanwhile.
func (a *access) BeginSSO(ctx context.Context) (string, []byte, error) {
	if a.sso == nil {
		return "", nil, web.ErrNotFound
	}
	return a.sso.begin(ctx)
}

// FinishSSO lets in whom the provider sent back, with what it says of them now.
func (a *access) FinishSSO(ctx context.Context, state []byte, back url.Values) (web.Principal, error) {
	p, err := a.finishSSO(ctx, state, back)
	return p, a.refused(err, "", "sso")
}

func (a *access) finishSSO(ctx context.Context, state []byte, back url.Values) (web.Principal, error) {
	if a.sso == nil {
		return web.Principal{}, web.ErrNotFound
	}
	who, err := a.sso.finish(ctx, state, back)
	if err != nil {
		return web.Principal{}, err
	}
	id := "sso" + mac(a.key, 22, "sso", who.subject)
	roles := a.sso.roles(who.groups)
	before, err := a.get(id)
	switch {
	case errors.Is(err, web.ErrNotFound) && len(roles) == 0:
		return web.Principal{}, web.ErrNoRole
	case errors.Is(err, web.ErrNotFound):
		c := account{ID: id, Name: oneName(who.name), Login: oneLogin(who.login), Grant: web.As(roles...), SSO: true}
		if err := a.all.create(ctx, c.ID, c); err != nil && !errors.Is(err, ledger.ErrAlready) {
			return web.Principal{}, err
		}
		return c.principal(), nil
	case err != nil:
		return web.Principal{}, err
	case before.Ended:
		return web.Principal{}, web.ErrForbidden
	}
	c, err := a.change(ctx, id, func(c *account) error {
		c.Name, c.Login, c.Roles, c.SSO = oneName(who.name), oneLogin(who.login), roles, len(roles) > 0
		return nil
	})
	if err != nil {
		return web.Principal{}, err
	}
	if !slices.Equal(c.Roles, before.Roles) {
		if err := a.sessions.endAllOf(ctx, c.actor()); err != nil {
			return web.Principal{}, err
		}
	}
	if len(roles) == 0 {
		return web.Principal{}, web.ErrNoRole
	}
	return c.principal(), nil
}
