package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

// Notary seals the ledger with checkpoints, and says when what was sealed is no longer
// as it was. It follows beside everything else: no write waits for it.
//
// # Decisions
//
// Each node has one, and each computes the chain from the first record at its start:
// the tracker reads all of it anyway, hashing costs a fraction of that, and so every
// start is a whole check. Of the nodes that want to write the next checkpoint, the
// ledger lets one (Once, by its number). Each node adds every checkpoint to its own
// file outside, whoever wrote it, and only after it is in the ledger.
//
// A record that was changed is named and sealing goes on from what was signed. When
// the end was cut off, or the chain was written anew, nothing more is sealed until a
// person has decided: going on would cover it up.
type Notary struct {
	o NotaryOptions

	mu      sync.Mutex
	w       *walk
	upTo    uint64 // where the ledger ended at the start
	caught  bool   // this node has read that far
	took    time.Time
	oldest  time.Time                 // when the first record came that no checkpoint covers
	stopped bool                      // nothing more is sealed
	behind  []announcement.Checkpoint // not in the file yet
	lost    int                       // a number that is taken, and that nobody can read

	said    sync.Mutex // taken inside mu: whoever asks for faults waits for no ledger
	faults  []string
	found   int // faults, also those that are not remembered
	fileErr error
}

// NotaryOptions say with what, where and how often is sealed.
type NotaryOptions struct {
	Ledger Ledger
	Key    ed25519.PrivateKey
	Former []ed25519.PublicKey // that signed before, in order
	File   string              // outside of NATS
	Every  int                 // records after which there is a checkpoint; 0: 1,000
	After  time.Duration       // or so long after the first record; 0: 5 min
	Now    func() time.Time
	Log    *slog.Logger
}

// NewNotary returns a Notary; Run makes it work.
func NewNotary(o NotaryOptions) *Notary {
	if o.Every <= 0 || o.Every > mostCovered {
		o.Every = mostCovered
	}
	if o.After <= 0 {
		o.After = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Notary{o: o}
}

// Trust is what this installation holds its ledger against, as of now.
func (n *Notary) Trust() (Trust, error) {
	witness, err := ReadWitness(n.o.File)
	return Trust{Keys: append(slices.Clone(n.o.Former), n.o.Key.Public().(ed25519.PublicKey)), Witness: witness}, err
}

// Faults are what is no longer as it was sealed, and why the file outside lacks
// something; empty while all is well.
func (n *Notary) Faults() []string {
	n.said.Lock()
	defer n.said.Unlock()
	all := slices.Clone(n.faults)
	if n.fileErr != nil {
		all = append(all, n.fileErr.Error())
	}
	return all
}

// maxNoted bounds what a notary remembers; verify lists all.
const maxNoted = 20

func (n *Notary) fault(why string) {
	n.o.Log.Error("the ledger is not as it was sealed", "step", "notary", "reason", why)
	n.said.Lock()
	defer n.said.Unlock()
	n.found++
	if len(n.faults) < maxNoted {
		n.faults = append(n.faults, why)
	}
}

// Run follows and seals until ctx ends.
func (n *Notary) Run(ctx context.Context) error {
	for {
		err := n.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n.o.Log.Warn("the ledger cannot be sealed, trying again", "step", "notary", "reason", err)
		pause(ctx, time.Second)
	}
}

func (n *Notary) follow(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for pause(ctx, min(n.o.After, 5*time.Second)) {
			n.tick(ctx)
		}
	}()
	n.tick(ctx)
	n.mu.Lock()
	after := n.w.at()
	n.mu.Unlock()
	return n.o.Ledger.Scan(ctx, after, func(s Stored) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.take(s)
		if n.caught && n.due() {
			n.seal(ctx)
		}
		return nil
	})
}

// begin looks at where the ledger stands, once.
func (n *Notary) begin(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.w != nil {
		return nil
	}
	trust, unread := n.Trust() // before the ledger: a checkpoint is there first
	last, err := n.o.Ledger.Last(ctx)
	if err != nil {
		return err
	}
	if unread != nil { // the ledger stands alone, and the file is not touched
		n.fault(unread.Error())
		n.stopped = true
	}
	n.upTo = last
	n.w = newWalk(trust, n.fault)
	n.took = n.o.Now()
	return nil
}

// take takes a record. n.mu is held.
func (n *Notary) take(s Stored) {
	before := n.w.last.Number
	n.w.take(s)
	n.took = n.o.Now()
	if n.oldest.IsZero() {
		n.oldest = n.took
	}
	if n.w.last.Number > before {
		n.note(n.w.last)
	}
	n.look()
}

// look notes that what was there at the start has been read. n.mu is held.
func (n *Notary) look() {
	if n.caught || n.w.at() < n.upTo {
		return
	}
	n.caught = true
	known, number := n.found, n.w.last.Number
	n.w.end()
	if n.found > known || n.w.last.Number > number { // the file outside knows more
		n.stopped = true
	}
	for number, c := range n.w.witness { // compared by its signature from now on
		c.Prints = nil
		n.w.witness[number] = c
	}
}

// note keeps a checkpoint that was found good. n.mu is held.
func (n *Notary) note(c announcement.Checkpoint) {
	n.oldest = time.Time{}
	if n.fresh() {
		n.oldest = n.o.Now()
	}
	if _, there := n.w.witness[c.Number]; !there {
		n.w.witness[c.Number] = announcement.Checkpoint{Number: c.Number, Signature: c.Signature}
		n.behind = append(n.behind, c)
	}
	if n.caught {
		n.write()
	}
}

// write brings the file outside up to date. n.mu is held.
func (n *Notary) write() {
	if len(n.behind) == 0 || n.stopped {
		return
	}
	err := appendWitness(n.o.File, n.behind...)
	if err == nil {
		n.behind = nil
	} else if n.fileErr == nil { // only written here, under mu
		n.o.Log.Error("the file of checkpoints outside of NATS cannot be written, trying again", "step", "notary", "reason", err)
	}
	n.said.Lock()
	n.fileErr = err
	n.said.Unlock()
}

// fresh reports whether there is a record that no checkpoint covers, checkpoints aside.
// n.mu is held.
func (n *Notary) fresh() bool {
	return slices.ContainsFunc(n.w.open, func(r uncovered) bool { return !r.seal })
}

func (n *Notary) due() bool {
	if len(n.w.open) == 0 || n.stopped {
		return false
	}
	if len(n.w.open) >= n.o.Every {
		return n.fresh()
	}
	return n.o.Now().Sub(n.oldest) >= n.o.After && n.fresh()
}

// tick seals what has waited for long enough, and tries the file again.
func (n *Notary) tick(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.w == nil {
		return
	}
	if !n.caught && n.o.Now().Sub(n.took) > silence { // what does not come cannot be read, unless it is slow
		if next, err := readable(ctx, n.o.Ledger, n.w.at()+1, n.upTo); err == nil {
			n.w.skip(next - 1)
		}
	}
	n.look()
	if !n.caught {
		return
	}
	n.write()
	if n.due() {
		n.seal(ctx)
	}
}

// Seal seals everything that is in the ledger: at an orderly stop, after Run.
func (n *Notary) Seal(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return fmt.Errorf("seal ledger: %w", err)
	}
	last, err := n.o.Ledger.Last(ctx)
	if err != nil {
		return fmt.Errorf("seal ledger: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	take := func(s Stored) error {
		n.take(s)
		return nil
	}
	if err := readTo(ctx, n.o.Ledger, n.w.at(), last, take, n.w.skip); err != nil {
		return fmt.Errorf("seal ledger: %w", err)
	}
	n.look()
	for n.caught && !n.stopped && n.fresh() && n.seal(ctx) {
	}
	n.write()
	return nil
}

// seal writes the next checkpoints, and reports whether it has. n.mu is held.
func (n *Notary) seal(ctx context.Context) (done bool) {
	for ok := true; ok && n.fresh() && !n.stopped; ok = len(n.w.open) >= n.o.Every {
		c := n.next()
		_, err := n.o.Ledger.Once(ctx, fmt.Sprint(c.Number), announcement.Fact{Announcement: announcement.House, Kind: announcement.KindCheckpoint, At: c.At, Checkpoint: &c})
		if errors.Is(err, ErrAlready) {
			n.taken(ctx, c.Number)
			return done
		}
		if err != nil {
			if ctx.Err() == nil {
				n.o.Log.Warn("a checkpoint could not be written, trying again", "step", "notary", "reason", err)
			}
			return done
		}
		n.w.hold(c) // the ledger brings it too, and then it is known
		n.note(c)
		done = true
	}
	return done
}

// next makes the next checkpoint.
func (n *Notary) next() announcement.Checkpoint {
	c := announcement.Checkpoint{Number: max(n.w.last.Number, n.lost) + 1, Stream: n.w.stream, At: n.o.Now().UTC()}
	chain := n.w.chain
	covered := n.w.open[:min(len(n.w.open), mostCovered)]
	for _, r := range covered {
		chain = link(chain, r.print)
		c.Prints = append(c.Prints, r.print[:shortPrint]...)
	}
	c.Seq, c.Chain = n.w.base+uint64(len(covered)), hex.EncodeToString(chain[:])
	return sign(c, n.o.Key)
}

// taken handles a number that is in the ledger already. Mostly another node has just
// written it, and it comes. One that does not come though everything was read cannot
// be read any more, and must not end the sealing.
func (n *Notary) taken(ctx context.Context, number int) {
	if last, err := n.o.Ledger.Last(ctx); err == nil && n.w.at() >= last {
		n.lost = number
	}
}
