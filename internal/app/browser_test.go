package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// smallCompany is a plant of nine people. Rina runs it; Budi leads a shift of
// five. Slamet has neither a number nor a device.
const smallCompany = `employee_id,display_name,mobile_phone,manager_id,site,locale,department,job_title,active
E1,Rina Wulandari,+6281200000001,,Pabrik Cikande,id-ID,Kantor,Kepala pabrik,true
E2,Budi Santoso,+6281200000002,E1,Pabrik Cikande,id-ID,Produksi A,Kepala regu,true
E3,Siti Aminah,+6281200000003,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E4,Agus Wijaya,+6281200000004,E2,Pabrik Cikande,id-ID,Gudang,Operator,true
E5,Dewi Lestari,+6281200000005,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E6,Joko,+6281200000006,E2,Pabrik Cikande,id-ID,Gudang,Operator,true
E7,Nur Hidayah,+6281200000007,E2,Pabrik Cikande,id-ID,Produksi A,Operator,true
E8,Slamet,,E1,Pabrik Cikande,id-ID,Gudang,Petugas kebersihan,true
E9,Andrew Tan,+6281200000009,E1,Pabrik Cikande,en-SG,Kantor,Engineer,true
`

// pageWait is how long the test waits for what takes people a moment.
const pageWait = 20 * time.Second

// plant is the small company and everybody's screens.
type plant struct {
	*apptest.World
	t       *testing.T
	browser *apptest.Browser
	hr      *apptest.Tab
}

func openPlant(t *testing.T) *plant {
	t.Helper()
	return openPlantOf(t, smallCompany)
}

func openPlantOf(t *testing.T, company string, env ...string) *plant {
	t.Helper()
	browser := apptest.StartBrowser(t)
	p := &plant{World: apptest.New(t, 1, append([]string{"KENTONGAN_COUNTDOWN=2s", "KENTONGAN_SMS_PRICE=350"}, env...)...), t: t, browser: browser}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(company), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Import(file)
	var people []apptest.Person
	for line := range strings.Lines(company) {
		c := strings.Split(line, ",")
		if c[0] != "employee_id" && c[2] != "" {
			people = append(people, apptest.Person{Number: c[0], Name: c[1], Mobile: c[2], Language: c[5][:2]})
		}
	}
	p.HandOutPhones(people)
	return p
}

// link waits for a person's link of a kind (/r/ their own, /t/ their team's) and
// returns its address.
func (p *plant) link(number, kind string) string {
	p.t.Helper()
	found := ""
	apptest.Eventually(p.t, pageWait, "a link "+kind+" for "+number, func() (bool, string) {
		for _, e := range p.Log() {
			if _, path, ok := strings.Cut(e.Link, kind); e.Phone == number && ok {
				found = p.API.URL + kind + path // the newest
			}
		}
		return found != "", ""
	})
	return found
}

// signIn opens the console as HR does.
func (p *plant) signIn(lang string, width, height int) *apptest.Tab {
	p.t.Helper()
	tab := p.browser.Tab(lang, width, height)
	tab.Open(p.API.URL + "/")
	tokenSignIn(tab, apptest.Token)
	return tab
}

// tokenSignIn signs in the way that scripts do, on the page that asks who it is.
func tokenSignIn(tab *apptest.Tab, token string) {
	tab.Press("main details summary")
	tab.Fill("#token", token)
	tab.Go("main details button")
}
