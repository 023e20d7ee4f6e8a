package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

// Privacy of the house in memory: 2212 has left, and can be erased.

func (h *house) kept(active bool) PersonalData {
	closed := noon.Add(-2 * 24 * time.Hour)
	d := PersonalData{Number: "2210", Name: "Siti Aminah", Mobile: "+6281234567890", Email: "siti@contoh.example", Language: announcement.Indonesian, Zone: "Asia/Jakarta",
		Site: "Pabrik Cikande", Department: "Produksi A", Title: "Operator", Manager: "Budi Santoso", Groups: []string{"Tim tanggap darurat"}, Active: active, At: noon, Org: "PT SinarAbc",
		Devices: []HeldDevice{{Name: "Chrome, Android", Seen: noon.Add(-time.Hour)}, {Seen: noon}},
		Alerts: []HeldAlert{{ID: "a1", Title: "Kebakaran di hall 3", Mode: announcement.Live, At: closed, Answers: announcement.Safety, Answer: announcement.NeedHelp, State: announcement.NeedsHelp, Answered: closed,
			Words: []HeldWords{{At: closed, Words: "kaki, lantai 3", WordsUntil: closed.Add(90 * 24 * time.Hour), Place: "-6.12346, 106.50000 (±20 m)", PlaceUntil: closed.Add(30 * 24 * time.Hour)},
				{At: closed, Words: "Saya melihatnya di gerbang", WordsUntil: closed.Add(90 * 24 * time.Hour), Others: true}}},
			{ID: "a2", Title: "Gempa", Mode: announcement.Drill, At: closed, Answers: announcement.Safety, By: "Budi Santoso"}},
		Texts: []HeldText{{At: closed, Words: "ada asap di gudang", Where: "gudang", Photo: true, Until: closed.Add(90 * 24 * time.Hour)}},
		Looks: []Look{{At: noon, By: "Rina Kartika", What: string(announcement.NumberShown)}, {At: closed, By: "Budi Santoso", What: string(announcement.PersonViewed)}}}
	return d
}

func (h *house) Kept(context.Context) (Retention, error) {
	return Retention{
		Kinds: []Holding{{Kind: "place", Holds: "Where somebody was who needed help and shared it once", Whose: "employees", Days: 30, Until: "after it was shared; its owner can erase it at once"},
			{Kind: "token", Holds: "Tokens of scripts, hashed", Whose: "people of the console", Until: "until the token is ended"}},
		Sweeps:   []Sweep{{At: noon.Add(-time.Hour), Ended: noon, Fault: true, Erased: []Choice{{Name: "place", People: 3}}}},
		Erasures: []Erasure{{At: noon, By: "Rina Kartika"}}}, nil
}

func (h *house) DataOf(_ context.Context, _ Principal, number string) (PersonalData, error) {
	if number != "2210" && number != "2212" {
		return PersonalData{}, ErrNotFound
	}
	return h.kept(number == "2210"), nil
}

func (h *house) Erase(_ context.Context, _ Principal, number, typed string) error {
	if typed != number {
		return announcement.FieldErrors{{Field: "typed", Why: "Type the employee number of this person exactly, so that nobody is erased by mistake."}}
	}
	return nil
}

func (h *house) MyData(_ context.Context, device string) (PersonalData, error) {
	if device != "device1" {
		return PersonalData{}, ErrNotFound
	}
	return h.kept(true), nil
}

func (h *house) MyPlacesGone(_ context.Context, device string) error {
	if device != "device1" {
		return ErrNotFound
	}
	return nil
}
