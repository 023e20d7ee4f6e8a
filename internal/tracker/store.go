package tracker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// ErrLost is returned when the store lacks what was applied before: somebody
// emptied it. The tracker then rebuilds that announcement from the ledger.
var ErrLost = errors.New("working state lost")

// Store is the working state. Everything in it can be made again from the
// ledger, so it may be emptied at any moment. It is implemented on Redis (Lua)
// and in memory; one suite judges both. Safe for concurrent use.
type Store interface {
	// Apply folds the changes of records that follow one another, all in one step
	// together with the position of the last. prev is the record of this announcement
	// before them, 0 for none. What was applied already, by another node that takes
	// other portions, changes nothing; if prev was not applied, ErrLost.
	Apply(ctx context.Context, id announcement.ID, prev uint64, changes []Change) error
	// Snapshot returns the bitmaps and counters at one moment. Applied is 0 when
	// there is nothing.
	Snapshot(ctx context.Context, id announcement.ID) (Snapshot, error)
	// Look returns the bits of some recipients and details by field name, at one
	// moment. It costs what was asked for, however many recipients there are.
	Look(ctx context.Context, id announcement.ID, numbers []int, names []string) (Look, error)
	// Peek says what must be known right before recipient n is called: one round
	// trip.
	Peek(ctx context.Context, id announcement.ID, n int, round int64, c announcement.Channel) (Peek, error)
	// Settled returns which targets of a round were called on a channel, as a
	// bitmap, and the position applied.
	Settled(ctx context.Context, id announcement.ID, round int64, c announcement.Channel) (Bitmap, uint64, error)
	// Forget removes all of an announcement.
	Forget(ctx context.Context, id announcement.ID) error

	// Arm sets the timer of an announcement; with keep a timer that is there stays.
	Arm(ctx context.Context, id announcement.ID, due time.Time, keep bool) error
	// Disarm removes it.
	Disarm(ctx context.Context, id announcement.ID) error
	// Due returns at most limit announcements whose timer is not after now, and
	// puts their timers to until: a lease, so that a node that dies loses nothing.
	Due(ctx context.Context, now, until time.Time, limit int) ([]announcement.ID, error)

	// Cursor returns the epoch and position of the ledger last noted, "" and 0
	// when nothing is.
	Cursor(ctx context.Context) (epoch string, seq uint64, err error)
	SetCursor(ctx context.Context, epoch string, seq uint64) error
}

// Change is what the record at Seq changes.
type Change struct {
	Seq uint64
	Ops []Op
}

// Op is one compact change: a verb and its arguments, joined by the ASCII unit
// separator. The same text is read by Lua and by MemoryStore.
type Op string

const unit = "\x1f"

func op(parts ...any) Op {
	s := make([]string, len(parts))
	for i, p := range parts {
		switch v := p.(type) {
		case time.Time:
			s[i] = millis(v)
		case bool:
			s[i] = "0"
			if v {
				s[i] = "1"
			}
		default:
			s[i] = strings.ReplaceAll(fmt.Sprint(v), unit, " ")
		}
	}
	return Op(strings.Join(s, unit))
}

func millis(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func fromMillis(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// Bitmap holds one bit per recipient number, as Redis numbers them: bit 0 is
// the highest bit of the first byte.
type Bitmap []byte

// Get returns bit n; bits beyond the end are 0.
func (b Bitmap) Get(n int) bool {
	return n >= 0 && n>>3 < len(b) && b[n>>3]&(0x80>>(n&7)) != 0
}

func (b Bitmap) with(n int, on bool) Bitmap {
	if n>>3 >= len(b) {
		if !on {
			return b
		}
		b = append(b, make([]byte, n>>3+1-len(b))...)
	}
	if on {
		b[n>>3] |= 0x80 >> (n & 7)
	} else {
		b[n>>3] &^= 0x80 >> (n & 7)
	}
	return b
}

// The bitmaps of an announcement. Who is in none of the first three is
// outstanding.
const (
	bitSafe      = "safe"
	bitHelp      = "help"
	bitOffSite   = "offsite"
	bitOpened    = "opened"
	bitNoContact = "nocontact" // nothing reaches them: known when the audience was frozen
	bitFailed    = "failed"    // every channel of round 0 failed
	bitVouched   = "vouched"
	bitExcused   = "excused"
	bitLate      = "late"
	bitCalled    = "called"
)

// revisedBits are forgotten when a new version asks again. Whoever needs help stays so.
var revisedBits = []string{bitSafe, bitOffSite, bitOpened, bitFailed}

// stateBits are those that make a recipient's state.
var stateBits = []string{bitHelp, bitSafe, bitOffSite, bitOpened, bitNoContact, bitFailed}

var bitmapNames = []string{bitSafe, bitHelp, bitOffSite, bitOpened, bitNoContact, bitFailed, bitVouched, bitExcused, bitLate, bitCalled}

// Snapshot is the working state of an announcement at one moment.
type Snapshot struct {
	Applied  uint64
	Closed   bool
	Bits     map[string]Bitmap
	Counters map[string]int // "r:<channel>:<rank>", "f:<channel>:<failure>"
}

// Look is what is known about some recipients at one moment. Without the
// position, what was lost would look like what never was.
type Look struct {
	Applied uint64
	Bits    map[string][]bool // for each of stateBits, the recipients in the order asked
	Fields  []string          // "" for those that are not there
}

// Peek is what is known about one recipient right before a call.
type Peek struct {
	Applied                           uint64
	Closed, Answered, Excused, Called bool
	Help                              bool // answered so
	Settled                           bool // target n was called already, on this channel in this round
}
