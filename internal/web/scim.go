package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/scim"
)

// Provisioning is the directory as an identity provider sees it, in the resources
// of SCIM. What a request got wrong is a *scim.Error; ErrNotFound and ErrNotYet are
// as everywhere.
type Provisioning interface {
	Resources(ctx context.Context, kind scim.Kind, q scim.Query) (total int, page []scim.Document, err error)
	Resource(ctx context.Context, kind scim.Kind, id string) (scim.Document, error)
	AddResource(ctx context.Context, p Principal, kind scim.Kind, d scim.Document) (scim.Document, error)
	// ChangeResource stores what change makes of a resource, if that is the version
	// which current takes. It may call change again, when somebody else was first.
	ChangeResource(ctx context.Context, p Principal, kind scim.Kind, id string, current func(version string) bool, change func(scim.Document) (scim.Document, error)) (scim.Document, error)
	RemoveResource(ctx context.Context, p Principal, kind scim.Kind, id string, current func(version string) bool) error

	// HeldBack says whether the provider takes out so many people that nobody may
	// leave by its word until a person allows it. It names those whom p may see.
	HeldBack(ctx context.Context, p Principal) HeldBack
	// LetLeave allows it for an hour.
	LetLeave(ctx context.Context, p Principal) error
}

// HeldBack are the people whom an identity provider may not take out.
type HeldBack struct {
	Since  time.Time // zero: nobody is held back
	People []Name    // the first of them
}

// scimPath is where identity providers call.
const scimPath = "/scim/v2/"

func (s *Server) routeSCIM() {
	provisions := byToken(Provision).notesNothing(nobodys)
	looks, changes := provisions.notes(announcement.PeopleListed), provisions.notes(announcement.PeopleProvision)
	for _, kind := range []scim.Kind{scim.User, scim.Group} {
		all := scimPath + string(kind) + "s"
		s.on("GET "+all, looks, s.scimList(kind))
		s.on("POST "+all, changes, s.scimAdd(kind))
		s.on("POST "+all+"/.search", looks, s.scimSearch(kind))
		s.on("GET "+all+"/{id}", looks, s.scimGet(kind))
		s.on("PUT "+all+"/{id}", changes, s.scimChange(kind, replacing))
		s.on("PATCH "+all+"/{id}", changes, s.scimChange(kind, patching))
		s.on("DELETE "+all+"/{id}", changes, s.scimRemove(kind))
	}
	base := strings.TrimSuffix(s.PublicURL+scimPath, "/")
	s.on("GET "+scimPath+"ServiceProviderConfig", provisions, func(w http.ResponseWriter, _ *http.Request) { s.scimSay(w, http.StatusOK, scim.Config(base)) })
	for path, about := range map[string][]scim.Document{"ResourceTypes": scim.Types(base), "Schemas": scim.Schemas(base)} {
		s.on("GET "+scimPath+path, provisions, s.scimAbout(about))
		s.on("GET "+scimPath+path+"/{id}", provisions, s.scimAboutOne(about))
	}
	for _, path := range []string{"Me", "Bulk"} { // RFC 7644 §3.7 and §3.11
		s.on(scimPath+path, provisions, func(w http.ResponseWriter, r *http.Request) {
			s.scimFail(w, r, &scim.Error{Status: http.StatusNotImplemented, Detail: "This server does not offer it. /ServiceProviderConfig says what it does."})
		})
	}
	s.on(scimPath, provisions, func(w http.ResponseWriter, r *http.Request) {
		if allowed := s.allowed(r, scimPath); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.scimFail(w, r, &scim.Error{Status: http.StatusMethodNotAllowed, Detail: "This address does not take the method."})
			return
		}
		s.scimFail(w, r, &scim.Error{Status: http.StatusNotFound, Detail: "There is no such address."})
	})
}

// holding lets in the holder of a bearer token who may do what the rule asks for.
func (s *Server) holding(rl rule, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, refusal := s.bearer(r.Context(), r.Header.Get("Authorization"))
		if refusal != nil {
			if refusal.challenge != "" {
				w.Header().Set("WWW-Authenticate", refusal.challenge)
			}
			s.scimFail(w, r, &scim.Error{Status: refusal.status, Detail: refusal.detail})
			return
		}
		if !p.May(rl.rights...) {
			s.scimFail(w, r, &scim.Error{Status: http.StatusForbidden, Detail: "This token may not provision people. Make one of the role provisioner."})
			return
		}
		next(w, r.WithContext(withPrincipal(r.Context(), p)))
	}
}

// scimSay sends a body.
func (s *Server) scimSay(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", scim.MediaType)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.Log.Debug("an answer was not taken", "step", "scim", "reason", err)
	}
}

// scimFail sends an error as RFC 7644 §3.12 has it.
func (s *Server) scimFail(w http.ResponseWriter, _ *http.Request, err error) {
	var e *scim.Error
	if !errors.As(err, &e) {
		status, detail := statusOf(err)
		if status == http.StatusInternalServerError {
			s.Log.Error("request failed", "step", "scim", "reason", err)
		}
		e = &scim.Error{Status: status, Detail: detail}
	}
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	s.scimSay(w, e.Status, e)
}

// scimShow sends one resource.
func (s *Server) scimShow(w http.ResponseWriter, r *http.Request, status int, kind scim.Kind, d scim.Document) {
	w.Header().Set("ETag", d.Version())
	q := r.URL.Query()
	s.scimSay(w, status, scim.Select(kind, names(q.Get("attributes")), names(q.Get("excludedAttributes"))).Of(d))
}

// names reads a list of names with commas between them.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// scimAsked is what a list is asked for.
type scimAsked struct {
	Filter     string   `json:"filter"`
	Start      *int     `json:"startIndex"`
	Count      *int     `json:"count"`
	Attributes []string `json:"attributes"`
	Excluded   []string `json:"excludedAttributes"`
}

func (s *Server) scimList(kind scim.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		a := scimAsked{Filter: q.Get("filter"), Attributes: names(q.Get("attributes")), Excluded: names(q.Get("excludedAttributes"))}
		for name, to := range map[string]**int{"startIndex": &a.Start, "count": &a.Count} {
			if !q.Has(name) {
				continue
			}
			n, err := strconv.Atoi(q.Get(name))
			if err != nil {
				s.scimFail(w, r, scim.InvalidValue(name, "must be a whole number"))
				return
			}
			*to = &n
		}
		s.scimAnswer(w, r, kind, a)
	}
}

// scimSearch is a list whose filter, which may hold a name, stays out of the
// address (RFC 7644 §3.4.3).
func (s *Server) scimSearch(kind scim.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := scimBody(r)
		var a scimAsked
		if err == nil && json.Unmarshal(body, &a) != nil {
			err = &scim.Error{Status: http.StatusBadRequest, Type: "invalidSyntax", Detail: "the body is no search request"}
		}
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		s.scimAnswer(w, r, kind, a)
	}
}

func (s *Server) scimAnswer(w http.ResponseWriter, r *http.Request, kind scim.Kind, a scimAsked) {
	q := scim.Query{Limit: scim.PageSize}
	if a.Filter != "" {
		f, err := scim.ParseFilter(kind, a.Filter)
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		q.Filter = f
	}
	if a.Start != nil {
		q.From = max(*a.Start-1, 0)
	}
	if a.Count != nil {
		q.Limit = min(max(*a.Count, 0), scim.MaxPage)
	}
	total, page, err := s.People.Resources(r.Context(), kind, q)
	if err != nil {
		s.scimFail(w, r, err)
		return
	}
	wanted := scim.Select(kind, a.Attributes, a.Excluded)
	for i, d := range page {
		page[i] = wanted.Of(d)
	}
	s.scimSay(w, http.StatusOK, scim.List(total, q.From, page))
}

func (s *Server) scimGet(kind scim.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, err := s.People.Resource(r.Context(), kind, r.PathValue("id"))
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		if tags := r.Header.Values("If-None-Match"); len(tags) > 0 && tagged(tags)(d.Version()) {
			w.Header().Set("ETag", d.Version())
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.scimShow(w, r, http.StatusOK, kind, d)
	}
}

// scimBody reads a body, and refuses a name that stands twice at any depth: nobody may
// guess which of two "active" counts.
func scimBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		if twice := checkJSON(body); twice != nil {
			return nil, &scim.Error{Status: http.StatusBadRequest, Type: "invalidSyntax", Detail: twice.Error()}
		}
	}
	return body, err
}

func (s *Server) scimAdd(kind scim.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := scimBody(r)
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		d, fault := scim.Read(kind, body)
		if fault != nil {
			s.scimFail(w, r, fault)
			return
		}
		d, err = s.People.AddResource(r.Context(), principalOf(r.Context()), kind, d.Over(scim.Document{}))
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		w.Header().Set("Location", d.Location())
		s.scimShow(w, r, http.StatusCreated, kind, d)
	}
}

// replacing and patching read a body into what it makes of a resource.

func replacing(kind scim.Kind, body []byte) (func(scim.Document) (scim.Document, error), *scim.Error) {
	d, err := scim.Read(kind, body)
	return func(before scim.Document) (scim.Document, error) { return d.Over(before), nil }, err
}

func patching(kind scim.Kind, body []byte) (func(scim.Document) (scim.Document, error), *scim.Error) {
	p, err := scim.ReadPatch(kind, body)
	return func(before scim.Document) (scim.Document, error) {
		after, err := p.Apply(before)
		if err != nil {
			return nil, err
		}
		return after, nil
	}, err
}

func (s *Server) scimChange(kind scim.Kind, read func(scim.Kind, []byte) (func(scim.Document) (scim.Document, error), *scim.Error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := scimBody(r)
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		change, fault := read(kind, body)
		if fault != nil {
			s.scimFail(w, r, fault)
			return
		}
		d, err := s.People.ChangeResource(r.Context(), principalOf(r.Context()), kind, r.PathValue("id"), tagged(r.Header.Values("If-Match")), change)
		if err != nil {
			s.scimFail(w, r, err)
			return
		}
		if r.Method == http.MethodPatch && kind == scim.Group && !r.URL.Query().Has("attributes") {
			w.Header().Set("ETag", d.Version())
			w.WriteHeader(http.StatusNoContent) // its members can be thousands
			return
		}
		s.scimShow(w, r, http.StatusOK, kind, d)
	}
}

func (s *Server) scimRemove(kind scim.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.People.RemoveResource(r.Context(), principalOf(r.Context()), kind, r.PathValue("id"), tagged(r.Header.Values("If-Match"))); err != nil {
			s.scimFail(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// tagged returns which versions the tags of a condition take; no tags take any.
func tagged(headers []string) func(version string) bool {
	return func(version string) bool {
		bare := func(tag string) string { return strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`) }
		for _, h := range headers {
			for tag := range strings.SplitSeq(h, ",") {
				if t := bare(tag); t == "*" || t == bare(version) {
					return true
				}
			}
		}
		return len(headers) == 0
	}
}

// scimAbout lists what describes the server. RFC 7644 §4 refuses a filter there.
func (s *Server) scimAbout(about []scim.Document) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("filter") {
			s.scimFail(w, r, &scim.Error{Status: http.StatusForbidden, Detail: "This list takes no filter."})
			return
		}
		s.scimSay(w, http.StatusOK, scim.List(len(about), 0, about))
	}
}

func (s *Server) scimAboutOne(about []scim.Document) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, d := range about {
			if strings.EqualFold(d.Text("id"), r.PathValue("id")) {
				s.scimSay(w, http.StatusOK, d)
				return
			}
		}
		s.scimFail(w, r, ErrNotFound)
	}
}
