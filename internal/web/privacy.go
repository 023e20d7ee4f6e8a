package web

import (
	"context"
	"time"

	"kentongan/internal/announcement"
)

// Privacy is what is kept about people, how long, and how it goes.
type Privacy interface {
	// Kept says what is kept, and what was erased lately.
	Kept(ctx context.Context) (Retention, error)
	// DataOf is everything that is kept about a person. It is recorded who asked.
	DataOf(ctx context.Context, p Principal, number string) (PersonalData, error)
	// Erase erases a person who has left, for good. typed is their employee number
	// again. FieldErrors named "typed" say why not.
	Erase(ctx context.Context, p Principal, number, typed string) error
	// MyData is what a person sees of themselves, and MyPlacesGone erases the places
	// that they shared.
	MyData(ctx context.Context, device string) (PersonalData, error)
	MyPlacesGone(ctx context.Context, device string) error
}

// Retention is what is kept how long, and the record of what was erased.
type Retention struct {
	Kinds    []Holding `json:"kinds"`
	Sweeps   []Sweep   `json:"sweeps"`   // newest first
	Erasures []Erasure `json:"erasures"` // newest first
}

// Holding is one kind of thing that is kept.
type Holding struct {
	Kind  string `json:"kind"`
	Holds string `json:"holds"`
	Whose string `json:"whose"`
	Days  int    `json:"days,omitempty"` // 0: no number of days, see Until
	Until string `json:"until"`
}

// Sweep is one day's erasing.
type Sweep struct {
	At      time.Time `json:"at"`
	Ended   time.Time `json:"ended,omitzero"`
	Erased  []Choice  `json:"erased"` // by kind, with how many
	Unnamed int       `json:"unnamed,omitempty"`
	Fault   bool      `json:"fault,omitempty"`
}

// Erasure is that a person was erased; whose it was nobody knows any more.
type Erasure struct {
	At    time.Time `json:"at"`
	Ended time.Time `json:"ended,omitzero"`
	By    string    `json:"by"`
}

// PersonalData is everything that is kept about a person.
type PersonalData struct {
	Number     string                `json:"employee_number"`
	Name       string                `json:"name"`
	Given      string                `json:"given_name,omitempty"`
	Mobile     string                `json:"mobile,omitempty"`
	Email      string                `json:"email,omitempty"`
	Language   announcement.Language `json:"language"`
	Zone       string                `json:"time_zone,omitempty"`
	Country    string                `json:"country,omitempty"`
	Site       string                `json:"site,omitempty"`
	Department string                `json:"department,omitempty"`
	Title      string                `json:"title,omitempty"`
	Shift      string                `json:"shift,omitempty"`
	Manager    string                `json:"manager,omitempty"` // name
	Groups     []string              `json:"groups,omitempty"`
	Active     bool                  `json:"active"`
	SMSStopped bool                  `json:"sms_stopped"`
	Wrong      bool                  `json:"wrong_number"`
	Devices    []HeldDevice          `json:"devices,omitempty"`
	Alerts     []HeldAlert           `json:"alerts,omitempty"` // newest first
	Texts      []HeldText            `json:"texts,omitempty"`
	Looks      []Look                `json:"who_looked,omitempty"` // newest first
	At         time.Time             `json:"at"`
	Org        string                `json:"organisation"`
}

// HeldDevice is a connected phone or a push address.
type HeldDevice struct {
	Name     string    `json:"name,omitempty"`
	Seen     time.Time `json:"seen"`
	Endpoint string    `json:"endpoint,omitempty"`
}

// HeldAlert is how a person stood in an alert, and what was written.
type HeldAlert struct {
	ID       announcement.ID      `json:"id"`
	Title    string               `json:"title"`
	Mode     announcement.Mode    `json:"mode"`
	At       time.Time            `json:"at"`
	Answers  announcement.Answers `json:"asks"`
	Answer   announcement.Answer  `json:"answer,omitempty"`
	State    announcement.State   `json:"state"`
	Answered time.Time            `json:"answered_at,omitzero"`
	By       string               `json:"recorded_by,omitempty"` // who accounted for them
	Words    []HeldWords          `json:"words,omitempty"`
}

// HeldWords are somebody's words in an alert.
type HeldWords struct {
	At         time.Time `json:"at"`
	Words      string    `json:"words,omitempty"`
	WordsUntil time.Time `json:"words_until,omitzero"` // zero: the alert is still open
	Place      string    `json:"place,omitempty"`
	PlaceUntil time.Time `json:"place_until,omitzero"`
	Others     bool      `json:"by_others,omitempty"` // somebody else wrote it about them
}

// HeldText is a text or a report that belongs to no alert.
type HeldText struct {
	At    time.Time `json:"at"`
	Words string    `json:"words"`
	Where string    `json:"where,omitempty"`
	Photo bool      `json:"photo,omitempty"`
	Until time.Time `json:"until"`
}

// Look is that somebody looked at a person's data.
type Look struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What string    `json:"what"`
}
