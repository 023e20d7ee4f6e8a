package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kentongan/internal/app/apptest"
)

// TestSignInInTheBrowser is the first day of an installation: the link that the
// server prints, a passkey, a second administrator with a password, and a stolen
// session that is ended with one press.
func TestSignInInTheBrowser(t *testing.T) {
	browser := apptest.StartBrowser(t)
	w := apptest.New(t, 1, "KENTONGAN_PUBLIC_URL=http://localhost:{port}") // passkeys are for names, not for addresses
	printed := regexp.MustCompile(`http://localhost:\d+/welcome/\w+`)
	link := printed.FindString(w.Nodes[0].Said())
	if link == "" {
		t.Fatalf("no link was printed:\n%s", w.Nodes[0].Said())
	}
	site, _, _ := strings.Cut(link, "/welcome")

	rina := browser.Tab("en", 1280, 900)
	rina.Authenticator()
	rina.Open(link)
	rina.Fill("#name", " ")
	rina.Fill("#login", "r")
	rina.Go("main form button:enabled")
	if got := rina.Text("#faults"); !strings.Contains(got, "needs 1 to 60 characters") || !strings.Contains(got, "without blanks") {
		t.Errorf("a name that is missing and a login that is short are answered with %q", got)
	}
	rina.Fill("#name", "Rina")
	rina.Fill("#login", "rina@contoh.example")
	rina.Go("main form button:enabled")
	rina.Press("#passkey button")
	rina.WaitFor(pageWait, ".top", "Rina")
	if got := apptest.Eval[string](rina, "location.pathname"); got != "/" {
		t.Errorf("after the passkey the page is %s, want the first one", got)
	}

	// The link is spent, also for whoever finds it in the log.
	thief := browser.Tab("en", 1280, 900)
	thief.Open(link)
	if got := thief.Text("main"); strings.Contains(got, "who are you") {
		t.Errorf("the link opens again: %q", got)
	}

	// Out, and in again with nothing but the passkey; back where she wanted to go.
	rina.Go("form[action='/signout'] button")
	rina.Open(site + "/accounts")
	rina.Press("#passkey button")
	rina.WaitFor(pageWait, "h1", "Who runs the console")
	rina.Fill("#name", "Andi")
	rina.Fill("#login", "andi")
	rina.Press("[name=role][value=administrator]")
	rina.Go("form[action='/accounts'] button")
	invitation := printed.FindString(rina.Text("main"))
	rina.NoFaults()

	// Andi has no JavaScript and no passkey: a password with a code from an app.
	andi := browser.Tab("id", 360, 740)
	andi.Scripts(false)
	andi.Open(invitation)
	andi.Go("main form button:enabled")
	andi.Fill("#password", "kuda benar baterai staples")
	andi.Go("main form button:enabled")
	secret := andi.Text("main code")
	andi.Fill("#proof", "000000")
	andi.Go("main form button:enabled")
	if got := andi.Text("#faults"); !strings.Contains(got, "bukan kode") {
		t.Errorf("a wrong code is answered with %q", got)
	}
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	andi.Fill("#proof", code)
	andi.Go("main form button:enabled")
	if got := andi.Text(".top"); !strings.Contains(got, "Andi") {
		t.Errorf("Andi is not signed in: %q", got)
	}

	// His phone is stolen. From another device he ends that session.
	stolen := andi.Cookie("session")
	status := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "session="+stolen)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Fatalf("the session that will be stolen gets %d", got)
	}
	rina.Open(site + "/accounts")
	rina.Press("li:first-child details summary")
	rina.Go("li:first-child form[action$='/end'] button")
	if got := status(); got != http.StatusSeeOther {
		t.Errorf("after his access ended the session gets %d, want the page that asks who it is", got)
	}
	andi.Open(site + "/")
	if got := andi.Text("h1"); got != "Masuk" {
		t.Errorf("Andi sees %q, want to be asked who he is", got)
	}
	rina.NoFaults()
	andi.NoFaults()
}
