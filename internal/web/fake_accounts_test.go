package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"
)

// rina is the administrator of the house.
var rina = Principal{Actor: "account:rina", Name: "Rina", Grant: As(Administrator, Sender)}

const goodInvitation = "QWERTYQWERTYQWERTYQWERTYQW"

func rinasAccount() Account {
	return Account{ID: "rina", Name: "Rina", Login: "rina@contoh.example", Grant: As(Administrator, Sender), Password: true, SignedIn: 2,
		Passkeys: []Passkey{{ID: "k1", Label: "Chrome, Windows", At: noon.AddDate(0, -1, 0)}}}
}

func (h *house) SignIn(_ context.Context, p Principal, _ string) (string, error) {
	return string(p.Actor), nil
}

func (h *house) Visitor(ctx context.Context, secret string) (Principal, error) {
	if secret == string(rina.Actor) {
		return rina, nil
	}
	if len(secret) < 7 || secret[:6] != "token:" {
		return Principal{}, ErrForbidden
	}
	return h.Authenticate(ctx, secret[6:])
}

func (h *house) SignOut(context.Context, string) error { h.changed++; return nil }

func (h *house) Sessions(context.Context, Principal, string) []Session {
	return []Session{{ID: "s1", Began: noon.Add(-time.Hour), Seen: noon, Device: "Chrome, Windows", This: true}, {ID: "s2", Began: noon.Add(-3 * time.Hour)}}
}

func (h *house) EndSession(context.Context, Principal, string, string) error { h.changed++; return nil }

func (h *house) Password(_ context.Context, login, password, code string) (Principal, error) {
	switch {
	case login == "tired":
		return Principal{}, &WaitError{Until: noon.Add(time.Minute)}
	case login == "rina" && password == "correct horse battery" && code == "123456":
		return rina, nil
	}
	return Principal{}, ErrForbidden
}

func (h *house) Passkeys() bool { return !h.numeric }

func (h *house) AskForPasskey(context.Context) (Ceremony, error) {
	return Ceremony{Options: json.RawMessage(`{"publicKey":{}}`), State: []byte("state")}, nil
}

func (h *house) Passkey(_ context.Context, state, response []byte) (Principal, error) {
	if string(state) != "state" || !bytes.Equal(response, []byte(`{"id":"k1"}`)) {
		return Principal{}, ErrForbidden
	}
	return rina, nil
}

func (h *house) SSO() bool { return h.sso }

func (h *house) BeginSSO(context.Context) (string, []byte, error) {
	return "https://sso.contoh.example/authorize?state=x", []byte("x"), nil
}

func (h *house) FinishSSO(_ context.Context, state []byte, back url.Values) (Principal, error) {
	switch {
	case string(state) != back.Get("state"):
		return Principal{}, ErrForbidden
	case back.Get("code") == "guest":
		return Principal{}, ErrNoRole
	case back.Get("code") == "":
		return Principal{}, ErrNotYet
	}
	return rina, nil
}

func (h *house) Invited(_ context.Context, code string) (Account, error) {
	if code != goodInvitation {
		return Account{}, ErrNotFound
	}
	return Account{ID: "rina", Login: "rina"}, nil
}

func (h *house) AccountOf(_ context.Context, p Principal) (Account, error) {
	if p.Actor != rina.Actor {
		return Account{}, ErrNotFound
	}
	return rinasAccount(), nil
}

func (h *house) Introduce(_ context.Context, _, name, _ string) error {
	if name == "" {
		return fault("name", "needs 1 to 60 characters")
	}
	h.changed++
	return nil
}

func (h *house) ChoosePassword(_ context.Context, _, password string) (Authenticator, error) {
	if len(password) < 12 {
		return Authenticator{}, fault("password", "needs 12 to 200 characters")
	}
	h.changed++
	return Authenticator{Secret: "JBSWY3DPEHPK3PXP", URL: "otpauth://totp/PT%20SinarAbc:rina?secret=JBSWY3DPEHPK3PXP"}, nil
}

func (h *house) Prove(_ context.Context, _, code string) (Principal, error) {
	if code != "123456" {
		return Principal{}, ErrWrongCode
	}
	h.changed++
	return rina, nil
}

func (h *house) NewPasskey(ctx context.Context, _ string) (Ceremony, error) {
	return h.AskForPasskey(ctx)
}

func (h *house) KeepPasskey(ctx context.Context, _ string, state, response []byte, _ string) (Principal, error) {
	h.changed++
	return h.Passkey(ctx, state, response)
}

func (h *house) DropPasskey(_ context.Context, _, key string) error {
	if key == "k1" {
		return ErrLastWay
	}
	h.changed++
	return nil
}

func (h *house) Accounts(_ context.Context, p Principal) ([]Account, error) {
	if !p.May(Administer) {
		return nil, ErrForbidden
	}
	return []Account{
		{ID: "andi", Name: "Andi", Login: "andi", Grant: As(Viewer), Invited: noon.Add(48 * time.Hour)},
		{ID: "dewi", Name: "Dewi", Login: "dewi", Grant: As(Sender), Passkeys: []Passkey{{ID: "k2"}}},
		{ID: "joko", Name: "Joko", Login: "joko", Grant: As(Sender)},
		{ID: "made", Name: "Made", Login: "made@contoh.example", Grant: As(Sender), SSO: true},
		rinasAccount(),
		{ID: "sri", Name: "Sri", Login: "sri", Grant: As(Viewer), Ended: true},
	}, nil
}

func (h *house) InviteAccount(_ context.Context, p Principal, name, login string, g Grant) (string, error) {
	switch {
	case !p.May(Administer):
		return "", ErrForbidden
	case name == "":
		return "", fault("name", "needs 1 to 60 characters")
	case login == "dewi":
		return "", fault("login", "is taken")
	case len(g.Roles) == 0:
		return "", fault("role", "choose at least one")
	}
	h.changed++
	return goodInvitation, nil
}

func (h *house) InviteAgain(_ context.Context, p Principal, _ string) (string, error) {
	if !p.May(Administer) {
		return "", ErrForbidden
	}
	h.changed++
	return goodInvitation, nil
}

func (h *house) SetGrant(_ context.Context, p Principal, id string, g Grant) error {
	if !p.May(Administer) {
		return ErrForbidden
	}
	if id == "rina" && !g.Has(Administrator) {
		return ErrLastWay
	}
	h.changed++
	return nil
}

func (h *house) EndAccount(_ context.Context, p Principal, id string) error {
	if id == "nobody" {
		return errors.Join(ErrNotFound)
	}
	return h.SetGrant(context.Background(), p, id, As(Viewer))
}

func (h *house) Holders(context.Context, ...Right) []string { return []string{"Dewi", "Rina"} }

// Boards of the house are the same for everybody; who may see what is the house's
// own matter, not of its pages.
func (h *house) Boards(Principal) Boards { return h }

func (h *house) SetNumber(_ context.Context, _ Principal, number string) error {
	if number == "9999" {
		return fault("number", "nobody has this employee number")
	}
	h.changed++
	return nil
}
