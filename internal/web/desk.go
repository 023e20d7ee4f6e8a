package web

import (
	"context"

	"kentongan/internal/announcement"
)

// Desk is what the pages and the API ask of the house. Methods return the
// errors of problem.go, or announcement.FieldErrors.
type Desk interface {
	Drafting
	HoldingBack
	Acting

	QuietBudget(ctx context.Context, p Principal) QuietBudget
	BrokenQuiet(ctx context.Context) []BrokenQuiet // newest month first
	// Announce is idempotent by key (empty: no key). It returns once the
	// recipients are durable. repeated says that key had been used for this draft.
	Announce(ctx context.Context, p Principal, d Draft, key string) (s Summary, repeated bool, err error)
	// Boards is what a principal may see.
	Boards(p Principal) Boards
	// Changes delivers a value each time the announcement changed, at most one
	// waiting; the channel is closed when ctx ends or the node stops.
	Changes(ctx context.Context, id announcement.ID) <-chan struct{}

	HandleText(ctx context.Context, p Principal, id string) error
	// AssignText says whose text it is. It returns the recipient of the open
	// announcement under whom it is filed now; no announcement: it waits on, under
	// the person's name.
	AssignText(ctx context.Context, p Principal, id, number string) (announcement.ID, int, error)

	Sitelist() []Choice
	Departments() []Choice
	Readiness(ctx context.Context) Readiness
}
