package app

import (
	"context"
	"fmt"

	"kentongan/internal/ledger"
)

// keepUp follows the values of the vault whose keys start with prefix, until ctx
// ends, so that what one node stores every node knows. It returns when learn has
// heard everything that was stored before. what names it in an error.
func keepUp(ctx context.Context, vault ledger.Vault, prefix, what string, learn func(key string, value []byte)) error {
	ready, failed := make(chan struct{}), make(chan error, 1)
	go func() { failed <- vault.Follow(ctx, prefix, learn, func() { close(ready) }) }()
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return fmt.Errorf("load %s: %w", what, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}
