package app

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/web"
)

// smsCodes returns the codes that came to somebody by SMS, oldest first.
func (h *rehearsal) smsCodes(name string) []string {
	h.t.Helper()
	var codes []string
	six := regexp.MustCompile(`\b\d{6}\b`)
	for _, e := range everything(h) {
		if e.Phone == name && e.Channel == "sms" && strings.Contains(e.Text, "sign-up code") {
			codes = append(codes, six.FindString(e.Text))
		}
	}
	return codes
}

// everything is every message that a phone got.
func everything(h *rehearsal) []sandbox.Entry {
	h.t.Helper()
	var all []sandbox.Entry
	h.beyond(http.MethodGet, "/sandbox/log", nil, &all)
	return all
}

func person(h *rehearsal, name string) announcement.PersonID {
	h.t.Helper()
	who, ok := h.house.directory.ByNumber(name)
	if !ok {
		h.t.Fatalf("nobody is called %s", name)
	}
	return who.ID
}

// TestEnrolmentBySMSCode tells how a phone is connected with the code of a
// poster: late codes, resends, guesses, and a manager's code instead.
func TestEnrolmentBySMSCode(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, d, ctx := h.t, h.house.desk, h.t.Context()
		enter := func(number, code string) error {
			_, err := d.EnterCode(ctx, number, code, web.Browser{Name: "Chrome, Android"})
			return err
		}
		ask := func(number string) {
			d.AskCode(ctx, number)
			h.settle()
		}
		want := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
		ask("siti")
		ask("siti") // within half a minute: the same SMS is on its way
		if got := h.smsCodes("siti"); len(got) != 1 {
			t.Fatalf("asked twice at once: codes %q, want one", got)
		}
		time.Sleep(codeRest)
		ask("SITI")
		codes := h.smsCodes("siti")
		if len(codes) != 2 {
			t.Fatalf("asked again after half a minute: codes %q, want two", codes)
		}
		want("a wrong code", enter("siti", other(codes...)), web.ErrWrongCode)
		want("the older of two codes", enter("siti", codes[0]), nil)
		want("a code that was used", enter("siti", codes[1]), web.ErrWrongCode)

		time.Sleep(time.Hour)
		ask("siti")
		codes = h.smsCodes("siti")
		time.Sleep(codeLife + time.Second)
		want("a code of sixteen minutes ago", enter("siti", codes[len(codes)-1]), web.ErrOldCode)
		code, _ := d.approvalCode(person(h, "siti"))
		want("a manager's code", enter("siti", code), nil)
		want("a manager's code again", enter("siti", code), web.ErrOldCode)

		// Somebody guesses, for a person and for nobody: both are told the same.
		time.Sleep(time.Hour)
		for _, number := range []string{"siti", "nobody"} {
			for range triesAllowed {
				want("a guess for "+number, enter(number, "000001"), web.ErrWrongCode)
			}
			var wait *web.WaitError
			if err := enter(number, "000001"); !errors.As(err, &wait) || !wait.Until.After(time.Now()) {
				t.Errorf("one guess too many for %s: got %v, want to wait", number, err)
			}
		}
		time.Sleep(codeLife)
		ask("siti")
		codes = h.smsCodes("siti")
		want("the right code after waiting", enter("siti", codes[len(codes)-1]), nil)

		before := len(everything(h))
		ask("nobody")
		if got := len(everything(h)); got != before {
			t.Errorf("an unknown number made %d messages", got-before)
		}
		// Each SMS costs money.
		time.Sleep(2 * time.Hour)
		before = len(h.smsCodes("siti"))
		for range 2 * codesAnHour {
			time.Sleep(codeRest)
			ask("siti")
		}
		if got := len(h.smsCodes("siti")) - before; got != codesAnHour {
			t.Errorf("%d codes within an hour, want %d", got, codesAnHour)
		}
	})
}

// other returns six digits that are none of these codes.
func other(codes ...string) string {
	for _, try := range []string{"000001", "000002", "000003"} {
		if !strings.Contains(strings.Join(codes, " "), try) {
			return try
		}
	}
	return "000004"
}

// TestTwoNodesShareCodes lets one node send a code and the other take it, and
// lets a guesser try both.
func TestTwoNodesShareCodes(t *testing.T) {
	t.Parallel()
	vault, key := ledger.NewMemoryVault(), []byte(strings.Repeat("k", 32))
	one, two := &codes{vault: vault, key: key, now: time.Now}, &codes{vault: vault, key: key, now: time.Now}
	p := announcement.NewPersonID()
	code, err := one.issue(t.Context(), p, "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := vault.Get(t.Context(), codesKey+string(p))
	if err != nil || strings.Contains(string(stored), code) {
		t.Errorf("the code is stored as it is, or not at all: %v", err)
	}
	if _, err := two.spend(t.Context(), p, code, false); err != nil {
		t.Errorf("a code of the other node: %v", err)
	}
	tries := 0
	for i := range 4 * triesAllowed {
		_, err := []*codes{one, two}[i%2].spend(t.Context(), p, other(code), false)
		if errors.Is(err, web.ErrWrongCode) {
			tries++
		}
	}
	if tries != triesAllowed {
		t.Errorf("two nodes allowed %d guesses, want %d", tries, triesAllowed)
	}
}

// TestANewNumberNeedsItsCode lets a person correct their own number.
func TestANewNumberNeedsItsCode(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, d, ctx := h.t, h.house.desk, h.t.Context()
		p := person(h, "siti")
		device, err := d.connect(ctx, p, web.Browser{Name: "Chrome, Android"})
		if err != nil {
			t.Fatal(err)
		}
		var bad announcement.FieldErrors
		if err := d.AskNumber(ctx, device, "0812"); !errors.As(err, &bad) || bad[0].Field != "mobile" {
			t.Errorf("a number that is too short: got %v", err)
		}
		who, _ := d.directory.Person(p)
		boss, _ := d.directory.Person(person(h, "budi"))
		if err := d.AskNumber(ctx, device, boss.Mobile); err != nil {
			t.Fatal(err)
		}
		h.settle()
		if now, _ := d.directory.Person(p); now.Mobile != who.Mobile {
			t.Fatal("the number was taken before its code came back")
		}
		if err := d.EnterNumber(ctx, device, other(h.smsCodes("budi")...)); !errors.Is(err, web.ErrWrongCode) {
			t.Errorf("a wrong code: got %v", err)
		}
		if err := d.EnterNumber(ctx, device, h.smsCodes("budi")[0]); err != nil {
			t.Fatal(err)
		}
		if now, _ := d.directory.Person(p); now.Mobile != boss.Mobile {
			t.Errorf("got %s, want the new number", now.Mobile)
		}
		if err := d.RemoveDevice(ctx, device, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Settings(ctx, device); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("a device that was signed out: got %v", err)
		}
	})
}

// TestAnEnrolmentLinkEndsAfterFourteenDays lets somebody find an old message.
func TestAnEnrolmentLinkEndsAfterFourteenDays(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, "siti manager:budi, budi", func(h *rehearsal) {
		t, d, ctx := h.t, h.house.desk, h.t.Context()
		var link struct {
			Path  string
			Until time.Time
		}
		if err := h.api.JSON(ctx, http.MethodPost, "/api/v1/people/siti/enrol", nil, &link); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(link.Until); left > 14*24*time.Hour || left < 14*24*time.Hour-time.Hour {
			t.Errorf("the link counts for %s, want 14 days", left)
		}
		code := strings.TrimPrefix(link.Path, "/e/")
		own, err := d.Enrol(ctx, code, web.Browser{Name: "Chrome, Android"})
		if err != nil {
			t.Fatal(err)
		}
		other, _ := h.house.links.enrolment(person(h, "budi"), time.Now())
		another, err := d.Enrol(ctx, other, web.Browser{Name: "Safari, iPhone"})
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Until(link.Until))
		for _, device := range []string{"", another} {
			if _, err := d.Enrol(ctx, code, web.Browser{Device: device}); !errors.Is(err, web.ErrOldCode) {
				t.Errorf("a phone that is not hers: got %v, want an expired link", err)
			}
			if who, err := d.Enrolee(ctx, code, device); !errors.Is(err, web.ErrOldCode) || who.Name != "" {
				t.Errorf("looking: got %+v, %v, want an expired link and no name", who, err)
			}
		}
		if again, err := d.Enrol(ctx, code, web.Browser{Device: own}); err != nil || again != own {
			t.Errorf("her own phone: got %v, want it led on as before", err)
		}
		person, sum, _ := strings.Cut(code, "-")
		_, sum, _ = strings.Cut(sum, ".")
		for _, forged := range []string{person + "-zzzz." + sum, person + "." + sum, h.house.links.credential("enrol", "pnobody")} {
			if _, err := d.Enrol(ctx, forged, web.Browser{}); !errors.Is(err, web.ErrNotFound) {
				t.Errorf("a link with another end: got %v, want it unknown", err)
			}
		}
	})
}
