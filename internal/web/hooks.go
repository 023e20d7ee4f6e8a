package web

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Hooks is where the SMS provider calls.
type Hooks interface {
	// Message handles an inbound SMS. It checks the signature over rawURL's
	// configured form and body, and returns TwiML once everything is durable.
	Message(ctx context.Context, r HookRequest) (twiml []byte, err error)
	Status(ctx context.Context, r HookRequest) error
}

// HookRequest is a webhook as it came in.
type HookRequest struct {
	Path        string // path and raw query, as received
	ContentType string
	Signature   string
	Body        []byte
}

func (s *Server) routeHooks() {
	// Without this the catch-all page would answer, and nobody would see that a
	// webhook was set up with the wrong method.
	s.on("/hooks/twilio/{what}", byNetwork, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	})
	s.on("POST /hooks/twilio/message", byNetwork, func(w http.ResponseWriter, r *http.Request) {
		req, ok := readHook(w, r)
		if !ok {
			return
		}
		twiml, err := s.Hooks.Message(r.Context(), req)
		if err != nil {
			s.refuseHook(w, "message", err)
			return
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(twiml)
	})
	s.on("POST /hooks/twilio/status", byNetwork, func(w http.ResponseWriter, r *http.Request) {
		req, ok := readHook(w, r)
		if !ok {
			return
		}
		if err := s.Hooks.Status(r.Context(), req); err != nil {
			s.refuseHook(w, "status", err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// readHook keeps the body as it came: the provider signed these very bytes.
func readHook(w http.ResponseWriter, r *http.Request) (HookRequest, bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		status := http.StatusBadRequest
		var tooBig *http.MaxBytesError
		switch {
		case errors.As(err, &tooBig):
			status = http.StatusRequestEntityTooLarge
		case errors.Is(err, errSlow):
			status = http.StatusRequestTimeout
		}
		http.Error(w, http.StatusText(status), status)
		return HookRequest{}, false
	}
	return HookRequest{
		Path:        r.URL.RequestURI(),
		ContentType: r.Header.Get("Content-Type"),
		Signature:   r.Header.Get("X-Twilio-Signature"),
		Body:        body,
	}, true
}

// refuseHook answers so that the provider tries again when that can help.
func (s *Server) refuseHook(w http.ResponseWriter, step string, err error) {
	status, _ := statusOf(err)
	switch status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
	default:
		s.Log.Error("webhook not recorded", "step", step, "reason", err)
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "2")
	}
	http.Error(w, http.StatusText(status), status)
}
