package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// The SMS provider is down, in one way after the other, while a fire is announced. Pushes
// go out, nobody's SMS fails, HR reads how many people that leaves without any call, and
// after the recovery the texts go out, the older alert first.
func TestSMSProviderDownHoldsTextsBackAndSaysWhoWaits(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, siti manager:chief, agus manager:chief, wati manager:chief push", func(h *rehearsal) {
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "500"}, nil)
		fire := h.Announce("Fire in hall 3", to("siti", "agus", "wati"), steps(4*time.Hour))
		h.Phone("wati").ExpectPush("Fire in hall 3")
		h.After(time.Minute)
		hr := h.clerk()
		board := func(lang string) string {
			r := httptest.NewRequest(http.MethodGet, rehearsalURL+"/alerts/"+string(fire), nil)
			r.Header.Set("Accept-Language", lang)
			r.Header.Set("Cookie", hr.session)
			w := httptest.NewRecorder()
			h.house.server.Handler().ServeHTTP(w, r)
			return w.Body.String()
		}
		for lang, sentence := range map[string]string{
			"en": "The SMS provider takes no messages at the moment. They wait here and go out by themselves when it is back; 2 people wait for one and have no other channel.",
			"id": "Penyedia SMS sedang tidak menerima pesan. Pesan menunggu di sini dan terkirim sendiri begitu penyedia pulih; 2 orang menunggunya dan tidak punya saluran lain.",
		} {
			if page := board(lang); !strings.Contains(page, sentence) {
				t.Errorf("the board does not say in %s: %s", lang, sentence)
			}
		}
		h.Phone("wati").Tap(announcement.Safe)
		if s := h.summary(fire); !s.SMSAway || s.SMSOnly != 2 {
			t.Errorf("got %v, %d, want two people who wait", s.SMSAway, s.SMSOnly)
		}
		for _, c := range (health{h.house}).Ready(h.t.Context()) {
			if !c.OK && c.Name != "duty" {
				t.Errorf("not ready for %s: %s", c.Name, c.Hint)
			}
		}
		scraped := httptest.NewRecorder()
		h.house.server.Handler().ServeHTTP(scraped, httptest.NewRequest(http.MethodGet, rehearsalURL+"/metrics", nil))
		if sms, push := value(t, scraped.Body.Bytes(), `kentongan_provider_away{channel="sms"}`), value(t, scraped.Body.Bytes(), `kentongan_provider_away{channel="webpush"}`); sms != 1 || push != 0 {
			t.Errorf("metrics say sms %v, push %v", sms, push)
		}

		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "401"}, nil)
		h.After(30 * time.Minute)
		flood := h.Announce("Flood at the gate", to("siti", "agus"), steps(4*time.Hour))
		h.After(30 * time.Minute)
		for _, name := range []string{"siti", "agus"} {
			h.Phone(name).ExpectNothing()
			h.ExpectState(fire, name, announcement.NoAnswer)
			if l := h.recipient(fire, name).Channels[announcement.SMS]; l.Failure != "" {
				t.Errorf("the SMS of %s is said to have failed: %s", name, l.Failure)
			}
		}

		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{}, nil)
		h.After(time.Minute)
		var came []string
		for _, body := range h.handedOver(h.employee("siti").mobile) {
			for _, alert := range []string{"Fire", "Flood"} {
				if strings.Contains(body, alert) {
					came = append(came, alert)
				}
			}
		}
		if !slices.Equal(came, []string{"Fire", "Flood"}) {
			t.Errorf("siti got %q, want each alert once, the older one first", came)
		}
		if s := h.summary(fire); s.SMSAway || s.SMSOnly != 0 {
			t.Errorf("the board still says that the provider is down: %d wait", s.SMSOnly)
		}
		h.Close(flood, announcement.AsCancelled)
	})
}

// handedOver returns the texts for a number that the provider took, oldest first.
func (h *rehearsal) handedOver(mobile string) (bodies []string) {
	h.t.Helper()
	c := h.house.config
	r := httptest.NewRequest(http.MethodGet, outsideURL+"/twilio/2010-04-01/Accounts/"+c.TwilioAccountSID+"/Messages.json?To="+url.QueryEscape(mobile), nil)
	r.SetBasicAuth(c.TwilioAccountSID, c.TwilioAuthToken)
	w := httptest.NewRecorder()
	h.outside.ServeHTTP(w, r)
	var list struct{ Messages []struct{ Body string } }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		h.t.Fatal(err)
	}
	for _, m := range slices.Backward(list.Messages) {
		bodies = append(bodies, m.Body)
	}
	return bodies
}

// While the first provider is down, HR sends through the second to those who wait.
func TestWhoWaitsIsSentToThroughTheSecondProvider(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief push, siti manager:chief, agus manager:chief", func(h *rehearsal) {
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{Channel: "sms", Fail: "401"}, nil)
		fire := h.Announce("Fire in hall 3", to("siti", "agus"), steps(4*time.Hour))
		h.After(2 * time.Minute)
		act, err := h.house.desk.Act(h.t.Context(), fire, announcement.SayAlert, nil)
		if err != nil || act.People != 2 || !act.Second {
			t.Fatalf("got %+v, %v, want both, through the second provider", act, err)
		}
		h.beyond(http.MethodPost, "/sandbox/behave", sandbox.Behaviour{}, nil) // the second one works
		if n, err := h.house.desk.Resend(h.t.Context(), hr, fire); n != 2 || err != nil {
			t.Fatalf("sent again to %d, %v", n, err)
		}
		h.settle()
		if got := h.Phone("siti").unread(); len(got) == 0 || got[0].From != "+15005550009" {
			t.Fatalf("siti got %s, want one SMS of the second sender", fmt.Sprint(got))
		}
	})
}
