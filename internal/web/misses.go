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
)

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
