package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/argon2"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// accounts are the people who run the console, and how each of them proves who
// they are: by a passkey, or by a password with a code from an app. They are
// kept encrypted in the vault, and every node follows them.
type accounts struct {
	vault ledger.Vault
	key   []byte
	now   func() time.Time
	org   string             // stands beside the code in the app
	asks  *webauthn.WebAuthn // for passkeys; nil: there are none here

	hashing chan struct{} // holds those whose password is looked at now
	all     *shelf[account]
	counts  *shelf[uint32] // how often each passkey says that it was used (Web Authentication section 6.1.1)
}

// account is one of them as stored.
type account struct {
	ID    string `json:"-"`
	Name  string `json:"name"`
	Login string `json:"login"` // what they type; lower case, one of a kind
	web.Grant
	Number   string      `json:"number,omitempty"` // employee number: their own phone is told what concerns their role
	Ended    bool        `json:"ended,omitempty"`
	SSO      bool        `json:"sso,omitempty"` // the company's own sign-in lets them in
	Passkeys []passkey   `json:"passkeys,omitempty"`
	Password string      `json:"password,omitempty"` // argon2id, see hashPassword
	Secret   string      `json:"secret,omitempty"`   // of the app that makes codes
	Next     *unproved   `json:"next,omitempty"`     // takes the place of both once a code of its app was typed
	Invited  *invitation `json:"invited,omitempty"`
	Version  int64       `json:"version"`
}

func (c account) version() int64 { return c.Version }

// UnmarshalJSON also reads a record from before an account could have several roles.
func (c *account) UnmarshalJSON(b []byte) error {
	type record account
	was := struct {
		*record
		Role web.Role `json:"role"`
		Runs bool     `json:"runs"`
	}{record: (*record)(c)}
	if err := json.Unmarshal(b, &was); err != nil {
		return fmt.Errorf("read an account: %w", err)
	}
	if len(c.Roles) == 0 && was.Role != "" {
		c.Roles = []web.Role{was.Role}
		if was.Runs {
			c.Roles = append(c.Roles, web.Administrator)
		}
	}
	return nil
}

// unproved is a password that was chosen, with the secret of its app. Until that app
// has shown a code the one before counts: whoever leaves the page in between must
// not be locked out.
type unproved struct {
	Password string `json:"password"`
	Secret   string `json:"secret"`
}

// invitation lets somebody set up how they sign in, once. Only the hash of its
// code is kept.
type invitation struct {
	Hash string    `json:"hash"`
	Ends time.Time `json:"ends"`
}

const (
	// firstAccount is made at the first start. That it is one id keeps two nodes
	// from making two.
	firstAccount = "first"

	invitedFor      = 72 * time.Hour // a weekend
	firstInvitedFor = 24 * time.Hour // it lies in the log of whoever started the server
	loginTries      = 20             // per account in codeLife; it takes a password and a code, so that few need more
	shortPassword   = 12             // characters at least; NIST SP 800-63B-4 section 3.1.1.2 asks for 15 where it is all there is
	longPassword    = 200
)

func openAccounts(ctx context.Context, vault ledger.Vault, key []byte, org string, asks *webauthn.WebAuthn, now func() time.Time) (*accounts, error) {
	all, err := openShelf[account](ctx, vault, "account.", "accounts")
	if err != nil {
		return nil, err
	}
	counts, err := openShelf[uint32](ctx, vault, "passkey.", "accounts")
	return &accounts{vault: vault, key: key, org: org, asks: asks, now: now, all: all, counts: counts, hashing: make(chan struct{}, argonAtOnce)}, err
}

func (a *accounts) get(id string) (account, error) {
	c, ok := a.all.get(id)
	if !ok {
		return account{}, web.ErrNotFound
	}
	c.ID = id
	return c, nil
}

// change stores what edit makes of an account.
func (a *accounts) change(ctx context.Context, id string, edit func(*account) error) (account, error) {
	c, err := a.all.change(ctx, id, func(c *account) error {
		c.ID = id
		c.Version++
		return edit(c)
	})
	c.ID = id
	return c, err
}

// canEnter reports whether there is a way to sign in with the account.
func (c account) canEnter() bool {
	return !c.Ended && (c.SSO || len(c.Passkeys) > 0 || c.Password != "")
}

func (c account) actor() announcement.Actor { return announcement.Actor("account:" + c.ID) }

func (c account) principal() web.Principal {
	return web.Principal{Actor: c.actor(), Name: c.Name, Grant: c.Grant}
}

// principalOf returns what the holder of an account may do now.
func (a *accounts) principalOf(actor announcement.Actor) (web.Principal, error) {
	c, err := a.get(strings.TrimPrefix(string(actor), "account:"))
	if err != nil || !c.canEnter() {
		return web.Principal{}, web.ErrForbidden
	}
	return c.principal(), nil
}

// begin invites whoever started the server to make the first account, as long as
// there is none that anybody can sign in with. The code counts until the next
// start.
func (a *accounts) begin(ctx context.Context) (code string, err error) {
	for _, c := range a.all.walk() {
		if c.canEnter() {
			return "", nil
		}
	}
	err = a.all.create(ctx, firstAccount, account{Grant: web.As(web.Administrator, web.Sender)})
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return "", err
	}
	return a.invite(ctx, firstAccount, firstInvitedFor)
}

// invite makes a code with which somebody sets up how they sign in with an
// account. It takes the place of every code before.
func (a *accounts) invite(ctx context.Context, id string, life time.Duration) (string, error) {
	code := rand.Text()
	_, err := a.change(ctx, id, func(c *account) error {
		c.Invited = &invitation{Hash: a.hash(code), Ends: a.now().UTC().Add(life)}
		return nil
	})
	return code, err
}

func (a *accounts) hash(code string) string { return mac(a.key, 22, "invitation", code) }

// invited returns the account that a code invites to.
func (a *accounts) invited(code string) (account, error) {
	hash := a.hash(code)
	for id, c := range a.all.walk() {
		if i := c.Invited; i != nil && !c.Ended && same(i.Hash, hash) && a.now().Before(i.Ends) {
			return a.get(id)
		}
	}
	return account{}, web.ErrNotFound
}

// named returns fields that are wrong with a name and what somebody types to
// sign in.
func (a *accounts) named(id, name, login string) announcement.FieldErrors {
	var bad announcement.FieldErrors
	if n := utf8.RuneCountInString(name); n == 0 || n > 60 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		bad = append(bad, &announcement.FieldError{Field: "name", Why: "needs 1 to 60 characters"})
	}
	switch n := utf8.RuneCountInString(login); {
	case n < 3 || n > 100 || strings.ContainsFunc(login, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		bad = append(bad, &announcement.FieldError{Field: "login", Value: login, Why: "needs 3 to 100 characters without blanks"})
	default:
		for other, c := range a.all.walk() {
			if other != id && c.Login == login {
				bad = append(bad, &announcement.FieldError{Field: "login", Value: login, Why: "is taken"})
			}
		}
	}
	return bad
}

func oneName(s string) string  { return strings.Join(strings.Fields(s), " ") }
func oneLogin(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// introduce says who it is that an account belongs to.
func (a *accounts) introduce(ctx context.Context, id, name, login string) (account, error) {
	name, login = oneName(name), oneLogin(login)
	return a.change(ctx, id, func(c *account) error {
		if bad := a.named(id, name, login); len(bad) > 0 {
			return bad
		}
		c.Name, c.Login = name, login
		return nil
	})
}

// choosePassword stores a password and the secret of an app that makes codes.
// Neither counts before prove, and those before count until then.
func (a *accounts) choosePassword(ctx context.Context, id, password string) (web.Authenticator, error) {
	if n := utf8.RuneCountInString(password); n < shortPassword || n > longPassword {
		return web.Authenticator{}, announcement.FieldErrors{{Field: "password", Why: fmt.Sprintf("needs %d to %d characters", shortPassword, longPassword)}}
	}
	hash, err := hashPassword(password)
	if err != nil {
		return web.Authenticator{}, err
	}
	var made web.Authenticator
	_, err = a.change(ctx, id, func(c *account) error {
		k, err := totp.Generate(totp.GenerateOpts{Issuer: a.org, AccountName: c.Login})
		if err != nil {
			return fmt.Errorf("make a secret for codes: %w", err)
		}
		c.Next = &unproved{Password: hash, Secret: k.Secret()}
		made = web.Authenticator{Secret: k.Secret(), URL: k.URL()}
		return nil
	})
	return made, err
}

// prove takes the first code of the app: from now on the password counts with it.
func (a *accounts) prove(ctx context.Context, id, code string) (account, error) {
	c, err := a.get(id)
	if err != nil {
		return account{}, err
	}
	if err := a.tries(ctx, id); err != nil {
		return account{}, err
	}
	if c.Next == nil { // proved a moment ago, by the same form
		return account{}, web.ErrWrongCode
	}
	chosen := *c.Next
	if ok, err := a.codeCounts(ctx, chosen.Secret, code); !ok || err != nil {
		return account{}, errors.Join(err, onlyIf(err == nil, web.ErrWrongCode))
	}
	return a.change(ctx, id, func(c *account) error {
		if c.Next == nil || *c.Next != chosen { // chosen again meanwhile
			return web.ErrWrongCode
		}
		c.Password, c.Secret, c.Next, c.Invited = chosen.Password, chosen.Secret, nil, nil
		return nil
	})
}

func onlyIf(when bool, err error) error {
	if when {
		return err
	}
	return nil
}

// password returns the account of somebody who knows its password and has the
// app. A wrong login, password or code all look the same.
func (a *accounts) password(ctx context.Context, login, password, code string) (account, error) {
	// Anybody may try, and each try costs memory, a core and a write: many at once
	// must not take those from an alert that is going out.
	turn, cancel := context.WithTimeout(ctx, argonWait)
	defer cancel()
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-turn.Done():
		return account{}, fmt.Errorf("%w: too many sign in at once", web.ErrNotYet)
	}
	login = oneLogin(login)
	var found account
	for id, c := range a.all.walk() {
		if c.Login == login && login != "" && c.canEnter() && c.Password != "" {
			found = c
			found.ID = id
		}
	}
	// Somebody nobody knows is slowed down and takes as long.
	if err := a.tries(ctx, cmp.Or(found.ID, "nobody-"+mac(a.key, 16, "login", login))); err != nil {
		return account{}, err
	}
	right := passwordIs(found.Password, password)
	if found.ID == "" || !right {
		return account{}, web.ErrForbidden
	}
	if ok, err := a.codeCounts(ctx, found.Secret, code); err != nil || !ok {
		return account{}, errors.Join(err, onlyIf(err == nil, web.ErrForbidden))
	}
	return found, nil
}

// tries counts one attempt to sign in.
func (a *accounts) tries(ctx context.Context, id string) error {
	return countTry(ctx, a.vault, "login-"+id, a.now(), loginTries)
}

// codeCounts reports whether a code of the app with this secret is right. Each counts
// once: somebody may have looked over a shoulder (RFC 6238 section 5.2).
func (a *accounts) codeCounts(ctx context.Context, secret, code string) (bool, error) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if secret == "" || len(code) != 6 {
		return false, nil
	}
	now := a.now().UTC()
	for _, late := range []time.Duration{0, -codeStep, codeStep} { // clocks differ
		at := now.Add(late)
		want, err := totp.GenerateCode(secret, at)
		if err != nil {
			return false, fmt.Errorf("make a code: %w", err)
		}
		if !same(want, code) {
			continue
		}
		err = a.vault.Create(ctx, fmt.Sprintf("codespent.%s.%d", shorten(secret), at.Unix()/int64(codeStep.Seconds())), []byte("1"))
		if errors.Is(err, ledger.ErrAlready) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%w: spend a code: %w", web.ErrNotYet, err)
		}
		return true, nil
	}
	return false, nil
}

const codeStep = 30 * time.Second

// Parameters of argon2id: the second choice of RFC 9106 section 4 costs 64 MiB,
// which a small machine has for one sign-in at a time; OWASP's least is this.
const (
	argonTime    = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1

	argonAtOnce = 2 // passwords of people who sign in
	argonWait   = 10 * time.Second
)

func hashPassword(password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(append(salt, argon(password, salt)...)), nil
}

func argon(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, 32)
}

// passwordIs takes as long for somebody who has no password.
func passwordIs(hash, password string) bool {
	kept, err := base64.RawStdEncoding.DecodeString(hash)
	if err != nil || len(kept) != 48 {
		kept = bytes.Repeat([]byte{1}, 48)
	}
	return subtle.ConstantTimeCompare(kept[16:], argon(password, kept[:16])) == 1
}
