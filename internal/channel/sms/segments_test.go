package sms

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMeasureVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/sms-segments.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		N, Body, Encoding string
		Segments          int
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if got := Measure(c.Body); got.Encoding != c.Encoding || got.Segments != c.Segments {
			t.Errorf("%s: got %s in %d, want %s in %d", c.N, got.Encoding, got.Segments, c.Encoding, c.Segments)
		}
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	rep := strings.Repeat
	tests := []struct {
		name, text string
		want       Measurement
	}{
		{"empty", "", Measurement{"GSM-7", 0, 0, 160, nil}},
		{"full", rep("a", 160), Measurement{"GSM-7", 1, 160, 160, nil}},
		{"one over", rep("a", 161), Measurement{"GSM-7", 2, 161, 306, nil}},
		{"two full", rep("a", 306), Measurement{"GSM-7", 2, 306, 306, nil}},
		{"three", rep("a", 307), Measurement{"GSM-7", 3, 307, 459, nil}},
		{"extension full", rep("€", 80), Measurement{"GSM-7", 1, 160, 160, []string{"€"}}},
		{"extension over", rep("€", 81), Measurement{"GSM-7", 2, 162, 306, []string{"€"}}},
		{"escape is not split", rep("a", 152) + "€" + rep("a", 152), Measurement{"GSM-7", 3, 306, 459, []string{"€"}}},
		{"small cedilla", "ç", Measurement{"UCS-2", 1, 1, 70, []string{"ç"}}},
		{"backtick", "`", Measurement{"UCS-2", 1, 1, 70, []string{"`"}}},
		{"Greek of GSM", "ΔΩ_", Measurement{"GSM-7", 1, 3, 160, nil}},
		{"not Greek of GSM", "\u2206", Measurement{"UCS-2", 1, 1, 70, []string{"\u2206"}}},
		{"curly quote full", rep("a", 69) + "’", Measurement{"UCS-2", 1, 70, 70, []string{"’"}}},
		{"curly quote over", rep("a", 70) + "’", Measurement{"UCS-2", 2, 71, 134, []string{"’"}}},
		{"curly quote three", rep("a", 134) + "’", Measurement{"UCS-2", 3, 135, 201, []string{"’"}}},
		{"pairs full", rep("😀", 35), Measurement{"UCS-2", 1, 70, 70, []string{"😀"}}},
		{"pairs over", rep("😀", 36), Measurement{"UCS-2", 2, 72, 134, []string{"😀"}}},
		{"pair is not split", rep("a", 66) + "😀" + rep("a", 66), Measurement{"UCS-2", 3, 134, 201, []string{"😀"}}},
		{"each named once", "“a” “b”", Measurement{"UCS-2", 1, 7, 70, []string{"“", "”"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Measure(tt.text)
			if got.Encoding != tt.want.Encoding || got.Segments != tt.want.Segments || got.Units != tt.want.Units ||
				got.Limit != tt.want.Limit || !slices.Equal(got.Awkward, tt.want.Awkward) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add("a€")
	f.Add(strings.Repeat("😀", 36))
	f.Fuzz(func(t *testing.T, s string) {
		m := Measure(s)
		if m.Units > m.Limit || (s == "") != (m.Segments == 0) {
			t.Fatalf("%q measures %+v", s, m)
		}
		if m.Encoding == "GSM-7" && m.Units < utf8.RuneCountInString(s) {
			t.Fatalf("%q has fewer units than characters: %+v", s, m)
		}
	})
}
