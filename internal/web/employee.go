package web

import (
	"context"
	"errors"
	"time"

	"kentongan/internal/announcement"
)

// What somebody who types a code may be told. None of it says whether an
// employee number exists.
var (
	ErrWrongCode = errors.New("this is not the code")
	ErrOldCode   = errors.New("this code has expired")
)

// WaitError says that codes were typed too often, and until when to wait.
type WaitError struct{ Until time.Time }

func (*WaitError) Error() string { return "too many codes were tried" }

// Employee is what an employee's own phone asks besides its alerts: to be
// connected, tried out and set up. A device is the credential of its cookie.
type Employee interface {
	// Connected is ErrNotFound for a device that is not, or no longer, somebody's.
	Connected(ctx context.Context, device string) error
	// Enrolee says whom a personal enrolment code belongs to; ErrOldCode when it is
	// over, unless device is theirs already. It changes nothing.
	Enrolee(ctx context.Context, code, device string) (Enrolee, error)
	// Enrol connects a browser to the person of an enrolment code. A browser that
	// is theirs already stays the device that it is.
	Enrol(ctx context.Context, code string, b Browser) (device string, err error)
	// AskCode sends a code by SMS to the number on file for an employee number. It
	// says nothing, and takes the same time, whether there is such a person or not.
	AskCode(ctx context.Context, number string)
	// SMSFails reports whether an SMS would not go out now.
	SMSFails() bool
	// EnterCode connects a browser by a code that came by SMS or that the manager
	// showed: ErrWrongCode, ErrOldCode, or a *WaitError after too many tries.
	EnterCode(ctx context.Context, number, code string, b Browser) (device string, err error)

	// TryPush sends a notification to this device that asks nothing. ErrNotFound:
	// the device has no notifications.
	TryPush(ctx context.Context, device string) error
	// Shown is when a device of the person last showed a notification.
	Shown(ctx context.Context, device string) (time.Time, error)

	// Arrived takes the person's word that a notification was shown.
	Arrived(ctx context.Context, device string) error

	// Guides are what to do, per hazard, with the assembly point of the person's
	// site where it is known; device may be empty.
	Guides(ctx context.Context, device string, lang announcement.Language) GuideBook

	// ReportEmergency files what a person saw and calls the duty list. The same Ref
	// is one report.
	ReportEmergency(ctx context.Context, device string, e Emergency) (id string, err error)
	// EmergencyStatus is what became of a person's own report.
	EmergencyStatus(ctx context.Context, device, id string) (EmergencyStatus, error)

	// Crew is how far the people of a manager have come with connecting their
	// phones; ErrNotFound for somebody who leads nobody.
	Crew(ctx context.Context, device string) (Crew, error)

	Settings(ctx context.Context, device string) (Settings, error)
	SetLanguage(ctx context.Context, device string, lang announcement.Language) error
	// AskNumber sends a code to a number that the person says is theirs now.
	AskNumber(ctx context.Context, device, number string) error
	// EnterNumber takes that number once the code proves that it is theirs.
	EnterNumber(ctx context.Context, device, code string) error
	// RemoveDevice shuts out one of the person's devices; "" is the one that asks.
	RemoveDevice(ctx context.Context, device, id string) error
}

// Crew is a manager's whole tree on the enrolment board.
type Crew struct {
	Manager           string
	Language          announcement.Language
	People, Connected int
	Members           []CrewMember // those who have not begun first; at most 200
}

// CrewMember is one of them.
type CrewMember struct {
	Name, Number             string
	Connected, Push, Arrived bool
	Code                     string    // by which they connect without an SMS; empty once they have
	Until                    time.Time // it counts at least so long
}

// Steps is how many steps somebody has done.
func (m CrewMember) Steps() int {
	switch {
	case m.Arrived:
		return 3
	case m.Push:
		return 2
	case m.Connected:
		return 1
	}
	return 0
}

// Enrolee is the person of an enrolment code, as the page greets them.
type Enrolee struct {
	Given      string
	Name       string
	Department string
	Site       string
	Language   announcement.Language
}

// Browser is what asks to be connected.
type Browser struct {
	Device string // credential that it has already; may be anything
	Name   string // "Chrome, Android"
}

// Settings are what a person can see and change about themselves.
type Settings struct {
	Name     string
	Number   string // employee number
	Language announcement.Language
	Mobile   string // all but its end hidden; empty: none
	SMS      bool   // texts go there
	Asked    string // a new number that waits for its code, all but its end hidden
	Devices  []Device
	Org      string
}

// Device is one of a person's devices.
type Device struct {
	ID   string
	Name string
	Seen time.Time
	Push bool // it shows notifications
	This bool // it is the one that asks
}

// GuideBook is what to do in each kind of emergency.
type GuideBook struct {
	Guides []Guide
	Site   string // of the person, if known
	Muster string // assembly point of that site, if known
	Dial   string // emergency number of that site
}

// Guide is what to do in one kind of emergency.
type Guide struct {
	Key    string
	Name   string
	Action string // the one line that matters most
	Do     []string
	Dont   string
}
