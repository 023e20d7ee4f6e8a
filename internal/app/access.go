package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// access knows who may come in: the holders of bearer tokens, of which only the
// hash is kept, and the people with an account.
type access struct {
	*accounts
	audit     *audit
	sessions  *sessions
	sso       *sso // nil: there is none
	employs   func(number string) bool
	tokens    *shelf[token]
	bootstrap string
	open      bool
}

// token is what is kept of a bearer token "kt_<id>_<secret>".
type token struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Role web.Role `json:"role"`
	Calm bool     `json:"calm,omitempty"` // a sender's, for notices only
	Hash string   `json:"hash"`           // SHA-256 of the whole token, hex; the secret has 128 random bits, so no slow hash is needed
}

func (t token) grant() web.Grant { return web.Grant{Roles: []web.Role{t.Role}, Calm: t.Calm} }

// openAccess follows the tokens so that one made or revoked on another node
// counts here at once. It returns when all are known.
func openAccess(ctx context.Context, vault ledger.Vault, c *Config, key []byte, trail *audit, now func() time.Time) (*access, error) {
	asks, err := relyingParty(c)
	if err != nil {
		return nil, err
	}
	people, err := openAccounts(ctx, vault, key, c.OrgName, asks, now)
	if err != nil {
		return nil, err
	}
	open, err := openSessions(ctx, vault, now)
	if err != nil {
		return nil, err
	}
	tokens, err := openShelf[token](ctx, vault, "token.", "tokens")
	return &access{accounts: people, audit: trail, sessions: open, sso: newSSO(c, now), tokens: tokens, bootstrap: c.BootstrapToken, open: c.Sandbox}, err
}

// bootstrapActor is whoever holds KENTONGAN_BOOTSTRAP_TOKEN.
const bootstrapActor announcement.Actor = "token:bootstrap"

func hashToken(bearer string) string {
	sum := sha256.Sum256([]byte(bearer))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Authenticate returns who holds a bearer token.
func (a *access) Authenticate(_ context.Context, bearer string) (web.Principal, error) {
	if a.bootstrap != "" && same(hashToken(bearer), hashToken(a.bootstrap)) {
		return web.Principal{Actor: bootstrapActor, Name: "bootstrap", Grant: web.As(web.Administrator, web.Sender)}, nil
	}
	parts := strings.Split(bearer, "_")
	if len(parts) != 3 || parts[0] != "kt" {
		return web.Principal{}, web.ErrForbidden
	}
	t, ok := a.tokens.get(parts[1])
	if !ok || !same(hashToken(bearer), t.Hash) {
		return web.Principal{}, web.ErrForbidden
	}
	return web.Principal{Actor: announcement.Actor("token:" + t.ID), Name: t.Name, Grant: t.grant()}, nil
}

// Principal returns what an actor may do now: a token that was taken away and a
// role that was changed count at once.
func (a *access) Principal(_ context.Context, actor announcement.Actor) (web.Principal, error) {
	if actor == bootstrapActor && a.bootstrap != "" {
		return web.Principal{Actor: actor, Name: "bootstrap", Grant: web.As(web.Administrator, web.Sender)}, nil
	}
	if strings.HasPrefix(string(actor), "account:") {
		return a.principalOf(actor)
	}
	t, ok := a.tokens.get(strings.TrimPrefix(string(actor), "token:"))
	if !ok {
		return web.Principal{}, web.ErrForbidden
	}
	return web.Principal{Actor: actor, Name: t.Name, Grant: t.grant()}, nil
}

// CreateToken makes a token; it is shown once and cannot be read again.
func (a *access) CreateToken(ctx context.Context, p web.Principal, name string, role web.Role, calm bool) (string, error) {
	if !p.May(web.Administer) {
		return "", web.ErrForbidden
	}
	var bad announcement.FieldErrors
	if strings.TrimSpace(name) == "" || len([]rune(name)) > 60 {
		bad = append(bad, &announcement.FieldError{Field: "name", Why: "needs 1 to 60 characters"})
	}
	if role != web.Provisioner && !slices.Contains(web.Roles, role) {
		bad = append(bad, &announcement.FieldError{Field: "role", Value: string(role), Why: "must be " + roleList + " or provisioner"})
	}
	if calm && role != web.Sender {
		bad = append(bad, &announcement.FieldError{Field: "notices_only", Why: "is for a sender"})
	}
	if len(bad) > 0 {
		return "", bad
	}
	t := token{ID: string(announcement.NewID()), Name: name, Role: role, Calm: calm}
	bearer := "kt_" + t.ID + "_" + string(announcement.NewID())[1:] + string(announcement.NewID())[1:]
	t.Hash = hashToken(bearer)
	err := a.audit.doing(ctx, p.Actor, announcement.TokenCreated, announcement.About{Object: t.ID, By: "api"}, func() error {
		return a.tokens.create(ctx, t.ID, t)
	})
	if err != nil {
		return "", err
	}
	return bearer, nil
}

// Tokens lists the tokens by name.
func (a *access) Tokens(_ context.Context, p web.Principal) ([]web.Token, error) {
	if !p.May(web.Administer) {
		return nil, web.ErrForbidden
	}
	out := []web.Token{}
	for _, t := range a.tokens.walk() {
		out = append(out, web.Token{ID: t.ID, Name: t.Name, Role: t.Role, Calm: t.Calm})
	}
	slices.SortFunc(out, func(a, b web.Token) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return out, nil
}

// EndToken takes a token away: whoever holds it is out with the next request, and the
// streams that it opened end.
func (a *access) EndToken(ctx context.Context, p web.Principal, id string) error {
	if !p.May(web.Administer) {
		return web.ErrForbidden
	}
	if _, ok := a.tokens.get(id); !ok {
		return web.ErrNotFound
	}
	return a.tokens.drop(ctx, id)
}

// OpenConsole reports whether the console needs no sign-in.
func (a *access) OpenConsole() bool { return a.open }

// senders is how many tokens and people may send.
func (a *access) senders() int {
	n := 0
	for _, t := range a.tokens.walk() {
		if t.Role.Gives(web.Announce) {
			n++
		}
	}
	if a.bootstrap != "" {
		n++
	}
	for _, c := range a.all.walk() {
		if c.canEnter() && c.May(web.Announce) {
			n++
		}
	}
	return n
}

// roleList is how an error names the roles of accounts.
var roleList = func() string {
	var all []string
	for _, r := range web.Roles {
		all = append(all, string(r))
	}
	return strings.Join(all, ", ")
}()

// Holders names the people who have one of the rights, at most five.
func (a *access) Holders(_ context.Context, rights ...web.Right) []string {
	var names []string
	for _, c := range a.all.walk() {
		if c.canEnter() && c.May(rights...) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), 5)]
}
