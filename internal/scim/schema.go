package scim

import (
	"slices"
	"strings"
)

// attribute is something a resource may hold.
type attribute struct {
	name     string
	typ      string // string, boolean, complex, reference, dateTime
	says     string
	many     bool // multi-valued
	required bool
	exact    bool // case counts
	unique   bool // on this server
	readOnly bool
	dropped  bool // of the RFC; taken and not kept
	types    []string
	sub      []attribute
}

func (a attribute) find(name string) (attribute, bool) { return find(a.sub, name) }

func find(in []attribute, name string) (attribute, bool) {
	i := slices.IndexFunc(in, func(a attribute) bool { return strings.EqualFold(a.name, name) })
	if i < 0 {
		return attribute{}, false
	}
	return in[i], true
}

func text(name, says string) attribute { return attribute{name: name, typ: "string", says: says} }

// unkept are attributes that we have no use for.
func unkept(names ...string) []attribute {
	out := make([]attribute, len(names))
	for i, n := range names {
		out[i] = attribute{name: n, typ: "string", dropped: true}
	}
	return out
}

func complexOf(name, says string, sub ...attribute) attribute {
	return attribute{name: name, typ: "complex", says: says, sub: sub}
}

// plural is a multi-valued attribute whose values have a type.
func plural(name, says string, types []string, sub ...attribute) attribute {
	sub = append(sub, attribute{name: "type", typ: "string", says: "Which of them it is.", types: types},
		attribute{name: "primary", typ: "boolean", says: "The one that counts most."})
	return attribute{name: name, typ: "complex", says: says, many: true, sub: append(sub, unkept("display", "$ref")...)}
}

// common is what every resource has (RFC 7643 §3.1).
var common = []attribute{
	{name: "schemas", typ: "reference", many: true, readOnly: true},
	{name: "id", typ: "string", exact: true, readOnly: true},
	{name: "externalId", typ: "string", exact: true, says: "How the provider calls the resource."},
	{name: "meta", typ: "complex", readOnly: true, sub: []attribute{
		{name: "resourceType", typ: "string", exact: true, readOnly: true}, {name: "created", typ: "dateTime", readOnly: true},
		{name: "lastModified", typ: "dateTime", readOnly: true}, {name: "location", typ: "reference", exact: true, readOnly: true},
		{name: "version", typ: "string", exact: true, readOnly: true},
	}},
}

// schema is a set of attributes under a name.
type schema struct {
	id, name, says string
	attributes     []attribute
}

var userSchema = schema{UserSchema, "User", "Somebody who works here", append([]attribute{
	{name: "userName", typ: "string", required: true, unique: true, says: "The login at the provider. It is the employee number too where none is given."},
	complexOf("name", "What somebody is called. One word is a whole name.",
		append([]attribute{text("formatted", "The whole name, where there is no displayName."), text("givenName", "What a message calls them."),
			text("familyName", "Follows the given name, where there is no whole name.")}, unkept("middleName", "honorificPrefix", "honorificSuffix")...)...),
	text("displayName", "The name as colleagues know it."), text("title", "The job title."),
	text("preferredLanguage", "The language of messages, such as id or en-GB."), text("locale", "The language of messages, where there is no preferredLanguage."),
	text("timezone", "Such as Asia/Jakarta."),
	{name: "active", typ: "boolean", says: "Works here. Whoever does not is called by nothing and sees nothing."},
	plural("emails", "The primary one, else the one of work, is kept.", []string{"work", "home", "other"}, text("value", "The address.")),
	plural("phoneNumbers", "The mobile number is kept.", []string{"mobile", "work", "home", "fax", "pager", "other"}, text("value", "As people write it.")),
	plural("addresses", "The one of work is kept.", []string{"work", "home", "other"},
		append([]attribute{text("locality", "The site."), text("country", "Decides how a number without a country code is read.")},
			unkept("formatted", "streetAddress", "region", "postalCode")...)...),
	{name: "groups", typ: "complex", many: true, readOnly: true, dropped: true},
}, unkept("nickName", "profileUrl", "userType", "password", "ims", "photos", "entitlements", "roles", "x509Certificates")...)}

var enterpriseSchema = schema{EnterpriseSchema, "EnterpriseUser", "Somebody's place in the company", append([]attribute{
	{name: "employeeNumber", typ: "string", unique: true, says: "The number by which the company knows somebody."},
	text("department", "The department."), text("division", "The department, where there is none."),
	complexOf("manager", "Who answers for them.", attribute{name: "value", typ: "string", exact: true, says: "The id of another User."},
		attribute{name: "$ref", typ: "reference", exact: true, readOnly: true}, attribute{name: "displayName", typ: "string", readOnly: true}),
}, unkept("costCenter", "organization")...)}

var groupSchema = schema{GroupSchema, "Group", "People who are called together", []attribute{
	{name: "displayName", typ: "string", required: true, unique: true, says: "The name of the group."},
	{name: "members", typ: "complex", many: true, says: "Its people.", sub: append([]attribute{
		{name: "value", typ: "string", exact: true, says: "The id of a User."}, {name: "$ref", typ: "reference", exact: true, readOnly: true},
		{name: "display", typ: "string", readOnly: true}}, unkept("type")...)},
}}

// extensions of a kind, under their own names in its documents.
func (k Kind) core() schema {
	if k == Group {
		return groupSchema
	}
	return userSchema
}

func (k Kind) extensions() []schema {
	if k == User {
		return []schema{enterpriseSchema}
	}
	return nil
}

// extension returns the extension of this name.
func (k Kind) extension(id string) (schema, bool) {
	for _, s := range k.extensions() {
		if strings.EqualFold(s.id, id) {
			return s, true
		}
	}
	return schema{}, false
}

// attribute finds an attribute: of an extension with its name, else of the core.
func (k Kind) attribute(uri, name string) (ext string, a attribute, ok bool) {
	if s, is := k.extension(uri); is {
		a, ok = find(s.attributes, name)
		return s.id, a, ok
	}
	if uri != "" && !strings.EqualFold(uri, k.core().id) {
		return "", attribute{}, false
	}
	if a, ok = find(k.core().attributes, name); !ok {
		a, ok = find(common, name)
	}
	return "", a, ok
}
