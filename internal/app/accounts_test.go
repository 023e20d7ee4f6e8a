package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// gate is who may come in, on a store of its own and a clock that is turned by
// hand.
type gate struct {
	t *testing.T
	*access
}

func newGate(t *testing.T, vault ledger.Vault) gate {
	t.Helper()
	c := &Config{PublicURL: "https://alarm.contoh.example", OrgName: "PT Contoh"}
	a, err := openAccess(t.Context(), vault, c, make([]byte, 32), newAudit(ledger.NewMemory(time.Now), time.Now, slog.New(slog.DiscardHandler)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return gate{t, a}
}

const passphrase = "correct horse battery"

// code is what the app of somebody's phone shows now.
func (g gate) code(secret string) string {
	g.t.Helper()
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		g.t.Fatal(err)
	}
	return code
}

// setsUp makes somebody of an invitation sign in with a password, and returns the
// secret of their app.
func (g gate) setsUp(code, name, login string) (web.Principal, string) {
	g.t.Helper()
	ctx := context.Background()
	a, err := g.Invited(ctx, code)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.Introduce(ctx, a.ID, name, login); err != nil {
		g.t.Fatal(err)
	}
	made, err := g.ChoosePassword(ctx, a.ID, passphrase)
	if err != nil {
		g.t.Fatal(err)
	}
	p, err := g.Prove(ctx, a.ID, g.code(made.Secret))
	if err != nil {
		g.t.Fatal(err)
	}
	return p, made.Secret
}

// enter signs in from a device and returns what its browser keeps.
func (g gate) enter(p web.Principal, device string) string {
	g.t.Helper()
	secret, err := g.SignIn(context.Background(), p, device)
	if err != nil {
		g.t.Fatal(err)
	}
	return secret
}

func (g gate) expectIn(secret string, want bool) {
	g.t.Helper()
	if _, err := g.Visitor(context.Background(), secret); (err == nil) != want {
		g.t.Errorf("let in is %v (%v), want %v", err == nil, err, want)
	}
}

// inGate runs a story on a fake clock. Two gates stand on one store, as on two nodes.
func inGate(t *testing.T, story func(t *testing.T, g, other gate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		vault := ledger.NewMemoryVault()
		g, other := newGate(t, vault), newGate(t, vault)
		story(t, g, other)
	})
}

func TestFirstAccountIsMadeByALinkThatOpensOnce(t *testing.T) {
	inGate(t, func(t *testing.T, g, other gate) {
		first, err := g.begin(t.Context())
		if err != nil || first == "" {
			t.Fatalf("got %q, %v, want a code", first, err)
		}
		synctest.Wait()
		again, err := other.begin(t.Context())
		if err != nil || again == first {
			t.Fatalf("got %q, %v, want another code at the next start", again, err)
		}
		synctest.Wait()
		if _, err := g.Invited(t.Context(), first); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("the code of the start before: got %v, want that it counts no more", err)
		}
		p, secret := g.setsUp(again, " Rina  Wati ", "Rina@Contoh.example")
		if p.Name != "Rina Wati" || !p.May(web.Announce) || !p.May(web.Administer) {
			t.Errorf("got %+v, want an administrator", p)
		}
		if _, err := g.Invited(t.Context(), again); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("the link opens twice: %v", err)
		}
		synctest.Wait()
		if code, err := other.begin(t.Context()); code != "" || err != nil {
			t.Errorf("got %q, %v, want no first account beside another", code, err)
		}

		time.Sleep(time.Minute)
		code := g.code(secret)
		if _, err := g.Password(t.Context(), "rina@contoh.example", passphrase, code); err != nil {
			t.Errorf("the right password and code: %v", err)
		}
		if _, err := other.Password(t.Context(), "rina@contoh.example", passphrase, code); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("the same code again: got %v, want it refused on every node", err)
		}
		time.Sleep(time.Minute)
		for login, try := range map[string][2]string{"rina@contoh.example": {passphrase + "x", g.code(secret)}, "nobody": {passphrase, g.code(secret)}, "": {"", ""}} {
			if _, err := g.Password(t.Context(), login, try[0], try[1]); !errors.Is(err, web.ErrForbidden) {
				t.Errorf("%q: got %v, want it refused", login, err)
			}
		}
		if _, err := g.Password(t.Context(), "RINA@contoh.example ", passphrase, g.code(secret)); err != nil {
			t.Errorf("as people type it: %v", err)
		}
	})
}

// Whoever begins to change their password and is called away is not locked out.
func TestPasswordCountsUntilTheNextIsProved(t *testing.T) {
	inGate(t, func(t *testing.T, g, other gate) {
		ctx := t.Context()
		code, _ := g.begin(ctx)
		rina, secret := g.setsUp(code, "Rina", "rina")
		phone := g.enter(rina, "Chrome, Android")
		a, err := g.AccountOf(ctx, rina)
		if err != nil {
			t.Fatal(err)
		}
		const next = "another horse battery"
		made, err := g.ChoosePassword(ctx, a.ID, next)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		g.expectIn(phone, true)
		other.expectIn(phone, true)
		time.Sleep(time.Minute)
		if _, err := other.Password(ctx, "rina", passphrase, g.code(secret)); err != nil {
			t.Errorf("the password before, while the next is not proved: %v", err)
		}
		if _, err := g.Password(ctx, "rina", next, g.code(made.Secret)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("the next password before it is proved: got %v, want it refused", err)
		}
		time.Sleep(time.Minute)
		if _, err := g.Prove(ctx, a.ID, g.code(secret)); !errors.Is(err, web.ErrWrongCode) {
			t.Errorf("proved by a code of the app before: %v", err)
		}
		if _, err := g.Prove(ctx, a.ID, g.code(made.Secret)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		other.expectIn(phone, true)
		time.Sleep(time.Minute)
		if _, err := other.Password(ctx, "rina", passphrase, g.code(secret)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("the password before, after that: got %v, want it refused", err)
		}
		if _, err := other.Password(ctx, "rina", next, g.code(made.Secret)); err != nil {
			t.Errorf("the next password: %v", err)
		}
	})
}

func TestInvitationEnds(t *testing.T) {
	inGate(t, func(t *testing.T, g, _ gate) {
		code, err := g.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(firstInvitedFor + time.Second)
		if _, err := g.Invited(t.Context(), code); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("after a day: got %v, want nothing", err)
		}
	})
}

func TestManyTriesAreSlowedDown(t *testing.T) {
	inGate(t, func(t *testing.T, g, other gate) {
		code, _ := g.begin(t.Context())
		_, secret := g.setsUp(code, "Rina", "rina")
		time.Sleep(codeLife)
		var wait *web.WaitError
		for _, login := range []string{"rina", "nobody"} { // who exists is not told
			for i := range loginTries {
				node := g
				if i%2 == 1 {
					node = other
				}
				if _, err := node.Password(t.Context(), login, "wrong password!", "000000"); !errors.Is(err, web.ErrForbidden) {
					t.Fatalf("%s, try %d: got %v", login, i, err)
				}
			}
			if _, err := g.Password(t.Context(), login, passphrase, g.code(secret)); !errors.As(err, &wait) {
				t.Errorf("%s after %d tries: got %v, want to wait", login, loginTries, err)
			}
		}
		time.Sleep(codeLife)
		if _, err := g.Password(t.Context(), "rina", passphrase, g.code(secret)); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// Strangers who try many passwords at once wait for each other, and leave the
// memory to those who send alerts.
func TestPasswordsAreLookedAtInTurn(t *testing.T) {
	inGate(t, func(t *testing.T, g, _ gate) {
		code, _ := g.begin(t.Context())
		_, secret := g.setsUp(code, "Rina", "rina")
		time.Sleep(time.Minute)
		for range argonAtOnce {
			g.hashing <- struct{}{}
		}
		if _, err := g.Password(t.Context(), "rina", passphrase, g.code(secret)); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("while others are looked at: got %v, want to come again", err)
		}
		done := make(chan error)
		go func() {
			_, err := g.Password(t.Context(), "rina", passphrase, g.code(secret))
			done <- err
		}()
		time.Sleep(argonWait / 2)
		for range argonAtOnce {
			<-g.hashing
		}
		if err := <-done; err != nil {
			t.Errorf("when it is their turn: %v", err)
		}
		if len(g.hashing) != 0 {
			t.Errorf("%d turns are never given back", len(g.hashing))
		}
	})
}

// What is no passkey leaves nothing in the store: anybody may send it.
func TestNoPasskeyLeavesNothing(t *testing.T) {
	inGate(t, func(t *testing.T, g, _ gate) {
		spent, err := openShelf[int](t.Context(), g.access.vault, "challenge.", "challenges")
		if err != nil {
			t.Fatal(err)
		}
		asked, err := g.AskForPasskey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Passkey(t.Context(), asked.State, []byte(`{}`)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("got %v, want it refused", err)
		}
		synctest.Wait()
		if n := len(spent.walk()); n != 0 {
			t.Errorf("%d challenges are kept", n)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	inGate(t, func(t *testing.T, g, other gate) {
		code, _ := g.begin(t.Context())
		p, _ := g.setsUp(code, "Rina", "rina")

		idle, used := g.enter(p, "Firefox"), g.enter(p, "Chrome")
		synctest.Wait()
		if idle == used {
			t.Fatal("two sign-ins have one session")
		}
		time.Sleep(sessionIdle - time.Hour)
		other.expectIn(used, true) // on another node
		time.Sleep(2 * time.Hour)
		g.expectIn(idle, false)
		g.expectIn(used, true)
		time.Sleep(sessionLife)
		g.expectIn(used, false)

		// Ended from another device, and known on the other node.
		lost, mine := g.enter(p, "Chrome, Android"), g.enter(p, "Chrome, Windows")
		all := g.Sessions(t.Context(), p, mine)
		if len(all) != 2 {
			t.Fatalf("got %+v, want the two that count", all)
		}
		for _, s := range all {
			if s.Device == "Chrome, Android" {
				if err := g.EndSession(t.Context(), p, mine, s.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		other.expectIn(lost, false)
		other.expectIn(mine, true)
		// Looking at a page must not bring back what was ended at the same time.
		time.Sleep(2 * seenEvery)
		_, _ = other.Visitor(t.Context(), lost)
		synctest.Wait()
		g.expectIn(lost, false)

		third := g.enter(p, "Edge")
		if err := g.EndSession(t.Context(), p, mine, ""); err != nil {
			t.Fatal(err)
		}
		g.expectIn(third, false)
		g.expectIn(mine, true)
		if err := g.SignOut(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		g.expectIn(mine, false)
	})
}

func TestAdministratorsLetOthersIn(t *testing.T) {
	inGate(t, func(t *testing.T, g, other gate) {
		ctx := t.Context()
		code, _ := g.begin(ctx)
		rina, _ := g.setsUp(code, "Rina", "rina")
		for _, bad := range [][3]string{{"", "andi", "sender"}, {"Andi", "RINA", "sender"}, {"Andi", "an di", "sender"}, {"Andi", "andi", "king"}} {
			if _, err := g.InviteAccount(ctx, rina, bad[0], bad[1], web.As(web.Role(bad[2]))); err == nil {
				t.Errorf("%v was taken", bad)
			}
		}
		invitation, err := g.InviteAccount(ctx, rina, "Andi", "andi", web.As(web.Viewer))
		if err != nil {
			t.Fatal(err)
		}
		andi, _ := g.setsUp(invitation, "Andi", "andi")
		if !slices.Equal(andi.Roles, []web.Role{web.Viewer}) {
			t.Errorf("got %+v, want a viewer", andi)
		}
		if _, err := g.InviteAccount(ctx, andi, "Joko", "joko", web.As(web.Sender, web.Administrator)); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("a viewer invites: %v", err)
		}
		id := func(p web.Principal) string { a, _ := g.AccountOf(ctx, p); return a.ID }

		// A changed role ends what was begun with the old one.
		phone := g.enter(andi, "Chrome, Android")
		if err := g.SetGrant(ctx, rina, id(andi), web.As(web.Sender)); err != nil {
			t.Fatal(err)
		}
		g.expectIn(phone, false)
		phone = g.enter(andi, "Chrome, Android")
		if p, _ := g.Visitor(ctx, phone); !p.May(web.Announce) {
			t.Errorf("got %+v, want a sender now", p)
		}

		// A lost phone: nothing they signed in with counts any more.
		invitation, err = g.InviteAgain(ctx, rina, id(andi))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		other.expectIn(phone, false)
		if _, err := g.Principal(ctx, andi.Actor); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("before they have set up anew: got %v", err)
		}
		g.setsUp(invitation, "Andi", "andi")
		phone = g.enter(andi, "Chrome, Android")

		if err := g.EndAccount(ctx, rina, id(andi)); err != nil {
			t.Fatal(err)
		}
		g.expectIn(phone, false)
		for what, err := range map[string]error{
			"ends their own access": g.EndAccount(ctx, rina, id(rina)), "stops being administrator": g.SetGrant(ctx, rina, id(rina), web.As(web.Sender)),
			"invites themselves again": onlyErr(g.InviteAgain(ctx, rina, id(rina))),
		} {
			if !errors.Is(err, web.ErrLastWay) {
				t.Errorf("the last administrator %s: got %v, want it refused", what, err)
			}
		}
		g.expectIn(g.enter(rina, ""), true)
	})
}

func onlyErr(_ string, err error) error { return err }

// lateVault tells what was stored only when it is let to.
type lateVault struct {
	ledger.Vault
	tell []func()
}

func (v *lateVault) Follow(ctx context.Context, prefix string, fn func(string, []byte), ready func()) error {
	return v.Vault.Follow(ctx, prefix, func(key string, value []byte) {
		if strings.HasPrefix(prefix, "session") {
			v.tell = append(v.tell, func() { fn(key, value) })
		}
	}, ready)
}

// The store tells of a session's beginning when it has been ended already.
func TestEndedSessionDoesNotComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		vault := &lateVault{Vault: ledger.NewMemoryVault()}
		s, err := openSessions(ctx, vault, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := s.open(ctx, "account:1", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.endAllOf(ctx, "account:1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, tell := range vault.tell {
			if tell(); onlyOK(s.visitor(ctx, secret)) {
				t.Error("an ended session lets in again")
			}
		}
		if len(vault.tell) != 2 || len(s.all.dropped) != 0 {
			t.Errorf("told %d times, %d kept, want 2 and none", len(vault.tell), len(s.all.dropped))
		}
		stop()
		synctest.Wait()
	})
}

func onlyOK(_ announcement.Actor, ok bool) bool { return ok }

// An administrator hands out and erases the data of everybody: one who may see some
// people only is no such thing.
func TestAnAdministratorSeesEverybody(t *testing.T) {
	g := newGate(t, ledger.NewMemoryVault())
	boss := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Administrator)}
	some := web.Grant{Roles: []web.Role{web.Administrator}, Sees: web.Scope{Sites: []string{"Harbour"}}}
	if _, err := g.InviteAccount(t.Context(), boss, "Rina", "rina", some); !errors.As(err, new(announcement.FieldErrors)) {
		t.Errorf("an administrator of one site: %v", err)
	}
	some.Roles = []web.Role{web.Auditor}
	if _, err := g.InviteAccount(t.Context(), boss, "Rina", "rina", some); err != nil {
		t.Errorf("an auditor of one site: %v", err)
	}
}

// TestAnAPITokenIsEndedAtOnce: whoever holds one that was ended is out with the next
// request, and the trail has its making and its end by the same id.
func TestAnAPITokenIsEndedAtOnce(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief", func(h *rehearsal) {
		wall := *h.api
		var made struct{ Token string }
		if err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/tokens", map[string]any{"name": "wall screen", "role": "viewer"}, &made); err != nil {
			t.Fatal(err)
		}
		wall.Token = made.Token
		var list struct{ Tokens []web.Token }
		if err := h.api.JSON(h.t.Context(), http.MethodGet, "/api/v1/tokens", nil, &list); err != nil || len(list.Tokens) != 1 || list.Tokens[0].Name != "wall screen" {
			t.Fatalf("the tokens are %+v, %v", list.Tokens, err)
		}
		look := func() error { return wall.JSON(h.t.Context(), http.MethodGet, "/api/v1/announcements", nil, nil) }
		if err := look(); err != nil {
			t.Fatal(err)
		}
		id := list.Tokens[0].ID
		if err := h.api.JSON(h.t.Context(), http.MethodDelete, "/api/v1/tokens/"+id, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := look(); err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("the holder of a token that was ended: %v", err)
		}
		if err := h.api.JSON(h.t.Context(), http.MethodDelete, "/api/v1/tokens/"+id, nil, nil); err == nil {
			t.Error("a token was ended twice")
		}
		var noted []announcement.Act
		for _, f := range trail(h.t, h.house.ledger) {
			if about := f.Noted.About; about.Object == id && !about.Refused {
				noted = append(noted, f.Noted.Act)
			}
		}
		if want := []announcement.Act{announcement.TokenCreated, announcement.TokenEnded, announcement.TokenEnded}; !slices.Equal(noted, want) {
			t.Errorf("noted %v, want %v", noted, want)
		}
	})
}
