package scim

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// before is a person as a provider made them.
const before = `{"schemas":["` + UserSchema + `"],"userName":"budi@contoh.example","displayName":"Budi","name":{"givenName":"Budi"},"active":true,
	"emails":[{"value":"budi@contoh.example","type":"work","primary":true},{"value":"budi@rumah.example","type":"home"}],
	"phoneNumbers":[{"value":"0812","type":"mobile"}],
	"` + EnterpriseSchema + `":{"employeeNumber":"1001","department":"HR","manager":{"value":"p1"}}}`

func mustRead(t testing.TB, kind Kind, s string) Document {
	t.Helper()
	d, err := Read(kind, []byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func patchOf(ops string) []byte {
	return []byte(`{"schemas":["` + PatchMessage + `"],"Operations":[` + ops + `]}`)
}

// What Okta and Entra send changes what they mean.
func TestPatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ops string
		path      []string
		want      any
	}{
		{"Entra deactivates", `{"op":"Replace","path":"active","value":"False"}`, []string{"active"}, false},
		{"Okta deactivates", `{"op":"replace","value":{"active":false}}`, []string{"active"}, false},
		{"a name", `{"op":"Replace","path":"displayName","value":"Budi S."}`, []string{"displayName"}, "Budi S."},
		{"any case", `{"OP":"ADD","Path":"DISPLAYNAME","Value":"Budi S."}`, []string{"displayName"}, "Budi S."},
		{"a part", `{"op":"add","path":"name.familyName","value":"Santoso"}`, []string{"name"}, map[string]any{"givenName": "Budi", "familyName": "Santoso"}},
		{"parts", `{"op":"add","path":"name","value":{"familyName":"Santoso"}}`, []string{"name"}, map[string]any{"givenName": "Budi", "familyName": "Santoso"}},
		{"a part under its schema", `{"op":"add","path":"` + UserSchema + `:name.familyName","value":"Santoso"}`, []string{"name", "familyName"}, "Santoso"},
		{"a dotted name without a path", `{"op":"Add","value":{"name.familyName":"Santoso","` + EnterpriseSchema + `:department":"IT"}}`, []string{"name", "familyName"}, "Santoso"},
		{"an extension without a path", `{"op":"replace","value":{"` + EnterpriseSchema + `":{"department":"IT"}}}`, []string{EnterpriseSchema, "department"}, "IT"},
		{"an extension by its path", `{"op":"replace","path":"` + EnterpriseSchema + `","value":{"department":"IT"}}`, []string{EnterpriseSchema, "department"}, "IT"},
		{"the rest of an extension stays", `{"op":"replace","path":"` + EnterpriseSchema + `","value":{"department":"IT"}}`, []string{EnterpriseSchema, "employeeNumber"}, "1001"},
		{"a manager as a text", `{"op":"Replace","path":"` + EnterpriseSchema + `:manager","value":"p2"}`, []string{EnterpriseSchema, "manager", "value"}, "p2"},
		{"a manager as an object", `{"op":"replace","path":"` + EnterpriseSchema + `:manager","value":{"value":"p2","$ref":"x"}}`, []string{EnterpriseSchema, "manager", "value"}, "p2"},
		{"a manager's value", `{"op":"replace","path":"` + EnterpriseSchema + `:manager.value","value":"p2"}`, []string{EnterpriseSchema, "manager", "value"}, "p2"},
		{"no manager", `{"op":"Remove","path":"` + EnterpriseSchema + `:manager"}`, []string{EnterpriseSchema, "manager"}, nil},
		{"an empty manager", `{"op":"replace","path":"` + EnterpriseSchema + `:manager","value":""}`, []string{EnterpriseSchema, "manager"}, nil},
		{"one address of several", `{"op":"replace","path":"emails[type eq \"work\"].value","value":"b@contoh.example"}`, []string{"emails"},
			[]any{map[string]any{"value": "b@contoh.example", "type": "work", "primary": true}, map[string]any{"value": "budi@rumah.example", "type": "home"}}},
		{"an address that is not there", `{"op":"replace","path":"phoneNumbers[type eq \"work\"].value","value":"021"}`, []string{"phoneNumbers"},
			[]any{map[string]any{"value": "0812", "type": "mobile"}, map[string]any{"value": "021", "type": "work"}}},
		{"another primary one", `{"op":"add","path":"emails","value":[{"value":"n@contoh.example","type":"other","primary":true}]}`, []string{"emails"},
			[]any{map[string]any{"value": "budi@contoh.example", "type": "work", "primary": false}, map[string]any{"value": "budi@rumah.example", "type": "home"}, map[string]any{"value": "n@contoh.example", "type": "other", "primary": true}}},
		{"all addresses", `{"op":"replace","path":"emails","value":[{"value":"n@contoh.example"}]}`, []string{"emails"}, []any{map[string]any{"value": "n@contoh.example"}}},
		{"the same once more", `{"op":"add","path":"emails","value":[{"value":"budi@rumah.example","type":"home"}]}`, []string{"emails"},
			[]any{map[string]any{"value": "budi@contoh.example", "type": "work", "primary": true}, map[string]any{"value": "budi@rumah.example", "type": "home"}}},
		{"one address less", `{"op":"remove","path":"emails[type eq \"home\"]"}`, []string{"emails"}, []any{map[string]any{"value": "budi@contoh.example", "type": "work", "primary": true}}},
		{"no number", `{"op":"remove","path":"phoneNumbers[type eq \"mobile\"].value"}`, []string{"phoneNumbers"}, nil},
		{"nothing to remove", `{"op":"remove","path":"phoneNumbers[type eq \"fax\"]"}`, []string{"phoneNumbers"}, []any{map[string]any{"value": "0812", "type": "mobile"}}},
		{"what we have no use for", `{"op":"add","path":"nickName","value":"B"},{"op":"add","path":"addresses[type eq \"work\"].streetAddress","value":"Jl. X"},{"op":"add","path":"roles[primary eq \"True\"].value","value":"x"}`, []string{"userName"}, "budi@contoh.example"},
		{"a place", `{"op":"Add","path":"addresses[type eq \"work\"].locality","value":"Pabrik Cikande"}`, []string{"addresses"}, []any{map[string]any{"type": "work", "locality": "Pabrik Cikande"}}},
		{"in order", `{"op":"replace","path":"title","value":"A"},{"op":"replace","path":"title","value":"B"}`, []string{"title"}, "B"},
		{"nothing is no value", `{"op":"replace","path":"displayName","value":null}`, []string{"displayName"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustRead(t, User, before)
			was, _ := json.Marshal(d)
			p, err := ReadPatch(User, patchOf(c.ops))
			if err != nil {
				t.Fatal(err)
			}
			after, err := p.Apply(d)
			if err != nil {
				t.Fatal(err)
			}
			var got any = map[string]any(after)
			for _, name := range c.path {
				object, _ := got.(map[string]any)
				got = object[name]
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if now, _ := json.Marshal(d); string(now) != string(was) {
				t.Errorf("the document itself was changed: %s", now)
			}
		})
	}
}

func TestPatchMembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, ops, want string }{
		{"add", `{"op":"Add","path":"members","value":[{"value":"p2"},{"value":"p3"}]}`, "p1 p2 p3"},
		{"add who is there", `{"op":"add","path":"members","value":[{"value":"p1"}]}`, "p1"},
		{"remove as Okta does", `{"op":"remove","path":"members[value eq \"p1\"]"}`, ""},
		{"remove as Entra does", `{"op":"Remove","path":"members","value":[{"value":"p1"}]}`, ""},
		{"remove who is not there", `{"op":"remove","path":"members[value eq \"p9\"]"}`, "p1"},
		{"remove all", `{"op":"remove","path":"members"}`, ""},
		{"replace", `{"op":"replace","path":"members","value":[{"value":"p7"}]}`, "p7"},
		{"rename as Okta does", `{"op":"replace","value":{"id":"g1","displayName":"Wardens"}}`, "p1"},
	} {
		d := mustRead(t, Group, `{"schemas":["`+GroupSchema+`"],"displayName":"Fire","members":[{"value":"p1","display":"Budi"}]}`)
		p, err := ReadPatch(Group, patchOf(c.ops))
		if err != nil {
			t.Fatal(err)
		}
		after, err := p.Apply(d)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range after.Values("members") {
			got = append(got, m["value"].(string))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	d := mustRead(t, User, before)
	d["meta"] = map[string]any{"lastModified": "2026-11-23T07:05:00Z"}
	d["title"] = `a "quoted" Ä`
	for filter, want := range map[string]bool{
		`userName eq "BUDI@contoh.example"`:                        true,
		`USERNAME EQ "budi@contoh.example"`:                        true,
		`userName eq "budi"`:                                       false,
		`userName ne "budi"`:                                       true,
		`userName sw "budi" and active eq true`:                    true,
		`active eq "True"`:                                         true,
		`active ne true`:                                           false,
		`not (active eq true)`:                                     false,
		`userName eq "x" or displayName co "UD"`:                   true,
		`userName eq "x" or displayName co "z" and active eq true`: false,
		`(userName eq "x" or displayName co "ud") and title pr`:    true,
		`externalId pr`:                                            false,
		`externalId eq null`:                                       true,
		`emails pr`:                                                true,
		`emails eq "budi@rumah.example"`:                           true,
		`emails.type eq "home"`:                                    true,
		`emails[type eq "work" and value ew "@contoh.example"]`:    true,
		`emails[type eq "home" and value ew "@contoh.example"]`:    false,
		`name.givenName eq "budi"`:                                 true,
		EnterpriseSchema + `:employeeNumber eq "1001"`:             true,
		EnterpriseSchema + `:manager.value eq "p1"`:                true,
		EnterpriseSchema + `:manager eq "P1"`:                      false,
		UserSchema + `:userName sw "b"`:                            true,
		`meta.lastModified gt "2026-11-23T00:00:00+07:00"`:         true,
		`meta.lastModified le "2026-11-23T07:04:59Z"`:              false,
		`title eq "a \"quoted\" Ä"`:                                true,
		`title eq "a \u0022quoted\u0022 ä"`:                        true,
		`nickName pr`:                                              false,
		` active eq true `:                                         true,
	} {
		f, err := ParseFilter(User, filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := f.Match(d); got != want {
			t.Errorf("%s: got %v", filter, got)
		}
	}
	for _, filter := range []string{"", "userName", `userName eq`, `userName is "x"`, `shoeSize eq "x"`, `userName.x eq "x"`, `active gt true`, `active eq "maybe"`, `name eq "x"`,
		`userName eq 7`, `userName eq 'x'`, `emails[shoe eq "x"]`, `userName[type eq "x"]`, `urn:x:shoe eq "x"`, `meta.created gt "yesterday"`, `meta.created co "2026-11-23T07:05:00Z"`,
		`userName gt null`, `userName eq "x" and`, `(userName eq "x"`, strings.Repeat("(", 1500), strings.Repeat("not (", 300) + "title pr"} {
		if _, err := ParseFilter(User, filter); err == nil || err.Type != "invalidFilter" || err.Status != 400 {
			t.Errorf("%q: got %v, want invalidFilter", filter, err)
		}
	}
	for filter, want := range map[string]string{`userName eq "x"`: "x", `active eq true and userName eq "x"`: "x", `userName eq "x" or active eq true`: "", `not (userName eq "x")`: "", `userName co "x"`: ""} {
		f, err := ParseFilter(User, filter)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := f.Equal("userName"); got != want {
			t.Errorf("%s: it must be %q, want %q", filter, got, want)
		}
	}
}

// Whatever comes as a patch is refused with a status of SCIM or makes a document
// that can be read again, and never changes the document it starts from.
func FuzzPatch(f *testing.F) {
	for _, ops := range []string{
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"}`, `{"op":"add","value":{"name.givenName":"B","` + EnterpriseSchema + `":{"manager":"p"}}}`,
		`{"op":"remove","path":"phoneNumbers[value co \"08\"].type"}`, `{"op":"add","path":"addresses","value":[{"type":"work","primary":"True"},{"locality":"x"}]}`,
		`{"op":"remove","path":"emails","value":[{"value":"x"}]}`, `{"op":"remove","path":"` + EnterpriseSchema + `"}`,
	} {
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops string) {
		d := mustRead(t, User, before)
		was, _ := json.Marshal(d)
		p, err := ReadPatch(User, patchOf(ops))
		if err == nil {
			var after Document
			if after, err = p.Apply(d); err == nil {
				after["schemas"] = []string{UserSchema}
				body, _ := json.Marshal(after)
				if again, fault := Read(User, body); fault != nil {
					t.Errorf("%s makes %s, which cannot be read: %v", ops, body, fault)
				} else if once, _ := json.Marshal(again); len(once) == 0 {
					t.Error("nothing is left")
				}
			}
		}
		if err != nil && (err.Status != 400 || err.Type == "" || err.Detail == "") {
			t.Errorf("%s: got %d %q %q", ops, err.Status, err.Type, err.Detail)
		}
		if now, _ := json.Marshal(d); string(now) != string(was) {
			t.Errorf("%s changed the document that it was applied to", ops)
		}
	})
}

// Whatever comes as a filter or a path is read or refused, in no time.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{`userName eq "x"`, `not (emails[type eq "work"].value pr)`, `a.b.c`, EnterpriseSchema + `:manager.value eq "p"`, `emails[type eq "\u00e9"]`, "((((", `members[value eq "x"].display`} {
		f.Add(s)
	}
	d := mustRead(f, User, before)
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []Kind{User, Group} {
			if filter, err := ParseFilter(kind, s); err == nil {
				filter.Match(d)
			} else if err.Type != "invalidFilter" {
				t.Errorf("%q: got %q", s, err.Type)
			}
			if p, err := kind.target(s); err == nil {
				c := d.Copy()
				p.copyTo(d, Document{})
				p.drop(c)
			}
			Select(kind, []string{s}, []string{s}).Of(d)
		}
	})
}
