package app

import (
	"context"
	"errors"
	"fmt"

	"kentongan/internal/dispatch"
	"kentongan/internal/web"
)

// Found is what the watch found in its last round.
func (h health) Found() []string { return h.watch.codes() }

// Stuck lists the deliveries that nobody works on any more.
func (h health) Stuck(ctx context.Context) ([]web.StuckJob, error) {
	all, err := h.dispatcher.Queue.Stuck(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	var out []web.StuckJob
	for _, s := range all {
		out = append(out, web.StuckJob{ID: s.ID, Announcement: s.Job.Announcement, Round: s.Job.Round, Lane: s.Job.Lane, Channel: s.Job.Channel, From: s.Job.Lo, To: s.Job.Hi,
			Why: string(s.Why), Place: s.Place, Tries: s.Attempts, Published: s.Published, At: s.At})
	}
	return out, nil
}

// TryAgain gives a stuck delivery back to the workers.
func (h health) TryAgain(ctx context.Context, id string) error {
	return fromList(h.dispatcher.Queue.TryAgain(ctx, id))
}

// DropStuck takes it out of the list, for good.
func (h health) DropStuck(ctx context.Context, id string) error {
	return fromList(h.dispatcher.Queue.Drop(ctx, id))
}

func fromList(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dispatch.ErrNotStuck):
		return web.ErrNotFound
	}
	return fmt.Errorf("%w: %w", web.ErrNotYet, err)
}
