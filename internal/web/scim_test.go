package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kentongan/internal/scim"
)

const scimUser = `{"schemas":["` + scim.UserSchema + `"],"userName":"x"}`

// Every refusal has the body of RFC 7644 §3.12, whoever asks and whatever is wrong.
func TestSCIMRefusals(t *testing.T) {
	t.Parallel()
	patch := func(ops string) string {
		return `{"schemas":["` + scim.PatchMessage + `"],"Operations":[` + ops + `]}`
	}
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		has                             string
	}{
		{"no token", "GET", "Users", "", "", 401, "bearer token"},
		{"wrong token", "GET", "Users", "x", "", 401, "not known"},
		{"viewer", "GET", "Users", "v", "", 403, "provisioner"},
		{"viewer creates", "POST", "Users", "v", scimUser, 403, "provisioner"},
		{"unknown address", "GET", "Robots", "p", "", 404, "no such address"},
		{"unknown address of nobody", "GET", "Robots", "", "", 401, "bearer token"},
		{"wrong method", "PUT", "Users", "p", scimUser, 405, "method"},
		{"me", "GET", "Me", "p", "", 501, "not offer"},
		{"bulk", "POST", "Bulk", "p", "{}", 501, "not offer"},
		{"unknown user", "GET", "Users/u9", "p", "", 404, "no User"},
		{"unknown group", "GET", "Groups/u1", "p", "", 404, "no Group"},
		{"unknown schema", "GET", "Schemas/x", "p", "", 404, ""},
		{"filtered schemas", "GET", "Schemas?filter=id+pr", "p", "", 403, "no filter"},
		{"filter", "GET", "Users?filter=userName+eq", "p", "", 400, `"scimType":"invalidFilter"`},
		{"filter of what is not there", "GET", "Users?filter=shoeSize+gt+%2240%22", "p", "", 400, `\"shoeSize\" is not known`},
		{"long filter", "GET", "Users?filter=userName+eq+%22" + strings.Repeat("x", 2000) + "%22", "p", "", 400, `"scimType":"invalidFilter"`},
		{"count", "GET", "Users?count=ten", "p", "", 400, `"scimType":"invalidValue"`},
		{"malformed", "POST", "Users", "p", `{"schemas":[`, 400, `"scimType":"invalidSyntax"`},
		{"a list", "POST", "Users", "p", `[]`, 400, `"scimType":"invalidSyntax"`},
		{"two objects", "POST", "Users", "p", scimUser + scimUser, 400, `"scimType":"invalidSyntax"`},
		{"twice", "POST", "Users", "p", `{"schemas":["` + scim.UserSchema + `"],"userName":"x","USERNAME":"y"}`, 400, "stands twice"},
		{"no schema", "POST", "Users", "p", `{"userName":"x"}`, 400, "schemas"},
		{"no userName", "POST", "Users", "p", `{"schemas":["` + scim.UserSchema + `"]}`, 400, "userName: is required"},
		{"unknown attribute", "POST", "Users", "p", strings.Replace(scimUser, "{", `{"shoeSize":"40",`, 1), 400, `\"shoeSize\" is no attribute`},
		{"unknown part", "POST", "Users", "p", strings.Replace(scimUser, "{", `{"name":{"nick":"x"},`, 1), 400, `\"name.nick\" is not known`},
		{"unknown extension", "POST", "Users", "p", strings.Replace(scimUser, "{", `{"urn:x:2.0:User":{},`, 1), 400, "urn:x"},
		{"wrong type", "POST", "Users", "p", strings.Replace(scimUser, "{", `{"active":"maybe",`, 1), 400, "active: must be true or false"},
		{"number for a text", "POST", "Users", "p", strings.Replace(scimUser, "{", `{"title":7,`, 1), 400, "title: must be a text"},
		{"oversized", "POST", "Users", "p", strings.Repeat("x", maxSCIMBody+1), 413, "too large"},
		{"oversized patch", "PATCH", "Users/u1", "p", strings.Repeat("x", maxSCIMBody+1), 413, "too large"},
		{"twice within", "PATCH", "Users/u1", "p", patch(`{"op":"replace","path":"active","value":true,"value":false}`), 400, "stands twice"},
		{"no operations", "PATCH", "Users/u1", "p", patch(""), 400, `"scimType":"invalidSyntax"`},
		{"unknown operation", "PATCH", "Users/u1", "p", patch(`{"op":"move","path":"active"}`), 400, "must be add, replace or remove"},
		{"remove without a path", "PATCH", "Users/u1", "p", patch(`{"op":"remove"}`), 400, `"scimType":"noTarget"`},
		{"no path", "PATCH", "Users/u1", "p", patch(`{"op":"replace","path":"emails[","value":"x"}`), 400, `"scimType":"invalidPath"`},
		{"unknown path", "PATCH", "Users/u1", "p", patch(`{"op":"replace","path":"shoeSize","value":"40"}`), 400, `"scimType":"invalidPath"`},
		{"read-only path", "PATCH", "Users/u1", "p", patch(`{"op":"replace","path":"id","value":"x"}`), 400, `"scimType":"mutability"`},
		{"required path", "PATCH", "Users/u1", "p", patch(`{"op":"remove","path":"userName"}`), 400, `"scimType":"mutability"`},
		{"nothing chosen", "PATCH", "Users/u1", "p", patch(`{"op":"replace","path":"emails[value co \"x\"].type","value":"home"}`), 400, `"scimType":"noTarget"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse()
			w := callSCIM(t, newServer(t, h), c.method, c.path, c.token, c.body)
			if text := w.Body.String(); w.Code != c.status || !strings.Contains(text, c.has) {
				t.Errorf("got %d %s, want %d with %q", w.Code, text, c.status, c.has)
			}
			if !strings.HasPrefix(w.Body.String(), `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],`) || w.Header().Get("Content-Type") != scim.MediaType ||
				!strings.Contains(w.Body.String(), fmt.Sprintf(`"status":"%d"`, c.status)) {
				t.Errorf("got %s %s, want an error of SCIM", w.Header().Get("Content-Type"), w.Body)
			}
			if c.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("it does not say how to sign in")
			}
			if h.changed > 0 && c.status != 400 {
				t.Error("something was changed")
			}
		})
	}
	h := newHouse()
	h.err = ErrNotYet
	if w := callSCIM(t, newServer(t, h), "GET", "Users", "p", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"status":"503"`) {
		t.Errorf("a store that is away: got %d %s", w.Code, w.Body)
	}
}

func callSCIM(t testing.TB, srv http.Handler, method, path, token, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	header = append(header, "Content-Type", scim.MediaType)
	if token != "" {
		header = append(header, "Authorization", "Bearer "+token)
	}
	return call(t, srv, method, scimPath+path, body, header...)
}

// A token of an identity provider opens /scim/v2 and nothing else.
func TestProvisionerOpensNothingElse(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	for _, path := range []string{"Users", "Users/u1", "Groups", "ServiceProviderConfig", "ResourceTypes", "ResourceTypes/Group", "Schemas", "Schemas/" + scim.EnterpriseSchema} {
		for _, token := range []string{"p", "s"} {
			if w := callSCIM(t, srv, "GET", path, token, ""); w.Code != 200 || w.Header().Get("Content-Type") != scim.MediaType {
				t.Errorf("%s with %s: got %d %s", path, token, w.Code, w.Body)
			}
		}
	}
	for _, c := range [][2]string{{"GET", "/api/v1/announcements"}, {"POST", "/api/v1/announcements"}, {"GET", "/api/v1/announcements/a1/recipients"}, {"POST", "/api/v1/tokens"}, {"POST", "/api/v1/people:import"}, {"GET", "/api/v1/announcements/a1/events"}} {
		body := ""
		if c[0] == "POST" {
			body = draftJSON
		}
		if w := call(t, srv, c[0], c[1], body, "Authorization", "Bearer p", "Content-Type", "application/json"); w.Code != 403 {
			t.Errorf("%s: got %d %s, want 403", c[1], w.Code, w.Body)
		}
	}
	if w := call(t, srv, "POST", "/signin", "token=p"); w.Code == http.StatusSeeOther || len(w.Result().Cookies()) > 0 && w.Result().Cookies()[0].Name == "session" {
		t.Errorf("sign in: got %d", w.Code)
	}
	if w := call(t, srv, "GET", "/people", "", "Cookie", "session=token:p"); w.Code == 200 {
		t.Error("a session of a provisioner opens the console")
	}
}

// A version that is known is not sent again, and one that is not current is not
// changed.
func TestSCIMVersions(t *testing.T) {
	t.Parallel()
	off := `{"schemas":["` + scim.PatchMessage + `"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`
	for _, c := range []struct {
		method, header, tag, body string
		status, changed           int
	}{
		{"GET", "If-None-Match", `W/"3"`, "", 304, 0}, {"GET", "If-None-Match", `"2", "3"`, "", 304, 0}, {"GET", "If-None-Match", `W/"2"`, "", 200, 0},
		{"PATCH", "If-Match", `W/"2"`, off, 412, 0}, {"PATCH", "If-Match", `W/"3"`, off, 200, 1}, {"PATCH", "If-Match", `*`, off, 200, 1}, {"PATCH", "X", "", off, 200, 1},
		{"PUT", "If-Match", `W/"2"`, scimUser, 412, 0}, {"PUT", "If-Match", `W/"3"`, scimUser, 200, 1}, {"DELETE", "If-Match", `W/"2"`, "", 412, 0}, {"DELETE", "If-Match", `W/"3"`, "", 204, 1},
	} {
		h := newHouse()
		w := callSCIM(t, newServer(t, h), c.method, "Users/u1", "p", c.body, c.header, c.tag)
		if w.Code != c.status || h.changed != c.changed {
			t.Errorf("%s %s %s: got %d %s and %d changes, want %d", c.method, c.header, c.tag, w.Code, w.Body, h.changed, c.status)
		}
		if c.status == 412 && !strings.Contains(w.Body.String(), `"status":"412"`) {
			t.Errorf("got %s, want an error of SCIM", w.Body)
		}
		if c.status < 300 && c.method != "DELETE" && w.Header().Get("ETag") != `W/"3"` {
			t.Errorf("%s: the tag is %q", c.method, w.Header().Get("ETag"))
		}
	}
}

// A list says how many there are, and shows what was asked for.
func TestSCIMLists(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	for path, want := range map[string]string{
		"Users":                            `"itemsPerPage":1,"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"startIndex":1,"totalResults":1}`,
		"Users?count=0":                    `{"Resources":[],"itemsPerPage":0,`,
		"Users?startIndex=-4&count=-1":     `"startIndex":1,"totalResults":1}`,
		"Users?startIndex=2":               `"itemsPerPage":0,"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"startIndex":2,"totalResults":1}`,
		"Users?attributes=userName":        `{"Resources":[{"id":"u1","meta":{"location":"http://siaga.example/scim/v2/Users/u1","version":"W/\"3\""},"schemas":["` + scim.UserSchema + `"],"userName":"siti"}],`,
		"Users?filter=userName+eq+%22SITI": `invalidFilter`,
		"Users?filter=userName+eq+%22SITI%22&excludedAttributes=name,displayName,id,meta": `{"Resources":[{"active":true,"id":"u1","schemas":["` + scim.UserSchema + `"],"userName":"siti"}],`,
		"Users?filter=active+eq+false": `"totalResults":0}`,
		"ServiceProviderConfig":        `"etag":{"supported":true}`,
		"ResourceTypes":                `"endpoint":"/Groups"`,
		"Schemas":                      `"name":"employeeNumber"`,
	} {
		if w := callSCIM(t, srv, "GET", path, "p", ""); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %s, want %s", path, w.Body, want)
		}
	}
	body := `{"schemas":["` + scim.SearchMessage + `"],"filter":"userName eq \"siti\"","attributes":["displayName"],"count":5}`
	if w := callSCIM(t, srv, "POST", "Users/.search", "p", body); w.Code != 200 || !strings.Contains(w.Body.String(), `"displayName":"Siti"`) || strings.Contains(w.Body.String(), "userName") {
		t.Errorf("search: got %d %s", w.Code, w.Body)
	}
	w := callSCIM(t, srv, "POST", "Users", "p", scimUser)
	if w.Code != 201 || w.Header().Get("Location") != "http://siaga.example/scim/v2/Users/u1" || w.Header().Get("ETag") == "" {
		t.Errorf("create: got %d %v", w.Code, w.Header())
	}
}
