package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth bounds how deep JSON may be nested; the deepest real request has six
// levels, one more for each exception of an exception.
const maxDepth = 32

var errDeep = fmt.Errorf("is nested deeper than %d levels", maxDepth)

// A name counts as it is described, and no other way: encoding/json also takes
// "Mode" for "mode", and whoever checks a request on its way may not.
func init() { huma.ValidateStrictCasing = true }

// strictJSON is how the API reads bodies. A name that stands twice is refused,
// in large letters too: programs disagree on which of the two counts, and "live"
// must never pass for "drill" on the way.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := checkJSON(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// checkJSON reports the first name that stands twice in an object, or nesting
// beyond measure. Every other fault is left to the decoder.
func checkJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil in an array
		value bool            // a value comes next, not a name
	}
	var at []level
	for {
		token, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // the end, or a fault that the decoder names better
		}
		top := len(at) - 1
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			at = at[:top]
			continue
		}
		if top >= 0 && at[top].names != nil && !at[top].value {
			name, _ := token.(string)
			same := strings.ToLower(strings.ToUpper(name)) // "ſ" is "s" to the decoder
			if at[top].names[same] {
				return fmt.Errorf("%q stands twice", name)
			}
			at[top].names[same], at[top].value = true, true
			continue
		}
		if top >= 0 {
			at[top].value = false
		}
		if delim, ok := token.(json.Delim); ok {
			if len(at) == maxDepth {
				return errDeep
			}
			next := level{}
			if delim == '{' {
				next.names = map[string]bool{}
			}
			at = append(at, next)
		}
	}
}

// unknownCall answers under /api/ what no call is made for, as a problem and not
// as a page: its readers are programs.
func (s *Server) unknownCall(w http.ResponseWriter, r *http.Request) {
	p := &huma.ErrorModel{Status: http.StatusNotFound, Title: http.StatusText(http.StatusNotFound), Detail: "There is no such call. All of them are in /api/openapi.json."}
	if allowed := s.allowed(r, "/api/"); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		p.Status, p.Title, p.Detail = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed), "This call is made with "+strings.Join(allowed, " or ")+"."
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil && !errors.Is(err, r.Context().Err()) {
		s.Log.Warn("problem not sent", "step", "api", "reason", err)
	}
}

// allowed lists the methods that an address takes, if it is known by another than
// the one that was used. rest is the pattern of everything that is not known.
func (s *Server) allowed(r *http.Request, rest string) []string {
	var out []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.root.Handler(other); method != r.Method && pattern != rest {
			out = append(out, method)
		}
	}
	return out
}
