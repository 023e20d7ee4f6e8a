package web

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// misses counts tokens that nobody has, per address. A personal link has 47
// random bits; this keeps a guesser slow and out of our logs. A link that
// exists is never held up: a whole office may sit behind one address.
type misses struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

const (
	missesAllowed = 10          // people who mistype
	missWindow    = time.Minute // for so many
	missAddresses = 50_000      // bounded memory under a flood of addresses

	// Codes are short, and whoever tries one each on many people is stopped by no
	// count that is kept per person. A shift that connects its phones at one
	// address mistypes less.
	wrongCodesAllowed = 30
	wrongCodesWindow  = 15 * time.Minute
)

// wrongCodes counts wrong codes per address. Unlike a link a code that is right
// is held up as well: a guess that is looked at is a guess.
type wrongCodes struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// held reports until when no code from this address is looked at.
func (c *wrongCodes) held(r *http.Request, now time.Time) (until time.Time, held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= wrongCodesWindow {
		return time.Time{}, false
	}
	return c.since.Add(wrongCodesWindow), c.count[address(r)] >= wrongCodesAllowed
}

func (c *wrongCodes) note(r *http.Request, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= wrongCodesWindow || len(c.count) > missAddresses {
		c.since, c.count = now, map[string]int{}
	}
	c.count[address(r)]++
}

// tooMany notes a miss, and reports whether this address has had too many.
func (m *misses) tooMany(r *http.Request, now time.Time) bool {
	host := address(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.since) >= missWindow || len(m.count) > missAddresses {
		m.since, m.count = now, map[string]int{}
	}
	m.count[host]++
	return m.count[host] > missesAllowed
}

// address is where a request comes from.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
