package web

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"mode":"live","mode":"drill"}`:                          "stands twice",
		`{"a":{"b":1,"c":[{"d":1,"d":2}]}}`:                       "stands twice",
		`{"mode":"drill","Mode":"live"}`:                          "stands twice",
		`{"answers":"read","an\u017fwers":"safety"}`:              "stands twice",
		`{"a":"b","b":"a","c":["a","a"],"d":{"a":1},"e":{"a":2}}`: "",
		`{"mode":`: "", // for the decoder
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000): "nested",
	} {
		err := checkJSON([]byte(body))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", body, err, want)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	f.Add(`{"a":1,"a":2}`)
	f.Add(`[[[{}]]]}`)
	f.Fuzz(func(t *testing.T, body string) {
		err := checkJSON([]byte(body)) // never panics
		var v any
		if err == nil && json.Unmarshal([]byte(body), &v) == nil && depth(v) > maxDepth {
			t.Errorf("%q passed", body)
		}
	})
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	default:
		return 0
	}
	return deepest + 1
}
