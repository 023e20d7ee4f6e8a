package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/scim"
	"kentongan/internal/web"
)

// provider is an identity provider that is connected to a rehearsal.
type provider struct {
	*rehearsal
	token string
}

func (h *rehearsal) provider() provider {
	h.t.Helper()
	var out struct {
		Token string `json:"token"`
	}
	if err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/tokens", map[string]string{"name": "entra", "role": "provisioner"}, &out); err != nil {
		h.t.Fatal(err)
	}
	return provider{h, out.Token}
}

func (p provider) send(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/scim/v2/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", scim.MediaType)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.house.server.Handler().ServeHTTP(w, r)
	return w
}

// does sends a request that must succeed, and returns the resource.
func (p provider) does(status int, method, path, body string, header ...string) scim.Document {
	p.t.Helper()
	w := p.send(method, path, body, header...)
	if w.Code != status {
		p.t.Fatalf("%s %s %s: got %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	if w.Body.Len() == 0 {
		return nil
	}
	d := scim.Document{}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		p.t.Fatal(err)
	}
	if v := d.Version(); v != "" && w.Header().Get("ETag") != v {
		p.t.Errorf("the tag is %q, the version %q", w.Header().Get("ETag"), v)
	}
	return d
}

// refused checks an error of RFC 7644 §3.12.
func (p provider) refused(status int, kind, says, method, path, body string, header ...string) {
	p.t.Helper()
	w := p.send(method, path, body, header...)
	var e struct {
		Schemas              []string `json:"schemas"`
		Status, Type, Detail string
		ScimType             string `json:"scimType"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		p.t.Fatalf("%s %s: got %d %s", method, path, w.Code, w.Body)
	}
	if w.Code != status || e.Status != fmt.Sprint(status) || e.ScimType != kind || !strings.Contains(e.Detail, says) || !slices.Equal(e.Schemas, []string{scim.ErrorMessage}) || w.Header().Get("Content-Type") != scim.MediaType {
		p.t.Errorf("%s %s %s: got %d %s, want %d %s %q", method, path, body, w.Code, w.Body, status, kind, says)
	}
}

// user is the body that makes somebody; more adds attributes to it.
func user(login string, more ...string) string {
	return `{"schemas":["` + scim.UserSchema + `","` + scim.EnterpriseSchema + `"],"userName":"` + login + `"` + strings.Join(append([]string{""}, more...), ",") + `}`
}

func enterprise(attributes string) string {
	return `"` + scim.EnterpriseSchema + `":{` + attributes + `}`
}

func patch(ops ...string) string {
	return `{"schemas":["` + scim.PatchMessage + `"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

// has lists the logins that a filter finds.
func (p provider) has(filter string, want ...string) {
	p.t.Helper()
	list := p.does(200, "GET", "Users?filter="+url.QueryEscape(filter), "")
	var got []string
	for _, u := range list.Values("Resources") {
		got = append(got, u["userName"].(string))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || list["totalResults"] != float64(len(want)) {
		p.t.Errorf("%s: got %v of %v, want %v", filter, got, list["totalResults"], want)
	}
}

// Whom a provider makes can be called, and is shown as it was sent.
func TestSCIMCreate(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi", func(h *rehearsal) {
		p := h.provider()
		boss := p.does(201, "POST", "Users", user("rina@contoh.example", `"displayName":"Rina"`, enterprise(`"employeeNumber":"1000"`)))
		made := p.does(201, "POST", "Users", user("dewi@contoh.example", `"externalId":"e-17","name":{"formatted":"Dewi Lestari","givenName":"Dewi","familyName":"Lestari"},"title":"Operator","active":"True"`,
			`"preferredLanguage":"en-GB, id;q=0.5","timezone":"Asia/Makassar","nickName":"D","password":"t0p-secret","emails":[{"value":"d@rumah.example","type":"home"},{"value":"dewi@contoh.example","type":"work","primary":true}]`,
			`"phoneNumbers":[{"type":"work","value":"021-555 1234"},{"type":"mobile","value":"0812-3450-0012"}],"addresses":[{"type":"work","locality":"Pabrik Cikande","streetAddress":"Jl. Raya","country":"Indonesia"}]`,
			enterprise(`"employeeNumber":"1001","division":"Produksi","manager":{"value":"`+boss.Text("id")+`"}`)))
		who, ok := h.house.directory.ByNumber("1001")
		if !ok || who.Name != "Dewi Lestari" || who.Given != "Dewi" || who.Mobile != "+6281234500012" || who.Email != "dewi@contoh.example" || who.Language != "en" || who.Zone != "Asia/Makassar" ||
			who.Site != "Pabrik Cikande" || who.Department != "Produksi" || who.Title != "Operator" || who.Manager != "1000" || !who.Active || !who.Sample {
			t.Errorf("got %#v", struct{ A any }{[]any{who.Name, who.Given, who.Mobile, who.Email, who.Language, who.Zone, who.Site, who.Department, who.Title, who.Manager, who.Active, who.Sample}})
		}
		again := p.does(200, "GET", "Users/"+made.Text("id"), "")
		if a, b := fmt.Sprint(made), fmt.Sprint(again); a != b {
			t.Errorf("made %s, read %s", a, b)
		}
		if made.Text("userName") != "dewi@contoh.example" || made.Text("externalId") != "e-17" || made.Text(scim.EnterpriseSchema, "division") != "Produksi" || made.Text(scim.EnterpriseSchema, "manager", "displayName") != "Rina" ||
			made.Text("meta", "created") == "" || made.Location() != rehearsalURL+"/scim/v2/Users/"+made.Text("id") || made.Text("password") != "" || made.Text("name", "familyName") != "Lestari" {
			t.Errorf("got %v", made)
		}
		// One word is a whole name, and a login may be all that is known.
		one := p.does(201, "POST", "Users", user("agus", `"name":{"givenName":"Agus"}`))
		if who, _ := h.house.directory.ByNumber("agus"); who.Name != "Agus" || who.Given != "Agus" || one.Text(scim.EnterpriseSchema, "employeeNumber") != "agus" || one.Text("displayName") != "Agus" {
			t.Errorf("got %v", one)
		}
		for _, c := range []struct {
			status           int
			kind, says, body string
		}{
			{409, "uniqueness", "userName", user("DEWI@Contoh.example", `"displayName":"X"`, enterprise(`"employeeNumber":"77"`))},
			{409, "uniqueness", "employeeNumber", user("x", `"displayName":"X"`, enterprise(`"employeeNumber":"1001"`))},
			{409, "uniqueness", "employeeNumber", user("SITI", `"displayName":"X"`)}, // came by a file
			{400, "invalidValue", "displayName: the name is empty", user("x")},
			{400, "invalidValue", "displayName: contains a control or direction character", user("x", `"displayName":"Siti\u202Enimda"`)},
			{400, "invalidValue", "displayName: contains a control", user("x", `"displayName":"Siti\u0000"`)},
			{400, "invalidValue", "userName: contains a control", user("x\\u0000", `"displayName":"X"`, enterprise(`"employeeNumber":"77"`))},
			{400, "invalidValue", "externalId: contains a control", user("x", `"displayName":"X","externalId":"\u2066x"`)},
			{400, "invalidValue", "title: is longer than 150", user("x", `"displayName":"X","title":"`+strings.Repeat("x", 151)+`"`)},
			{400, "invalidValue", `phoneNumbers[type eq "mobile"].value`, user("x", `"displayName":"X","phoneNumbers":[{"type":"mobile","value":"0812"}]`)},
			{400, "invalidValue", "Excel", user("x", `"displayName":"X","phoneNumbers":[{"type":"mobile","value":"6.28E+12"}]`)},
			{400, "invalidValue", "timezone", user("x", `"displayName":"X","timezone":"Mars"`)},
			{400, "invalidValue", "preferredLanguage", user("x", `"displayName":"X","locale":"??"`)},
			{400, "invalidValue", "manager: no User has this id yet", user("x", `"displayName":"X"`, enterprise(`"manager":{"value":"p-unknown"}`))},
			{400, "invalidSyntax", "shoeSize", user("x", `"displayName":"X","shoeSize":"40"`)},
		} {
			p.refused(c.status, c.kind, c.says, "POST", "Users", c.body)
		}
		if n := len(h.house.directory.Everybody()); n != 5 {
			t.Errorf("%d people, want 5", n)
		}
	})
}

// A provider finds people by its own names for them, also those who came by a file.
func TestSCIMFilter(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		p := h.provider()
		made := p.does(201, "POST", "Users", user("Dewi@contoh.example", `"displayName":"Dewi \"De\" Lestari","externalId":"E-17"`, enterprise(`"employeeNumber":"1001","department":"HR"`)))
		p.has(`userName eq "dewi@CONTOH.example"`, "Dewi@contoh.example")
		p.has(`userName eq "siti"`, "siti")
		p.has(`userName eq "nobody"`)
		p.has(`externalId eq "E-17"`, "Dewi@contoh.example")
		p.has(`externalId eq "e-17"`)
		p.has(scim.EnterpriseSchema+`:employeeNumber eq "1001"`, "Dewi@contoh.example")
		p.has(`active eq true and `+scim.EnterpriseSchema+`:department eq "hr"`, "Dewi@contoh.example")
		p.has(`active eq true and not (userName sw "dewi")`, "budi", "siti")
		p.has(`displayName co "\"de\""`, "Dewi@contoh.example")
		p.has(`phoneNumbers[type eq "mobile" and value ew "001"]`, "siti")
		p.has(`id eq "`+made.Text("id")+`"`, "Dewi@contoh.example")
		budi, _ := h.house.directory.ByNumber("budi")
		siti, _ := h.house.directory.ByNumber("siti")
		p.has(`id eq "`+string(siti.ID)+`" and manager eq "`+string(budi.ID)+`"`, "siti")
		p.has(`id eq "` + string(budi.ID) + `" and manager eq "` + string(budi.ID) + `"`)
		p.has(`id eq "p9"`)
		p.has(`active eq false`)
		p.has(`active eq true and (userName eq "siti" or userName eq "budi")`, "budi", "siti")
		p.refused(400, "invalidFilter", "cannot be read", "GET", "Users?filter=userName+eq", "")
		p.refused(400, "invalidFilter", "shoeSize", "GET", "Users?filter=shoeSize+eq+%2240%22", "")
		// An address stands for the login of who came by a file, unless it is shared.
		h.importFile(strings.NewReader("nip,nama,hp,email\nk1,Agus,,agus@contoh.example\nk2,Ayu,,front@contoh.example\nk3,Joko,,front@contoh.example\n"))
		p.has(`userName eq "agus@contoh.example"`, "agus@contoh.example")
		p.has(`userName eq "front@contoh.example"`)
		p.has(`userName eq "k2"`, "k2")
	})
}

// What Entra and Okta change about somebody changes that and nothing else.
func TestSCIMPatch(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi, agus", func(h *rehearsal) {
		p := h.provider()
		// Where only the parts of a name are known, they are the name.
		parts := p.does(201, "POST", "Users", user("dewi", `"name":{"givenName":"Dewi","familyName":"Lestari"}`))
		p.does(200, "PATCH", "Users/"+parts.Text("id"), patch(`{"op":"replace","path":"name.givenName","value":"Dewi Ayu"}`))
		if who, _ := h.house.directory.ByNumber("dewi"); who.Name != "Dewi Ayu Lestari" || who.Given != "Dewi Ayu" {
			t.Errorf("got %s, %s", who.Name, who.Given)
		}
		id := func(number string) string {
			who, _ := h.house.directory.ByNumber(number)
			return string(who.ID)
		}
		siti, budi, agus := id("siti"), id("budi"), id("agus")
		number := func() string { who, _ := h.house.directory.Person(announcement.PersonID(siti)); return who.Mobile }
		was := number()
		p.does(200, "PATCH", "Users/"+siti, patch(`{"op":"Replace","path":"displayName","value":"Siti Aminah"}`, `{"op":"Add","path":"`+scim.EnterpriseSchema+`:department","value":"Gudang"}`,
			`{"op":"Add","path":"emails[type eq \"work\"].value","value":"siti@contoh.example"}`, `{"op":"add","path":"externalId","value":"E1"}`))
		who, _ := h.house.directory.ByNumber("siti")
		if who.Name != "Siti Aminah" || who.Department != "Gudang" || who.Email != "siti@contoh.example" || number() != was || who.Site != "Harbour" || who.Manager != "budi" {
			t.Errorf("something else was changed: %v", []any{who.Name, who.Department, who.Email, number(), who.Site, who.Manager})
		}
		// A number in the way people write it, by a provider that has no other.
		p.does(200, "PATCH", "Users/"+siti, patch(`{"op":"Replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"0812 3450 0077"}`))
		if number() != "+6281234500077" {
			t.Errorf("got %s", number())
		}
		p.does(200, "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"name.givenName","value":"Aminah"}`))
		if who, _ := h.house.directory.ByNumber("siti"); who.Given != "Aminah" || who.Name != "Siti Aminah" {
			t.Errorf("got %s %s", who.Given, who.Name)
		}
		// Managers: a loop and oneself are refused by name; unknown ones are asked for again.
		manager := func(who, boss string) string {
			return patch(`{"op":"Replace","path":"` + scim.EnterpriseSchema + `:manager","value":"` + boss + `"}`)
		}
		p.refused(400, "invalidValue", "manager: these people manage each other in a loop", "PATCH", "Users/"+budi, manager(budi, siti))
		p.refused(400, "invalidValue", "manager: is this person themselves", "PATCH", "Users/"+budi, manager(budi, budi))
		p.refused(400, "invalidValue", "manager: no User has this id yet", "PATCH", "Users/"+budi, manager(budi, "p-later"))
		p.does(200, "PATCH", "Users/"+budi, manager(budi, agus))
		p.does(200, "PATCH", "Users/"+siti, patch(`{"op":"Remove","path":"`+scim.EnterpriseSchema+`:manager"}`))
		if who, _ := h.house.directory.ByNumber("siti"); who.Manager != "" {
			t.Errorf("the manager is %s", who.Manager)
		}
		// Another employee number takes the reports along.
		p.does(200, "PATCH", "Users/"+agus, patch(`{"op":"Replace","path":"`+scim.EnterpriseSchema+`:employeeNumber","value":"A-1"}`))
		if who, _ := h.house.directory.ByNumber("budi"); who.Manager != "A-1" {
			t.Errorf("budi is led by %s, want A-1", who.Manager)
		}
		if _, old := h.house.directory.ByNumber("agus"); old {
			t.Error("the old number is still known")
		}
		p.refused(409, "uniqueness", "employeeNumber", "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"`+scim.EnterpriseSchema+`:employeeNumber","value":"a-1"}`))
		p.refused(409, "uniqueness", "userName", "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"userName","value":"BUDI"}`))
		p.refused(400, "mutability", "userName", "PATCH", "Users/"+siti, patch(`{"op":"remove","path":"userName"}`))
		p.refused(400, "invalidPath", "shoeSize", "PATCH", "Users/"+siti, patch(`{"op":"add","path":"shoeSize","value":"40"}`))
		p.refused(400, "invalidValue", "displayName: contains a control or direction", "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"displayName","value":"\u202Ex"}`))
		p.refused(404, "", "no User", "PATCH", "Users/p9", patch(`{"op":"replace","path":"displayName","value":"x"}`))
		// All of a request counts, or nothing.
		p.refused(400, "invalidValue", "timezone", "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"title","value":"Boss"}`, `{"op":"replace","path":"timezone","value":"Mars"}`))
		if who, _ := h.house.directory.ByNumber("siti"); who.Title != "" {
			t.Error("half of a request was taken")
		}
		// What a person corrected stands until the provider has something new.
		if err := h.house.directory.SetMobile(h.t.Context(), announcement.PersonID(siti), "+6281234500088"); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]string{{"0812-3450-0077", "+6281234500088"}, {"0812-3450-0099", "+6281234500099"}, {"0812-3450-0077", "+6281234500077"}} {
			p.does(200, "PATCH", "Users/"+siti, patch(`{"op":"replace","path":"phoneNumbers","value":[{"type":"mobile","value":"`+c[0]+`"}]}`))
			if number() != c[1] {
				t.Errorf("the provider says %s: got %s, want %s", c[0], number(), c[1])
			}
		}
		// A division is the department where there is none.
		place := func(op, attribute, value, want string) {
			t.Helper()
			p.does(200, "PATCH", "Users/"+agus, patch(`{"op":"`+op+`","path":"`+scim.EnterpriseSchema+`:`+attribute+`","value":"`+value+`"}`))
			if who, _ := h.house.directory.Person(announcement.PersonID(agus)); who.Department != want {
				t.Errorf("%s %s %s: got %s, want %s", op, attribute, value, who.Department, want)
			}
		}
		place("add", "division", "Produksi", "Produksi")
		place("replace", "division", "Gudang", "Gudang")
		place("add", "department", "Gudang B", "Gudang B")
		place("replace", "division", "Kantor", "Gudang B")
		place("replace", "department", "", "Kantor")
		// What a PUT does not speak of stays; what it empties is emptied.
		p.does(200, "PUT", "Users/"+siti, user("siti@contoh.example", `"name":{"givenName":"Siti","familyName":"Nur"},"displayName":"Siti Nur","emails":[]`))
		if who, _ := h.house.directory.ByNumber("siti"); who.Name != "Siti Nur" || who.Email != "" || who.Mobile != "+6281234500077" || who.Department != "Gudang" || !who.Active {
			t.Errorf("got %v", []any{who.Name, who.Email, who.Mobile, who.Department, who.Active})
		}
	})
}

// A version that somebody else changed is not changed.
func TestSCIMETag(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi", func(h *rehearsal) {
		p := h.provider()
		made := p.does(201, "POST", "Users", user("dewi", `"displayName":"Dewi"`))
		path, old := "Users/"+made.Text("id"), made.Version()
		title := patch(`{"op":"replace","path":"title","value":"Operator"}`)
		now := p.does(200, "PATCH", path, title, "If-Match", old)
		if now.Version() == old {
			t.Fatalf("the version is still %s", old)
		}
		for _, c := range [][3]string{{"PATCH", path, title}, {"PUT", path, user("dewi")}, {"DELETE", path, ""}} {
			p.refused(412, "", "changed since", c[0], c[1], c[2], "If-Match", old)
		}
		if w := p.send("GET", path, "", "If-None-Match", now.Version()); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("got %d %s, want 304", w.Code, w.Body)
		}
		// The same once more changes nothing.
		if again := p.does(200, "PATCH", path, title, "If-Match", now.Version()); again.Version() != now.Version() {
			t.Errorf("the version went from %s to %s", now.Version(), again.Version())
		}
		// So does the page in the console count as a change.
		c := h.clerk()
		c.goes("/person/dewi", "version="+between(c.get("/person/dewi"), `name="version" value="`, `"`)+"&display_name=Dewi+L&locale=id&active=true")
		p.refused(412, "", "changed since", "PATCH", path, title, "If-Match", now.Version())
	})
}

// Whom a provider takes out is called by nothing; whoever it deletes is not known to
// it any more, and comes back as the same person.
func TestSCIMDeactivate(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus", func(h *rehearsal) {
		p := h.provider()
		who := func() (announcement.PersonID, bool) {
			s, _ := h.house.directory.ByNumber("siti")
			return s.ID, s.Active
		}
		id, _ := who()
		path := "Users/" + string(id)
		d := p.does(200, "PATCH", path, patch(`{"op":"Replace","path":"active","value":"False"}`))
		if _, active := who(); active || d.Bool("active", true) {
			t.Error("they still work here")
		}
		p.has(`active eq false`, "siti")
		p.does(200, "PATCH", path, patch(`{"op":"replace","value":{"active":true}}`))
		if _, active := who(); !active {
			t.Error("they do not work here again")
		}
		p.does(204, "DELETE", path, "")
		p.refused(404, "", "no User", "GET", path, "")
		p.refused(404, "", "no User", "DELETE", path, "")
		p.refused(404, "", "no User", "PATCH", path, patch(`{"op":"replace","path":"active","value":true}`))
		p.has(`userName eq "siti"`)
		p.has(`active pr`, "agus", "budi")
		if _, active := who(); active {
			t.Error("whoever was deleted still works here")
		}
		back := p.does(201, "POST", "Users", user("siti@contoh.example", `"displayName":"Siti"`, enterprise(`"employeeNumber":"SITI"`)))
		if again, active := who(); again != id || !active || back.Text("id") != string(id) || !back.Bool("active", false) {
			t.Errorf("they came back as %s, active %v", back.Text("id"), active)
		}
	})
}

// Groups of a provider can be called by their name.
func TestSCIMGroupMembership(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi push, budi, agus manager:budi, tono manager:budi", func(h *rehearsal) {
		p := h.provider()
		id := func(number string) string {
			who, _ := h.house.directory.ByNumber(number)
			return string(who.ID)
		}
		group := func(name, more string) string {
			return `{"schemas":["` + scim.GroupSchema + `"],"displayName":"` + name + `"` + more + `}`
		}
		made := p.does(201, "POST", "Groups", group("Fire wardens", `,"externalId":"g-1"`))
		path := "Groups/" + made.Text("id")
		p.does(204, "PATCH", path, patch(`{"op":"Add","path":"members","value":[{"value":"`+id("siti")+`"},{"value":"`+id("budi")+`"}]}`))
		p.does(204, "PATCH", path, patch(`{"op":"add","path":"members","value":[{"value":"`+id("siti")+`"},{"value":"`+id("agus")+`"}]}`))
		p.does(204, "PATCH", path, patch(`{"op":"remove","path":"members[value eq \"`+id("budi")+`\"]"}`))
		p.does(204, "PATCH", path, patch(`{"op":"Remove","path":"members","value":[{"value":"`+id("agus")+`"}]}`))
		read := p.does(200, "GET", path, "")
		if m := read.Values("members"); len(m) != 1 || m[0]["value"] != id("siti") || m[0]["display"] != "siti" || read.Text("externalId") != "g-1" {
			t.Errorf("got %v", read)
		}
		if bare := p.does(200, "GET", "Groups?excludedAttributes=members&filter="+url.QueryEscape(`displayName eq "fire WARDENS"`), ""); len(bare.Values("Resources")) != 1 || bare.Values("Resources")[0]["members"] != nil {
			t.Errorf("got %v", bare)
		}
		for filter, want := range map[string]float64{`id eq "` + made.Text("id") + `" and members eq "` + id("siti") + `"`: 1, `members.value eq "` + id("budi") + `"`: 0, `externalId eq "g-1"`: 1} {
			if got := p.does(200, "GET", "Groups?filter="+url.QueryEscape(filter), ""); got["totalResults"] != want {
				t.Errorf("%s: got %v, want %v", filter, got, want)
			}
		}
		// Whoever was deleted is a member no more, and keeps nobody else from being one.
		p.does(204, "PATCH", path, patch(`{"op":"add","path":"members","value":[{"value":"`+id("tono")+`"}]}`))
		p.does(204, "DELETE", "Users/"+id("tono"), "")
		p.does(204, "PATCH", path, patch(`{"op":"add","path":"members","value":[{"value":"`+id("budi")+`"}]}`))
		p.does(204, "PATCH", path, patch(`{"op":"remove","path":"members[value eq \"`+id("budi")+`\"]"}`))
		p.refused(409, "uniqueness", "displayName", "POST", "Groups", group("FIRE wardens", ""))
		p.refused(400, "invalidValue", "members", "PATCH", path, patch(`{"op":"add","path":"members","value":[{"value":"p9"}]}`))
		p.refused(400, "invalidValue", "displayName", "POST", "Groups", group(`A\u202Eb`, ""))
		p.refused(400, "invalidSyntax", "displaName", "POST", "Groups", strings.Replace(group("x", ""), "displayName", "displaName", 1))
		p.refused(400, "mutability", "displayName", "PATCH", path, patch(`{"op":"remove","path":"displayName"}`))
		p.refused(412, "", "changed since", "PATCH", path, patch(`{"op":"remove","path":"members"}`), "If-Match", made.Version())
		p.refused(404, "", "no Group", "GET", "Groups/g9", "")
		h.Announce("Fire", func(d *web.Draft) { d.Audience = announcement.Audience{Groups: []string{"Fire wardens"}} })
		h.Phone("siti").ExpectPush("Fire")
		h.Phone("siti").ExpectSMS("Fire")
		h.Phone("agus").ExpectNothing() // budi hears of it, who is called when a line ends
		// The console may change it too, and the provider still knows it.
		c := h.clerk()
		c.goes("/groups/edit", "id="+made.Text("id")+"&name=Wardens&people=budi")
		p.refused(412, "", "changed since", "DELETE", path, "", "If-Match", read.Version())
		if now := p.does(200, "PATCH", path+"?attributes=displayName,externalId", patch(`{"op":"replace","value":{"id":"`+made.Text("id")+`","displayName":"Fire"}}`)); now.Text("displayName") != "Fire" || now.Text("externalId") != "g-1" {
			t.Errorf("got %v", now)
		}
		// A group by a rule is nobody's to fill.
		c.goes("/groups/edit", "name=Harbour&by=rule&site=Harbour")
		if all := p.does(200, "GET", "Groups", ""); all["totalResults"] != float64(1) {
			t.Errorf("got %v", all)
		}
		p.does(204, "DELETE", path, "")
		p.refused(404, "", "no Group", "GET", path, "")
	})
}

// Members who come one by one, and many at once, are all in.
func TestSCIMGroupFillsAtOnce(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi, agus, dewi, joko, ayu, rina, tono", func(h *rehearsal) {
		p := h.provider()
		path := "Groups/" + p.does(201, "POST", "Groups", `{"schemas":["`+scim.GroupSchema+`"],"displayName":"All"}`).Text("id")
		var group sync.WaitGroup
		for _, e := range h.staff {
			who, _ := h.house.directory.ByNumber(e.name)
			group.Go(func() {
				if w := p.send("PATCH", path, patch(`{"op":"Add","path":"members","value":[{"value":"`+string(who.ID)+`"}]}`)); w.Code != 204 {
					t.Errorf("%s: got %d %s", e.name, w.Code, w.Body)
				}
			})
		}
		group.Wait()
		if got := p.does(200, "GET", path, "").Values("members"); len(got) != len(h.staff) {
			t.Errorf("%d are in, want %d", len(got), len(h.staff))
		}
	})
}

// 20,000 people are read page by page, each once, and one is found among them.
func TestSCIMPagesOf20000(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("20,000 people")
	}
	rehearse(t, "siti, budi", func(h *rehearsal) {
		var file bytes.Buffer
		file.WriteString("nip,nama,hp,email\n")
		for i := range 19_998 {
			fmt.Fprintf(&file, "K%05d,Karyawan %d,0812%08d,k%05d@contoh.example\n", i, i, 10_000_000+i, i)
		}
		h.importFile(&file)
		p := h.provider()
		seen := map[string]bool{}
		begun := processorTime()
		for start := 1; ; {
			list := p.does(200, "GET", fmt.Sprintf("Users?startIndex=%d&count=500&attributes=userName", start), "")
			page := list.Values("Resources")
			if list["totalResults"] != float64(20_000) || list["startIndex"] != float64(start) || list["itemsPerPage"] != float64(len(page)) || len(page) > 500 {
				t.Fatalf("from %d: got %v of %v", start, list["itemsPerPage"], list["totalResults"])
			}
			for _, u := range page {
				seen[u["id"].(string)] = true
			}
			if start += len(page); len(page) == 0 {
				break
			}
		}
		pages := processorTime() - begun
		if len(seen) != 20_000 {
			t.Errorf("%d people were read, want 20,000", len(seen))
		}
		begun = processorTime()
		for i := range 200 {
			p.has(fmt.Sprintf(`userName eq "k%05d@contoh.example"`, i*99), fmt.Sprintf("k%05d@contoh.example", i*99))
		}
		found := processorTime() - begun
		begun = processorTime()
		if few := p.does(200, "GET", "Users?count=2&startIndex=3&filter="+url.QueryEscape(`active eq true and displayName sw "karyawan 1999"`), ""); few["totalResults"] != float64(9) || len(few.Values("Resources")) != 2 {
			t.Errorf("got %v of %v", few["itemsPerPage"], few["totalResults"])
		}
		scanned := processorTime() - begun
		begun = processorTime()
		for i := range 100 {
			p.does(201, "POST", "Users", user(fmt.Sprintf("new%d", i), `"displayName":"X"`))
		}
		t.Logf("40 pages took %s of processor time, 200 look-ups %s, one search of everybody %s, 100 newcomers %s", pages, found, scanned, processorTime()-begun)
		p.refused(400, "invalidValue", "count", "GET", "Users?count=many", "")
	})
}

// A provider that empties the company is stopped until a person allows it.
func TestSCIMManyLeave(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi", func(h *rehearsal) {
		var file bytes.Buffer
		file.WriteString("nip,nama,hp\n")
		for i := range 198 {
			fmt.Fprintf(&file, "K%d,Karyawan %d,\n", i, i)
		}
		h.importFile(&file)
		p := h.provider()
		leave := func(n int) (method, path, body string) {
			who, _ := h.house.directory.ByNumber(fmt.Sprint("K", n))
			if n%2 == 0 {
				return "DELETE", "Users/" + string(who.ID), ""
			}
			return "PATCH", "Users/" + string(who.ID), patch(`{"op":"Replace","path":"active","value":"False"}`)
		}
		out := func(n int) {
			t.Helper()
			method, path, body := leave(n)
			if w := p.send(method, path, body); w.Code >= 300 {
				t.Fatalf("leaver %d: got %d %s", n, w.Code, w.Body)
			}
		}
		stopped := func(n int) {
			t.Helper()
			method, path, body := leave(n)
			p.refused(409, "", "one in twenty", method, path, body)
		}
		for n := range 10 { // 5 % of 200
			out(n)
		}
		stopped(10)
		stopped(11)
		h.After(3 * time.Hour)
		stopped(12) // it does not go on by itself, a twentieth an hour
		p.does(201, "POST", "Users", user("new", `"displayName":"New"`))
		c := h.clerk()
		c.shows(c.get("/people"), "Many people were to leave at once", "Karyawan 10", "Karyawan 12")
		c.goes("/people/leave", "")
		if strings.Contains(c.get("/people"), "Many people") {
			t.Error("it is still closed")
		}
		for n := 10; n < 40; n++ {
			out(n)
		}
		h.After(4 * time.Hour)
		out(40) // those who were allowed to are not counted again
		if n := len(h.house.directory.Everybody()); n != 201-41 {
			t.Errorf("%d people, want %d", n, 201-41)
		}
	})
}

// Somebody leaves by the provider's word while an alert runs: nothing more reaches
// them, their link is dead, and they are counted no more, with the reason.
func TestSCIMDeactivatedInTheMiddleOfAnAlert(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi push, budi push, agus manager:budi", func(h *rehearsal) {
		p := h.provider()
		id := h.Announce("Fire")
		h.Phone("siti").ExpectPush("Fire")
		h.Phone("siti").ExpectSMS("Fire")
		link := "/r/" + h.house.links.answerToken(id, h.recipient(id, "siti").Index)
		at := func(path string) int {
			w := httptest.NewRecorder()
			h.house.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w.Code
		}
		if code := at(link); code != http.StatusOK {
			t.Fatalf("the link before: got %d", code)
		}
		before := h.summary(id).Counts
		who, _ := h.house.directory.ByNumber("siti")
		p.does(200, "PATCH", "Users/"+string(who.ID), patch(`{"op":"Replace","path":"active","value":"False"}`))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if code := at(link); code != http.StatusNotFound {
			t.Errorf("the link after two seconds: got %d, want 404", code)
		}
		if err := h.api.JSON(h.t.Context(), http.MethodPost, "/api/v1/announcements/"+string(id)+"/remind", map[string]string{"reason": "again"}, nil); err != nil {
			t.Fatal(err)
		}
		h.After(40 * time.Minute) // reminders, managers, the duty list
		h.Phone("siti").ExpectNothing()
		after := h.summary(id).Counts
		if after.Excused != before.Excused+1 || after.NoAnswer+after.Opened+after.Unreachable != before.NoAnswer+before.Opened+before.Unreachable-1 {
			t.Errorf("got %+v, want one less than %+v", after, before)
		}
		h.ExpectReason(id, "left_the_company")
	})
}
