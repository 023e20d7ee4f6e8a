package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"kentongan/internal/client"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// Doctor is the command `doctor`: it looks at an installation from beside it, with
// the settings of the server, while that runs or not, and changes nothing.
type Doctor struct {
	Config
	NATSMonitor string `name:"nats-monitor" help:"Address of your NATS's monitoring, such as http://127.0.0.1:8222: it alone tells whether every write is synced."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

// Finding is what one check says: what it found, and what to do about it.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warn or fail
	Says   string `json:"says"`
	Hint   string `json:"hint,omitempty"`
}

const (
	fits  = "ok"
	warns = "warn"
	fails = "fail"
)

// checkTime bounds every check: what is down must not hold the others up.
const checkTime = 8 * time.Second

// Examine prints what every check says. It fails if one of them does.
func (d *Doctor) Examine(ctx context.Context, version string, w io.Writer) error {
	findings := d.findings(ctx, version)
	failed := 0
	if d.JSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		if err := out.Encode(findings); err != nil {
			return err
		}
	}
	for _, f := range findings {
		if f.Result == fails {
			failed++
		}
		if d.JSON {
			continue
		}
		fmt.Fprintf(w, "%-4s  %-11s %s\n", f.Result, f.Check, f.Says)
		if f.Hint != "" {
			fmt.Fprintf(w, "%18s%s\n", "→ ", f.Hint)
		}
	}
	if failed > 0 {
		return &client.Failure{Err: fmt.Errorf("%d of %d checks failed", failed, len(findings)), Hint: "mend what the lines above say; deploy/runbook has a page for every alert"}
	}
	return nil
}

func (d *Doctor) findings(ctx context.Context, version string) []Finding {
	found := []Finding{{"version", fits, fmt.Sprintf("kentongan %s, %s, %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH), ""}}
	to, err := tracesTo()
	if err := errors.Join(RefuseUnknown(), d.Complete(), err); err != nil {
		// Half of the settings say nothing about the rest.
		return append(found, Finding{"settings", fails, strings.ReplaceAll(err.Error(), "\n", "; "), "deploy/example.env explains every variable; a server with these would not start"})
	}
	found = append(found, Finding{"settings", fits, "every variable is known and makes sense", ""})
	checks := []func(context.Context) []Finding{
		alone(d.keys), alone(d.disk), alone(d.server), d.nats, alone(d.redis),
		alone(func(ctx context.Context) Finding {
			return d.sms(ctx, "sms", d.SMSProvider, d.TwilioAccountSID, d.TwilioAuthToken, d.TwilioAPIURL)
		}),
		alone(d.push), d.public,
	}
	if d.secondSMS() {
		checks = append(checks, alone(func(ctx context.Context) Finding {
			return d.sms(ctx, "sms2", d.SMSProvider, d.SMS2AccountSID, d.SMS2AuthToken, d.SMS2APIURL)
		}))
	}
	if d.OIDCIssuer != "" {
		checks = append(checks, alone(d.signIn))
	}
	if to != nil {
		checks = append(checks, alone(func(ctx context.Context) Finding { return traced(ctx, to.String()) }))
	}
	said := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			said[i] = check(ctx)
		})
	}
	all.Wait()
	for _, f := range said {
		found = append(found, f...)
	}
	return found
}

func alone(check func(context.Context) Finding) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding { return []Finding{check(ctx)} }
}

func (d *Doctor) keys(context.Context) Finding {
	path := keysPath(d.KeysFile, d.Data)
	_, err := readKeys(path)
	var keys *KeysError
	info, there := os.Stat(path)
	_, kept := os.Stat(filepath.Join(d.Data, "nats"))
	switch {
	case errors.Is(err, os.ErrNotExist) && (kept == nil || d.NATSURL != ""):
		return Finding{"keys", fails, path + " is not there", "restore it from the backup, see deploy/runbook/keys.md; only a new installation makes keys of its own"}
	case errors.Is(err, os.ErrNotExist):
		return Finding{"keys", warns, path + " is not there yet", "it is made at the first start; back it up then"}
	case errors.As(err, &keys):
		return Finding{"keys", fails, err.Error(), "see deploy/runbook/keys.md"}
	case err != nil:
		return Finding{"keys", fails, err.Error(), ""}
	case there == nil && openToAll(info):
		return Finding{"keys", fails, path + " can be read by everybody on this machine: the server does not start with it", "chmod 600 " + path}
	case there == nil && info.Mode().Perm()&0o003 != 0:
		return Finding{"keys", warns, path + " can be changed by everybody on this machine", "chmod 600 " + path}
	}
	return Finding{"keys", fits, path + " is whole", ""}
}

func (d *Doctor) disk(context.Context) Finding {
	free, size, err := diskOf(d.Data)
	if err != nil || size == 0 {
		return Finding{"disk", fails, fmt.Sprintf("KENTONGAN_DATA=%s: %v", d.Data, err), "it must be a folder that the service can write"}
	}
	percent := free * 100 / size
	says := fmt.Sprintf("%d %% of the disk of %s is free (%d MB)", percent, d.Data, free>>20)
	switch {
	case percent < 5:
		return Finding{"disk", fails, says, "make room: with a full disk nothing can be recorded. See deploy/runbook/KentonganDiskFills.md"}
	case percent < 20:
		return Finding{"disk", warns, says, "see deploy/runbook/KentonganDiskFills.md"}
	}
	return Finding{"disk", fits, says, ""}
}

// ask gets an address and returns the status and the beginning of what it says. An
// error names neither the address nor what was sent with the request.
func ask(ctx context.Context, address string, prepare func(*http.Request)) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, nil, errors.New("no address")
	}
	if prepare != nil {
		prepare(req)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, b, err
}

// server asks the one that these settings belong to.
func (d *Doctor) server(ctx context.Context) Finding {
	host, port, _ := net.SplitHostPort(d.Listen)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	status, b, err := ask(ctx, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return Finding{"server", warns, "no server answers at " + d.Listen + " here: " + err.Error(), "start it, or run this beside it"}
	}
	var ready struct {
		Checks []struct {
			Name, Hint string
			OK         bool
		}
	}
	if err := json.Unmarshal(b, &ready); err != nil || len(ready.Checks) == 0 {
		return Finding{"server", fails, fmt.Sprintf("what answers at %s is not Kentongan (%d)", d.Listen, status), "another program has this address: see KENTONGAN_LISTEN"}
	}
	var missing, wrong, hints []string
	for _, c := range ready.Checks {
		switch {
		case !c.OK:
			missing = append(missing, c.Name)
		case c.Hint != "": // it stays in service meanwhile: what the watch found, such as stuck deliveries
			wrong = append(wrong, c.Name)
		default:
			continue
		}
		hints = append(hints, c.Hint)
	}
	switch {
	case len(missing) > 0:
		return Finding{"server", fails, "it runs, and is not ready: " + strings.Join(append(missing, wrong...), ", "), strings.Join(hints, "; ")}
	case len(wrong) > 0:
		return Finding{"server", warns, "it runs and is ready, and something is wrong: " + strings.Join(wrong, ", "), strings.Join(hints, "; ")}
	}
	return Finding{"server", fits, "it runs and is ready", ""}
}

func (d *Doctor) nats(ctx context.Context) []Finding {
	if d.NATSURL == "" {
		unlock, err := lockFolder(d.Data)
		switch {
		case errors.Is(err, ErrInUse):
			return []Finding{{"nats", fits, "embedded, in the server that runs; every write is synced", ""}}
		case err != nil:
			return []Finding{{"nats", fails, err.Error(), "the service must be able to write in KENTONGAN_DATA"}}
		}
		unlock()
		return []Finding{{"nats", fits, "embedded, starts with the server; every write is synced", ""}}
	}
	nc, err := nats.Connect(d.NATSURL, nats.Name("kentongan doctor"), nats.Timeout(3*time.Second), nats.NoReconnect())
	if err != nil {
		return []Finding{{"nats", fails, "KENTONGAN_NATS_URL: " + err.Error(), "see deploy/runbook/KentonganLedgerUnavailable.md"}}
	}
	defer nc.Close()
	if err := ledger.CheckServer(nc); err != nil {
		return []Finding{{"nats", fails, err.Error(), "use nats-server 2.12.3 or newer"}}
	}
	before := time.Now()
	s, err := ledger.Inspect(ctx, nc)
	if err != nil {
		return []Finding{{"nats", fails, "nats-server " + s.Version + ": " + err.Error(), "is JetStream on, and may this user use it? deploy/nats.conf and deploy/nats-users.conf"}}
	}
	out := []Finding{{"nats", fits, fmt.Sprintf("nats-server %s, %d records, %d copies", s.Version, s.Last, s.Replicas), ""}}
	switch {
	case s.Replicas == 0:
		out[0] = Finding{"nats", warns, "nats-server " + s.Version + ", and no ledger yet", "it is made at the first start"}
	case s.Lagging > 0:
		out[0].Result, out[0].Says = fails, fmt.Sprintf("%s, %d of them do not follow", out[0].Says, s.Lagging)
		out[0].Hint = "see deploy/runbook/KentonganLedgerCopiesLag.md"
	case strings.Contains(d.NATSURL, ",") && s.Replicas < 3:
		out[0].Result, out[0].Hint = warns, "several servers and one copy: set KENTONGAN_REPLICAS=3 on every node"
	}
	if s.Limit > 0 && s.Stored > uint64(s.Limit)/10*8 {
		out = append(out, Finding{"store", warns, fmt.Sprintf("NATS keeps %d of %d MB", s.Stored>>20, s.Limit>>20), "see deploy/runbook/KentonganStoreFills.md"})
	}
	if !s.Now.IsZero() {
		out = append(out, clock(drift(before, time.Now(), s.Now)))
	}
	return append(out, d.synced(ctx))
}

// clock judges how far this machine's clock is from that of NATS.
func clock(off time.Duration) Finding {
	says, hint := fmt.Sprintf("the clock here is %s off that of NATS", off.Round(time.Millisecond)), "see deploy/runbook/KentonganClockDrifts.md"
	switch {
	case off.Abs() > 30*time.Second:
		return Finding{"clock", fails, says, hint}
	case off.Abs() > 2*time.Second:
		return Finding{"clock", warns, says, hint}
	}
	return Finding{"clock", fits, "the clock here is that of NATS", ""}
}

// synced asks NATS's monitoring whether what was acknowledged survives a power cut:
// a client cannot see it.
func (d *Doctor) synced(ctx context.Context) Finding {
	if d.NATSMonitor == "" {
		return Finding{"fsync", warns, "not seen: whether NATS syncs every write", "give its monitoring with --nats-monitor http://127.0.0.1:8222; it must be sync_interval: always, as in deploy/nats.conf"}
	}
	status, b, err := ask(ctx, strings.TrimRight(d.NATSMonitor, "/")+"/jsz?config=true", nil)
	var said struct {
		Config *struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	}
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(b, &said)
	}
	switch {
	case err != nil || said.Config == nil:
		return Finding{"fsync", warns, fmt.Sprintf("NATS's monitoring does not say whether it syncs every write (%d, %v)", status, err), "is that its address? `http: 127.0.0.1:8222` in deploy/nats.conf"}
	case !said.Config.SyncAlways:
		return Finding{"fsync", fails, "NATS writes to disk every now and then: a power cut loses answers that people were thanked for", "set sync_interval: always, as in deploy/nats.conf"}
	}
	return Finding{"fsync", fits, "NATS syncs every write", ""}
}

func (d *Doctor) redis(ctx context.Context) Finding {
	if d.RedisURL == "" {
		if _, err := exec.LookPath("redis-server"); err != nil {
			return Finding{"redis", warns, "none is set, and no redis-server is on the PATH: the working state is kept in memory", "fine for one node and a small company"}
		}
		return Finding{"redis", fits, "a redis-server of the service's own", ""}
	}
	c, err := dialRedis(d.RedisURL)
	if err != nil {
		return Finding{"redis", fails, "KENTONGAN_REDIS_URL: " + err.Error(), ""}
	}
	defer c.Close()
	err = tracker.CheckRedis(ctx, c)
	switch {
	case errors.Is(err, tracker.ErrAway):
		return Finding{"redis", warns, err.Error(), "everything goes on without it; see deploy/runbook/KentonganRedisAway.md"}
	case err != nil:
		return Finding{"redis", fails, err.Error(), "as in deploy/redis.conf; the service refuses to start with it"}
	}
	return Finding{"redis", fits, "new enough, and evicts nothing", ""}
}

// sms asks the provider for the account: that needs the right credentials, and
// sends nothing.
func (d *Doctor) sms(ctx context.Context, check, provider, account, token, api string) Finding {
	switch provider {
	case "none":
		return Finding{check, warns, "no SMS goes out: KENTONGAN_SMS_PROVIDER is none", "people without a connected phone are not reached"}
	case "sandbox":
		return Finding{check, warns, "a sandbox stands in for the provider: nobody outside is reached", "set KENTONGAN_SMS_PROVIDER=twilio for a real alarm"}
	}
	status, b, err := ask(ctx, strings.TrimRight(api, "/")+"/2010-04-01/Accounts/"+account+".json", func(r *http.Request) { r.SetBasicAuth(account, token) })
	var said struct {
		Status string `json:"status"`
	}
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(b, &said)
	}
	switch {
	case err != nil:
		return Finding{check, fails, "the SMS provider does not answer: " + err.Error(), "name resolution, the way out of this network, the provider's status page"}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Finding{check, fails, "the SMS provider refuses the account or its token", "see deploy/runbook/KentonganProviderRefuses.md"}
	case status != http.StatusOK:
		return Finding{check, fails, fmt.Sprintf("the SMS provider answers %d", status), "see deploy/runbook/KentonganProviderFails.md"}
	case said.Status != "" && said.Status != "active":
		return Finding{check, fails, fmt.Sprintf("the account at the SMS provider is %q", said.Status), "log in there: unpaid, or suspended"}
	}
	return Finding{check, fits, "the SMS provider takes the account", ""}
}

func (d *Doctor) push(ctx context.Context) Finding {
	if d.PushSubject == "" {
		return Finding{"push", warns, "web push is off: KENTONGAN_PUSH_SUBJECT is empty", "set it to a real address of yours"}
	}
	if !strings.HasPrefix(d.PublicURL, "https://") && !d.Sandbox {
		return Finding{"push", fails, "phones offer no web push: KENTONGAN_PUBLIC_URL is not https", ""}
	}
	for _, host := range d.PushHosts {
		if strings.HasPrefix(host, ".") {
			continue
		}
		if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return Finding{"push", fails, "a push service cannot be found: " + host, "name resolution, or a misspelt KENTONGAN_PUSH_HOSTS"}
		}
	}
	return Finding{"push", fits, "set up", ""}
}

// certificateSoon is when it is time to renew.
const certificateSoon = 14 * 24 * time.Hour

// public asks the address that people and providers use.
func (d *Doctor) public(ctx context.Context) []Finding {
	var out []Finding
	u, err := url.Parse(d.PublicURL)
	if err != nil {
		return []Finding{{"public", fails, "KENTONGAN_PUBLIC_URL: no address", ""}}
	}
	if u.Scheme == "https" {
		ends, err := certificateEnds(ctx, u)
		left := time.Until(ends)
		switch says := fmt.Sprintf("the certificate of %s ends in %d days", u.Host, int(left.Hours()/24)); {
		case err != nil:
			out = append(out, Finding{"certificate", fails, "no certificate is shown at " + u.Host + ": " + err.Error(), "is the proxy in front of the service up?"})
		case left < 0:
			out = append(out, Finding{"certificate", fails, "the certificate of " + u.Host + " has ended", "see deploy/runbook/KentonganCertificateEnds.md"})
		case left < certificateSoon:
			out = append(out, Finding{"certificate", warns, says, "see deploy/runbook/KentonganCertificateEnds.md"})
		default:
			out = append(out, Finding{"certificate", fits, says, ""})
		}
	}
	status, b, err := ask(ctx, d.PublicURL+"/livez", nil)
	switch {
	case err != nil:
		return append(out, Finding{"public", fails, "KENTONGAN_PUBLIC_URL does not lead here: " + err.Error(), "links and webhooks go there: name, proxy, firewall, certificate"})
	case status != http.StatusOK || string(b) != "ok\n":
		return append(out, Finding{"public", fails, fmt.Sprintf("KENTONGAN_PUBLIC_URL leads to something else (%d)", status), "it must be exactly what phones and providers use, and lead to the service"})
	}
	out = append(out, Finding{"public", fits, d.PublicURL + " leads to the service", ""})
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		if status, _, err := ask(ctx, d.PublicURL+"/metrics", nil); err == nil && status == http.StatusOK {
			out = append(out, Finding{"metrics", warns, "everybody can read " + d.PublicURL + "/metrics", "answer 404 at the proxy, see README.md"})
		}
	}
	return out
}

// traced asks where traces go. One takes them by POST alone and says so.
func traced(ctx context.Context, address string) Finding {
	const hint = "the service goes on without traces; check OTEL_EXPORTER_OTLP_ENDPOINT"
	switch status, _, err := ask(ctx, address, nil); {
	case err != nil:
		return Finding{"traces", warns, "the collector does not answer: " + err.Error(), hint}
	case status == http.StatusNotFound:
		return Finding{"traces", warns, "what answers is no collector (404)", hint}
	}
	return Finding{"traces", fits, "the collector answers", ""}
}

func (d *Doctor) signIn(ctx context.Context) Finding {
	status, _, err := ask(ctx, strings.TrimRight(d.OIDCIssuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil || status != http.StatusOK {
		return Finding{"sign-in", warns, fmt.Sprintf("the company's sign-in does not answer (%d, %v)", status, err), "passkeys and passwords go on working; check KENTONGAN_OIDC_ISSUER"}
	}
	return Finding{"sign-in", fits, "the company's sign-in answers", ""}
}
