package ledger

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
)

// snapshotStreams are the streams that hold everything. The ledger comes first:
// what a fact refers to was put into the vault before it was written, so that the
// vault, taken later, has it.
//
// What is queued for delivery is left out. It follows from the ledger, and a queue
// taken at another moment would lack what was handed over in between: whoever was
// not called would be forgotten. So every round is planned anew, and whoever is
// settled in the ledger is not called again.
var snapshotStreams = []string{streamName, "KV_" + bucketName}

// ErrNotEmpty refuses to restore over what is there.
var ErrNotEmpty = errors.New("there is a ledger already")

// Snapshot writes the ledger and the vault, sealed as it is, to w as a tar. Both go
// on meanwhile. It takes as much room in the folder for temporary files.
func Snapshot(ctx context.Context, nc *nats.Conn, w io.Writer, now time.Time) error {
	mgr, err := jsm.New(nc)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	archive := tar.NewWriter(w)
	for _, name := range snapshotStreams {
		if err := snapshotStream(ctx, mgr, name, archive, now); err != nil {
			return fmt.Errorf("snapshot of %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

func snapshotStream(ctx context.Context, mgr *jsm.Manager, name string, archive *tar.Writer, now time.Time) error {
	stream, err := mgr.LoadStream(name)
	if err != nil {
		return err
	}
	data, err := os.CreateTemp("", "kentongan-snapshot-*") // its size has to be known before it is written
	if err != nil {
		return err
	}
	defer func() { _ = data.Close(); _ = os.Remove(data.Name()) }()
	var about bytes.Buffer
	// The server checks each block before it hands it out: half a ledger must not
	// look like a backup.
	if _, err := stream.SnapshotToBuffer(ctx, kept{data}, kept{&about}, jsm.SnapshotHealthCheck()); err != nil {
		return err
	}
	size, err := data.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = data.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name + ".json", Mode: 0o600, Size: int64(about.Len()), ModTime: now}); err != nil {
		return err
	}
	if _, err := about.WriteTo(archive); err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name + ".stream", Mode: 0o600, Size: size, ModTime: now}); err != nil {
		return err
	}
	_, err = io.Copy(archive, data)
	return err
}

// kept is a writer that stays open.
type kept struct{ io.Writer }

func (kept) Close() error { return nil }

// Restore brings back what Snapshot wrote, into a NATS that has neither a ledger
// nor a vault: ErrNotEmpty. When it fails in the middle it leaves nothing.
func Restore(ctx context.Context, nc *nats.Conn, archive *tar.Reader) (err error) {
	mgr, err := jsm.New(nc)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := empty(mgr); err != nil {
		return err
	}
	var made []string
	defer func() {
		for _, name := range made {
			if err == nil {
				break
			}
			if s, lerr := mgr.LoadStream(name); lerr == nil {
				_ = s.Delete()
			}
		}
	}()
	for _, name := range snapshotStreams {
		about, err := entry(archive, name+".json")
		if err != nil {
			return err
		}
		config, err := io.ReadAll(about)
		if err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
		data, err := entry(archive, name+".stream")
		if err != nil {
			return err
		}
		_, err = mgr.RestoreSnapshotFromBuffer(ctx, name, io.NopCloser(filling{data}), io.NopCloser(bytes.NewReader(config)))
		var refused api.ApiError
		if !errors.As(err, &refused) || refused.NatsErrorCode() != nameInUse { // else a node has just made it
			made = append(made, name)
		}
		if err != nil {
			return fmt.Errorf("restore %s: %w", name, err)
		}
	}
	return nil
}

// Empty returns ErrNotEmpty where there is a ledger or a vault already.
func Empty(nc *nats.Conn) error {
	mgr, err := jsm.New(nc)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return empty(mgr)
}

func empty(mgr *jsm.Manager) error {
	for _, name := range snapshotStreams {
		switch known, err := mgr.IsKnownStream(name); {
		case err != nil:
			return fmt.Errorf("restore: %w", err)
		case known:
			return fmt.Errorf("restore: %w", ErrNotEmpty)
		}
	}
	return nil
}

// nameInUse is the server's code for a stream that is there already.
const nameInUse = 10058

// filling reads as much as there is room for: to the server an empty piece is the end.
type filling struct{ io.Reader }

func (f filling) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.Reader, p)
	if n > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		err = nil
	}
	return n, err
}

// entry returns the next file of a backup, which has to have this name.
func entry(archive *tar.Reader, name string) (io.Reader, error) {
	h, err := archive.Next()
	if err != nil {
		return nil, fmt.Errorf("this is no whole backup: %s: %w", strings.TrimSuffix(name, ".json"), err)
	}
	if h.Name != name {
		return nil, fmt.Errorf("this is no backup: got %q where %s should be", h.Name, name)
	}
	return archive, nil
}
