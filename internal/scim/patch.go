package scim

import (
	"maps"
	"slices"
	"strings"
)

// Patch is a list of changes (RFC 7644 §3.5.2): all of them are made, or none.
type Patch struct {
	kind Kind
	ops  []operation
}

type operation struct {
	op    string
	at    target
	value any
}

// ReadPatch reads the body of a PATCH.
func ReadPatch(kind Kind, body []byte) (Patch, *Error) {
	p := Patch{kind: kind}
	all, err := readObject(body)
	if err != nil {
		return p, err
	}
	if err := declares(all, PatchMessage); err != nil {
		return p, err
	}
	list, ok := named(all, "Operations").([]any)
	switch {
	case !ok || len(list) == 0:
		return p, bad("invalidSyntax", "Operations is empty")
	case len(list) > maxOps:
		return p, bad("tooMany", "more than %d operations in one request", maxOps)
	}
	for _, v := range list {
		object, ok := v.(map[string]any)
		if !ok {
			return p, bad("invalidSyntax", "an operation is not an object")
		}
		if err := twice(object); err != nil {
			return p, err
		}
		op, _ := named(object, "op").(string)
		op = strings.ToLower(op) // Entra writes "Replace"
		if op != "add" && op != "replace" && op != "remove" {
			return p, bad("invalidSyntax", "op must be add, replace or remove, not %s", quote(op))
		}
		path := named(object, "path")
		value := named(object, "value")
		switch path := path.(type) {
		case string:
			if path == "" {
				return p, bad("invalidPath", "the path is empty")
			}
			if err := p.take(op, path, value, false); err != nil {
				return p, err
			}
		case nil:
			if op == "remove" {
				return p, bad("noTarget", "remove needs a path")
			}
			changes, ok := value.(map[string]any)
			if !ok {
				return p, bad("invalidValue", "value must be an object where there is no path")
			}
			for _, name := range slices.Sorted(maps.Keys(changes)) {
				if strings.EqualFold(name, "schemas") {
					continue
				}
				if err := p.take(op, name, changes[name], true); err != nil {
					return p, err
				}
			}
		default:
			return p, bad("invalidSyntax", "a path is not a text")
		}
	}
	return p, nil
}

// take notes one change. bare: it comes from an object that says several, in which
// Okta also repeats the id.
func (p *Patch) take(op, path string, value any, bare bool) *Error {
	t, err := p.kind.target(path)
	if err != nil {
		return err
	}
	if t.whole {
		if op == "remove" {
			p.ops = append(p.ops, operation{op: op, at: t})
			return nil
		}
		changes, ok := value.(map[string]any)
		if !ok {
			return bad("invalidValue", "%s: is not an object", t.ext)
		}
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			if err := p.take(op, t.ext+":"+name, changes[name], bare); err != nil {
				return err
			}
		}
		return nil
	}
	if t.attr.dropped || t.at().dropped || bare && t.at().readOnly {
		return nil
	}
	if t.at().readOnly {
		return bad("mutability", "%s cannot be changed", t.path)
	}
	p.ops = append(p.ops, operation{op: op, at: t, value: value})
	return nil
}

// Apply makes the changes in a copy of a document.
func (p Patch) Apply(d Document) (Document, *Error) {
	out := d.Copy()
	for _, o := range p.ops {
		if err := o.apply(out); err != nil {
			return nil, err
		}
	}
	for _, a := range p.kind.core().attributes {
		if a.required && out[a.name] == nil {
			return nil, bad("mutability", "%s is required and cannot be removed", a.name)
		}
	}
	return out, nil
}

func (o operation) apply(d Document) *Error {
	t := o.at
	if o.op == "remove" {
		return o.remove(d)
	}
	value := o.value
	if t.choose != nil || t.sub.name != "" {
		return o.set(d)
	}
	v, err := t.attr.read(t.path, value)
	if err != nil {
		return err
	}
	if v == nil {
		if o.op == "replace" {
			t.drop(d)
		}
		return nil
	}
	in := t.holder(d, true)
	switch now := v.(type) {
	case []any:
		before, _ := in[t.attr.name].([]any)
		if o.op == "replace" {
			before = nil
		}
		in[t.attr.name] = join(before, now)
	case map[string]any:
		object, _ := in[t.attr.name].(map[string]any)
		if object == nil {
			object = map[string]any{}
			in[t.attr.name] = object
		}
		maps.Copy(object, now)
	default:
		in[t.attr.name] = v
	}
	return nil
}

// set writes a part of an attribute, or values that a filter chooses.
func (o operation) set(d Document) *Error {
	t := o.at
	a := t.at()
	a.many = false
	v, err := a.read(t.path, o.value)
	if err != nil {
		return err
	}
	if v == nil {
		if o.op == "replace" {
			t.drop(d)
		}
		return nil
	}
	write := func(object map[string]any) {
		if t.sub.name != "" {
			object[t.sub.name] = v
		} else if now, ok := v.(map[string]any); ok {
			maps.Copy(object, now)
		}
	}
	in := t.holder(d, true)
	if !t.attr.many {
		object, _ := in[t.attr.name].(map[string]any)
		if object == nil {
			object = map[string]any{}
			in[t.attr.name] = object
		}
		write(object)
		return nil
	}
	list, _ := in[t.attr.name].([]any)
	written := map[int]bool{}
	for i, v := range list {
		if object, ok := v.(map[string]any); ok && (t.choose == nil || t.choose(object)) {
			write(object)
			written[i] = true
		}
	}
	if len(written) == 0 {
		if t.choose != nil && t.seed == nil {
			return bad("noTarget", "%s chooses nothing", quote(t.path))
		}
		object := map[string]any{}
		maps.Copy(object, t.seed)
		write(object)
		written[len(list)] = true
		list = append(list, object)
	}
	in[t.attr.name] = list
	onePrimary(list, func(i int) bool { return written[i] })
	return nil
}

// remove takes out an attribute, values that a filter chooses, or, as Entra asks
// for it, the values that are given.
func (o operation) remove(d Document) *Error {
	t := o.at
	if o.value == nil || !t.attr.many || t.choose != nil || t.sub.name != "" {
		t.drop(d)
		return nil
	}
	v, err := t.attr.read(t.path, o.value)
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	list, _ := v.([]any)
	for _, v := range list {
		gone[identity(v)] = true
	}
	in := t.holder(d, false)
	rest, _ := in[t.attr.name].([]any)
	rest = slices.DeleteFunc(rest, func(v any) bool { return gone[identity(v)] })
	if in[t.attr.name] = rest; len(rest) == 0 {
		delete(in, t.attr.name)
	}
	return nil
}

// identity tells the values of an attribute apart.
func identity(v any) string {
	object, _ := v.(map[string]any)
	value, _ := object["value"].(string)
	typ, _ := object["type"].(string)
	return strings.ToLower(typ) + "\x00" + value
}

// join adds values that are not there yet. One without a value of its own, such as
// an address, takes the place of the one of its type.
func join(before, now []any) []any {
	at := make(map[string]int, len(before)+len(now))
	for i, v := range before {
		at[identity(v)] = i
	}
	first := len(before)
	touched := map[int]bool{}
	for _, v := range now {
		key := identity(v)
		if i, there := at[key]; there {
			if object, ok := before[i].(map[string]any); ok {
				maps.Copy(object, v.(map[string]any))
			}
			touched[i] = true
			continue
		}
		at[key] = len(before)
		before = append(before, v)
	}
	onePrimary(before, func(i int) bool { return i >= first || touched[i] })
	return before
}

// onePrimary lets a value that was just written as the primary one be the only one.
func onePrimary(list []any, written func(int) bool) {
	last := -1
	for i, v := range list {
		if object, _ := v.(map[string]any); object["primary"] == true && written(i) {
			last = i
		}
	}
	if last < 0 {
		return
	}
	for i, v := range list {
		if object, _ := v.(map[string]any); i != last && object["primary"] == true {
			object["primary"] = false
		}
	}
}
