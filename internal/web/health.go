package web

import (
	"context"
	"encoding/json"
	"net/http"
)

// Check is one line of readiness.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Hint string `json:"hint,omitempty"` // what is missing and what to do
}

// Health answers the probes.
type Health interface {
	Live() bool
	Ready(ctx context.Context) []Check
	Operating
}

func (s *Server) routeHealth() {
	s.on("GET /livez", toAnybody, func(w http.ResponseWriter, _ *http.Request) {
		if !s.Health.Live() {
			http.Error(w, "not alive", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	s.on("GET /readyz", toAnybody, func(w http.ResponseWriter, r *http.Request) {
		answer := struct {
			Ready  bool    `json:"ready"`
			Checks []Check `json:"checks"`
		}{Ready: true, Checks: s.Health.Ready(r.Context())}
		for _, c := range answer.Checks {
			answer.Ready = answer.Ready && c.OK
		}
		w.Header().Set("Content-Type", "application/json")
		if !answer.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	if s.Metrics != nil {
		s.on("GET /metrics", toAnybody, s.Metrics.ServeHTTP)
	}
}
