package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestExampleExplainsEveryVariable(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../deploy/example.env")
	if err != nil {
		t.Fatal(err)
	}
	example, explained := map[string]bool{}, false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# ") {
			explained = true
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(name, "KENTONGAN_") {
			explained = false
			continue
		}
		if !explained {
			t.Errorf("deploy/example.env says nothing about %s", name)
		}
		example[name], explained = true, false
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			if !example[name] {
				t.Errorf("deploy/example.env does not explain %s", name)
			}
			delete(example, name)
			if flag := "KENTONGAN_" + strings.ToUpper(strings.ReplaceAll(f.Tag.Get("name"), "-", "_")); flag != name {
				t.Errorf("%s is the flag --%s", name, f.Tag.Get("name"))
			}
		}
	}
	for name := range example {
		t.Errorf("deploy/example.env explains %s, which is no variable", name)
	}
	for _, name := range secrets {
		if !strings.Contains(string(b), name+"_FILE") {
			t.Errorf("deploy/example.env does not say that there is %s_FILE", name)
		}
	}
}

// What an operator copies must name variables and files that exist.
func TestDeployNamesWhatExists(t *testing.T) {
	t.Parallel()
	known := slices.Clone(secrets)
	for f := range reflect.TypeFor[Config]().Fields() {
		known = append(known, f.Tag.Get("env"))
	}
	for _, name := range []string{"compose.yaml", "compose.cluster.yaml", "Dockerfile", "example.env", "nats.conf", "nats-cluster.conf", "nats-users.conf", "redis.conf", "kentongan.service", "kubernetes/kentongan.yaml"} {
		b, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range regexp.MustCompile(`KENTONGAN_[A-Z0-9_]*[A-Z0-9]`).FindAllString(string(b), -1) {
			if !slices.Contains(known, v) && !slices.Contains(known, strings.TrimSuffix(v, "_FILE")) {
				t.Errorf("deploy/%s names %s, which is no variable", name, v)
			}
		}
		for _, mount := range regexp.MustCompile(`"\./([^:"]+):`).FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat("../../deploy/" + mount[1]); err != nil {
				t.Errorf("deploy/%s: %v", name, err)
			}
		}
		if strings.Contains(string(b), "\t") {
			t.Errorf("deploy/%s has a tab", name)
		}
	}
}

// fine is the smallest configuration that starts.
func fine() *Config {
	return &Config{Listen: "127.0.0.1:0", Data: "data", OrgName: "PT Contoh", Zone: "Asia/Jakarta", SMSProvider: "none", Replicas: 1, InFlight: 32,
		TwilioAPIURL: "https://api.twilio.com", SandboxListen: "127.0.0.1:8081"}
}

// openIn opens a house on the servers of its own, with its data in a folder. Whoever asks
// closes it.
func openIn(t *testing.T, folder string) *House {
	t.Helper()
	c := *fine()
	c.Data = folder
	h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func withTwilio(c *Config) {
	c.SMSProvider, c.TwilioAccountSID, c.TwilioAuthToken, c.TwilioFrom = "twilio", "AC"+strings.Repeat("0f", 16), "0123456789abcdef", "+15005550006"
}

func TestCompleteRefusesWhatWouldBreakAPromise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string // the variable that is named; empty: fine
	}{
		{"nothing set", func(*Config) {}, ""},
		{"twilio", withTwilio, ""},
		{"twilio with a name", func(c *Config) { withTwilio(c); c.TwilioFrom = "PT CONTOH" }, ""},
		{"twilio with a messaging service", func(c *Config) { withTwilio(c); c.TwilioFrom = "MG" + strings.Repeat("0f", 16) }, ""},
		{"own servers", func(c *Config) {
			c.NATSURL, c.RedisURL, c.Replicas = "nats://a:4222,tls://b:4222", "rediss://:p@c:6379/0", 3
		}, ""},
		{"push", func(c *Config) {
			c.PushSubject, c.PushHosts = "it@contoh.example", []string{"fcm.googleapis.com", ".push.apple.com"}
		}, ""},
		{"sandbox on every address", func(c *Config) { c.Sandbox, c.Listen = true, "0.0.0.0:8080" }, ""},

		{"listen without port", func(c *Config) { c.Listen = "127.0.0.1" }, "KENTONGAN_LISTEN"},
		{"listen on no port", func(c *Config) { c.Listen = "127.0.0.1:99999" }, "KENTONGAN_LISTEN"},
		{"public URL without scheme", func(c *Config) { c.PublicURL = "siaga.example" }, "KENTONGAN_PUBLIC_URL"},
		{"public URL with a path", func(c *Config) { c.PublicURL = "https://siaga.example/alarm" }, "KENTONGAN_PUBLIC_URL"},
		{"public URL with a password", func(c *Config) { c.PublicURL = "https://u:canary@siaga.example" }, "KENTONGAN_PUBLIC_URL"},
		{"every address and no public URL", func(c *Config) { c.Listen = "0.0.0.0:8080" }, "KENTONGAN_PUBLIC_URL"},
		{"no name", func(c *Config) { c.OrgName = " " }, "KENTONGAN_ORG_NAME"},
		{"no such zone", func(c *Config) { c.Zone = "Asia/Bandung" }, "KENTONGAN_ZONE"},
		{"NATS of another scheme", func(c *Config) { c.NATSURL = "http://u:canary@nats:4222" }, "KENTONGAN_NATS_URL"},
		{"NATS without scheme", func(c *Config) { c.NATSURL = "nats:4222" }, "KENTONGAN_NATS_URL"},
		{"Redis of another scheme", func(c *Config) { c.RedisURL = "http://u:canary@redis" }, "KENTONGAN_REDIS_URL"},
		{"Redis that cannot be read", func(c *Config) { c.RedisURL = "redis://u:canary@redis:port" }, "KENTONGAN_REDIS_URL"},
		{"replicas without a cluster", func(c *Config) { c.Replicas = 3 }, "KENTONGAN_REPLICAS"},
		{"too many replicas", func(c *Config) { c.NATSURL, c.Replicas = "nats://a:4222", 7 }, "KENTONGAN_REPLICAS"},
		{"unknown provider", func(c *Config) { c.SMSProvider = "vonage" }, "KENTONGAN_SMS_PROVIDER"},
		{"credentials without provider", func(c *Config) { c.TwilioAuthToken = "canary" }, "KENTONGAN_SMS_PROVIDER"},
		{"negative rate", func(c *Config) { c.SMSRate = -1 }, "KENTONGAN_SMS_RATE"},
		{"twilio without account", func(c *Config) { withTwilio(c); c.TwilioAccountSID = "" }, "KENTONGAN_TWILIO_ACCOUNT_SID"},
		{"twilio with a cut account", func(c *Config) { withTwilio(c); c.TwilioAccountSID = "ACcanary" }, "KENTONGAN_TWILIO_ACCOUNT_SID"},
		{"twilio without token", func(c *Config) { withTwilio(c); c.TwilioAuthToken = "" }, "KENTONGAN_TWILIO_AUTH_TOKEN"},
		{"twilio without sender", func(c *Config) { withTwilio(c); c.TwilioFrom = "" }, "KENTONGAN_TWILIO_FROM"},
		{"twilio with a long name", func(c *Config) { withTwilio(c); c.TwilioFrom = "PT CONTOH JAYA" }, "KENTONGAN_TWILIO_FROM"},
		{"API without scheme", func(c *Config) { withTwilio(c); c.TwilioAPIURL = "api.twilio.com" }, "KENTONGAN_TWILIO_API_URL"},
		{"sandbox at the real provider", func(c *Config) { withTwilio(c); c.SMSProvider, c.TwilioAPIURL = "sandbox", "https://API.twilio.com." }, "KENTONGAN_TWILIO_API_URL"},
		{"half a second provider", func(c *Config) { withTwilio(c); c.SMS2AccountSID, c.SMS2AuthToken = "canary", "canary" }, "KENTONGAN_SMS2_FROM"},
		{"second provider without a first", func(c *Config) { c.SMS2AccountSID = "canary" }, "KENTONGAN_SMS_PROVIDER"},
		{"second provider that is no address", func(c *Config) {
			withTwilio(c)
			c.SMS2AccountSID, c.SMS2AuthToken, c.SMS2From, c.SMS2APIURL = "A1", "B2", "PT Contoh", "canary"
		}, "KENTONGAN_SMS2_API_URL"},
		{"push subject that Apple refuses", func(c *Config) { c.PushSubject = "x@localhost" }, "KENTONGAN_PUSH_SUBJECT"},
		{"push hosts without subject", func(c *Config) { c.PushHosts = []string{"fcm.googleapis.com"} }, "KENTONGAN_PUSH_SUBJECT"},
		{"push host with scheme", func(c *Config) { c.PushSubject, c.PushHosts = "it@contoh.example", []string{"https://a/b"} }, "KENTONGAN_PUSH_HOSTS"},
		{"short bootstrap token", func(c *Config) { c.BootstrapToken = "canary" }, "KENTONGAN_BOOTSTRAP_TOKEN"},
		{"nothing in flight", func(c *Config) { c.InFlight = 0 }, "KENTONGAN_IN_FLIGHT"},
		{"sandbox without port", func(c *Config) { c.Sandbox, c.SandboxListen = true, "127.0.0.1" }, "KENTONGAN_SANDBOX_LISTEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := fine()
			c.edit(config)
			// Whatever is refused, nothing has been opened or written by then.
			config.Data = filepath.Join(t.TempDir(), "data")
			if c.want == "" {
				if err := config.Complete(); err != nil {
					t.Fatalf("got %v, want it accepted", err)
				}
				return
			}
			h, err := Open(t.Context(), *config, "test", slog.New(slog.DiscardHandler))
			if err == nil {
				h.Close()
				t.Fatalf("the house opened, want an error that names %s", c.want)
			}
			var listed ConfigError
			if !errors.As(err, &listed) || len(listed) != 1 || !strings.HasPrefix(err.Error(), c.want+": ") {
				t.Errorf("got %v, want one fault of %s", err, c.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v: it repeats a secret", err)
			}
			if _, err := os.Stat(config.Data); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the data folder: got %v, want nothing there", err)
			}
		})
	}
}

func TestCompleteNamesEveryFault(t *testing.T) {
	t.Parallel()
	c := fine()
	c.OrgName, c.Zone, c.InFlight = "", "Mars", 0
	var listed ConfigError
	if err := c.Complete(); !errors.As(err, &listed) || len(listed) != 3 || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three lines", err)
	}
}

func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "KENTONGAN_") {
			t.Setenv(name, value) // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPrepareEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(table, []byte("KENTONGAN_TWILIO_AUTH_TOKEN=canary\nKENTONGAN_ZONE=Asia/Jakarta\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range secrets {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			t.Setenv(name, "") // as an example file leaves it
			t.Setenv(name+"_FILE", file)
			if err := PrepareEnvironment(); err != nil || os.Getenv(name) != "from the file" {
				t.Fatalf("got %q, %v", os.Getenv(name), err)
			}
			for _, c := range []struct{ value, path, want string }{
				{"here", file, "both set"}, {"", "/no/such/file", "no such file"}, {"", empty, "is empty"},
				{"", filepath.Dir(file), "is a directory"}, {"", table, "one line"},
			} {
				t.Setenv(name, c.value)
				t.Setenv(name+"_FILE", c.path)
				if err := PrepareEnvironment(); err == nil || !strings.Contains(err.Error(), name+"_FILE") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
	t.Run("no secret", func(t *testing.T) {
		clearEnvironment(t)
		t.Setenv("KENTONGAN_ORG_NAME_FILE", file)
		if err := PrepareEnvironment(); err == nil || !strings.Contains(err.Error(), "KENTONGAN_ORG_NAME_FILE") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an empty variable means its default", func(t *testing.T) {
		clearEnvironment(t)
		t.Setenv("KENTONGAN_IN_FLIGHT", " ")
		if err := PrepareEnvironment(); err != nil {
			t.Fatal(err)
		}
		if v, there := os.LookupEnv("KENTONGAN_IN_FLIGHT"); there {
			t.Errorf("got %q, want it gone", v)
		}
	})
}

// A misspelt variable would be silent until it is needed.
func TestUnknownVariablesAreRefused(t *testing.T) {
	clearEnvironment(t)
	for _, name := range []string{"KENTONGAN_ZONE", "KENTONGAN_TOKEN", "KENTONGAN_REDIS_URL_FILE", "KENTONGAN_SERVICE_HOST", "KENTONGAN_SERVICE_PORT_HTTP",
		"KENTONGAN_PORT_8080_TCP", "KENTONGAN_PORT_8080_TCP_ADDR", "KENTONGAN_WEB_SERVICE_HOST", "KENTONGAN_WEB_PORT_8080_TCP_PROTO"} {
		t.Setenv(name, "x")
	}
	t.Setenv("KENTONGAN_PORT", "tcp://10.0.0.1:8080")
	if err := RefuseUnknown(); err != nil {
		t.Fatalf("got %v, want what Kubernetes sets passed over", err)
	}
	for name, meant := range map[string]string{
		"KENTONGAN_PUBLC_URL":              "KENTONGAN_PUBLIC_URL",
		"KENTONGAN_DUTTY":                  "KENTONGAN_DUTY",
		"KENTONGAN_TWILIO_AUTHTOKEN_FILE":  "KENTONGAN_TWILIO_AUTH_TOKEN_FILE",
		"kentongan_org_name":               "KENTONGAN_ORG_NAME",
		"KENTONGAN_OIDC_ADMINISTRATOS":     "KENTONGAN_OIDC_ADMINISTRATORS",
		"KENTONGAN_TWILIO_ACCOUNT_SID_FIL": "KENTONGAN_TWILIO_ACCOUNT_SID",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "canary")
			var listed ConfigError
			err := RefuseUnknown()
			if !errors.As(err, &listed) || len(listed) != 1 || err.Error() != name+": means nothing here; did you mean "+meant+"?" {
				t.Errorf("got %v, want %s named and %s as the hint", err, name, meant)
			}
		})
	}
}

// Two servers on one store would destroy it.
func TestDataFolderHasOneServer(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	unlock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openNATS(t.Context(), &Config{Data: folder}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want %v", err, ErrInUse)
	}
	if _, err := os.Stat(filepath.Join(folder, "nats")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a second server touched the store")
	}
	unlock()
	again, err := lockFolder(folder)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	again()
}
