package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// SignIn begins a session.
func (a *access) SignIn(ctx context.Context, p web.Principal, device string) (string, error) {
	return a.sessions.open(ctx, p.Actor, device)
}

// Visitor returns what the holder of a session may do now.
func (a *access) Visitor(ctx context.Context, secret string) (web.Principal, error) {
	actor, ok := a.sessions.visitor(ctx, secret)
	if !ok {
		return web.Principal{}, web.ErrForbidden
	}
	return a.Principal(ctx, actor)
}

// SignOut ends a session.
func (a *access) SignOut(ctx context.Context, secret string) error {
	if actor, ok := a.sessions.visitor(ctx, secret); ok {
		a.audit.saw(actor, announcement.SignedOut, announcement.About{By: "console"})
	}
	return a.sessions.end(ctx, func(id string, _ session) bool { return id == shorten(secret) })
}

// Sessions lists the sessions of the same principal.
func (a *access) Sessions(_ context.Context, p web.Principal, secret string) []web.Session {
	return a.sessions.of(p.Actor, secret)
}

// EndSession ends one of them, or all but the one of secret.
func (a *access) EndSession(ctx context.Context, p web.Principal, secret, id string) error {
	return a.sessions.end(ctx, func(other string, one session) bool {
		return one.Actor == p.Actor && (other == id || id == "" && other != shorten(secret))
	})
}

func known(c account, err error) (web.Principal, error) {
	if err != nil {
		return web.Principal{}, err
	}
	return c.principal(), nil
}

// Password checks a login with its password and code.
func (a *access) Password(ctx context.Context, login, password, code string) (web.Principal, error) {
	p, err := known(a.password(ctx, login, password, code))
	return p, a.refused(err, a.withLogin(login), "password")
}

// refused notes a sign-in that was, with the account where there is one: whose it is
// should hear that somebody tries.
func (a *access) refused(err error, account, way string) error {
	if err != nil && !errors.Is(err, web.ErrNotYet) {
		a.audit.saw("", announcement.SignInRefused, announcement.About{Account: account, By: way})
	}
	return err
}

// withLogin is the account that has a login, or nothing.
func (a *access) withLogin(login string) string {
	for id, c := range a.all.walk() {
		if c.Login == oneLogin(login) && c.Login != "" {
			return id
		}
	}
	return ""
}

// Passkeys reports whether browsers make passkeys for this address.
func (a *access) Passkeys() bool { return a.asks != nil }

// AskForPasskey is what a browser is asked.
func (a *access) AskForPasskey(context.Context) (web.Ceremony, error) { return a.askForPasskey() }

// Passkey checks what it said.
func (a *access) Passkey(ctx context.Context, state, response []byte) (web.Principal, error) {
	p, err := known(a.passkey(ctx, state, response))
	return p, a.refused(err, "", "passkey")
}

// Invited returns the account that a one-time code lets somebody set up.
func (a *access) Invited(_ context.Context, code string) (web.Account, error) {
	c, err := a.invited(code)
	return a.shown(c), err
}

// AccountOf returns the account of whoever has signed in.
func (a *access) AccountOf(_ context.Context, p web.Principal) (web.Account, error) {
	id, ok := strings.CutPrefix(string(p.Actor), "account:")
	if !ok {
		return web.Account{}, web.ErrNotFound
	}
	c, err := a.get(id)
	return a.shown(c), err
}

func (a *access) shown(c account) web.Account {
	out := web.Account{ID: c.ID, Name: c.Name, Login: c.Login, Grant: c.Grant, Number: c.Number, Password: c.Password != "", Ended: c.Ended, SSO: c.SSO}
	for _, k := range c.Passkeys {
		out.Passkeys = append(out.Passkeys, web.Passkey{ID: passkeyID(k), Label: k.Label, At: k.At})
	}
	if c.Invited != nil && a.now().Before(c.Invited.Ends) {
		out.Invited = c.Invited.Ends
	}
	out.SignedIn = len(a.sessions.of(c.actor(), ""))
	return out
}

// Introduce says who it is that an account belongs to.
func (a *access) Introduce(ctx context.Context, id, name, login string) error {
	return a.own(ctx, id, announcement.AccountChanged, func() error {
		_, err := a.introduce(ctx, id, name, login)
		return err
	})
}

// own notes what somebody does to their own account.
func (a *access) own(ctx context.Context, id string, act announcement.Act, do func() error) error {
	return a.audit.doing(ctx, account{ID: id}.actor(), act, announcement.About{Account: id}, do)
}

// ChoosePassword stores a password that counts once Prove has seen a code.
func (a *access) ChoosePassword(ctx context.Context, id, password string) (web.Authenticator, error) {
	return a.choosePassword(ctx, id, password)
}

// Prove takes the first code.
func (a *access) Prove(ctx context.Context, id, code string) (p web.Principal, err error) {
	err = a.own(ctx, id, announcement.PasswordSet, func() error {
		p, err = known(a.prove(ctx, id, code))
		return err
	})
	return p, err
}

// NewPasskey is what a browser is asked.
func (a *access) NewPasskey(_ context.Context, id string) (web.Ceremony, error) {
	return a.newPasskey(id)
}

// KeepPasskey stores the passkey that a browser made.
func (a *access) KeepPasskey(ctx context.Context, id string, state, response []byte, label string) (p web.Principal, err error) {
	err = a.own(ctx, id, announcement.PasskeyAdded, func() error {
		p, err = known(a.keepPasskey(ctx, id, state, response, label))
		return err
	})
	return p, err
}

// DropPasskey forgets one.
func (a *access) DropPasskey(ctx context.Context, id, key string) error {
	return a.dropPasskey(ctx, id, key)
}

// Accounts lists the people who run the console, by name.
func (a *access) Accounts(_ context.Context, p web.Principal) ([]web.Account, error) {
	if !p.May(web.Administer) {
		return nil, web.ErrForbidden
	}
	var all []account
	for id, c := range a.all.walk() {
		if c.Name != "" || c.canEnter() { // the first account, before anybody has come
			c.ID = id
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(x, y account) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), strings.Compare(x.ID, y.ID))
	})
	var out []web.Account
	for _, c := range all {
		out = append(out, a.shown(c))
	}
	return out, nil
}

// SetNumber ties somebody's own account to their phone; an empty number unties it.
func (a *access) SetNumber(ctx context.Context, p web.Principal, number string) error {
	id, ok := strings.CutPrefix(string(p.Actor), "account:")
	if !ok {
		return web.ErrNotFound
	}
	number = strings.TrimSpace(number)
	if number != "" && !a.employs(number) {
		return announcement.FieldErrors{{Field: "number", Value: cut(number, 40), Why: "nobody has this employee number"}}
	}
	_, err := a.change(ctx, id, func(c *account) error { c.Number = number; return nil })
	return err
}

// InviteAccount makes an account for somebody.
func (a *access) InviteAccount(ctx context.Context, p web.Principal, name, login string, g web.Grant) (string, error) {
	if !p.May(web.Administer) {
		return "", web.ErrForbidden
	}
	c := account{ID: string(announcement.NewID()), Name: oneName(name), Login: oneLogin(login), Grant: g}
	bad := a.named(c.ID, c.Name, c.Login)
	bad = append(bad, granted(g)...)
	if len(bad) > 0 {
		return "", bad
	}
	if err := a.all.create(ctx, c.ID, c); err != nil {
		return "", err
	}
	return a.invite(ctx, c.ID, invitedFor)
}

// granted returns what is wrong with what somebody is given.
func granted(g web.Grant) (bad announcement.FieldErrors) {
	if len(g.Roles) == 0 {
		bad = append(bad, &announcement.FieldError{Field: "role", Why: "choose at least one"})
	}
	if g.Has(web.Administrator) && !g.Sees.IsZero() {
		bad = append(bad, &announcement.FieldError{Field: "role", Why: "an administrator keeps the data of everybody, so they cannot see some people only"})
	}
	for i, r := range g.Roles {
		if !slices.Contains(web.Roles, r) || slices.Contains(g.Roles[:i], r) {
			bad = append(bad, &announcement.FieldError{Field: "role", Value: string(r), Why: "must be " + roleList})
		}
	}
	return bad
}

// InviteAgain is for somebody who lost their device.
func (a *access) InviteAgain(ctx context.Context, p web.Principal, id string) (string, error) {
	if !p.May(web.Administer) {
		return "", web.ErrForbidden
	}
	c, err := a.change(ctx, id, func(c *account) error {
		if p.Actor == c.actor() { // they would lock themselves out
			return web.ErrLastWay
		}
		c.Passkeys, c.Password, c.Secret, c.Next, c.Ended = nil, "", "", nil, false
		return nil
	})
	if err != nil {
		return "", err
	}
	if err := a.sessions.endAllOf(ctx, c.actor()); err != nil {
		return "", err
	}
	return a.invite(ctx, id, invitedFor)
}

// SetGrant changes what somebody may do, and ends their sessions.
func (a *access) SetGrant(ctx context.Context, p web.Principal, id string, g web.Grant) error {
	if bad := granted(g); len(bad) > 0 {
		return bad
	}
	return a.alter(ctx, p, id, func(c *account) { c.Grant = g })
}

// EndAccount ends somebody's access.
func (a *access) EndAccount(ctx context.Context, p web.Principal, id string) error {
	return a.alter(ctx, p, id, func(c *account) { c.Ended, c.Invited = true, nil })
}

// alter changes an account as an administrator does. The last of them stays one.
func (a *access) alter(ctx context.Context, p web.Principal, id string, edit func(*account)) error {
	if !p.May(web.Administer) {
		return web.ErrForbidden
	}
	c, err := a.change(ctx, id, func(c *account) error {
		ran := c.runs() && !c.Ended
		edit(c)
		if ran && (!c.runs() || c.Ended) && !a.another(c.ID) {
			return web.ErrLastWay
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.sessions.endAllOf(ctx, c.actor())
}

// runs reports whether somebody may let others in.
func (c account) runs() bool { return c.May(web.Administer) }

// another reports whether there is an administrator besides this account.
func (a *accounts) another(id string) bool {
	for other, c := range a.all.walk() {
		if other != id && c.runs() && c.canEnter() {
			return true
		}
	}
	return false
}
