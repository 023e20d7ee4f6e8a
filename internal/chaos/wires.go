package chaos

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// wires are the connections of the installation, each through a toxiproxy of its own,
// which can cut it, slow it down, reset it or let it hang.
type wires struct {
	server *toxiproxy.ApiServer
	mu     sync.Mutex
	all    map[string]*toxiproxy.Proxy
}

func newWires() *wires {
	return &wires{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), all: map[string]*toxiproxy.Proxy{}}
}

// lay connects a new address with another, and returns the new one.
func (w *wires) lay(name, to string) (address string, err error) {
	p := toxiproxy.NewProxy(w.server, name, freeAddresses(1)[0], to)
	if err := p.Start(); err != nil {
		return "", fmt.Errorf("lay the wire %s: %w", name, err)
	}
	w.mu.Lock()
	w.all[name] = p
	w.mu.Unlock()
	return p.Listen, nil
}

// toxic is what a wire does to what passes; see the README of toxiproxy.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Attributes map[string]int `json:"attributes"`
}

// latency holds everything back, both ways.
func latency(milliseconds, jitter int) []toxic {
	a := map[string]int{"latency": milliseconds, "jitter": jitter}
	return []toxic{{"latency-up", "latency", "upstream", a}, {"latency-down", "latency", "downstream", a}}
}

// halfOpen lets connections stand and nothing pass, as behind a router that has forgotten them.
func halfOpen() []toxic {
	a := map[string]int{"timeout": 0}
	return []toxic{{"hang-up", "timeout", "upstream", a}, {"hang-down", "timeout", "downstream", a}}
}

// resets ends every connection with RST after so long.
func resets(milliseconds int) []toxic {
	return []toxic{{"reset", "reset_peer", "downstream", map[string]int{"timeout": milliseconds}}}
}

// poison applies toxics to the wires of a pattern of path.Match.
func (w *wires) poison(pattern string, toxics []toxic) error {
	for _, p := range w.named(pattern) {
		for _, t := range toxics {
			b, err := json.Marshal(t)
			if err != nil {
				return err
			}
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(b))); err != nil {
				return fmt.Errorf("poison the wire %s: %w", p.Name, err)
			}
		}
	}
	return nil
}

// cure takes the toxics from the wires again, and ends their connections. (The library can
// take a toxic out of a connection that goes on, but waits for ever where nobody reads.)
func (w *wires) cure(pattern string) error {
	for _, p := range w.named(pattern) {
		p.Lock()
		whole := p.Enabled
		p.Unlock()
		p.Stop()
		fresh := toxiproxy.NewProxy(w.server, p.Name, p.Listen, p.Upstream)
		w.mu.Lock()
		w.all[p.Name] = fresh
		w.mu.Unlock()
		if whole {
			if err := fresh.Start(); err != nil {
				return fmt.Errorf("cure the wire %s: %w", p.Name, err)
			}
		}
	}
	return nil
}

// cut refuses and ends every connection of the wires.
func (w *wires) cut(pattern string) {
	for _, p := range w.named(pattern) {
		p.Stop()
	}
}

// mend joins what was cut.
func (w *wires) mend(pattern string) error {
	for _, p := range w.named(pattern) {
		if err := p.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted { //nolint:errorlint // as the library returns it
			return fmt.Errorf("mend the wire %s: %w", p.Name, err)
		}
	}
	return nil
}

// named returns the wires of a pattern of path.Match.
func (w *wires) named(pattern string) []*toxiproxy.Proxy {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*toxiproxy.Proxy
	for name, p := range w.all {
		if ok, _ := path.Match(pattern, name); ok || pattern == everyWire {
			found = append(found, p)
		}
	}
	return found
}

// everyWire is the pattern of all, whatever stands between their slashes.
const everyWire = "**"

// heal makes every wire whole.
func (w *wires) heal() error {
	if err := w.cure(everyWire); err != nil {
		return err
	}
	return w.mend(everyWire)
}
