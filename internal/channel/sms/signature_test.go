package sms

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
)

const formType = "application/x-www-form-urlencoded"

// sign signs what is given, byte for byte.
func sign(token, signed string) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(signed))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestValidSignatureVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/twilio-signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		N, Token, URL, Body, Sig string
		Params                   url.Values
		OK                       bool
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		kind, body := formType+"; charset=UTF-8", c.Params.Encode()
		if c.Params == nil {
			kind, body = "application/json", c.Body
		}
		if got := ValidSignature(c.Token, c.URL, kind, []byte(body), c.Sig); got != c.OK {
			t.Errorf("%s: got %v, want %v", c.N, got, c.OK)
		}
	}
}

func TestValidSignature(t *testing.T) {
	t.Parallel()
	const token, hook = "12345", "https://kentongan.example/hooks/twilio/message"
	jsonHook := hook + "?bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	tests := []struct {
		name, token, url, kind, body, sig string
		want                              bool
	}{
		{"repeated values, sorted", token, hook, formType, "A=2&A=1", sign(token, hook+"A1A2"), true},
		{"repeated values, in order of arrival", token, hook, formType, "A=2&A=1", sign(token, hook+"A2A1"), false},
		{"equal values count once", token, hook, formType, "A=1&A=1&B=3", sign(token, hook+"A1B3"), true},
		{"only the first value", token, hook, formType, "A=1&A=2", sign(token, hook+"A1"), false},
		{"values are not trimmed", token, hook, formType, "Body=+1+", sign(token, hook+"Body 1 "), true},
		{"empty value", token, hook, formType, "Body=", sign(token, hook+"Body"), true},
		{"apostrophe in the query", token, hook + "?d=a'b", formType, "A=1", sign(token, hook+"?d=a'bA1"), true},
		{"escapes are kept", token, hook + "?d=a%2Fb+c", formType, "A=1", sign(token, hook+"?d=a%2Fb+cA1"), true},
		{"fragment is not signed", token, hook + "#rc=5&rp=all", formType, "A=1", sign(token, hook+"A1"), true},
		{"IPv6 with port", token, "https://[2001:db8::1]:443/h", formType, "", sign(token, "https://[2001:db8::1]/h"), true},
		{"IPv6 without port", token, "https://[2001:db8::1]/h", formType, "", sign(token, "https://[2001:db8::1]:443/h"), true},
		{"other token", token, hook, formType, "A=1", sign("54321", hook+"A1"), false},
		{"empty token never signs", "", hook, formType, "A=1", sign("", hook+"A1"), false},
		{"empty signature", token, hook, formType, "A=1", "", false},
		{"not base64", token, hook, formType, "A=1", "???", false},
		{"other path", token, hook + "x", formType, "A=1", sign(token, hook+"A1"), false},
		{"added parameter", token, hook, formType, "A=1&B=2", sign(token, hook+"A1"), false},
		{"broken form", token, hook, formType, "A=%zz", sign(token, hook), false},
		{"JSON with another body", token, jsonHook, "application/json", `{"a":1}`, sign(token, jsonHook), false},
		{"JSON without a hash", token, hook, "application/json", "{}", sign(token, hook), false},
		{"no body at all", token, hook, "", "", sign(token, hook), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ValidSignature(tt.token, tt.url, tt.kind, []byte(tt.body), tt.sig); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzValidSignature(f *testing.F) {
	f.Add("https://a.example/h?x=1", formType, "A=1&A=2")
	f.Add("https://u:p@a.example:1/h", "application/json", "{}")
	f.Fuzz(func(t *testing.T, u, kind, body string) {
		if ValidSignature("12345", u, kind, []byte(body), sign("54321", u+body)) {
			t.Fatal("a signature with another token is valid")
		}
		if strings.Contains(u, "#") || kind != formType {
			return
		}
		if form, err := url.ParseQuery(body); err == nil && !ValidSignature("12345", u, kind, []byte(body), sign("12345", u+formParams(form))) {
			t.Fatal("a genuine request is refused")
		}
	})
}
