package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// partSize is as much of a file as one value of the vault holds: it has to stay
// below 1 MB.
const partSize = 512 << 10

// putParts keeps a file, encrypted like everything in the vault, and returns in how
// many parts.
func putParts(ctx context.Context, vault ledger.Vault, key string, file []byte) (parts int, err error) {
	for part := range slices.Chunk(file, partSize) {
		if err := vault.Put(ctx, fmt.Sprintf("%s.%d", key, parts), part); err != nil {
			return parts, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		parts++
	}
	return parts, nil
}

func getParts(ctx context.Context, vault ledger.Vault, key string, parts int) ([]byte, error) {
	var out bytes.Buffer
	for n := range parts {
		part, err := vault.Get(ctx, fmt.Sprintf("%s.%d", key, n))
		if errors.Is(err, ledger.ErrNotFound) {
			return nil, web.ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		out.Write(part)
	}
	return out.Bytes(), nil
}

func deleteParts(ctx context.Context, vault ledger.Vault, key string, parts int) error {
	for n := range parts {
		if err := vault.Delete(ctx, fmt.Sprintf("%s.%d", key, n)); err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	return nil
}
