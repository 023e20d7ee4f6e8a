package ledger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// The hash chain covers every record in the order of the stream: its position, its
// subject and its bytes. Many nodes write at once, and the order is known only when
// the server has given it; so the chain is not written by whoever writes a record, but
// computed beside by whoever follows, and comes out the same for everybody.
//
//	print(n) = SHA-256("kentongan record 1\n" ‖ position, 8 bytes ‖ length of subject, 8 bytes ‖ subject ‖ body)
//	chain(n) = SHA-256("kentongan chain 1\n" ‖ chain(n-1) ‖ print(n)), chain(0) is 32 zero bytes
//
// Numbers are big endian. A checkpoint signs chain(n); the shortened prints in it say
// which record is another one when the chain is not the same.

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// shortPrint is how much of each print a checkpoint keeps. It only has to name the
// record; that a record was changed at all, the whole chain says.
const shortPrint = 8

// mostCovered is how many records one checkpoint covers at most.
const mostCovered = 1000

// mostMissing is how many records in a row may be missing and still be linked as zeros.
const mostMissing = 1 << 20

func printOf(s Stored) Hash {
	head := append([]byte("kentongan record 1\n"), make([]byte, 0, 16+len(s.Subject))...)
	head = binary.BigEndian.AppendUint64(head, s.Seq)
	head = binary.BigEndian.AppendUint64(head, uint64(len(s.Subject)))
	head = append(head, s.Subject...)
	h := sha256.New()
	h.Write(head)
	h.Write(s.Body)
	return Hash(h.Sum(nil))
}

func link(before, print Hash) Hash {
	b := append([]byte("kentongan chain 1\n"), before[:]...)
	return sha256.Sum256(append(b, print[:]...))
}

// signed is what the signature of a checkpoint is of: lines that can be written by
// hand, so that it can be checked with any other tool.
func signed(c announcement.Checkpoint) []byte {
	return fmt.Appendf(nil, "kentongan checkpoint 1\nnumber %d\nrecords to %d\nchain %s\nprints %x\nstream %s\nat %s\n",
		c.Number, c.Seq, c.Chain, sha256.Sum256(c.Prints), c.Stream, c.At.UTC().Format(time.RFC3339Nano))
}

func sign(c announcement.Checkpoint, key ed25519.PrivateKey) announcement.Checkpoint {
	c.Key = key.Public().(ed25519.PublicKey)
	c.Signature = ed25519.Sign(key, signed(c))
	return c
}

func signatureFits(c announcement.Checkpoint) bool {
	return len(c.Key) == ed25519.PublicKeySize && ed25519.Verify(c.Key, signed(c), c.Signature)
}

// firstOf is the first record that a checkpoint covers beyond the one before it.
func firstOf(c announcement.Checkpoint) uint64 {
	n := uint64(len(c.Prints) / shortPrint)
	return c.Seq + 1 - min(n, c.Seq)
}

// KeyName is the short name of a public key, for people to compare.
func KeyName(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Trust is what a ledger is held against.
type Trust struct {
	// Keys are the public keys of the installation in the order in which it used them.
	// Nil: the first key that signs is believed, and has to be compared by a person.
	Keys []ed25519.PublicKey
	// Witness are the checkpoints of the file outside of NATS, nil: there is no file.
	Witness []announcement.Checkpoint
}

// uncovered is a record that no checkpoint has covered yet.
type uncovered struct {
	print Hash
	there bool // false: it is missing
	seal  bool // it holds a checkpoint, which alone is worth no further one
}

// walk recomputes the chain along the records, and holds each checkpoint against it.
// It keeps what no checkpoint has covered yet, and no more.
type walk struct {
	stream  string // see Checkpoint.Stream; a backup that is restored is the same ledger
	keys    []ed25519.PublicKey
	witness map[int]announcement.Checkpoint
	fault   func(string)

	base    uint64 // the last record that a checkpoint has covered
	chain   Hash   // there
	open    []uncovered
	last    announcement.Checkpoint // the last that was held
	sealed  int                     // checkpoints in the ledger
	both    int                     // checkpoints that are in the ledger and in the file
	key     int                     // of keys, which one signed last
	another bool                    // it was said that the stream is another
}

func newWalk(t Trust, fault func(string)) *walk {
	w := &walk{keys: slices.Clone(t.Keys), witness: map[int]announcement.Checkpoint{}, fault: fault}
	for _, c := range t.Witness {
		switch other, ok := w.witness[c.Number]; {
		case !signatureFits(c):
			w.faultf("checkpoint %d: was changed in the file outside", c.Number)
		case ok && !bytes.Equal(other.Signature, c.Signature):
			w.faultf("the file outside holds two checkpoints %d: the ledger was written anew between them", c.Number)
		case !ok:
			w.witness[c.Number] = c
		}
	}
	numbers := slices.Sorted(maps.Keys(w.witness))
	for i := 1; i < len(numbers); i++ {
		if numbers[i] > numbers[i-1]+1 {
			w.faultf("%s: missing in the file outside", span("checkpoint", numbers[i-1]+1, numbers[i]-1))
		}
	}
	return w
}

func (w *walk) faultf(format string, args ...any) { w.fault(fmt.Sprintf(format, args...)) }

// at is the last record that was taken.
func (w *walk) at() uint64 { return w.base + uint64(len(w.open)) }

// take takes the next record.
func (w *walk) take(s Stored) {
	if s.Seq <= w.at() {
		return
	}
	w.skip(s.Seq - 1)
	seal := strings.HasPrefix(s.Subject, subjectOf(announcement.House, announcement.KindCheckpoint)+".")
	print := printOf(s)
	if s.Seq == 1 {
		w.stream = hex.EncodeToString(print[:shortPrint])
	}
	w.open = append(w.open, uncovered{print, true, seal})
	if !seal {
		return
	}
	var facts []announcement.Fact
	if err := json.Unmarshal(s.Body, &facts); err != nil || len(facts) != 1 || facts[0].Checkpoint == nil {
		w.faultf("record %d: is no checkpoint that can be read", s.Seq)
		return
	}
	c := *facts[0].Checkpoint
	w.sealed++
	if out, ok := w.witness[c.Number]; ok && bytes.Equal(out.Signature, c.Signature) {
		w.both++
	}
	w.hold(c)
}

// skip notes that the records up to one are missing.
func (w *walk) skip(to uint64) {
	if to <= w.at() {
		return
	}
	w.faultf("%s: missing", span("record", w.at()+1, to))
	if to-w.at() > mostMissing { // another stream: nothing that was sealed fits it
		w.base, w.open = to, nil
	}
	for w.at() < to {
		w.open = append(w.open, uncovered{})
	}
}

// hold compares a checkpoint with the chain as it is, and goes on from it.
func (w *walk) hold(c announcement.Checkpoint) {
	if c.Number <= w.last.Number {
		if known, ok := w.witness[c.Number]; ok && bytes.Equal(c.Signature, known.Signature) {
			return // a notary has held it when it wrote it
		}
		w.faultf("checkpoint %d: comes after checkpoint %d", c.Number, w.last.Number)
		return
	}
	if !w.believes(c) {
		return
	}
	if out, ok := w.witness[c.Number]; ok {
		if !bytes.Equal(out.Signature, c.Signature) {
			w.faultf("checkpoint %d: is another one than in the file outside: the ledger was written anew after record %d", c.Number, w.base)
			return
		}
	}
	for n := w.last.Number + 1; n < c.Number; n++ { // the file outside may know what the ledger has lost
		if out, ok := w.witness[n]; ok && out.Seq > w.base && out.Seq <= w.at() && n == w.last.Number+1 {
			w.faultf("checkpoint %d: in the file outside, and not in the ledger", n)
			w.hold(out)
		}
	}
	if c.Number > w.last.Number+1 {
		w.faultf("%s: missing", span("checkpoint", w.last.Number+1, c.Number-1))
	}
	if c.Seq <= w.base || c.Seq > w.at() {
		w.faultf("checkpoint %d: covers up to record %d, which is not between records %d and %d", c.Number, c.Seq, w.base, w.at())
		return
	}
	covered := w.open[:c.Seq-w.base]
	chain, whole := w.chain, true
	for _, r := range covered {
		chain, whole = link(chain, r.print), whole && r.there
	}
	if hex.EncodeToString(chain[:]) != c.Chain {
		w.locate(c, covered, whole)
	}
	sealed, _ := hex.DecodeString(c.Chain) // what is signed goes on, so that a fault is named once
	copy(w.chain[:], sealed)
	w.base, w.open, w.last = c.Seq, slices.Clone(w.open[len(covered):]), c
}

// believes reports whether a checkpoint was signed by this installation.
func (w *walk) believes(c announcement.Checkpoint) bool {
	if !signatureFits(c) {
		w.faultf("checkpoint %d: its signature does not fit: it was changed", c.Number)
		return false
	}
	if len(w.keys) == 0 {
		w.keys = []ed25519.PublicKey{c.Key}
	}
	switch i := slices.IndexFunc(w.keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, c.Key) }); {
	case i < 0:
		w.faultf("checkpoint %d: is signed with another key (%s) than this installation's: the chain was written anew by somebody else", c.Number, KeyName(c.Key))
		return false
	case i < w.key:
		w.faultf("checkpoint %d: is signed with a key (%s) that was given up before it", c.Number, KeyName(c.Key))
		return false
	default:
		w.key = i
	}
	if w.stream != "" && c.Stream != w.stream {
		if !w.another {
			w.faultf("checkpoint %d: is of a ledger that began with another record (%s, and this one with %s): the stream was made anew", c.Number, c.Stream, w.stream)
		}
		w.another = true
		return false
	}
	return true
}

// locate names the records that a checkpoint did not see as they are now.
func (w *walk) locate(c announcement.Checkpoint, covered []uncovered, whole bool) {
	first, named := firstOf(c), !whole // a record that is missing has been named
	changed := func(seq uint64) bool {
		r, at := covered[seq-w.base-1], (seq-first)*shortPrint
		return r.there && !bytes.Equal(r.print[:shortPrint], c.Prints[at:at+shortPrint])
	}
	for seq := max(first, w.base+1); seq <= c.Seq; seq++ {
		if !changed(seq) {
			continue
		}
		from := seq
		for seq < c.Seq && changed(seq+1) { // a record that was taken out moves those behind it
			seq++
		}
		w.faultf("%s: changed since checkpoint %d", span("record", from, seq), c.Number)
		named = true
	}
	switch {
	case first > w.base+1:
		w.faultf("%s: at least one may have been changed since checkpoint %d", span("record", w.base+1, first-1), c.Number)
	case !named:
		w.faultf("%s: at least one was changed since checkpoint %d", span("record", w.base+1, c.Seq), c.Number)
	}
}

// end holds what the file outside has beyond the ledger.
func (w *walk) end() {
	var beyond []announcement.Checkpoint
	for n, c := range w.witness {
		if n > w.last.Number {
			beyond = append(beyond, c)
		}
	}
	slices.SortFunc(beyond, func(a, b announcement.Checkpoint) int { return a.Number - b.Number })
	for i, c := range beyond {
		if !w.believes(c) {
			continue
		}
		if c.Seq > w.at() {
			w.faultf("the end is cut off: checkpoint %d of the file outside covers up to record %d, and the ledger ends at record %d", beyond[len(beyond)-1].Number, beyond[len(beyond)-1].Seq, w.at())
			return
		}
		if i == 0 {
			w.faultf("%s: in the file outside, and not in the ledger", span("checkpoint", c.Number, beyond[len(beyond)-1].Number))
		}
		w.hold(c)
	}
}

// span is "record 7", "records 7 to 9".
func span[N int | uint64](what string, first, last N) string {
	if first == last {
		return fmt.Sprintf("%s %d", what, first)
	}
	return fmt.Sprintf("%ss %d to %d", what, first, last)
}
