package app

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestExampleExplainsEveryVariable(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../deploy/example.env")
	if err != nil {
		t.Fatal(err)
	}
	example := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if name, _, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "KENTONGAN_") {
			example[name] = true
		}
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			if !example[name] {
				t.Errorf("deploy/example.env does not explain %s", name)
			}
			delete(example, name)
		}
	}
	for name := range example {
		t.Errorf("deploy/example.env explains %s, which is no variable", name)
	}
}

func TestCompleteRefusesWhatWouldBreakAPromise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"fine", func(*Config) {}, ""},
		{"twilio without credentials", func(c *Config) { c.SMSProvider = "twilio" }, "KENTONGAN_TWILIO_AUTH_TOKEN"},
		{"public URL without scheme", func(c *Config) { c.PublicURL = "siaga.example" }, "KENTONGAN_PUBLIC_URL"},
		{"push subject that Apple refuses", func(c *Config) { c.PushSubject = "x@localhost" }, "KENTONGAN_PUSH_SUBJECT"},
		{"short bootstrap token", func(c *Config) { c.BootstrapToken = "secret" }, "KENTONGAN_BOOTSTRAP_TOKEN"},
		{"no name", func(c *Config) { c.OrgName = " " }, "KENTONGAN_ORG_NAME"},
		{"nothing in flight", func(c *Config) { c.InFlight = 0 }, "KENTONGAN_IN_FLIGHT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := Config{Listen: "127.0.0.1:0", OrgName: "PT Contoh", SMSProvider: "none", InFlight: 32}
			c.edit(&config)
			err := config.Complete()
			if got := err == nil; got != (c.want == "") {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to name %s", err, c.want)
			}
		})
	}
}
