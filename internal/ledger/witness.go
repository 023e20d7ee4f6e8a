package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"kentongan/internal/announcement"
)

// The witness is a file of checkpoints outside of NATS, one JSON object a line. Whoever
// cuts the end of the ledger off, or writes all of it anew with the key, has to change
// this file too; so it is best kept where those who run the server can only add to it.

// ErrWitness says that the file holds what no notary wrote.
var ErrWitness = errors.New("the file was changed")

// ReadWitness returns the checkpoints of a file; nil if there is no file. A last line
// without its end was cut off by a crash, and is written again.
func ReadWitness(path string) ([]announcement.Checkpoint, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	all, err := decodeWitness(b)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %s: %w", path, err)
	}
	return all, nil
}

func decodeWitness(b []byte) ([]announcement.Checkpoint, error) {
	all := []announcement.Checkpoint{}
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return all, nil
		}
		b = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var c announcement.Checkpoint
		if err := json.Unmarshal(line, &c); err != nil || c.Number <= 0 {
			if bytes.HasPrefix(rest, line) {
				continue // cut off by a crash where nothing can be taken away, and written again behind
			}
			return nil, fmt.Errorf("%w: line %d is no checkpoint", ErrWitness, n)
		}
		all = append(all, c)
	}
}

// appendWitness adds checkpoints to the file and returns when they are on disk.
func appendWitness(path string, all ...announcement.Checkpoint) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write checkpoints: %w", err)
	}
	defer f.Close()
	var b bytes.Buffer
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > 0 {
		end := make([]byte, 1)
		if _, err := f.ReadAt(end, size-1); err == nil && end[0] != '\n' {
			// A crash cut this line off. What was on it is in the ledger, and comes again.
			if err := f.Truncate(lastLine(f, size)); err != nil {
				b.WriteByte('\n')
			}
		}
	}
	for _, c := range all {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("write checkpoints: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	if _, err := b.WriteTo(f); err != nil {
		return fmt.Errorf("write checkpoints: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write checkpoints: %w", err)
	}
	return nil
}

// lastLine returns where the last, unfinished line of a file begins.
func lastLine(f io.ReaderAt, size int64) int64 {
	b := make([]byte, min(size, 64<<10))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return size
	}
	return size - int64(len(b)) + int64(bytes.LastIndexByte(b, '\n')) + 1
}
