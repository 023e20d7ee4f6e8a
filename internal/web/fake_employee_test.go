package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

// What an employee's own phone asks of the house in memory. Employee 2210 is
// Siti, whose code is 482913; 111111 has expired, and 999999 is one try too many.

func (h *house) Enrolee(_ context.Context, code, _ string) (Enrolee, error) {
	if code == "code3" {
		return Enrolee{}, ErrOldCode
	}
	if code != "code1" {
		return Enrolee{}, ErrNotFound
	}
	return Enrolee{Given: "Siti", Name: "Siti Aminah", Department: "Produksi A", Site: "Pabrik Cikande", Language: announcement.Indonesian}, nil
}

func (h *house) Enrol(_ context.Context, code string, _ Browser) (string, error) {
	if code == "code3" {
		return "", ErrOldCode
	}
	if code != "code1" {
		return "", ErrNotFound
	}
	h.enrolled++
	return "device1", nil
}

func (h *house) Crew(_ context.Context, device string) (Crew, error) {
	if device != "device1" {
		return Crew{}, ErrNotFound
	}
	return Crew{Manager: "Budi", Language: announcement.Indonesian, People: 3, Connected: 2, Members: []CrewMember{
		{Name: "Agus Wijaya", Number: "2211", Code: "482913", Until: noon.Add(30 * time.Minute)},
		{Name: "Siti Aminah", Number: "2210", Connected: true}, {Name: "Joko", Number: "2212", Connected: true, Push: true, Arrived: true}}}, nil
}

func (h *house) AskCode(_ context.Context, number string) { h.asked = append(h.asked, number) }
func (h *house) SMSFails() bool                           { return h.smsFails }

func (h *house) EnterCode(_ context.Context, number, code string, _ Browser) (string, error) {
	h.codes = append(h.codes, code)
	switch {
	case code == "999999":
		return "", &WaitError{Until: noon.Add(15 * time.Minute)}
	case number != "2210":
		return "", ErrWrongCode
	case code == "111111":
		return "", ErrOldCode
	case code != "482913":
		return "", ErrWrongCode
	}
	h.enrolled++
	return "device1", nil
}

func (h *house) TryPush(_ context.Context, device string) error {
	if device != "device1" || len(h.subs) == 0 {
		return ErrNotFound
	}
	return nil
}

func (h *house) Shown(_ context.Context, device string) (time.Time, error) {
	if device != "device1" {
		return time.Time{}, ErrNotFound
	}
	return h.shown, nil
}

func (h *house) Arrived(_ context.Context, device string) error {
	if device != "device1" {
		return ErrNotFound
	}
	h.shown = noon
	return nil
}

func (h *house) Guides(context.Context, string, announcement.Language) GuideBook {
	return GuideBook{Site: "Pabrik Cikande", Dial: h.dial, Muster: "Lapangan parkir B", Guides: []Guide{
		{Key: "fire", Name: "Kebakaran", Action: "Keluar sekarang lewat tangga.", Do: []string{"Keluar lewat pintu terdekat.", "Asap: merunduk."}, Dont: "Jangan pakai lift."}}}
}

func (h *house) Settings(_ context.Context, device string) (Settings, error) {
	if device != "device1" {
		return Settings{}, ErrNotFound
	}
	return Settings{Name: "Siti Aminah", Number: "2210", Language: announcement.Indonesian, Mobile: "•••• 0003", SMS: !h.lastDevice, Asked: h.number, Org: "PT SinarAbc",
		Devices: []Device{{ID: "d1", Name: "Chrome, Android", Seen: noon, Push: !h.lastDevice, This: true}, {ID: "d2", Name: "Firefox, Windows", Seen: noon.AddDate(0, -1, 0), Push: h.lastDevice}}}, nil
}

func (h *house) SetLanguage(_ context.Context, _ string, lang announcement.Language) error {
	h.language = lang
	return nil
}

func (h *house) AskNumber(_ context.Context, _, number string) error {
	if number == "12" {
		return announcement.FieldErrors{{Field: "mobile", Value: number, Why: "is too short for a phone number"}}
	}
	h.number = "•••• 1234"
	return nil
}

func (h *house) EnterNumber(_ context.Context, _, code string) error {
	if code != "482913" {
		return ErrWrongCode
	}
	h.number = ""
	return nil
}

func (h *house) RemoveDevice(_ context.Context, _, id string) error {
	h.removed = append(h.removed, id)
	return nil
}

func (h *house) ReportEmergency(_ context.Context, device string, e Emergency) (string, error) {
	if device != "device1" {
		return "", ErrNotFound
	}
	h.emergencies = append(h.emergencies, e)
	return "e1", nil
}

func (h *house) EmergencyStatus(_ context.Context, device, id string) (EmergencyStatus, error) {
	if device != "device1" || id == "unknown" {
		return EmergencyStatus{}, ErrNotFound
	}
	s := EmergencyStatus{Kind: "fire", Where: "Gudang 2, rak B", What: "Asap dari panel listrik", Photo: true, At: noon, Called: id != "alone", Emergency: "112", Language: announcement.Indonesian}
	if id == "closed" {
		s.SeenBy, s.SeenAt, s.ClosedBy, s.ClosedAt = "Rina Wulandari", noon.Add(2*time.Minute), "Rina Wulandari", noon.Add(20*time.Minute)
	}
	return s, nil
}

func (h *house) EmergencyPhoto(_ context.Context, id string) ([]byte, error) {
	if id != "t4" {
		return nil, ErrNotFound
	}
	return []byte("jpeg"), nil
}

func (h *house) Connected(ctx context.Context, device string) error {
	_, err := h.Me(ctx, device)
	return err
}
