// Package app puts the house together, opens it and closes it: configuration,
// embedded servers, lifecycle, and the desk at which requests from people meet
// the directory, the ledger, the tracker and the channels.
package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/webpush"
)

// Config is everything an operator can set. Each field is also a flag; secrets
// can be given as NAME_FILE.
type Config struct {
	Listen    string `name:"listen" env:"KENTONGAN_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	PublicURL string `name:"public-url" env:"KENTONGAN_PUBLIC_URL" help:"Address people and providers reach this server at; links and webhook signatures are made from it. Default: http://<listen>."`
	Data      string `name:"data" env:"KENTONGAN_DATA" default:"data" help:"Folder for everything kept on disk."`
	OrgName   string `name:"org-name" env:"KENTONGAN_ORG_NAME" default:"Kentongan" help:"Name that stands at the front of every message; at most 11 characters leave most room."`

	NATSURL  string `name:"nats-url" env:"KENTONGAN_NATS_URL" help:"Your own NATS with JetStream. Empty: an embedded server."`
	RedisURL string `name:"redis-url" env:"KENTONGAN_REDIS_URL" help:"Your own Redis 7.0 or newer. Empty: redis-server from the PATH as a child, else memory."`
	Replicas int    `name:"replicas" env:"KENTONGAN_REPLICAS" default:"1" help:"Replicas of each stream; 3 on a NATS cluster."`

	SMSProvider      string `name:"sms-provider" env:"KENTONGAN_SMS_PROVIDER" default:"none" enum:"twilio,sandbox,none" help:"twilio, sandbox or none."`
	SMSTwoWay        bool   `name:"sms-two-way" env:"KENTONGAN_SMS_TWO_WAY" help:"Whether replies by SMS come back. Leave off for Indonesian sender names: they cannot be replied to."`
	SMSRate          int    `name:"sms-rate" env:"KENTONGAN_SMS_RATE" default:"0" help:"Messages a second that the sender may hand over; 0: as fast as the provider takes them."`
	TwilioAccountSID string `name:"twilio-account-sid" env:"KENTONGAN_TWILIO_ACCOUNT_SID" help:"Twilio account SID."`
	TwilioAuthToken  string `name:"twilio-auth-token" env:"KENTONGAN_TWILIO_AUTH_TOKEN" help:"Twilio auth token (secret)."`
	TwilioFrom       string `name:"twilio-from" env:"KENTONGAN_TWILIO_FROM" help:"Sender: a number, a registered name, or a messaging service SID (MG...)."`
	TwilioAPIURL     string `name:"twilio-api-url" env:"KENTONGAN_TWILIO_API_URL" default:"https://api.twilio.com" help:"Base URL of the Twilio API."`

	PushSubject string   `name:"push-subject" env:"KENTONGAN_PUSH_SUBJECT" help:"Contact for push services: an e-mail address or an https URL. Empty: web push is off."`
	PushHosts   []string `name:"push-hosts" env:"KENTONGAN_PUSH_HOSTS" help:"Hosts of push services, comma separated; a leading dot allows sub-domains. Empty: the known ones."`

	BootstrapToken string `name:"bootstrap-token" env:"KENTONGAN_BOOTSTRAP_TOKEN" help:"First sender token, for scripts (secret)."`
	Duty           string `name:"duty" env:"KENTONGAN_DUTY" help:"Employee numbers of the duty list, comma separated. Empty: whoever has no manager."`
	Zone           string `name:"zone" env:"KENTONGAN_ZONE" default:"Asia/Jakarta" help:"Time zone in which times are shown."`
	InFlight       int    `name:"in-flight" env:"KENTONGAN_IN_FLIGHT" default:"32" help:"Most calls under way at once; also the most messages that a crash can repeat."`

	Sandbox       bool   `name:"sandbox" help:"Run with sample people, a stand-in for the SMS provider and the push services, and a page of phones."`
	SandboxListen string `name:"sandbox-listen" env:"KENTONGAN_SANDBOX_LISTEN" default:"127.0.0.1:8081" help:"Address of the stand-ins and the page of phones."`

	vapidKey          string                                // public key for browsers
	checkSubscription func(announcement.Subscription) error // what web push accepts; nil without it
}

func (c *Config) subscriptionID(endpoint string) string { return webpush.SubscriptionID(endpoint) }

// secrets can be read from a file named by NAME_FILE.
var secrets = []string{"KENTONGAN_TWILIO_AUTH_TOKEN", "KENTONGAN_BOOTSTRAP_TOKEN", "KENTONGAN_REDIS_URL", "KENTONGAN_NATS_URL"}

// ReadSecretFiles puts the content of every NAME_FILE into NAME, before the
// configuration is read.
func ReadSecretFiles() error {
	for _, name := range secrets {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("%s and %s_FILE are both set: keep one", name, name)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read %s_FILE: %w", name, err)
		}
		if err := os.Setenv(name, strings.TrimSpace(string(b))); err != nil {
			return err
		}
	}
	return nil
}

// Complete fills in what follows from the rest and refuses what would break a
// promise, naming the variable as the operator typed it.
func (c *Config) Complete() error {
	var bad []error
	if c.Sandbox {
		c.applySandbox()
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad = append(bad, fmt.Errorf("KENTONGAN_LISTEN: %w", err))
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad = append(bad, errors.New("KENTONGAN_PUBLIC_URL: must be an http or https address"))
	}
	if strings.TrimSpace(c.OrgName) == "" || len([]rune(c.OrgName)) > 40 {
		bad = append(bad, errors.New("KENTONGAN_ORG_NAME: must have 1 to 40 characters"))
	}
	if c.SMSProvider != "none" {
		for name, v := range map[string]string{"KENTONGAN_TWILIO_ACCOUNT_SID": c.TwilioAccountSID, "KENTONGAN_TWILIO_AUTH_TOKEN": c.TwilioAuthToken, "KENTONGAN_TWILIO_FROM": c.TwilioFrom} {
			if v == "" {
				bad = append(bad, fmt.Errorf("%s: needed with KENTONGAN_SMS_PROVIDER=%s", name, c.SMSProvider))
			}
		}
	}
	if api, err := url.Parse(c.TwilioAPIURL); c.SMSProvider == "sandbox" && (err != nil || api.Hostname() == "" || strings.HasSuffix("."+api.Hostname(), ".twilio.com")) {
		// Sample people may have the numbers of real ones.
		bad = append(bad, errors.New("KENTONGAN_TWILIO_API_URL: KENTONGAN_SMS_PROVIDER=sandbox needs the address of a sandbox, never the real provider"))
	}
	if c.PushSubject != "" {
		if err := webpush.CheckSubject(c.PushSubject); err != nil {
			bad = append(bad, fmt.Errorf("KENTONGAN_PUSH_SUBJECT: %w", err))
		}
	}
	if c.BootstrapToken != "" && len(c.BootstrapToken) < 16 {
		bad = append(bad, errors.New("KENTONGAN_BOOTSTRAP_TOKEN: use at least 16 characters"))
	}
	if c.InFlight < 1 {
		bad = append(bad, errors.New("KENTONGAN_IN_FLIGHT: must be at least 1"))
	}
	return errors.Join(bad...)
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
