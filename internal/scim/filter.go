package scim

import (
	"encoding/json"
	"strings"
	"time"

	parser "github.com/scim2/filter-parser/v2"
)

// Filter chooses resources (RFC 7644 §3.4.2.2).
type Filter struct {
	match func(map[string]any) bool
	equal map[string]string // what everything it chooses has, by "attribute" or "extension:attribute"
}

// Match reports whether the filter chooses a resource. No filter chooses all.
func (f *Filter) Match(d Document) bool { return f == nil || f.match(d) }

// Equal returns the text that an attribute must have for a resource to be chosen,
// if there is just one.
func (f *Filter) Equal(attribute string) (value string, ok bool) {
	if f == nil {
		return "", false
	}
	value, ok = f.equal[attribute]
	return value, ok
}

// ParseFilter reads a filter.
func ParseFilter(kind Kind, s string) (*Filter, *Error) {
	if len(s) > maxFilter {
		return nil, bad("invalidFilter", "the filter is longer than %d bytes", maxFilter)
	}
	e, err := parser.ParseFilterNumber([]byte(strings.TrimSpace(s)))
	if err != nil {
		return nil, bad("invalidFilter", "the filter cannot be read")
	}
	c := compiler{find: kind.named, equal: map[string]string{}}
	match, fault := c.compile(e, true)
	if fault != nil {
		return nil, fault
	}
	return &Filter{match, c.equal}, nil
}

// named finds the attribute of a filter. Entra leaves out the name of the extension
// when it asks for somebody's manager.
func (k Kind) named(p parser.AttributePath) (ext string, a attribute, ok bool) {
	if ext, a, ok = k.attribute(p.URI(), p.AttributeName); ok || p.URIPrefix != nil {
		return ext, a, ok
	}
	for _, s := range k.extensions() {
		if a, ok = find(s.attributes, p.AttributeName); ok {
			return s.id, a, ok
		}
	}
	return "", attribute{}, false
}

// compiler makes a filter out of what was parsed.
type compiler struct {
	find  func(parser.AttributePath) (ext string, a attribute, ok bool)
	equal map[string]string
}

// compile returns what chooses. must says that nothing is chosen unless this part
// chooses it.
func (c *compiler) compile(e parser.Expression, must bool) (func(map[string]any) bool, *Error) {
	switch e := e.(type) {
	case *parser.LogicalExpression:
		must = must && e.Operator == parser.AND
		left, err := c.compile(e.Left, must)
		if err != nil {
			return nil, err
		}
		right, err := c.compile(e.Right, must)
		if err != nil {
			return nil, err
		}
		if e.Operator == parser.AND {
			return func(o map[string]any) bool { return left(o) && right(o) }, nil
		}
		return func(o map[string]any) bool { return left(o) || right(o) }, nil
	case *parser.NotExpression:
		inner, err := c.compile(e.Expression, false)
		if err != nil {
			return nil, err
		}
		return func(o map[string]any) bool { return !inner(o) }, nil
	case *parser.ValuePath:
		ext, a, ok := c.find(e.AttributePath)
		if !ok || a.typ != "complex" || e.AttributePath.SubAttribute != nil {
			return nil, bad("invalidFilter", "%s has no values to choose from", quote(e.AttributePath.String()))
		}
		inner, err := chooser(a, e.ValueFilter)
		if err != nil {
			return nil, err
		}
		return func(o map[string]any) bool {
			for _, v := range values(o, ext, a.name) {
				if object, ok := v.(map[string]any); ok && inner(object) {
					return true
				}
			}
			return false
		}, nil
	case *parser.AttributeExpression:
		return c.compare(e, must)
	}
	return nil, bad("invalidFilter", "the filter cannot be read")
}

// chooser makes a filter of the values of one attribute.
func chooser(a attribute, e parser.Expression) (func(map[string]any) bool, *Error) {
	c := compiler{find: func(p parser.AttributePath) (string, attribute, bool) {
		sub, ok := a.find(p.AttributeName)
		return "", sub, ok && p.URIPrefix == nil
	}, equal: map[string]string{}}
	return c.compile(e, false)
}

// compare makes a filter of one comparison.
func (c *compiler) compare(e *parser.AttributeExpression, must bool) (func(map[string]any) bool, *Error) {
	path := e.AttributePath
	ext, a, ok := c.find(path)
	name, sub := a.name, path.SubAttributeName()
	if ok && sub == "" && a.typ == "complex" {
		if _, has := a.find("value"); has && e.Operator != parser.PR {
			sub = "value"
		}
	}
	if ok && sub != "" {
		a, ok = a.find(sub)
		sub = a.name
	}
	if !ok {
		return nil, bad("invalidFilter", "%s is not known", quote(path.String()))
	}
	test, err := comparison(a, e)
	if err != nil {
		return nil, err
	}
	if s, is := e.CompareValue.(string); must && is && e.Operator == parser.EQ && sub == "" {
		key := name
		if ext != "" {
			key = ext + ":" + name
		}
		c.equal[key] = unescape(s)
	}
	return func(o map[string]any) bool {
		all := values(o, ext, name)
		if sub != "" {
			parts := make([]any, 0, len(all))
			for _, v := range all {
				if object, ok := v.(map[string]any); ok && object[sub] != nil {
					parts = append(parts, object[sub])
				}
			}
			all = parts
		}
		return test(all)
	}, nil
}

// values returns what an attribute of an object has, as a list.
func values(o map[string]any, ext, name string) []any {
	if ext != "" {
		o, _ = o[ext].(map[string]any)
	}
	switch v := o[name].(type) {
	case nil:
		return nil
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	default:
		return []any{v}
	}
}

// unescape reads a text as JSON does; the parser leaves it as it was written.
func unescape(s string) string {
	var out string
	if json.Unmarshal([]byte(`"`+s+`"`), &out) != nil {
		return s
	}
	return out
}

// comparison makes a test of the values that an attribute has.
func comparison(a attribute, e *parser.AttributeExpression) (func([]any) bool, *Error) {
	op := e.Operator
	present := func(all []any) bool { return len(all) > 0 }
	absent := func(all []any) bool { return len(all) == 0 }
	refuse := func() (func([]any) bool, *Error) {
		return nil, bad("invalidFilter", "%s cannot be compared so", quote(e.AttributePath.String()))
	}
	switch {
	case op == parser.PR, op == parser.NE && e.CompareValue == nil:
		return present, nil
	case op == parser.EQ && e.CompareValue == nil:
		return absent, nil
	case e.CompareValue == nil, a.typ == "complex":
		return refuse()
	}
	anyOf := func(test func(any) bool) func([]any) bool {
		return func(all []any) bool {
			for _, v := range all {
				if test(v) {
					return true
				}
			}
			return false
		}
	}
	if a.typ == "boolean" {
		want, err := a.one("", e.CompareValue)
		if err != nil || op != parser.EQ && op != parser.NE {
			return refuse()
		}
		return anyOf(func(v any) bool { return (v == want) == (op == parser.EQ) }), nil
	}
	s, ok := e.CompareValue.(string)
	if !ok {
		return refuse()
	}
	s = unescape(s)
	if a.typ == "dateTime" {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return refuse()
		}
		order, ok := ordered(op)
		if !ok {
			return refuse()
		}
		return anyOf(func(v any) bool {
			text, _ := v.(string)
			t, err := time.Parse(time.RFC3339, text)
			return err == nil && order(t.Compare(at))
		}), nil
	}
	like := func(s string) string { return s }
	if !a.exact {
		like = strings.ToLower
	}
	s = like(s)
	text := func(test func(string) bool) func([]any) bool {
		return anyOf(func(v any) bool { t, ok := v.(string); return ok && test(like(t)) })
	}
	switch op {
	case parser.CO:
		return text(func(t string) bool { return strings.Contains(t, s) }), nil
	case parser.SW:
		return text(func(t string) bool { return strings.HasPrefix(t, s) }), nil
	case parser.EW:
		return text(func(t string) bool { return strings.HasSuffix(t, s) }), nil
	case parser.NE:
		same := text(func(t string) bool { return t == s })
		return func(all []any) bool { return !same(all) }, nil
	}
	order, ok := ordered(op)
	if !ok {
		return refuse()
	}
	return text(func(t string) bool { return order(strings.Compare(t, s)) }), nil
}

// ordered returns which outcomes of a comparison an operator takes.
func ordered(op parser.CompareOperator) (func(int) bool, bool) {
	switch op {
	case parser.EQ:
		return func(c int) bool { return c == 0 }, true
	case parser.NE:
		return func(c int) bool { return c != 0 }, true
	case parser.GT:
		return func(c int) bool { return c > 0 }, true
	case parser.GE:
		return func(c int) bool { return c >= 0 }, true
	case parser.LT:
		return func(c int) bool { return c < 0 }, true
	case parser.LE:
		return func(c int) bool { return c <= 0 }, true
	}
	return nil, false
}
