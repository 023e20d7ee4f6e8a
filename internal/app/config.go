// Package app puts the house together, opens it and closes it: configuration,
// embedded servers, lifecycle, and the desk at which requests from people meet
// the directory, the ledger, the tracker and the channels.
package app

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/webpush"
)

// Config is everything an operator can set. Each field is also a flag; secrets
// can be given as NAME_FILE.
type Config struct {
	Listen      string `name:"listen" env:"KENTONGAN_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	PublicURL   string `name:"public-url" env:"KENTONGAN_PUBLIC_URL" help:"Address people and providers reach this server at; links and webhook signatures are made from it. Default: http://<listen>."`
	Data        string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Folder for everything kept on disk."`
	KeysFile    string `name:"keys-file" env:"KENTONGAN_KEYS_FILE" help:"File of the keys. Default: keys.json in the data folder; elsewhere, whoever takes the disk or its backup reads nobody."`
	Checkpoints string `name:"checkpoints-file" env:"KENTONGAN_CHECKPOINTS_FILE" help:"File outside of NATS that every checkpoint of the ledger is added to. Default: checkpoints.jsonl in the data folder; elsewhere it shows what somebody did to this machine."`
	OrgName     string `name:"org-name" env:"KENTONGAN_ORG_NAME" default:"Kentongan" help:"Name that stands at the front of every message; at most 11 characters leave most room."`

	NATSURL  string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS with JetStream. Empty: an embedded server."`
	RedisURL string `name:"redis-url" env:"KENTONGAN_REDIS_URL" help:"Your own Redis 7.0 or newer. Empty: redis-server from the PATH as a child, else memory."`
	Replicas int    `name:"replicas" env:"KENTONGAN_REPLICAS" default:"1" help:"Replicas of each stream; 3 on a NATS cluster."`

	SMSProvider      string `name:"sms-provider" env:"KENTONGAN_SMS_PROVIDER" default:"none" help:"twilio, sandbox or none."`
	SMSTwoWay        bool   `name:"sms-two-way" env:"KENTONGAN_SMS_TWO_WAY" help:"Whether replies by SMS come back. Leave off for Indonesian sender names: they cannot be replied to."`
	SMSRate          int    `name:"sms-rate" env:"KENTONGAN_SMS_RATE" default:"0" help:"Messages a second that the sender may hand over; 0: as fast as the provider takes them."`
	TwilioAccountSID string `name:"twilio-account-sid" env:"KENTONGAN_TWILIO_ACCOUNT_SID" help:"Twilio account SID."`
	TwilioAuthToken  string `name:"twilio-auth-token" env:"KENTONGAN_TWILIO_AUTH_TOKEN" help:"Twilio auth token (secret)."`
	TwilioFrom       string `name:"twilio-from" env:"KENTONGAN_TWILIO_FROM" help:"Sender: a number, a registered name, or a messaging service SID (MG...)."`
	TwilioAPIURL     string `name:"twilio-api-url" env:"KENTONGAN_TWILIO_API_URL" default:"https://api.twilio.com" help:"Base URL of the Twilio API."`

	SMS2AccountSID string `name:"sms2-account-sid" env:"KENTONGAN_SMS2_ACCOUNT_SID" help:"Account at a second provider with Twilio's API, through which HR can send again what the first could not deliver. Empty: none."`
	SMS2AuthToken  string `name:"sms2-auth-token" env:"KENTONGAN_SMS2_AUTH_TOKEN" help:"Auth token of the second provider (secret)."`
	SMS2From       string `name:"sms2-from" env:"KENTONGAN_SMS2_FROM" help:"Sender at the second provider."`
	SMS2APIURL     string `name:"sms2-api-url" env:"KENTONGAN_SMS2_API_URL" help:"Base URL of the second provider's API."`

	PushSubject string   `name:"push-subject" env:"KENTONGAN_PUSH_SUBJECT" help:"Contact for push services: an e-mail address or an https URL. Empty: web push is off."`
	PushHosts   []string `name:"push-hosts" env:"KENTONGAN_PUSH_HOSTS" help:"Hosts of push services, comma separated; a leading dot allows sub-domains. Empty: the known ones."`

	BootstrapToken     string   `name:"bootstrap-token" env:"KENTONGAN_BOOTSTRAP_TOKEN" help:"First sender token, for scripts (secret)."`
	OIDCIssuer         string   `name:"oidc-issuer" env:"KENTONGAN_OIDC_ISSUER" help:"Address of the company's own sign-in (OpenID Connect). Empty: none."`
	OIDCClientID       string   `name:"oidc-client-id" env:"KENTONGAN_OIDC_CLIENT_ID" help:"Client ID there; the redirect URI is <public-url>/signin/sso/back."`
	OIDCClientSecret   string   `name:"oidc-client-secret" env:"KENTONGAN_OIDC_CLIENT_SECRET" help:"Client secret there (secret)."`
	OIDCScopes         []string `name:"oidc-scopes" env:"KENTONGAN_OIDC_SCOPES" help:"Scopes to ask for besides openid, profile and email, comma separated."`
	OIDCClaim          string   `name:"oidc-claim" env:"KENTONGAN_OIDC_CLAIM" default:"groups" help:"Claim that names somebody's groups or roles."`
	OIDCAdministrators []string `name:"oidc-administrators" env:"KENTONGAN_OIDC_ADMINISTRATORS" help:"Values of that claim that make an administrator, comma separated."`
	OIDCSenders        []string `name:"oidc-senders" env:"KENTONGAN_OIDC_SENDERS" help:"Values of that claim that make a sender, comma separated."`
	OIDCApprovers      []string `name:"oidc-approvers" env:"KENTONGAN_OIDC_APPROVERS" help:"Values of that claim that make an approver, comma separated."`
	OIDCAuditors       []string `name:"oidc-auditors" env:"KENTONGAN_OIDC_AUDITORS" help:"Values of that claim that make an auditor, comma separated."`
	OIDCOperators      []string `name:"oidc-operators" env:"KENTONGAN_OIDC_OPERATORS" help:"Values of that claim that make an operator, comma separated."`
	OIDCViewers        []string `name:"oidc-viewers" env:"KENTONGAN_OIDC_VIEWERS" help:"Values of that claim that make a viewer, comma separated. Nobody else comes in."`

	Duty         string        `name:"duty" env:"KENTONGAN_DUTY" help:"Employee numbers of the duty list, comma separated. Empty: whoever has no manager."`
	Zone         string        `name:"zone" env:"KENTONGAN_ZONE" default:"Asia/Jakarta" help:"Time zone in which times are shown."`
	QuietHours   string        `name:"quiet-hours" env:"KENTONGAN_QUIET_HOURS" default:"21:00-06:00" help:"Hours in which a notice calls nobody, by the clock of each person; none: there are none."`
	ApprovalOver int           `name:"approval-over" env:"KENTONGAN_APPROVAL_OVER" default:"200" help:"A real alert that is not extreme needs a second person when it goes to more people than this, to everybody, or in words that nobody prepared. 0: never."`
	QuietBudget  int           `name:"quiet-budget" env:"KENTONGAN_QUIET_BUDGET" default:"3" help:"How many announcements a month may break quiet hours before the sender is told that it was often; nothing is ever blocked. 0: nobody is told."`
	Countdown    time.Duration `name:"countdown" env:"KENTONGAN_COUNTDOWN" default:"10s" help:"How long a confirmed alert of the console can still be cancelled before it goes out: 0s to 30s. The API sends at once."`
	SMSPrice     int           `name:"sms-price" env:"KENTONGAN_SMS_PRICE" default:"0" help:"Price of one SMS segment in whole units of the currency, for the cost shown before sending. 0: not shown."`
	Currency     string        `name:"currency" env:"KENTONGAN_CURRENCY" default:"Rp" help:"Currency that stands before a price."`
	InFlight     int           `name:"in-flight" env:"KENTONGAN_IN_FLIGHT" default:"32" help:"Most calls under way at once; also the most messages that a crash can repeat."`
	HeartbeatURL string        `name:"heartbeat-url" env:"KENTONGAN_HEARTBEAT_URL" help:"Address that is asked for every minute while all is well, for a service that calls somebody when that stops (healthchecks.io and the like)."`
	PushInFlight int           `name:"push-in-flight" env:"KENTONGAN_PUSH_IN_FLIGHT" default:"0" help:"Most web pushes under way at once, if they shall not count with the rest: for large companies. A crash can repeat as many more, each in place of the first on the phone. 0: they count."`

	NewKeys bool `name:"new-keys" help:"Take keys.json as it is, though this installation began with another. What was made with the former ends: with links every link that was sent, with push every connected device."`

	RetainWords     int `name:"retain-words" env:"KENTONGAN_RETAIN_WORDS" default:"90" help:"Days for which people's own words, texts and photos are kept after an alert has ended: 30 to 730."`
	RetainStrangers int `name:"retain-strangers" env:"KENTONGAN_RETAIN_STRANGERS" default:"7" help:"Days for which a text from a number that nobody has is kept once somebody has dealt with it: 1 to 90."`
	RetainLeft      int `name:"retain-left" env:"KENTONGAN_RETAIN_LEFT" default:"730" help:"Days after which whoever has left is erased: 30 to 3650."`

	Sandbox       bool   `name:"sandbox" help:"Run with sample people, a stand-in for the SMS provider and the push services, and a page of phones."`
	SandboxListen string `name:"sandbox-listen" env:"KENTONGAN_SANDBOX_LISTEN" default:"127.0.0.1:8081" help:"Address of the stand-ins and the page of phones."`

	quiet             announcement.QuietHours               // QuietHours
	vapidKey          string                                // public key for browsers
	checkSubscription func(announcement.Subscription) error // what web push accepts; nil without it
}

func (c *Config) subscriptionID(endpoint string) string { return webpush.SubscriptionID(endpoint) }

// secrets can be read from a file named by NAME_FILE.
var secrets = []string{"KENTONGAN_TWILIO_AUTH_TOKEN", "KENTONGAN_SMS2_AUTH_TOKEN", "KENTONGAN_BOOTSTRAP_TOKEN", "KENTONGAN_OIDC_CLIENT_SECRET", "KENTONGAN_BACKUP_PASSPHRASE", "KENTONGAN_REDIS_URL", "KENTONGAN_NATS_URL", "KENTONGAN_TOKEN"}

// PrepareEnvironment puts the content of every NAME_FILE into NAME, and takes
// away variables without a value: an example file lists every name, and an
// empty one means its default. Call it before the configuration is read.
func PrepareEnvironment() error {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "KENTONGAN_") && strings.TrimSpace(value) == "" {
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if base, ok := strings.CutSuffix(name, "_FILE"); ok && strings.HasPrefix(name, "KENTONGAN_") && !slices.Contains(secrets, base) && !slices.Contains(variables(), name) {
			return fmt.Errorf("%s: only secrets are read from a file: %s", name, strings.Join(secrets, ", "))
		}
	}
	for _, name := range secrets {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set: keep one", name, name)
		}
		b, err := os.ReadFile(path) //nolint:gosec // the operator named it
		if err != nil {
			return fmt.Errorf("read %s_FILE: %w", name, err)
		}
		value := strings.TrimSpace(string(b))
		if value == "" {
			return fmt.Errorf("read %s_FILE: %s is empty", name, path)
		}
		if strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value) {
			return fmt.Errorf("read %s_FILE: %s must hold one line of text: the secret alone", name, path)
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("read %s_FILE: %w", name, err)
		}
	}
	return nil
}

// orchestrated are names that Kubernetes gives every container of a namespace with
// a service called kentongan, or kentongan-web.
var orchestrated = regexp.MustCompile(`^KENTONGAN_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// variables are the names that mean something here.
func variables() []string {
	known := append(slices.Clone(secrets), "KENTONGAN_BACKUP_RECIPIENT", "KENTONGAN_BACKUP_IDENTITY") // the latter two are of commands
	for _, name := range secrets {
		known = append(known, name+"_FILE")
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	return known
}

// RefuseUnknown refuses variables of the environment that look like ours and mean
// nothing, each with the one that was probably meant: a misspelt KENTONGAN_DUTY
// would leave the duty list empty, and nobody would know before it is needed.
func RefuseUnknown() error {
	var bad ConfigError
	known := variables()
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case !strings.HasPrefix(strings.ToUpper(name), "KENTONGAN_"), slices.Contains(known, name), orchestrated.MatchString(name):
		case name == "KENTONGAN_PORT" && strings.HasPrefix(value, "tcp://"): // Kubernetes again
		default:
			near, _ := announcement.Nearest(strings.ToUpper(name), known)
			bad = append(bad, fmt.Errorf("%s: means nothing here; did you mean %s?", name, near))
		}
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

// ConfigError lists everything an operator has to mend before anything starts.
type ConfigError []error

func (e ConfigError) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults.
func (e ConfigError) Unwrap() []error { return e }

// Complete fills in what follows from the rest and refuses what would break a
// promise, naming the variable as the operator typed it. No value of a secret,
// nor of an address that may hold a password, is repeated.
func (c *Config) Complete() error {
	var bad ConfigError
	refuse := func(variable, format string, args ...any) {
		bad = append(bad, fmt.Errorf(variable+": "+format, args...))
	}
	if c.Sandbox {
		if _, _, err := net.SplitHostPort(c.SandboxListen); err != nil {
			return ConfigError{fmt.Errorf("KENTONGAN_SANDBOX_LISTEN: %w", err)} // the rest follows from it
		}
		c.applySandbox()
	}
	c.completeAddresses(refuse)
	if strings.TrimSpace(c.OrgName) == "" || len([]rune(c.OrgName)) > 40 {
		refuse("KENTONGAN_ORG_NAME", "must have 1 to 40 characters")
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		refuse("KENTONGAN_ZONE", "%q is not a time zone such as Asia/Jakarta", c.Zone)
	}
	var err error
	if c.quiet, err = announcement.ParseQuietHours(cmp.Or(c.QuietHours, announcement.DefaultQuietHours.String())); err != nil {
		refuse("KENTONGAN_QUIET_HOURS", "%w", err)
	}
	c.checkServers(refuse)
	c.checkSMS(refuse)
	c.checkPush(refuse)
	c.checkSSO(refuse)
	if c.BootstrapToken != "" && len(c.BootstrapToken) < 16 {
		refuse("KENTONGAN_BOOTSTRAP_TOKEN", "use at least 16 characters")
	}
	if c.Countdown < 0 || c.Countdown > 30*time.Second {
		refuse("KENTONGAN_COUNTDOWN", "must be 0s to 30s")
	}
	if c.ApprovalOver < 0 {
		refuse("KENTONGAN_APPROVAL_OVER", "must be 0 or more")
	}
	if c.QuietBudget < 0 {
		refuse("KENTONGAN_QUIET_BUDGET", "must be 0 or more")
	}
	for _, days := range []struct {
		name               string
		days               *int
		usual, least, most int
	}{{"KENTONGAN_RETAIN_WORDS", &c.RetainWords, 90, 30, 730}, {"KENTONGAN_RETAIN_STRANGERS", &c.RetainStrangers, 7, 1, 90}, {"KENTONGAN_RETAIN_LEFT", &c.RetainLeft, 730, 30, 3650}} {
		if *days.days == 0 {
			*days.days = days.usual
		}
		if *days.days < days.least || *days.days > days.most {
			refuse(days.name, "must be %d to %d days, not %d", days.least, days.most, *days.days)
		}
	}
	if c.SMSPrice < 0 {
		refuse("KENTONGAN_SMS_PRICE", "must be 0 or more")
	}
	if c.InFlight < 1 || c.InFlight > 10_000 {
		refuse("KENTONGAN_IN_FLIGHT", "must be 1 to 10000")
	}
	if c.PushInFlight < 0 || c.PushInFlight > 10_000 {
		refuse("KENTONGAN_PUSH_IN_FLIGHT", "must be 0 to 10000")
	}
	if u, err := url.Parse(c.HeartbeatURL); c.HeartbeatURL != "" && (err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http") {
		refuse("KENTONGAN_HEARTBEAT_URL", "must be an https address") // which is a secret: it is not repeated
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

// checkSSO wants the company's own sign-in whole: one that lets nobody in, or that
// anybody on the way can read, is refused.
func (c *Config) checkSSO(refuse refusal) {
	if c.OIDCIssuer == "" {
		if c.OIDCClientID != "" || c.OIDCClientSecret != "" {
			refuse("KENTONGAN_OIDC_ISSUER", "needed with KENTONGAN_OIDC_CLIENT_ID")
		}
		return
	}
	u, err := url.Parse(c.OIDCIssuer)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		refuse("KENTONGAN_OIDC_ISSUER", "must be the https address of the provider")
	case u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		refuse("KENTONGAN_OIDC_ISSUER", "must begin with https: whoever can read the way could sign in as anybody")
	}
	if c.OIDCClientID == "" {
		refuse("KENTONGAN_OIDC_CLIENT_ID", "needed with KENTONGAN_OIDC_ISSUER")
	}
	if len(slices.Concat(c.OIDCAdministrators, c.OIDCSenders, c.OIDCApprovers, c.OIDCAuditors, c.OIDCOperators, c.OIDCViewers)) == 0 {
		refuse("KENTONGAN_OIDC_SENDERS", "needed with KENTONGAN_OIDC_ISSUER, or another KENTONGAN_OIDC_… role: without one nobody comes in")
	}
}

type refusal func(variable, format string, args ...any)

func (c *Config) completeAddresses(refuse refusal) {
	host, port, err := net.SplitHostPort(c.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		refuse("KENTONGAN_LISTEN", "%q is not an address and port such as 127.0.0.1:8080", c.Listen)
		return
	}
	if c.PublicURL == "" {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			if !c.Sandbox {
				refuse("KENTONGAN_PUBLIC_URL", "needed with KENTONGAN_LISTEN=%s: links and webhook signatures are made from it", c.Listen)
				return
			}
			host = "localhost" // the sandbox has nobody outside
		}
		c.PublicURL = "http://" + net.JoinHostPort(host, port)
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		refuse("KENTONGAN_PUBLIC_URL", "must be an http or https address")
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		refuse("KENTONGAN_PUBLIC_URL", "must be scheme and host only: %s://%s", u.Scheme, u.Host)
	}
}

// checkNATSURL says what is wrong with an address, without repeating it: it may
// hold a password.
func checkNATSURL(address string) error {
	if address == "" {
		return nil
	}
	for one := range strings.SplitSeq(address, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return errors.New("must be nats://host:4222 or tls://host:4222, several with commas between")
		}
	}
	return nil
}

func (c *Config) checkServers(refuse refusal) {
	if err := checkNATSURL(c.NATSURL); err != nil {
		refuse("KENTONGAN_NATS_URL", "%w", err)
	}
	if c.RedisURL != "" {
		if client, err := dialRedis(c.RedisURL); err != nil {
			refuse("KENTONGAN_REDIS_URL", "%w", err)
		} else {
			_ = client.Close()
		}
	}
	switch {
	case c.Replicas < 0 || c.Replicas > 5:
		refuse("KENTONGAN_REPLICAS", "must be 1 to 5")
	case c.Replicas > 1 && c.NATSURL == "":
		refuse("KENTONGAN_REPLICAS", "more than 1 needs a NATS cluster: set KENTONGAN_NATS_URL")
	}
}

var (
	accountShape = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	// A number, a messaging service, or a registered name or short code.
	senderShape = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}|[A-Za-z0-9 ]{3,11})$`)
)

func (c *Config) checkSMS(refuse refusal) {
	credentials := []struct{ name, value string }{
		{"KENTONGAN_TWILIO_ACCOUNT_SID", c.TwilioAccountSID}, {"KENTONGAN_TWILIO_AUTH_TOKEN", c.TwilioAuthToken}, {"KENTONGAN_TWILIO_FROM", c.TwilioFrom},
	}
	if c.SMSRate < 0 {
		refuse("KENTONGAN_SMS_RATE", "must be 0 or more")
	}
	switch c.SMSProvider {
	case "none":
		for _, one := range append(credentials, struct{ name, value string }{"KENTONGAN_SMS2_ACCOUNT_SID", c.SMS2AccountSID}) {
			if one.value != "" {
				// Half a configuration would be silent exactly when it is needed.
				refuse("KENTONGAN_SMS_PROVIDER", "is none, but %s is set: set it to twilio, or empty the other", one.name)
				return
			}
		}
		return
	case "twilio", "sandbox":
	default:
		refuse("KENTONGAN_SMS_PROVIDER", "must be twilio, sandbox or none, not %q", c.SMSProvider)
		return
	}
	for _, one := range credentials {
		if one.value == "" {
			refuse(one.name, "needed with KENTONGAN_SMS_PROVIDER=%s", c.SMSProvider)
		}
	}
	if c.TwilioAccountSID != "" && !accountShape.MatchString(c.TwilioAccountSID) {
		refuse("KENTONGAN_TWILIO_ACCOUNT_SID", "must be AC and 32 hexadecimal digits")
	}
	if c.TwilioFrom != "" && !senderShape.MatchString(c.TwilioFrom) {
		refuse("KENTONGAN_TWILIO_FROM", "must be a number such as +15005550006, a messaging service (MG...), or a name of at most 11 letters and digits")
	}
	c.checkAPI(refuse, "KENTONGAN_TWILIO_API_URL", c.TwilioAPIURL)
	c.checkSecondSMS(refuse)
}

// checkAPI refuses an address that is none, and the real provider in a sandbox.
func (c *Config) checkAPI(refuse refusal, variable, address string) {
	api, err := url.Parse(address)
	switch {
	case err != nil || api.Hostname() == "" || api.Scheme != "http" && api.Scheme != "https":
		refuse(variable, "must be an http or https address")
	case c.SMSProvider == "sandbox" && strings.HasSuffix("."+strings.ToLower(strings.TrimRight(api.Hostname(), ".")), ".twilio.com"):
		// Sample people may have the numbers of real ones.
		refuse(variable, "KENTONGAN_SMS_PROVIDER=sandbox needs the address of a sandbox, never the real provider")
	}
}

// secondSMS reports whether there is a second provider.
func (c *Config) secondSMS() bool { return c.SMS2AccountSID != "" }

func (c *Config) checkSecondSMS(refuse refusal) {
	given := []struct{ name, value string }{
		{"KENTONGAN_SMS2_ACCOUNT_SID", c.SMS2AccountSID}, {"KENTONGAN_SMS2_AUTH_TOKEN", c.SMS2AuthToken},
		{"KENTONGAN_SMS2_FROM", c.SMS2From}, {"KENTONGAN_SMS2_API_URL", c.SMS2APIURL},
	}
	if !slices.ContainsFunc(given, func(one struct{ name, value string }) bool { return one.value != "" }) {
		return
	}
	for _, one := range given {
		if one.value == "" {
			refuse(one.name, "needed with a second SMS provider; or leave all four of them empty")
			return
		}
	}
	if !senderShape.MatchString(c.SMS2From) {
		refuse("KENTONGAN_SMS2_FROM", "must be a number such as +15005550006, a messaging service (MG...), or a name of at most 11 letters and digits")
	}
	c.checkAPI(refuse, "KENTONGAN_SMS2_API_URL", c.SMS2APIURL)
}

func (c *Config) checkPush(refuse refusal) {
	if c.PushSubject != "" {
		if err := webpush.CheckSubject(c.PushSubject); err != nil {
			refuse("KENTONGAN_PUSH_SUBJECT", "%w", err)
		}
	} else if len(c.PushHosts) > 0 {
		refuse("KENTONGAN_PUSH_SUBJECT", "needed with KENTONGAN_PUSH_HOSTS")
	}
	for _, host := range c.PushHosts {
		if name := strings.TrimPrefix(host, "."); name == "" || strings.ContainsAny(name, "/@ *?") || strings.Contains(name, "://") {
			refuse("KENTONGAN_PUSH_HOSTS", "%q is not a host such as fcm.googleapis.com, nor .push.apple.com for its sub-domains", host)
		}
	}
}

// applySandbox points every provider at the stand-ins.
func (c *Config) applySandbox() {
	base := "http://" + c.SandboxListen
	c.SMSProvider = "sandbox"
	c.SMSTwoWay = true
	c.TwilioAccountSID = "AC" + strings.Repeat("0", 31) + "1"
	c.TwilioAuthToken = "sandbox"
	c.TwilioFrom = "+15005550006"
	c.TwilioAPIURL = base + "/twilio"
	if c.PushSubject == "" {
		c.PushSubject = "sandbox@kentongan.example"
	}
	host, _, _ := net.SplitHostPort(c.SandboxListen)
	c.PushHosts = []string{host}
	if c.OrgName == "Kentongan" {
		c.OrgName = "PT Contoh"
	}
}
