// Package scim speaks SCIM 2.0 (RFC 7643 and RFC 7644), the language in which
// identity providers such as Okta and Entra say who works at a company: what a
// resource may hold, filters, patches, errors and discovery. It knows no person
// and no HTTP; both are around it.
//
// # Decisions
//
// A resource is a Document, so that a patch can say anything about it. Attributes
// of the RFC that we have no use for are taken and not kept, because providers
// send them by default; they are not advertised. Any other attribute is refused by
// its name: what somebody mapped on purpose must not vanish in silence.
//
// Of the server libraries for Go, github.com/elimity-com/scim came nearest. It
// knows no If-Match, refuses "False" for a boolean, which Entra sends, and says
// of a faulty value neither its name nor what is wrong. Only the parser of
// filters under it is used here.
package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Kind is a type of resource.
type Kind string

// The types of resources.
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// The schemas by their names.
const (
	UserSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

	messages      = "urn:ietf:params:scim:api:messages:2.0:"
	ErrorMessage  = messages + "Error"
	ListMessage   = messages + "ListResponse"
	PatchMessage  = messages + "PatchOp"
	SearchMessage = messages + "SearchRequest"
)

// MediaType is that of every body.
const MediaType = "application/scim+json"

// Limits of what one request asks for.
const (
	PageSize   = 100  // resources of a list, unless it asks for another number
	MaxPage    = 500  // at most
	maxFilter  = 2000 // bytes
	maxOps     = 1000 // of a patch
	maxSchemas = 20
)

// Error is a refusal with its RFC 7644 §3.12 status and type.
type Error struct {
	Status int
	Type   string
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// MarshalJSON writes the body of the answer.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Schemas []string `json:"schemas"`
		Type    string   `json:"scimType,omitempty"`
		Detail  string   `json:"detail"`
		Status  string   `json:"status"`
	}{[]string{ErrorMessage}, e.Type, e.Detail, strconv.Itoa(e.Status)})
}

func bad(kind, format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

// InvalidValue says what is wrong with an attribute.
func InvalidValue(attribute, why string) *Error { return bad("invalidValue", "%s: %s", attribute, why) }

// Taken says that a value belongs to another resource.
func Taken(attribute string) *Error {
	return &Error{http.StatusConflict, "uniqueness", attribute + ": another resource has this value"}
}

// NotFound says that there is no such resource.
func NotFound(kind Kind) *Error {
	return &Error{http.StatusNotFound, "", fmt.Sprintf("There is no %s with this id.", kind)}
}

// Stale says that a resource was changed since its version was read.
func Stale() *Error {
	return &Error{http.StatusPreconditionFailed, "", "The resource was changed since. Read it again, then decide."}
}

// Query is what a list is asked for.
type Query struct {
	Filter *Filter // nil: everything
	From   int     // 0 is the first
	Limit  int     // 0: only count
}

// List is the body of an answer with many resources.
func List(total, from int, page []Document) map[string]any {
	if page == nil {
		page = []Document{}
	}
	return map[string]any{"schemas": []string{ListMessage}, "totalResults": total, "startIndex": from + 1, "itemsPerPage": len(page), "Resources": page}
}
