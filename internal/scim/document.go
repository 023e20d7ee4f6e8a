package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Document is a resource. Its names are spelt as in the schemas, an extension
// stands under its own, and values are strings, booleans, objects and lists of
// objects.
type Document map[string]any

// Read reads the body of a request that makes or replaces a resource. What it
// clears is there as nil.
func Read(kind Kind, body []byte) (Document, *Error) {
	all, err := readObject(body)
	if err != nil {
		return nil, err
	}
	if err := declares(all, kind.core().id); err != nil {
		return nil, err
	}
	doc := Document{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if s, ok := kind.extension(name); ok {
			part, err := s.read(all[name])
			if err != nil {
				return nil, err
			}
			doc[s.id] = part
			continue
		}
		_, a, ok := kind.attribute("", name)
		if !ok {
			return nil, bad("invalidSyntax", "%s is no attribute of a %s", quote(name), kind)
		}
		if a.readOnly || a.dropped {
			continue
		}
		v, err := a.read(a.name, all[name])
		if err != nil {
			return nil, err
		}
		doc[a.name] = v
	}
	for _, a := range kind.core().attributes {
		if a.required && doc[a.name] == nil {
			return nil, InvalidValue(a.name, "is required")
		}
	}
	return doc, nil
}

// readObject decodes a body whose names stand once.
func readObject(body []byte) (map[string]any, *Error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil || all == nil {
		return nil, bad("invalidSyntax", "the body is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, bad("invalidSyntax", "something follows the JSON object")
	}
	return all, twice(all)
}

// twice refuses names that differ only in case: they are one attribute.
func twice(object map[string]any) *Error {
	seen := map[string]bool{}
	for name := range object {
		if low := strings.ToLower(name); seen[low] {
			return bad("invalidSyntax", "%s stands twice", quote(name))
		} else {
			seen[low] = true
		}
	}
	return nil
}

// named returns a member by its name in any case.
func named(object map[string]any, name string) any {
	for n, v := range object {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return nil
}

// declares checks that the body says which schema it is written by.
func declares(all map[string]any, id string) *Error {
	list, _ := named(all, "schemas").([]any)
	if len(list) <= maxSchemas && slices.ContainsFunc(list, func(v any) bool { s, ok := v.(string); return ok && strings.EqualFold(s, id) }) {
		return nil
	}
	return bad("invalidSyntax", "schemas does not name %s", id)
}

// read takes the attributes of an extension.
func (s schema) read(v any) (map[string]any, *Error) {
	if v == nil {
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, bad("invalidValue", "%s: is not an object", s.id)
	}
	return readAll(s.id+":", s.attributes, object)
}

// readSub takes the parts of an attribute.
func readSub(at string, known []attribute, object map[string]any) (map[string]any, *Error) {
	out, err := readAll(at, known, object)
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out, err
}

// readAll takes the members of an object; what has no value is there as nil.
func readAll(at string, known []attribute, object map[string]any) (map[string]any, *Error) {
	if err := twice(object); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		a, ok := find(known, name)
		if !ok {
			return nil, bad("invalidSyntax", "%s is not known", quote(at+name))
		}
		if a.readOnly || a.dropped {
			continue
		}
		v, err := a.read(at+a.name, object[name])
		if err != nil {
			return nil, err
		}
		out[a.name] = v
	}
	return out, nil
}

// Over returns what a document becomes when this one replaces it. What this one
// does not speak of stays (RFC 7644 §3.5.1 leaves that to us): a provider that
// knows no phone numbers must not take them away.
func (d Document) Over(before Document) Document {
	out := before.Copy()
	for name, v := range d {
		part, isPart := v.(map[string]any)
		if !isPart || !strings.Contains(name, ":") {
			put(out, name, v)
			continue
		}
		into, _ := out[name].(map[string]any)
		if into == nil {
			into = map[string]any{}
		}
		for name, v := range part {
			put(into, name, v)
		}
		if out[name] = into; len(into) == 0 {
			delete(out, name)
		}
	}
	return out
}

func put(in map[string]any, name string, v any) {
	if v == nil {
		delete(in, name)
		return
	}
	in[name] = v
}

// read takes a value of an attribute; nothing, an empty text and an empty list are
// all no value.
func (a attribute) read(at string, v any) (any, *Error) {
	if v == nil {
		return nil, nil
	}
	if !a.many {
		return a.one(at, v)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v} // Okta and Entra send a single value so now and then
	}
	out := make([]any, 0, len(list))
	for i, v := range list {
		one, err := a.one(fmt.Sprintf("%s[%d]", at, i), v)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (a attribute) one(at string, v any) (any, *Error) {
	switch v := v.(type) {
	case string:
		switch a.typ {
		case "boolean": // Entra writes "False"
			switch strings.ToLower(v) {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
			return nil, InvalidValue(at, "must be true or false")
		case "complex":
			if _, ok := a.find("value"); !ok {
				return nil, InvalidValue(at, "is not an object")
			}
			if v == "" {
				return nil, nil
			}
			return map[string]any{"value": v}, nil // Entra writes a manager so
		}
		if v == "" {
			return nil, nil
		}
		return v, nil
	case bool:
		if a.typ == "boolean" {
			return v, nil
		}
	case map[string]any:
		if a.typ != "complex" {
			break
		}
		out, err := readSub(at+".", a.sub, v)
		if err != nil || len(out) == 0 {
			return nil, err
		}
		return out, nil
	}
	return nil, InvalidValue(at, "must be "+map[string]string{"boolean": "true or false", "complex": "an object"}[a.typ]+
		map[bool]string{true: "a text"}[a.typ != "boolean" && a.typ != "complex"])
}

// quote shows a name that came from outside, in a bounded length.
func quote(name string) string {
	if r := []rune(name); len(r) > 120 {
		name = string(r[:120]) + "…"
	}
	return fmt.Sprintf("%q", name)
}

// Copy returns a document that can be changed without changing this one.
func (d Document) Copy() Document { return copied(map[string]any(d)).(map[string]any) }

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, v := range v {
			out[k] = copied(v)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, v := range v {
			out[i] = copied(v)
		}
		return out
	}
	return v
}

// Text returns a text: of an attribute, or of a part of an object.
func (d Document) Text(path ...string) string {
	var at any = map[string]any(d)
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	s, _ := at.(string)
	return s
}

// Bool returns a truth, or what counts where nothing is said.
func (d Document) Bool(name string, otherwise bool) bool {
	if b, ok := d[name].(bool); ok {
		return b
	}
	return otherwise
}

// Values returns the values of a multi-valued attribute.
func (d Document) Values(name string) []map[string]any {
	list, _ := d[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		if object, ok := v.(map[string]any); ok {
			out = append(out, object)
		}
	}
	return out
}

// Typed returns a part of the value of this type, in any case.
func (d Document) Typed(name, typ, part string) string {
	for _, v := range d.Values(name) {
		if t, _ := v["type"].(string); strings.EqualFold(t, typ) {
			s, _ := v[part].(string)
			return s
		}
	}
	return ""
}

// Version is the entity tag.
func (d Document) Version() string {
	meta, _ := d["meta"].(map[string]any)
	v, _ := meta["version"].(string)
	return v
}

// Location is where the resource is.
func (d Document) Location() string {
	meta, _ := d["meta"].(map[string]any)
	v, _ := meta["location"].(string)
	return v
}

// Selection is which parts of resources are asked for (RFC 7644 §3.9).
type Selection struct{ only, except []target }

// Select reads the names of attributes that are wanted, and of those that are not.
// Unknown ones choose nothing.
func Select(kind Kind, attributes, excluded []string) Selection {
	var s Selection
	for i, names := range [][]string{attributes, excluded} {
		to := []*[]target{&s.only, &s.except}[i]
		for _, name := range names[:min(len(names), maxOps)] {
			if t, err := kind.target(name); err == nil && t.choose == nil {
				*to = append(*to, t)
			}
		}
	}
	if len(attributes) > 0 {
		for _, always := range []string{"schemas", "id", "meta"} {
			s.only = append(s.only, target{attr: attribute{name: always}})
		}
	}
	return s
}

// Of returns the parts of a resource that were asked for. What names it stays.
func (s Selection) Of(d Document) Document {
	out := d
	if len(s.only) > 0 {
		out = Document{}
		for _, t := range s.only {
			t.copyTo(d, out)
		}
	}
	if len(s.except) > 0 {
		out = out.Copy()
		for _, t := range s.except {
			if t.attr.name != "id" && t.attr.name != "schemas" {
				t.drop(out)
			}
		}
	}
	return out
}
