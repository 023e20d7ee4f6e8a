package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"kentongan/internal/announcement"
)

// ErrLastWay refuses to take away the last way to sign in, or the last
// administrator: nobody could let anybody in any more.
var ErrLastWay = errors.New("this is the last one")

// ErrNoRole says that the company's own sign-in knows somebody and gives them no
// right to anything here.
var ErrNoRole = errors.New("no role")

// Principal is who is asking.
type Principal struct {
	Actor announcement.Actor
	Name  string // of the person, or of the token
	Grant
}

// Access knows who may come in: by a bearer token, or with an account of the
// console.
type Access interface {
	Authenticate(ctx context.Context, bearer string) (Principal, error) // ErrForbidden
	// Principal returns what the holder of a token may do now, ErrForbidden when it
	// is no more.
	Principal(ctx context.Context, actor announcement.Actor) (Principal, error)
	// Holders names the people who have one of the rights, at most five.
	Holders(ctx context.Context, rights ...Right) []string
	// CreateToken makes a token, Tokens lists those that there are, by name, and EndToken
	// ends one at once, on every node (ErrNotFound). All are for administrators, and the
	// first is noted here: its id is not known before.
	CreateToken(ctx context.Context, p Principal, name string, role Role, calm bool) (bearer string, err error)
	Tokens(ctx context.Context, p Principal) ([]Token, error)
	EndToken(ctx context.Context, p Principal, id string) error
	// OpenConsole reports whether the console needs no sign-in (the sandbox).
	OpenConsole() bool

	// SignIn begins a session on a device and returns what the browser keeps of it.
	SignIn(ctx context.Context, p Principal, device string) (secret string, err error)
	// Visitor returns what the holder of a session may do now. ErrForbidden when the
	// session is over, or whoever began it is no longer let in.
	Visitor(ctx context.Context, secret string) (Principal, error)
	SignOut(ctx context.Context, secret string) error
	// Sessions lists the sessions of the same principal, the newest first.
	Sessions(ctx context.Context, p Principal, secret string) []Session
	// EndSession ends one of them, or with an empty id all but the one of secret.
	EndSession(ctx context.Context, p Principal, secret, id string) error

	Accounts
}

// Token is what may be told of a bearer token.
type Token struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`
	Calm bool   `json:"notices_only,omitempty"`
}

// Session is a browser that has signed in.
type Session struct {
	ID     string
	Began  time.Time
	Seen   time.Time
	Device string
	This   bool // the one that asks
}

// Accounts are the people who run the console. Somebody is let in by a passkey,
// or by a password with a code from an app (RFC 6238).
type Accounts interface {
	// Password checks a login with its password and code: ErrForbidden, which does
	// not say what was wrong, or a *WaitError after too many tries.
	Password(ctx context.Context, login, password, code string) (Principal, error)
	// Passkeys reports whether browsers make passkeys for this address: they do for
	// a name, not for a number.
	Passkeys() bool
	// AskForPasskey is what a browser is asked; Passkey checks what it said, once.
	AskForPasskey(ctx context.Context) (Ceremony, error)
	Passkey(ctx context.Context, state, response []byte) (Principal, error) // ErrForbidden

	// SSO reports whether the company has a sign-in of its own (OpenID Connect).
	// BeginSSO returns where to send somebody, and what to keep until they come back
	// to /signin/sso/back; FinishSSO takes what they come back with: ErrForbidden,
	// ErrNoRole, or ErrNotYet when the provider is away.
	SSO() bool
	BeginSSO(ctx context.Context) (address string, state []byte, err error)
	FinishSSO(ctx context.Context, state []byte, back url.Values) (Principal, error)

	// Invited returns the account that a one-time code lets somebody set up.
	Invited(ctx context.Context, code string) (Account, error) // ErrNotFound
	// AccountOf returns the account of whoever has signed in; tokens have none.
	AccountOf(ctx context.Context, p Principal) (Account, error) // ErrNotFound

	Introduce(ctx context.Context, id, name, login string) error
	// ChoosePassword stores a password that counts once Prove has seen a code.
	ChoosePassword(ctx context.Context, id, password string) (Authenticator, error)
	Prove(ctx context.Context, id, code string) (Principal, error) // ErrWrongCode, *WaitError
	NewPasskey(ctx context.Context, id string) (Ceremony, error)
	KeepPasskey(ctx context.Context, id string, state, response []byte, label string) (Principal, error) // ErrForbidden
	DropPasskey(ctx context.Context, id, key string) error                                               // ErrLastWay

	// What only administrators may do; everybody else gets ErrForbidden.

	Accounts(ctx context.Context, p Principal) ([]Account, error)
	// SetNumber ties the principal's own account to an employee's phone, which is told
	// of what concerns their role; FieldErrors when nobody has the number.
	SetNumber(ctx context.Context, p Principal, number string) error
	// InviteAccount makes an account for somebody and the code that lets them set it up.
	InviteAccount(ctx context.Context, p Principal, name, login string, g Grant) (code string, err error)
	// InviteAgain is for somebody who lost their device: all that let them in is
	// forgotten, and every session of theirs ends.
	InviteAgain(ctx context.Context, p Principal, id string) (code string, err error)
	// SetGrant changes what somebody may do, and ends their sessions. ErrLastWay.
	SetGrant(ctx context.Context, p Principal, id string, g Grant) error
	EndAccount(ctx context.Context, p Principal, id string) error // ErrLastWay
}

// Account is somebody who runs the console.
type Account struct {
	ID          string
	Name, Login string
	Grant
	Number   string // employee number, by which their phone is found
	Passkeys []Passkey
	Password bool // with a code from an app
	SSO      bool // by the company's own sign-in, which says what they may do
	Invited  time.Time
	SignedIn int // sessions
	Ended    bool
}

// Enters reports whether there is a way to sign in.
func (a Account) Enters() bool { return !a.Ended && (a.SSO || a.Password || len(a.Passkeys) > 0) }

// Passkey is one of somebody's keys.
type Passkey struct {
	ID, Label string
	At        time.Time
}

// Authenticator is what an app that makes codes is given.
type Authenticator struct{ Secret, URL string }

// Ceremony is what a browser is asked about passkeys (W3C Web Authentication),
// and what has to come back with its answer unchanged.
type Ceremony struct {
	Options json.RawMessage
	State   []byte
}
