package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
	"kentongan/internal/client"
)

const doctorsCanary = "canary0123456789"

// examine returns what the doctor finds, by check.
func examine(t *testing.T, d Doctor) map[string]Finding {
	t.Helper()
	d.JSON = true
	var out bytes.Buffer
	err := d.Examine(t.Context(), "test", &out)
	var list []Finding
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	found, failed := map[string]Finding{}, false
	for _, f := range list {
		found[f.Check] = f
		failed = failed || f.Result == fails
		if !slices.Contains([]string{fits, warns, fails}, f.Result) || f.Says == "" || f.Result == fits && f.Hint != "" {
			t.Errorf("%+v is no finding", f)
		}
	}
	var failure *client.Failure
	if failed != errors.As(err, &failure) {
		t.Errorf("the end is %v, and failed is %v", err, failed)
	}
	if strings.Contains(out.String(), doctorsCanary) {
		t.Errorf("a secret is told: %s", out.String())
	}
	return found
}

// providerSaying is an SMS provider that says one thing of every account.
func providerSaying(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, token, ok := r.BasicAuth(); !ok || token != doctorsCanary || !strings.HasPrefix(r.URL.Path, "/2010-04-01/Accounts/AC") {
			t.Errorf("the provider was asked %s", r.URL.Path)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func withProvider(c *Config, url string) {
	withTwilio(c)
	c.TwilioAuthToken, c.TwilioAPIURL = doctorsCanary, url
}

// Each fault that an installation may have is found, said, and comes with a hint.
func TestDoctorFindsEachFault(t *testing.T) {
	t.Parallel()
	nowhere := "http://127.0.0.1:1" // nobody listens there
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	posted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }))
	t.Cleanup(posted.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	monitor := func(body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, c := range []struct {
		name          string
		edit          func(*Doctor)
		check, result string
		says          string
	}{
		{"no such zone", func(d *Doctor) { d.Zone = "Mars" }, "settings", fails, "KENTONGAN_ZONE"},
		{"keys cut off", func(d *Doctor) { lay(t, d.Data, "keys.json", `{"vault": "`) }, "keys", fails, "damaged, or was cut off"},
		{"keys not there beside a ledger", func(d *Doctor) { _ = os.MkdirAll(filepath.Join(d.Data, "nats"), 0o700) }, "keys", fails, "is not there"},
		{"no keys yet", func(*Doctor) {}, "keys", warns, "not there yet"},
		{"no folder", func(d *Doctor) { d.Data = "/no/such/folder" }, "disk", fails, "/no/such/folder"},
		{"no server", func(*Doctor) {}, "server", warns, "no server answers"},
		{"another server", func(d *Doctor) { d.Listen = strings.TrimPrefix(other.URL, "http://") }, "server", fails, "not Kentongan (404)"},
		{"stuck deliveries", func(d *Doctor) {
			d.Listen = strings.TrimPrefix(monitor(`{"ready":true,"checks":[{"name":"ledger","ok":true},{"name":"watch","ok":true,"hint":"2 deliveries are stuck"}]}`), "http://")
		}, "server", warns, "watch"},
		{"not ready", func(d *Doctor) {
			d.Listen = strings.TrimPrefix(monitor(`{"ready":false,"checks":[{"name":"redis","ok":true,"hint":"away"},{"name":"ledger","ok":false,"hint":"NATS"}]}`), "http://")
		}, "server", fails, "ledger, redis"},
		{"no NATS", func(d *Doctor) { d.NATSURL = "nats://kentongan:" + doctorsCanary + "@127.0.0.1:1" }, "nats", fails, "KENTONGAN_NATS_URL"},
		{"Redis away", func(d *Doctor) { d.RedisURL = "redis://:" + doctorsCanary + "@127.0.0.1:1/0" }, "redis", warns, "does not answer"},
		{"Sentinel away", func(d *Doctor) { d.RedisURL = "redis://:" + doctorsCanary + "@127.0.0.1:1/0?master_name=kentongan" }, "redis", warns, "does not answer"},
		{"keys that everybody can read", func(d *Doctor) {
			if _, _, err := makeKeys(filepath.Join(d.Data, "keys.json")); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(d.Data, "keys.json"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "keys", fails, "does not start with it"},
		{"no SMS", func(*Doctor) {}, "sms", warns, "no SMS goes out"},
		{"provider takes it", func(d *Doctor) { withProvider(&d.Config, providerSaying(t, 200, `{"status":"active"}`)) }, "sms", fits, "takes the account"},
		{"token revoked", func(d *Doctor) { withProvider(&d.Config, providerSaying(t, 401, "")) }, "sms", fails, "refuses the account"},
		{"account suspended", func(d *Doctor) { withProvider(&d.Config, providerSaying(t, 200, `{"status":"suspended"}`)) }, "sms", fails, `"suspended"`},
		{"provider broken", func(d *Doctor) { withProvider(&d.Config, providerSaying(t, 500, "")) }, "sms", fails, "answers 500"},
		{"provider away", func(d *Doctor) { withProvider(&d.Config, nowhere) }, "sms", fails, "does not answer"},
		{"second provider away", func(d *Doctor) {
			withProvider(&d.Config, providerSaying(t, 200, `{}`))
			d.SMS2AccountSID, d.SMS2AuthToken, d.SMS2From, d.SMS2APIURL = "A1", doctorsCanary, "PT Contoh", nowhere
		}, "sms2", fails, "does not answer"},
		{"push without https", func(d *Doctor) { d.PushSubject = "it@contoh.example" }, "push", fails, "not https"},
		{"address leads nowhere", func(d *Doctor) { d.PublicURL = nowhere }, "public", fails, "does not lead here"},
		{"address leads elsewhere", func(d *Doctor) { d.PublicURL = other.URL }, "public", fails, "leads to something else (404)"},
		{"certificate", func(d *Doctor) { d.PublicURL = secure.URL }, "certificate", fits, "ends in "},
		{"certificate that nobody trusts", func(d *Doctor) { d.PublicURL = secure.URL }, "public", fails, "certificate"},
		{"no certificate", func(d *Doctor) { d.PublicURL = "https://127.0.0.1:1" }, "certificate", fails, "no certificate"},
		{"sign-in away", func(d *Doctor) {
			d.OIDCIssuer, d.OIDCClientID, d.OIDCSenders = nowhere, "kentongan", []string{"hr"}
		}, "sign-in", warns, "does not answer"},
		{"synced", func(d *Doctor) { d.NATSMonitor = monitor(`{"config":{"sync_always":true}}`) }, "fsync", fits, "syncs every write"},
		{"not synced", func(d *Doctor) { d.NATSMonitor = monitor(`{"config":{"sync_interval":120000000000}}`) }, "fsync", fails, "power cut"},
		{"no monitoring", func(d *Doctor) { d.NATSMonitor = nowhere }, "fsync", warns, "does not say"},
		{"not asked", func(*Doctor) {}, "fsync", warns, "not seen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := Doctor{Config: *fine()}
			d.Data, d.Listen = t.TempDir(), "127.0.0.1:1"
			c.edit(&d)
			var f Finding
			if c.check == "fsync" { // of a NATS of one's own, whatever else is true of that
				f = d.synced(t.Context())
			} else {
				f = examine(t, d)[c.check]
			}
			if f.Result != c.result || !strings.Contains(f.Says, c.says) {
				t.Errorf("got %+v, want %s with %q", f, c.result, c.says)
			}
			if f.Result == fails && f.Hint == "" && c.check != "push" {
				t.Errorf("%+v has no hint", f)
			}
		})
	}
	for address, want := range map[string]string{nowhere: warns, other.URL: warns, posted.URL: fits} {
		if f := traced(t.Context(), address+"/v1/traces"); f.Result != want || f.Check != "traces" {
			t.Errorf("the collector: %+v, want %s", f, want)
		}
	}
	for off, want := range map[time.Duration]string{0: fits, time.Second: fits, -3 * time.Second: warns, 31 * time.Second: fails} {
		if f := clock(off); f.Result != want {
			t.Errorf("%v off: %+v, want %s", off, f, want)
		}
	}
}

func lay(t *testing.T, folder, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Beside a server that runs on servers of its own everything is found well, and the
// doctor changes nothing.
func TestDoctorBesideAServer(t *testing.T) {
	redis, _ := apptest.StartShippedRedis(t)
	c := *fine()
	c.Data, c.NATSURL, c.RedisURL = t.TempDir(), apptest.StartNATS(t), redis
	h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { stop(); <-ended }()
	if err := h.tracker.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	before, err := h.ledger.Last(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := Doctor{Config: c}
	d.Listen = h.listener.Addr().String()
	d.PublicURL = "http://" + d.Listen
	found := examine(t, d)
	for check, want := range map[string]string{"version": fits, "settings": fits, "keys": fits, "nats": fits, "clock": fits, "redis": fits, "public": fits, "fsync": warns, "sms": warns, "server": fails} {
		if found[check].Result != want {
			t.Errorf("%+v, want %s", found[check], want)
		}
	}
	if f := found["server"]; !strings.Contains(f.Says, "people") || !strings.Contains(f.Hint, "people import") {
		t.Errorf("%+v does not say what /readyz says", f)
	}
	if after, err := h.ledger.Last(ctx); err != nil || after != before {
		t.Errorf("the ledger went from %d to %d, %v", before, after, err)
	}
}
