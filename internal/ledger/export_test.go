package ledger

import (
	"context"

	"kentongan/internal/announcement"
)

// Begin is an accept that is cut off right before committed.
func (l *JetStream) Begin(ctx context.Context, facts []announcement.Fact) error {
	all, err := layout(facts, l.now)
	if err != nil {
		return err
	}
	_, err = l.fill(ctx, facts[0].Announcement, all)
	return err
}

// Unreadable is what a silent watcher asks.
func (v *KV) Unreadable(ctx context.Context) ([]uint64, error) { return v.unreadable(ctx) }
