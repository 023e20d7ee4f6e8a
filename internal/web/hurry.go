package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// bodyTime is how long a form, an answer or a webhook may be on its way. Each fits into a
// few packets; whoever sends a byte a second only holds a connection.
const bodyTime = 10 * time.Second

// slowError says that a body did not come in time. It is a net.Error, so that the API
// answers 408, too.
type slowError struct{}

func (slowError) Error() string   { return "the body did not come in time" }
func (slowError) Timeout() bool   { return true }
func (slowError) Temporary() bool { return false }

var errSlow error = slowError{}

// hurried is a body that has to be there soon.
type hurried struct {
	io.ReadCloser
	on   *http.ResponseController
	ends time.Time
	over bool
}

// hurry bounds how long a small body may take, from now on.
func hurry(w http.ResponseWriter, body io.ReadCloser) io.ReadCloser {
	h := &hurried{ReadCloser: body, on: http.NewResponseController(w), ends: time.Now().Add(bodyTime)}
	_ = h.on.SetReadDeadline(h.ends) // where there is no connection nobody is slow
	return h
}

// Read takes the bound away with the last byte: a deadline that passes while the answer
// is made looks to the server as if the client had gone.
func (h *hurried) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	switch {
	case h.over:
	case err == io.EOF:
		h.over = true
		_ = h.on.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		h.over, err = true, errSlow
	}
	return n, err
}
