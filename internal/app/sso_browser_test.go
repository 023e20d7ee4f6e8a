package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"kentongan/internal/app/apptest"
)

// office is the user store of a provider, which also says who is in which group.
type office struct {
	*storage.Storage

	mu     sync.Mutex
	groups map[string][]string // by user id
}

func (o *office) join(user string, groups ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.groups[user] = groups
}

func (o *office) tell(info *oidc.UserInfo, user string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	info.AppendClaims("groups", o.groups[user])
}

func (o *office) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	err := o.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
	o.tell(info, subject)
	return err
}

// TestSSOInTheBrowser signs in with a certified OpenID provider that runs beside
// us, through its own page.
func TestSSOInTheBrowser(t *testing.T) {
	browser := apptest.StartBrowser(t)
	usual := slog.Default() // the provider tells it of every request
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(usual) })
	var handler http.Handler
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(provider.Close)
	issuer := strings.Replace(provider.URL, "127.0.0.1", "localhost", 1)

	w := apptest.New(t, 1, "KENTONGAN_PUBLIC_URL=http://localhost:{port}", "KENTONGAN_OIDC_ISSUER="+issuer, "KENTONGAN_OIDC_CLIENT_ID=kentongan",
		"KENTONGAN_OIDC_CLIENT_SECRET=secret", "KENTONGAN_OIDC_ADMINISTRATORS=it", "KENTONGAN_OIDC_SENDERS=hr,security", "KENTONGAN_OIDC_VIEWERS=board")
	site := strings.Replace(w.API.URL, "127.0.0.1", "localhost", 1)
	storage.RegisterClients(storage.WebClient("kentongan", "secret", site+"/signin/sso/back"))
	people := &office{Storage: storage.NewStorage(storage.NewUserStore(issuer)), groups: map[string][]string{}}
	handler = exampleop.SetupServer(issuer, people, nil, false, op.WithAllowInsecure())

	// It was not there when we started; now it is, and one page later so are we.
	enter := func(user string) *apptest.Tab {
		tab := browser.Tab("en", 1280, 900)
		tab.Open(site + "/signin?to=/history")
		tab.Go("#sso")
		tab.Fill("input[name=username]", user)
		tab.Fill("input[name=password]", "verysecure")
		tab.Go("[type=submit]")
		return tab
	}
	path := func(tab *apptest.Tab) string { return apptest.Eval[string](tab, "location.pathname") }

	guest := enter("test-user2")
	if got := guest.Text("#faults"); !strings.Contains(got, "nobody has given you a right") {
		t.Errorf("somebody without a group is told %q", got)
	}
	people.join("id2", "visitors", "hr")
	sender := enter("test-user2")
	if got := path(sender); got != "/history" {
		t.Fatalf("a sender comes to %s, want the page they had wanted; it says %s", got, sender.Text("main"))
	}
	if got := sender.Text(".top"); !strings.Contains(got, "Test User2") || !strings.Contains(got, "New alert") {
		t.Errorf("a sender sees %q", got)
	}
	people.join("id1", "it")
	boss := enter("test-user@localhost")
	boss.Open(site + "/accounts")
	if got := boss.Text("main"); !strings.Contains(got, "Test User2") || !strings.Contains(got, "Administrator") {
		t.Errorf("an administrator sees %q", got)
	}

	// What the provider says now counts, and ends what was begun with more.
	people.join("id2", "board")
	viewer := enter("test-user2")
	if got := viewer.Text(".top"); strings.Contains(got, "New alert") {
		t.Errorf("a viewer is offered to alarm people: %q", got)
	}
	sender.Open(site + "/")
	if got := path(sender); got != "/signin" {
		t.Errorf("the session of the sender is at %s, want it ended", got)
	}
	people.join("id2")
	enter("test-user2")
	viewer.Open(site + "/")
	if got := path(viewer); got != "/signin" {
		t.Errorf("the session of somebody who lost every right is at %s, want it ended", got)
	}

	// Somebody's half of a sign-in does not fit another browser.
	thief := browser.Tab("en", 1280, 900)
	thief.Open(site + "/signin/sso/back?code=x&state=y")
	if got := thief.Text("#faults"); !strings.Contains(got, "did not let you in") {
		t.Errorf("a sign-in that was not begun here is answered with %q", got)
	}
	boss.NoFaults()
}
