package sms

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const listPath = "/2010-04-01/Accounts/" + testAccount + "/Messages.json"

// Texts that came to our number are listed page by page, and told oldest first.
func TestInboundReadsEveryPage(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 10, 3, 7, 0, 0, 0, time.UTC)
	var asked []url.Values
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != listPath {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		asked = append(asked, r.URL.Query())
		if r.URL.Query().Get("PageToken") == "" {
			fmt.Fprintf(w, `{"messages":[
				{"sid":"SM3","direction":"inbound","from":%q,"to":"+15005550006","body":"stop","status":"received","date_sent":"Sat, 03 Oct 2026 07:04:00 +0000"},
				{"sid":"SM2","direction":"outbound-api","from":"+15005550006","to":"+15005550006","body":"x","status":"sent","date_sent":"Sat, 03 Oct 2026 07:03:00 +0000"}],
				"next_page_uri":%q}`, testNumber, listPath+"?To=x&PageSize=1000&Page=1&PageToken=PASM2")
			return
		}
		fmt.Fprintf(w, `{"messages":[{"sid":"SM1","direction":"inbound","from":%q,"to":"+15005550006","body":" 1 ","status":"received","date_sent":null,"date_created":"Sat, 03 Oct 2026 07:01:00 +0000"}],"next_page_uri":null}`, testNumber)
	})
	got, err := newSender(t, p, nil).Inbound(t.Context(), since)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := []Inbound{
		{SID: "SM1", From: testNumber, To: "+15005550006", Body: " 1 ", At: since.Add(time.Minute)},
		{SID: "SM3", From: testNumber, To: "+15005550006", Body: "stop", OptOut: "STOP", At: since.Add(4 * time.Minute)},
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if len(asked) != 2 || asked[0].Get("To") != "+15005550006" || asked[0].Get("DateSent>") != "2026-10-03T07:00:00Z" || asked[1].Get("Page") != "1" {
		t.Errorf("asked %v", asked)
	}
	if !p.closed() {
		t.Error("an answer's body was left open")
	}
}

func TestOutboundSaysHowFarTextsHaveCome(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		if from := r.URL.Query().Get("From"); from != "" {
			t.Errorf("a messaging service has numbers of its own, asked for %s", from)
		}
		fmt.Fprint(w, `{"messages":[{"sid":"SM1","direction":"outbound-api","status":"delivered"},{"sid":"SM2","direction":"outbound-api","status":"undelivered","error_code":30005},
			{"sid":"SM3","direction":"inbound","status":"received"},{"sid":"SM4","direction":"outbound-reply","status":"sent"}]}`)
	})
	got, err := newSender(t, p, func(o *Options) { o.From = "MG" + strings.Repeat("a", 32) }).Outbound(t.Context(), time.Now())
	want := map[string]Progress{"SM1": {announcement.Delivered, ""}, "SM2": {announcement.Failed, string(channel.InvalidNumber)}, "SM4": {announcement.Sent, ""}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v, %v", got, err)
	}
	for sid := range want {
		if got[sid] != want[sid] {
			t.Errorf("%s: got %v, want %v", sid, got[sid], want[sid])
		}
	}
}

// After a call of which nobody knows how it ended, the provider is asked.
func TestTookIsOfThisTextAndThisTry(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 10, 3, 7, 0, 0, 500, time.UTC)
	m := announcement.Message{SMS: testText + " siaga.example/r/8sKq2mPz at 07:00", Link: "https://siaga.example/r/8sKq2mPz"}
	tests := []struct {
		name, body, direction, created string
		want                           bool
	}{
		{"taken", m.SMS, "outbound-api", "Sat, 03 Oct 2026 07:00:00 +0000", true},
		{"a trial account says so first", "Sent from your Twilio trial account - " + m.SMS, "outbound-api", "Sat, 03 Oct 2026 07:00:01 +0000", true},
		{"composed a minute before", testText + " siaga.example/r/8sKq2mPz at 06:59", "outbound-api", "Sat, 03 Oct 2026 07:00:01 +0000", true},
		{"of somebody who shares the phone", testText + " siaga.example/r/OTHERONE at 07:00", "outbound-api", "Sat, 03 Oct 2026 07:00:01 +0000", false},
		{"the alert, which went out a second before the reminder", "Fire in hall 3. siaga.example/r/8sKq2mPz at 07:00", "outbound-api", "Sat, 03 Oct 2026 07:00:01 +0000", false},
		{"of a round before", m.SMS, "outbound-api", "Sat, 03 Oct 2026 06:50:00 +0000", false},
		{"what they wrote", m.SMS, "inbound", "Sat, 03 Oct 2026 07:00:01 +0000", false},
	}
	for _, tt := range tests {
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"messages":[{"sid":"SM1","direction":%q,"to":%q,"body":%q,"date_created":%q}]}`, tt.direction, testNumber, tt.body, tt.created)
		})
		handed, took, err := newSender(t, p, nil).Took(t.Context(), testPerson(), m, began)
		if err != nil || took != tt.want || took && (handed.SID != "SM1" || handed.Rank != announcement.Accepted) {
			t.Errorf("%s: got %+v, %v, %v, want %v", tt.name, handed, took, err, tt.want)
		}
	}
}

func TestQuestionsFailPlainly(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]channel.Reason{500: channel.Ambiguous, 401: channel.Unauthorized, 429: channel.RateLimited, 200: channel.Ambiguous} {
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, "<html>"+testNumber)
		})
		s := newSender(t, p, nil)
		_, _, took := s.Took(t.Context(), testPerson(), testMessage(), time.Now())
		_, in := s.Inbound(t.Context(), time.Now())
		_, out := s.Outbound(t.Context(), time.Now())
		for _, err := range []error{took, in, out} {
			if err == nil || channel.ReasonOf(err) != want {
				t.Errorf("%d: got %v, want %s", status, err, want)
				continue
			}
			noSecrets(t, err)
		}
		if !p.closed() {
			t.Error("an answer's body was left open")
		}
	}
}
