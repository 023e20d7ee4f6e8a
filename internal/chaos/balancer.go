package chaos

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// balancer stands before the nodes as an operator's would: in turn, leaving out those
// that do not answer /livez. It repeats nothing: who asked hears 502.
type balancer struct {
	server *http.Server
	next   atomic.Uint64

	mu    sync.Mutex
	nodes []string
	alive []bool
	to    []*httputil.ReverseProxy
}

func newBalancer() *balancer { return &balancer{} }

func (b *balancer) add(address string) {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // it was made here
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: 30 * time.Second},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	b.nodes, b.alive, b.to = append(b.nodes, address), append(b.alive, true), append(b.to, p)
}

// watch looks every second who is alive.
func (b *balancer) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for i, address := range b.nodes {
			once, cancel := context.WithTimeout(ctx, time.Second)
			err := get(once, address+"/livez", nil)
			cancel()
			b.mu.Lock()
			b.alive[i] = err == nil
			b.mu.Unlock()
		}
		sleep(ctx, time.Second)
	}
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(b.next.Add(1) % uint64(len(b.to)))
	b.mu.Lock()
	for range b.to {
		if b.alive[n] {
			break
		}
		n = (n + 1) % len(b.to)
	}
	b.mu.Unlock()
	b.to[n].ServeHTTP(w, r)
}
