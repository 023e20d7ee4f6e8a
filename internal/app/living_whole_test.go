package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// TestPeopleChangeWhileTheAlarmRings runs the real server: whoever is taken out by a
// file hears nothing two seconds later though everybody silent is reminded each
// second, and whoever is added has the alarm within five.
func TestPeopleChangeWhileTheAlarmRings(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, 1)
	staff := filepath.Join(t.TempDir(), "staff.csv")
	bring := func(rows string) {
		t.Helper()
		if err := os.WriteFile(staff, []byte("employee_id,display_name,mobile_phone,manager_id,site,locale,active\n"+rows), 0o600); err != nil {
			t.Fatal(err)
		}
		w.Import(staff)
	}
	bring("E1,Chief,+6281200000001,,Harbour,en,true\nE2,Budi,+6281200000002,E1,Harbour,en,true\nE3,Siti,+6281200000003,E2,Harbour,en,true\n")
	var phones []apptest.Person
	for i := range 4 {
		phones = append(phones, apptest.Person{Number: fmt.Sprint("E", i+1), Name: fmt.Sprint("E", i+1), Mobile: fmt.Sprintf("+628120000000%d", i+1)})
	}
	w.HandOutPhones(phones[:3])
	var steps []string
	for second := 2; second <= 20; second++ {
		steps = append(steps, fmt.Sprintf(`{"after":"%ds","whom":"recipient"}`, second))
	}
	var s summary
	draft := `{"mode":"live","severity":"extreme","channels":["sms"],"text":{"en":{"title":"Fire in hall 3","body":"Leave."}},"audience":{"sites":["Harbour"]},"policy":{"steps":[` + strings.Join(steps, ",") + `]}}`
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(draft), &s); err != nil {
		t.Fatal(err)
	}
	got := func(phone string) (n int) {
		for _, e := range w.Log() {
			if e.Mobile == phone && e.Channel == "sms" {
				n++
			}
		}
		return n
	}
	apptest.Eventually(t, 20*time.Second, "a reminder", func() (bool, string) { return got("+6281200000003") >= 2, fmt.Sprint(got("+6281200000003")) })

	bring("E3,Siti,+6281200000003,E2,Harbour,en,false\nE4,Wati,+6281200000004,E2,Harbour,en,true\n")
	changed := time.Now()
	apptest.Eventually(t, 5*time.Second, "the alarm of who joined", func() (bool, string) { return got("+6281200000004") > 0, "nothing" })
	t.Logf("who joined had the alarm after %s", time.Since(changed).Round(10*time.Millisecond))
	time.Sleep(time.Until(changed.Add(2 * time.Second)))
	left, others := got("+6281200000003"), got("+6281200000002")
	apptest.Eventually(t, 20*time.Second, "two more reminders of the others", func() (bool, string) { return got("+6281200000002") >= others+2, fmt.Sprint(got("+6281200000002")) })
	if n := got("+6281200000003"); n != left {
		t.Errorf("who left got %d messages after two seconds, want none", n-left)
	}
	var now summary
	if err := w.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+string(s.ID), "", nil, &now); err != nil {
		t.Fatal(err)
	}
	if now.Counts.Recipients != 3 || now.Counts.Excused != 1 {
		t.Errorf("got %+v, want three recipients and one excused", now.Counts)
	}
}
