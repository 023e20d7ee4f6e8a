package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// TestCheck44MarksMadeWithoutASignal lets a manager account for ten people in a
// car park without a signal: the page says how many are not sent, and later
// exactly ten marks arrive, with the times at which they were made.
func TestCheck44MarksMadeWithoutASignal(t *testing.T) {
	company := "employee_id,display_name,mobile_phone,manager_id,site,locale,active\nE1,Rina Wulandari,+6281200000001,,Pabrik Cikande,id-ID,true\n"
	for i := 2; i <= 12; i++ {
		company += fmt.Sprintf("E%d,Operator %d,+62812000000%02d,E1,Pabrik Cikande,id-ID,true\n", i, i, i)
	}
	p := openPlantOf(t, company)
	var s summary
	body := `{"mode":"live","severity":"extreme","answers":"safety","text":{"id":{"title":"Kebakaran","body":"Keluar."}},"audience":{"all":true},
		"policy":{"steps":[{"after":"1s","whom":"manager"}]}}`
	if err := p.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(body), &s); err != nil {
		t.Fatal(err)
	}
	manager := p.browser.Tab("id", 360, 740)
	manager.Open(p.link("E1", "/t/"))
	manager.Signal(false)
	var made []time.Time
	for i := 1; i <= 10; i++ {
		made = append(made, time.Now())
		manager.Press(`[form=bulk][name=n]:not(:disabled)`)
		manager.Press("#bulk [name=a][value='1']")
		manager.Press("#bulk [name=how][value=saw]")
		manager.Press("#bulk button")
		manager.WaitFor(time.Second, "#unsent", fmt.Sprintf("BELUM TERKIRIM: %d", i))
	}
	lastMade := time.Now()
	time.Sleep(3 * time.Second) // the signal is away for a while: the times must not be those of arrival
	if err := p.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+s.ID, "", nil, &s); err != nil || s.Counts.VouchedBy != 0 {
		t.Fatalf("%d marks arrived without a signal, %v", s.Counts.VouchedBy, err)
	}
	back := time.Now()
	manager.Signal(true)
	apptest.Eventually(t, pageWait, "ten marks", func() (bool, string) {
		err := p.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+s.ID, "", nil, &s)
		return err == nil && s.Counts.VouchedBy == 10, fmt.Sprint(s.Counts.VouchedBy, " arrived, ", err)
	})
	var page struct {
		Recipients []struct {
			VouchedBy string     `json:"vouched_by"`
			VouchedAt *time.Time `json:"vouched_at"`
		}
	}
	if err := p.API.Call(t.Context(), http.MethodGet, "/api/v1/announcements/"+s.ID+"/recipients", "", nil, &page); err != nil {
		t.Fatal(err)
	}
	const slack = 2 * time.Second // between this clock and a slow browser
	for _, r := range page.Recipients {
		if r.VouchedAt == nil {
			continue
		}
		if at := *r.VouchedAt; at.Before(made[0].Add(-slack)) || at.After(lastMade.Add(slack)) || !at.Before(back) {
			t.Errorf("a mark has the time %s, want between %s and %s", at, made[0], lastMade)
		}
	}
	manager.WaitFor(pageWait, "main", "Tercatat")
	if got := manager.Text("#unsent"); got != "" {
		t.Errorf("after sending, the page still says %q", got)
	}
	manager.NoFaults()
}
