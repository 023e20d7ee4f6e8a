package web

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"kentongan/internal/announcement"
)

// What people may be told went wrong. Anything else is an internal error: one
// calm sentence and a reference for the log.
var (
	ErrNotFound  = errors.New("not found")                                    // also for tokens: tells nothing
	ErrForbidden = errors.New("not allowed for this role")                    // 403
	ErrClosed    = errors.New("the announcement is closed")                   // 409
	ErrConflict  = errors.New("somebody else changed this first")             // 409
	ErrReused    = errors.New("this Idempotency-Key was used for other text") // 422
	ErrNotYet    = errors.New("not recorded yet")                             // 503, try again with the same id
	ErrSignature = errors.New("signature does not match")                     // 403, nothing else is said
)

// statusOf says which HTTP status an error of the house has, and what a person
// may be told. Anything unknown is 500 and is not explained.
func statusOf(err error) (status int, detail string) {
	var fields announcement.FieldErrors
	var field *announcement.FieldError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &fields), errors.As(err, &field):
		return http.StatusUnprocessableEntity, "Some fields need to be mended."
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, "There is nothing here."
	case errors.Is(err, ErrForbidden), errors.Is(err, ErrSignature):
		return http.StatusForbidden, "This is not allowed for your role."
	case errors.Is(err, ErrClosed):
		return http.StatusConflict, "The announcement is closed."
	case errors.Is(err, ErrConflict):
		return http.StatusConflict, "Somebody else changed this first. Look again, then decide."
	case errors.Is(err, ErrReused):
		return http.StatusUnprocessableEntity, "This Idempotency-Key was used for other text."
	case errors.Is(err, ErrNotYet):
		return http.StatusServiceUnavailable, "Not recorded yet. Try again; nothing is done twice."
	case errors.As(err, &tooBig):
		return http.StatusRequestEntityTooLarge, "This is too large."
	}
	return http.StatusInternalServerError, "Something went wrong on our side."
}

// faults lists the fields of err, if it is about fields.
func faults(err error) announcement.FieldErrors {
	var fields announcement.FieldErrors
	if errors.As(err, &fields) {
		return fields
	}
	var field *announcement.FieldError
	if errors.As(err, &field) {
		return announcement.FieldErrors{field}
	}
	return nil
}

// problem turns an error into an RFC 9457 problem. The cause of an internal
// error goes to the log, never to the caller.
func (s *Server) problem(step string, err error) error {
	status, detail := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Log.Error("request failed", "step", step, "reason", err)
	}
	p := &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}
	for _, f := range faults(err) {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Why, Value: f.Value})
	}
	if status == http.StatusServiceUnavailable {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {"2"}})
	}
	return p
}

// importProblem is an import that was refused, with every faulty cell.
type importProblem struct {
	huma.ErrorModel
	Report ImportReport `json:"report"`
}

func refusedImport(r ImportReport) error {
	p := &importProblem{Report: r, ErrorModel: huma.ErrorModel{
		Status: http.StatusUnprocessableEntity,
		Title:  http.StatusText(http.StatusUnprocessableEntity),
		Detail: "Nothing was imported. Mend these cells and upload the file again.",
	}}
	for _, e := range r.Errors {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: cell(e), Message: e.Reason, Value: e.Value})
	}
	return p
}
