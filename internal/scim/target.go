package scim

import (
	"maps"
	"slices"
	"strings"

	parser "github.com/scim2/filter-parser/v2"
)

// target is what a path leads to (RFC 7644 §3.10): an attribute or a part of it,
// of all values or of those that a filter chooses; or a whole extension.
type target struct {
	path   string
	ext    string // name of the extension, empty for the core
	whole  bool   // the extension itself
	attr   attribute
	sub    attribute // its name is empty where the whole attribute is meant
	choose func(map[string]any) bool
	seed   map[string]any // what a value must hold to be chosen; nil if that is not just equality
}

// at is the attribute that is read or written in the end.
func (t target) at() attribute {
	if t.sub.name != "" {
		return t.sub
	}
	return t.attr
}

// target reads a path.
func (k Kind) target(path string) (target, *Error) {
	t := target{path: path}
	path = strings.TrimSpace(path)
	if s, ok := k.extension(path); ok {
		t.ext, t.whole = s.id, true
		return t, nil
	}
	if len(path) > maxFilter {
		return t, bad("invalidPath", "the path is longer than %d bytes", maxFilter)
	}
	p, err := parser.ParsePathNumber([]byte(path))
	if err != nil {
		return t, bad("invalidPath", "%s is no path", quote(path))
	}
	var ok bool
	if t.ext, t.attr, ok = k.attribute(p.AttributePath.URI(), p.AttributePath.AttributeName); !ok {
		return t, bad("invalidPath", "%s is not known", quote(path))
	}
	sub := p.SubAttributeName()
	if p.AttributePath.SubAttribute != nil {
		if sub != "" {
			return t, bad("invalidPath", "%s is no path", quote(path))
		}
		sub = p.AttributePath.SubAttributeName()
	}
	if sub != "" && !t.attr.dropped {
		if t.sub, ok = t.attr.find(sub); !ok {
			return t, bad("invalidPath", "%s is not known", quote(path))
		}
	}
	if p.ValueExpression == nil || t.attr.dropped {
		return t, nil
	}
	if !t.attr.many || t.attr.typ != "complex" {
		return t, bad("invalidPath", "%s has no values to choose from", quote(path))
	}
	var fault *Error
	if t.choose, fault = chooser(t.attr, p.ValueExpression); fault != nil {
		return t, fault
	}
	t.seed = seed(t.attr, p.ValueExpression)
	return t, nil
}

// seed returns the value that a filter of nothing but equalities describes: Entra
// replaces the mobile number of somebody who has none, and means that one.
func seed(a attribute, e parser.Expression) map[string]any {
	switch e := e.(type) {
	case *parser.LogicalExpression:
		left, right := seed(a, e.Left), seed(a, e.Right)
		if e.Operator != parser.AND || left == nil || right == nil {
			return nil
		}
		maps.Copy(left, right)
		return left
	case *parser.AttributeExpression:
		sub, ok := a.find(e.AttributePath.AttributeName)
		want := e.CompareValue
		if s, is := want.(string); is {
			want = unescape(s)
		}
		v, err := sub.one("", want)
		if !ok || err != nil || v == nil || e.Operator != parser.EQ {
			return nil
		}
		if sub.readOnly || sub.dropped {
			return map[string]any{}
		}
		return map[string]any{sub.name: v}
	}
	return nil
}

// holder returns the object in which the attribute of the target stands.
func (t target) holder(d Document, build bool) map[string]any {
	if t.ext == "" {
		return d
	}
	part, _ := d[t.ext].(map[string]any)
	if part == nil && build {
		part = map[string]any{}
		d[t.ext] = part
	}
	return part
}

// copyTo copies what the target has into another document.
func (t target) copyTo(from, to Document) {
	if t.whole {
		if v, ok := from[t.ext]; ok {
			to[t.ext] = copied(v)
		}
		return
	}
	v, ok := t.holder(from, false)[t.attr.name]
	if !ok {
		return
	}
	into := t.holder(to, true)
	if t.sub.name == "" {
		into[t.attr.name] = copied(v)
		return
	}
	part := func(v any, before any) map[string]any {
		object, _ := v.(map[string]any)
		out, _ := before.(map[string]any)
		if out == nil {
			out = map[string]any{}
		}
		if x, ok := object[t.sub.name]; ok {
			out[t.sub.name] = copied(x)
		}
		return out
	}
	list, ok := v.([]any)
	if !ok {
		into[t.attr.name] = part(v, into[t.attr.name])
		return
	}
	before, _ := into[t.attr.name].([]any)
	out := make([]any, len(list))
	for i, v := range list {
		var was any
		if i < len(before) {
			was = before[i]
		}
		out[i] = part(v, was)
	}
	into[t.attr.name] = out
}

// drop takes what the target has out of a document.
func (t target) drop(d Document) {
	if t.whole {
		delete(d, t.ext)
		return
	}
	in := t.holder(d, false)
	switch {
	case in == nil:
	case t.choose == nil && t.sub.name == "":
		delete(in, t.attr.name)
	case t.attr.many:
		list, _ := in[t.attr.name].([]any)
		list = slices.DeleteFunc(list, func(v any) bool {
			object, _ := v.(map[string]any)
			if t.choose != nil && !t.choose(object) {
				return false
			}
			if t.sub.name == "" {
				return true
			}
			delete(object, t.sub.name)
			_, valued := t.attr.find("value")
			return len(object) == 0 || valued && t.sub.name == "value" // a value without a value is none
		})
		if len(list) == 0 {
			delete(in, t.attr.name)
			return
		}
		in[t.attr.name] = list
	default:
		object, _ := in[t.attr.name].(map[string]any)
		if delete(object, t.sub.name); len(object) == 0 {
			delete(in, t.attr.name)
		}
	}
	if t.ext != "" && len(in) == 0 {
		delete(d, t.ext)
	}
}
