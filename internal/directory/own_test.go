package directory

import (
	"testing"

	"kentongan/internal/announcement"
)

// A person corrects their own number; the next file of the company still has the
// old one, and a later file a new one.
func TestOwnCorrectionsStandAgainstOldFiles(t *testing.T) {
	t.Parallel()
	const file = "employee_id,display_name,mobile_phone,locale\nE1,Siti,+628120000000%s,id\n"
	with := func(last string) string { return file[:len(file)-len("%s,id\n")] + last + ",id\n" }
	d := imported(t, with("1"))
	siti, _ := d.ByNumber("E1")
	if err := d.SetMobile(t.Context(), siti.ID, "+6281211112222"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetLanguage(t.Context(), siti.ID, announcement.English); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, csv, mobile string
		language          announcement.Language
	}{
		{"the old number again", with("1"), "+6281211112222", announcement.English},
		{"the corrected number", "employee_id,display_name,mobile_phone,locale\nE1,Siti,+6281211112222,en\n", "+6281211112222", announcement.English},
		{"the old one once more", with("1"), "+6281211112222", announcement.English},
		{"a third number", with("3"), "+6281200000003", announcement.English},
		{"the old one, now on purpose", with("1"), "+6281200000001", announcement.English},
	} {
		mustImport(t, d, c.csv)
		if p, _ := d.Person(siti.ID); p.Mobile != c.mobile || p.Language != c.language {
			t.Errorf("%s: got %s %s, want %s %s", c.name, p.Mobile, p.Language, c.mobile, c.language)
		}
	}
	if people := d.ByMobile("+6281211112222"); len(people) != 0 {
		t.Errorf("the number that was given up still leads to %d people", len(people))
	}
}

func TestWhatIsTypedAboutOnePersonEndsTheirCorrection(t *testing.T) {
	t.Parallel()
	d := imported(t, "employee_id,display_name,mobile_phone\nE1,Siti,+6281200000001\n")
	siti, _ := d.ByNumber("E1")
	if err := d.SetMobile(t.Context(), siti.ID, "+6281211112222"); err != nil {
		t.Fatal(err)
	}
	l, _ := d.Listing("E1")
	if err := d.Save(t.Context(), map[string]string{"employee_id": "E1", "display_name": "Siti", "mobile_phone": "0812 0000 0001"}, l.Version, false); err != nil {
		t.Fatal(err)
	}
	if p, _ := d.Person(siti.ID); p.Mobile != "+6281200000001" {
		t.Errorf("got %s, want the number that HR typed", p.Mobile)
	}
}

func TestARemovedDeviceStaysOut(t *testing.T) {
	t.Parallel()
	d := imported(t, "employee_id,display_name,mobile_phone\nE1,Siti,\n")
	siti, _ := d.ByNumber("E1")
	for _, id := range []string{"a", "b"} {
		if err := d.Connect(t.Context(), siti.ID, Device{ID: id, Name: "Chrome, Android", Seen: d.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := d.Subscribe(t.Context(), siti.ID, announcement.Subscription{ID: id, Endpoint: "https://push.example/" + id, Device: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Disconnect(t.Context(), siti.ID, "a"); err != nil {
		t.Fatal(err)
	}
	c := d.Contact(siti.ID)
	if !d.Removed(siti.ID, "a") || d.Removed(siti.ID, "b") || len(c.Devices) != 1 || len(c.Subscriptions) != 1 || c.Subscriptions[0].Device != "b" {
		t.Errorf("after removing one of two: %+v, want b alone", c)
	}
}
