package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// passkey is a key on somebody's device or in their password store. Ours is the
// public half.
type passkey struct {
	webauthn.Credential
	Label string    `json:"label"`
	At    time.Time `json:"at"`
}

// relyingParty says for which site the passkeys are: whoever copies the page to
// another address gets none. It is nil for an address without a name: browsers
// make no passkeys for those (W3C Web Authentication section 5.1.2).
func relyingParty(c *Config) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("parse public URL: %w", err)
	}
	if net.ParseIP(u.Hostname()) != nil {
		return nil, nil //nolint:nilnil // a password is left
	}
	w, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: c.OrgName, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}})
	if err != nil {
		return nil, fmt.Errorf("KENTONGAN_PUBLIC_URL: %w", err)
	}
	return w, nil
}

// holder is an account as the library sees it.
type holder struct {
	account
	counts *shelf[uint32]
}

func (h holder) WebAuthnID() []byte          { return []byte(h.ID) }
func (h holder) WebAuthnName() string        { return h.Login }
func (h holder) WebAuthnDisplayName() string { return h.Name }

func (h holder) WebAuthnCredentials() []webauthn.Credential {
	var out []webauthn.Credential
	for _, k := range h.Passkeys {
		if n, ok := h.counts.get(passkeyID(k)); ok {
			k.Authenticator.SignCount = n
		}
		out = append(out, k.Credential)
	}
	return out
}

// newPasskey asks a browser to make one for an account.
func (a *accounts) newPasskey(id string) (web.Ceremony, error) {
	if a.asks == nil {
		return web.Ceremony{}, web.ErrNotFound
	}
	c, err := a.get(id)
	if err != nil {
		return web.Ceremony{}, err
	}
	var known []protocol.CredentialDescriptor
	for _, k := range c.Passkeys {
		known = append(known, k.Descriptor())
	}
	options, state, err := a.asks.BeginRegistration(holder{c, a.counts}, webauthn.WithExclusions(known))
	if err != nil {
		return web.Ceremony{}, fmt.Errorf("ask for a passkey: %w", err)
	}
	return ceremony(options, state)
}

// askForPasskey asks a browser which of its passkeys somebody has.
func (a *accounts) askForPasskey() (web.Ceremony, error) {
	if a.asks == nil {
		return web.Ceremony{}, web.ErrNotFound
	}
	options, state, err := a.asks.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return web.Ceremony{}, fmt.Errorf("ask for a passkey: %w", err)
	}
	return ceremony(options, state)
}

func ceremony(options any, state *webauthn.SessionData) (web.Ceremony, error) {
	asked, err := json.Marshal(options)
	if err != nil {
		return web.Ceremony{}, fmt.Errorf("encode what a browser is asked: %w", err)
	}
	kept, err := json.Marshal(state)
	if err != nil {
		return web.Ceremony{}, fmt.Errorf("encode what was asked: %w", err)
	}
	return web.Ceremony{Options: asked, State: kept}, nil
}

// asked returns what a browser was asked.
func (a *accounts) asked(state []byte) (webauthn.SessionData, error) {
	var asked webauthn.SessionData
	if a.asks == nil {
		return asked, web.ErrNotFound
	}
	if err := json.Unmarshal(state, &asked); err != nil {
		return asked, web.ErrForbidden
	}
	return asked, nil
}

// spend notes that a browser was asked this and has answered: it counts once. It
// comes after the answer was checked, so that strangers cannot fill the disk.
func (a *accounts) spend(ctx context.Context, asked webauthn.SessionData) error {
	err := a.vault.Create(ctx, "challenge."+mac(a.key, 22, "challenge", asked.Challenge), []byte("1"))
	if errors.Is(err, ledger.ErrAlready) {
		return web.ErrForbidden
	}
	if err != nil {
		return fmt.Errorf("%w: note a challenge: %w", web.ErrNotYet, err)
	}
	return nil
}

// keepPasskey stores the passkey that a browser made for an account.
func (a *accounts) keepPasskey(ctx context.Context, id string, state, response []byte, label string) (account, error) {
	asked, err := a.asked(state)
	if err != nil {
		return account{}, err
	}
	made, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return account{}, fmt.Errorf("%w: read a passkey: %w", web.ErrForbidden, err)
	}
	return a.change(ctx, id, func(c *account) error {
		k, err := a.asks.CreateCredential(holder{*c, a.counts}, asked, made)
		if err != nil {
			return fmt.Errorf("%w: take a passkey: %w", web.ErrForbidden, err)
		}
		if err := a.spend(ctx, asked); err != nil {
			return err
		}
		c.Passkeys = append(c.Passkeys, passkey{Credential: *k, Label: label, At: a.now().UTC()})
		c.Invited = nil
		return nil
	})
}

// passkey returns the account of somebody who has one of its passkeys.
func (a *accounts) passkey(ctx context.Context, state, response []byte) (account, error) {
	asked, err := a.asked(state)
	if err != nil {
		return account{}, err
	}
	shown, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return account{}, fmt.Errorf("%w: read a passkey: %w", web.ErrForbidden, err)
	}
	find := func(_, handle []byte) (webauthn.User, error) {
		c, err := a.get(string(handle))
		if err != nil || !c.canEnter() {
			return nil, web.ErrForbidden
		}
		return holder{c, a.counts}, nil
	}
	user, used, err := a.asks.ValidatePasskeyLogin(find, asked, shown)
	if err != nil {
		return account{}, fmt.Errorf("%w: check a passkey: %w", web.ErrForbidden, err)
	}
	if used.Authenticator.CloneWarning {
		return account{}, fmt.Errorf("%w: a passkey counts backwards: it may have been copied", web.ErrForbidden)
	}
	if err := a.spend(ctx, asked); err != nil {
		return account{}, err
	}
	// The account itself stays as it is: of two nodes one may be ending it right now.
	if err := a.counts.put(ctx, shorten(string(used.ID)), used.Authenticator.SignCount); err != nil {
		return account{}, err
	}
	return a.get(string(user.WebAuthnID()))
}

// dropPasskey forgets one of an account's passkeys, unless nothing else is left
// to sign in with.
func (a *accounts) dropPasskey(ctx context.Context, id, key string) error {
	_, err := a.change(ctx, id, func(c *account) error {
		c.Passkeys = slices.DeleteFunc(c.Passkeys, func(k passkey) bool { return passkeyID(k) == key })
		if !c.canEnter() {
			return web.ErrLastWay
		}
		return nil
	})
	return err
}

func passkeyID(k passkey) string { return shorten(string(k.ID)) }
