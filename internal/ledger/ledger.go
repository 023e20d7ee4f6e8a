// Package ledger writes down every fact once, durably, in order, and lets
// others follow.
//
// # Guarantees
//
// A call that returned nil is on disk: the record was acknowledged by
// JetStream with sync_interval always (PubAck). Facts are never changed,
// deleted or purged. Followers see records in stream order.
//
// # Decisions
//
// One fsync must cover many facts, so every writer of a node goes through one
// batcher: facts with the same subject that wait at the same moment become one
// record, and all their callers are answered by one PubAck (group commit).
package ledger

import (
	"context"
	"errors"

	"kentongan/internal/announcement"
)

// Record is one message of the stream: up to MaxPack facts of one announcement (or of the house)
// and one kind, in the order in which they were given.
type Record struct {
	Seq          uint64 // position in the stream; positions are contiguous over all announcements
	Announcement announcement.ID
	Facts        []announcement.Fact

	// Unread is how many of the facts say something that this version does not know:
	// another version wrote them, or they were damaged. What of them is known stands in
	// Facts, at their place; a record that is no list of facts counts as one.
	Unread int
}

// Stored is a record as its bytes are in the stream.
type Stored struct {
	Seq     uint64
	Subject string
	Body    []byte
}

// MaxPack is the most facts in one record. HelpRound relies on it being below 1,024.
const MaxPack = 500

var (
	// ErrAlready is returned by Once when the key was written before, by this
	// node or another.
	ErrAlready = errors.New("already in the ledger")
	// ErrChanged is returned by Change when somebody else changed the value first.
	ErrChanged = errors.New("changed meanwhile")
	// ErrUnavailable is returned when the record could not be acknowledged; the
	// fact may or may not be stored, and the caller must not say that it is.
	ErrUnavailable = errors.New("ledger unavailable")
	// ErrNotFound is returned by Ledger.At and Vault.Get.
	ErrNotFound = errors.New("not found")
)

// Ledger is implemented on JetStream and in memory; ledgertest judges both.
// All methods are safe for concurrent use.
type Ledger interface {
	// Append writes facts (each with its Announcement, Kind and At set) and
	// returns when all are durable, with the stream position of the last. It
	// groups with other callers. On an error none, some or all may be stored.
	Append(ctx context.Context, facts ...announcement.Fact) (seq uint64, err error)

	// Once writes the fact unless a fact was ever written under the same
	// announcement, kind and key; then it returns ErrAlready. Of any number of
	// racing nodes exactly one gets nil. key is letters, digits, '-' and '_'.
	Once(ctx context.Context, key string, fact announcement.Fact) (seq uint64, err error)

	// Accept writes the facts of a new announcement (announced, recipients …,
	// committed): everything before committed first, in atomic batches, then
	// committed. Repeating an accept that went through returns nil; one that
	// was cut off can be repeated, and nothing follows it until committed is
	// there. facts end with exactly one committed fact.
	Accept(ctx context.Context, facts []announcement.Fact) (seq uint64, err error)

	// Follow calls fn for every record after position after, in order, and goes
	// on with new ones until ctx ends or fn fails; it returns that error. A lost
	// connection is mended inside, without a gap or a repeat.
	Follow(ctx context.Context, after uint64, fn func(Record) error) error

	// Scan is Follow for the bytes: nothing of them is read.
	Scan(ctx context.Context, after uint64, fn func(Stored) error) error

	// Share is Follow for work that any one node may do: every record of the
	// kinds is given to one of the nodes that share name, again if fn fails or
	// the node dies, so fn must be idempotent. It starts at the beginning of the
	// ledger the first time a name is used. It returns when ctx ends.
	Share(ctx context.Context, name string, kinds []announcement.Kind, fn func(context.Context, Record) error) error

	// Read calls fn for every record of one announcement, in order, up to the
	// last one at the time of the call.
	Read(ctx context.Context, id announcement.ID, fn func(Record) error) error

	// Noted calls fn for the records of the audit trail before a position (0: the
	// end), newest first, until fn returns false or there are no more: those about
	// one person, or all for an empty id. It holds few of them in memory at a time.
	Noted(ctx context.Context, person announcement.PersonID, before uint64, fn func(Record) bool) error

	// At returns the record at a position, ErrNotFound if there is none. Who knows
	// which few records they want reads these and not the whole announcement.
	At(ctx context.Context, seq uint64) (Record, error)

	// Last returns the position of the last record of the stream, 0 if empty.
	Last(ctx context.Context) (uint64, error)

	// Epoch identifies this stream; another epoch means that the ledger was
	// lost or recreated, which is an alarm, not an empty list.
	Epoch(ctx context.Context) (string, error)

	// Close stops the batcher after everything waiting has been written.
	Close() error
}
