package ledger_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/ledger/ledgertest"
)

// house is a ledger on a real file store, with its notary, that can be stopped,
// tampered with and started again.
type house struct {
	t      *testing.T
	dir    string
	key    ed25519.PrivateKey
	server *server.Server
	nc     *nats.Conn
	ledger *ledger.JetStream
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}
	h.start()
	return h
}

func (h *house) start() {
	h.t.Helper()
	h.server, h.nc = startServer(h.t, h.store())
	h.ledger = open(h.t, h.nc)
}

func (h *house) stop() {
	h.t.Helper()
	if err := h.ledger.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.nc.Close()
	h.server.Shutdown()
	h.server.WaitForShutdown()
}

func (h *house) store() string { return filepath.Join(h.dir, "nats") }
func (h *house) file() string  { return filepath.Join(h.dir, "checkpoints.jsonl") }

func (h *house) notary() *ledger.Notary {
	return ledger.NewNotary(ledger.NotaryOptions{Ledger: h.ledger, Key: h.key, File: h.file(), Every: 10})
}

// seal writes what an orderly stop writes.
func (h *house) seal() *ledger.Notary {
	h.t.Helper()
	n := h.notary()
	if err := n.Seal(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// fill writes an announcement and so many answers, each in a record of its own.
func (h *house) fill(answers int) announcement.ID {
	h.t.Helper()
	id := announcement.NewID()
	if _, err := h.ledger.Accept(h.t.Context(), ledgertest.Acceptance(id, 40)); err != nil {
		h.t.Fatal(err)
	}
	h.answer(id, answers)
	return id
}

func (h *house) answer(id announcement.ID, answers int) {
	h.t.Helper()
	for n := range answers {
		if _, err := h.ledger.Append(h.t.Context(), ledgertest.Answered(id, n)); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) trust() ledger.Trust {
	h.t.Helper()
	trust, err := h.notary().Trust()
	if err != nil {
		h.t.Fatal(err)
	}
	return trust
}

func (h *house) verify(t ledger.Trust) ledger.Report {
	h.t.Helper()
	r, err := ledger.VerifyAgainst(h.t.Context(), h.ledger, t)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// finds verifies the ledger: exactly these faults, each by a part of it. The notary
// must know as well at its start.
func (h *house) finds(want ...string) {
	h.t.Helper()
	expect(h.t, "verify", h.verify(h.trust()).Faults, want)
	n := h.notary()
	if err := n.Seal(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	for _, w := range want {
		if !slices.ContainsFunc(n.Faults(), func(f string) bool { return strings.Contains(f, w) }) && !strings.Contains(w, "before committed") {
			h.t.Errorf("the notary says %q, want %q", n.Faults(), w)
		}
	}
}

func expect(t *testing.T, who string, got, want []string) {
	t.Helper()
	ok := len(got) == len(want)
	for _, w := range want {
		ok = ok && slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, w) })
	}
	if !ok {
		t.Errorf("%s says\n%s\nwant\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// block returns the file of the stream's records.
func (h *house) block() string {
	h.t.Helper()
	all, err := filepath.Glob(filepath.Join(h.store(), "jetstream", "*", "streams", "kentongan-ledger", "msgs", "*.blk"))
	if err != nil || len(all) != 1 {
		h.t.Fatalf("blocks %v, %v", all, err)
	}
	return all[0]
}

// flip changes one byte of the record at a position on the disk. With mend its check
// sum is made right again, as somebody who means it would.
func (h *house) flip(seq uint64, mend bool) {
	h.t.Helper()
	b, err := os.ReadFile(h.block())
	if err != nil {
		h.t.Fatal(err)
	}
	for at := 0; at < len(b); {
		length := binary.LittleEndian.Uint32(b[at:])
		headers := length&(1<<31) != 0
		length &^= 1 << 31
		record := b[at : at+int(length)]
		at += int(length)
		if binary.LittleEndian.Uint64(record[4:]) != seq {
			continue
		}
		subject := int(binary.LittleEndian.Uint16(record[20:]))
		rest := 22 + subject
		if headers {
			rest += 4
		}
		i := bytes.LastIndex(record, []byte(`"ref":"r`)) + len(`"ref":"r`)
		record[i] ^= 1 // r7 becomes r6
		if mend {
			key := sha256.Sum256([]byte("kentongan-ledger-1"))
			hash, err := highwayhash.New64(key[:])
			if err != nil {
				h.t.Fatal(err)
			}
			hash.Write(record[4:20])
			hash.Write(record[22 : 22+subject])
			hash.Write(record[rest : len(record)-8])
			copy(record[len(record)-8:], hash.Sum(nil))
		}
		if err := os.WriteFile(h.block(), b, 0o600); err != nil {
			h.t.Fatal(err)
		}
		return
	}
	h.t.Fatalf("record %d is not in the file", seq)
}

// remove takes a record out of the file.
func (h *house) remove(seq uint64) {
	h.t.Helper()
	b, err := os.ReadFile(h.block())
	if err != nil {
		h.t.Fatal(err)
	}
	for at := 0; at < len(b); {
		length := int(binary.LittleEndian.Uint32(b[at:]) &^ (1 << 31))
		if binary.LittleEndian.Uint64(b[at+4:]) == seq {
			if err := os.WriteFile(h.block(), append(b[:at:at], b[at+length:]...), 0o600); err != nil {
				h.t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(filepath.Dir(h.block()), "index.db"))
			return
		}
		at += length
	}
	h.t.Fatalf("record %d is not in the file", seq)
}

// forge is anew, and the new stream says that it is as old as the first.
func (h *house) forge(change func(ledger.Stored) *ledger.Stored) {
	h.t.Helper()
	meta := filepath.Join(filepath.Dir(filepath.Dir(h.block())), "meta.inf")
	was, err := os.ReadFile(meta)
	if err != nil {
		h.t.Fatal(err)
	}
	h.anew(change)
	h.stop()
	key := sha256.Sum256([]byte("kentongan-ledger"))
	hash, err := highwayhash.New64(key[:])
	if err != nil {
		h.t.Fatal(err)
	}
	hash.Write(was)
	if err := errors.Join(os.WriteFile(meta, was, 0o600), os.WriteFile(filepath.Join(filepath.Dir(meta), "meta.sum"), []byte(hex.EncodeToString(hash.Sum(nil))), 0o600)); err != nil {
		h.t.Fatal(err)
	}
	h.start()
}

// cut takes the end off the file, from the record at a position on.
func (h *house) cut(seq uint64) {
	h.t.Helper()
	b, err := os.ReadFile(h.block())
	if err != nil {
		h.t.Fatal(err)
	}
	for at := 0; at < len(b); at += int(binary.LittleEndian.Uint32(b[at:]) &^ (1 << 31)) {
		if binary.LittleEndian.Uint64(b[at+4:]) == seq {
			if err := os.Truncate(h.block(), int64(at)); err != nil {
				h.t.Fatal(err)
			}
			// What the server remembers of the end would make it ask where it is.
			_ = os.Remove(filepath.Join(filepath.Dir(h.block()), "index.db"))
			return
		}
	}
	h.t.Fatalf("record %d is not in the file", seq)
}

// anew deletes the stream and writes its records again, as change gives them back;
// nil leaves one out.
func (h *house) anew(change func(ledger.Stored) *ledger.Stored) {
	h.t.Helper()
	last, err := h.ledger.Last(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	var all []ledger.Stored
	end := errors.New("end")
	if err := h.ledger.Scan(h.t.Context(), 0, func(s ledger.Stored) error {
		s.Body = slices.Clone(s.Body)
		if s := change(s); s != nil {
			all = append(all, *s)
		}
		if s.Seq == last {
			return end
		}
		return nil
	}); !errors.Is(err, end) {
		h.t.Fatal(err)
	}
	js, err := jetstream.New(h.nc)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := js.DeleteStream(h.t.Context(), "kentongan-ledger"); err != nil {
		h.t.Fatal(err)
	}
	h.ledger = open(h.t, h.nc)
	for _, s := range all {
		if _, err := js.Publish(h.t.Context(), s.Subject, s.Body); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestWholeLedgerIsWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.fill(30)
	if n := h.seal(); len(n.Faults()) > 0 {
		t.Error(n.Faults())
	}
	h.stop()
	h.start()
	h.fill(5)
	h.seal()
	r := h.verify(h.trust())
	expect(t, "verify", r.Faults, nil)
	// 52 records, the checkpoint that the first stop wrote, 27 more, and its own.
	if r.Checkpoints != 2 || r.Witnessed != 2 || r.Sealed != r.Last-1 || r.Key != ledger.KeyName(h.key.Public().(ed25519.PublicKey)) {
		t.Errorf("got %+v", r)
	}
	h.seal() // nothing is new: nothing is sealed
	if again := h.verify(h.trust()); again.Checkpoints != r.Checkpoints {
		t.Errorf("%d checkpoints after a stop without anything new, want %d", again.Checkpoints, r.Checkpoints)
	}
}

// Each is done to the files of a real server, or to its stream.
func TestTamperingIsNamed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		tamper func(h *house)
		want   []string
	}{
		{"one byte on the disk", func(h *house) { h.stop(); h.flip(30, false); h.start() }, []string{"record 30: missing"}},
		{"one byte, with its check sum", func(h *house) { h.stop(); h.flip(30, true); h.start() }, []string{"record 30: changed since checkpoint 1"}},
		{"two records", func(h *house) { h.stop(); h.flip(30, true); h.flip(41, true); h.start() }, []string{"record 30: changed since checkpoint 1", "record 41: changed since checkpoint 1"}},
		{"the last byte of what was sealed, and the first after it", func(h *house) { h.stop(); h.flip(52, true); h.flip(54, true); h.start() },
			[]string{"record 52: changed since checkpoint 1", "record 54: changed since checkpoint 2"}},
		{"the end", func(h *house) { h.stop(); h.cut(60); h.start() }, []string{"the end is cut off: checkpoint 2 of the file outside covers up to record 73, and the ledger ends at record 59"}},
		{"the end with a checkpoint", func(h *house) { h.stop(); h.cut(40); h.start() }, []string{"the end is cut off: checkpoint 2 of the file outside covers up to record 73, and the ledger ends at record 39"}},
		{"the end, and it went on", func(h *house) {
			h.stop()
			h.cut(74)
			h.start()
			h.answer(announcement.NewID(), 0)
		}, []string{"checkpoint 2: in the file outside, and not in the ledger"}},
		{"the stream lost", func(h *house) {
			h.stop()
			if err := os.RemoveAll(h.store()); err != nil {
				h.t.Fatal(err)
			}
			h.start()
		}, []string{"the end is cut off: checkpoint 2 of the file outside covers up to record 73, and the ledger ends at record 0"}},
		{"the stream lost, and another begun", func(h *house) {
			h.stop()
			if err := os.RemoveAll(h.store()); err != nil {
				h.t.Fatal(err)
			}
			h.start()
			h.fill(1)
		}, []string{"the stream was made anew"}},
		{"a copy of the stream, as a restore makes it", func(h *house) { h.anew(func(s ledger.Stored) *ledger.Stored { return &s }) }, nil},
		{"a line of the file outside", func(h *house) {
			b, _ := os.ReadFile(h.file())
			lines := bytes.SplitAfter(b, []byte("\n"))
			h.write(append(bytes.Replace(lines[0], []byte(`"seq":52`), []byte(`"seq":51`), 1), lines[1]...))
		}, []string{"checkpoint 1: was changed in the file outside"}},
		{"a line taken out of the file outside", func(h *house) {
			b, _ := os.ReadFile(h.file())
			lines := bytes.SplitAfter(b, []byte("\n"))
			h.answer(announcement.NewID(), 1)
			h.seal()
			b, _ = os.ReadFile(h.file())
			h.write(append(slices.Clone(lines[0]), bytes.SplitAfter(b, []byte("\n"))[2]...))
		}, []string{"checkpoint 2: missing in the file outside", "comes before committed"}},
		{"a record taken out of the disk", func(h *house) { h.stop(); h.remove(30); h.start() }, []string{"record 30: missing"}},
		{"a checkpoint taken out of the disk", func(h *house) { h.stop(); h.remove(53); h.start() }, []string{"record 53: missing", "checkpoint 1: in the file outside, and not in the ledger"}},
		{"a record taken out, and everything written anew as if it were old", func(h *house) {
			h.forge(func(s ledger.Stored) *ledger.Stored {
				if s.Seq == 30 {
					return nil
				}
				return &s
			})
		}, []string{"records 30 to 52: changed since checkpoint 1", "records 53 to 73: changed since checkpoint 2"}},
		{"everything written anew, as if it were old, with another key", func(h *house) {
			h.forge(func(s ledger.Stored) *ledger.Stored {
				if strings.Contains(s.Subject, "checkpoint") {
					return nil
				}
				return &s
			})
			_ = os.Rename(h.file(), h.file()+".true")
			mine := h.key
			h.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
			h.seal()
			h.key = mine
			_ = os.Rename(h.file()+".true", h.file())
		}, []string{"checkpoint 1: is signed with another key (" + ledger.KeyName(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey)) + ")", "checkpoints 1 to 2: in the file outside, and not in the ledger", "records 53 to 73: changed since checkpoint 2"}},
		{"everything written anew, as if it were old, with our key", func(h *house) {
			h.forge(func(s ledger.Stored) *ledger.Stored {
				if strings.Contains(s.Subject, "checkpoint") {
					return nil
				}
				s.Body = bytes.Replace(s.Body, []byte(`"ref":"r7"`), []byte(`"ref":"r6"`), 1)
				return &s
			})
			_ = os.Rename(h.file(), h.file()+".true")
			h.seal()
			_ = os.Rename(h.file()+".true", h.file())
		}, []string{"checkpoint 1: is another one than in the file outside: the ledger was written anew after record 0", "checkpoints 1 to 2: in the file outside, and not in the ledger",
			"record 30: changed since checkpoint 1", "records 53 to 73: changed since checkpoint 2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			id := h.fill(30) // records 1 to 52
			h.seal()         // 53
			h.answer(id, 20) // 54 to 73
			h.seal()         // 74
			h.finds()
			tc.tamper(h)
			h.finds(tc.want...)
		})
	}
}

func (h *house) write(file []byte) {
	h.t.Helper()
	if err := os.WriteFile(h.file(), file, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// Two nodes on one NATS: one of them writes each checkpoint, and both files have all.
func TestTwoNotariesSealOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := filepath.Join(h.dir, "other.jsonl")
	ctx, stop := context.WithCancel(t.Context())
	notaries := []*ledger.Notary{h.notary(), ledger.NewNotary(ledger.NotaryOptions{Ledger: h.ledger, Key: h.key, File: other, Every: 10})}
	var running sync.WaitGroup
	for _, n := range notaries {
		running.Go(func() { _ = n.Run(ctx) })
	}
	id := h.fill(0)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() { h.answer(id, 40) })
	}
	writers.Wait()
	until(t, "the last checkpoint in both files", func() bool {
		one, _ := ledger.ReadWitness(h.file())
		two, _ := ledger.ReadWitness(other)
		last, err := h.ledger.Last(t.Context())
		return err == nil && len(one) > 0 && len(one) == len(two) && one[len(one)-1].Seq+20 > last
	})
	stop()
	running.Wait()
	for _, n := range notaries {
		if err := n.Seal(t.Context()); err != nil || len(n.Faults()) > 0 {
			t.Errorf("%v, %q", err, n.Faults())
		}
	}
	trust := h.trust()
	r := h.verify(trust)
	expect(t, "verify", r.Faults, nil)
	if r.Checkpoints < 3 || r.Witnessed != r.Checkpoints {
		t.Errorf("got %+v", r)
	}
	two, err := ledger.ReadWitness(other)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range two[:min(len(two), len(trust.Witness))] {
		if !bytes.Equal(c.Signature, trust.Witness[i].Signature) || c.Number != i+1 {
			t.Errorf("line %d: checkpoint %d in one file, %d in the other", i+1, trust.Witness[i].Number, c.Number)
		}
	}
}

// A ledger from before there were checkpoints is sealed in pieces, and a file outside
// that was lost, or cut in the middle of a line, is made whole again.
func TestOldLedgerIsSealedAndFileIsMended(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.fill(0)
	var facts []announcement.Fact
	for n := range 1_200 { // of two kinds in turn, so that nothing is packed
		facts = append(facts, ledgertest.Answered(id, n%40), announcement.Fact{Announcement: id, Kind: announcement.KindOpened, Opened: &announcement.Opened{Number: n % 40}})
	}
	if _, err := h.ledger.Append(t.Context(), facts...); err != nil {
		t.Fatal(err)
	}
	h.seal()
	r := h.verify(h.trust())
	expect(t, "verify", r.Faults, nil)
	if r.Checkpoints != 3 || r.Sealed != 2_422 {
		t.Errorf("got %+v", r)
	}
	whole, err := os.ReadFile(h.file())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range [][]byte{nil, whole[:len(whole)-100]} {
		h.write(file)
		if n := h.seal(); len(n.Faults()) > 0 {
			t.Error(n.Faults())
		}
		if got, _ := os.ReadFile(h.file()); !bytes.Equal(got, whole) {
			t.Errorf("after %d bytes were left the file has %d, want the %d that it had", len(file), len(got), len(whole))
		}
	}
}

// A key that was given up counts for what it has signed, and for nothing after.
func TestFormerKeySignsNoMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.fill(5)
	h.seal()
	former, current := h.key, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	seal := func(key ed25519.PrivateKey) {
		h.answer(id, 1)
		n := ledger.NewNotary(ledger.NotaryOptions{Ledger: h.ledger, Key: key, Former: []ed25519.PublicKey{former.Public().(ed25519.PublicKey)}, File: h.file()})
		if err := n.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seal(current)
	both := ledger.Trust{Keys: []ed25519.PublicKey{former.Public().(ed25519.PublicKey), current.Public().(ed25519.PublicKey)}}
	expect(t, "verify", h.verify(both).Faults, nil)
	expect(t, "verify without the former", h.verify(ledger.Trust{Keys: both.Keys[1:]}).Faults, []string{"checkpoint 1: is signed with another key", "checkpoint 1: missing"})
	h.answer(id, 1)
	_ = os.Remove(h.file())
	thief := ledger.NewNotary(ledger.NotaryOptions{Ledger: h.ledger, Key: former, File: h.file()})
	for range 2 { // the second number is taken
		if err := thief.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "verify", h.verify(both).Faults, []string{"checkpoint 3: is signed with a key (" + ledger.KeyName(former.Public().(ed25519.PublicKey)) + ") that was given up"})
}

// An idle house seals what came last after five minutes, and an idle one nothing.
func TestSealsAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ledger.NewMemory(time.Now)
		ctx, stop := context.WithCancel(t.Context())
		n := ledger.NewNotary(ledger.NotaryOptions{Ledger: l, Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)), File: filepath.Join(t.TempDir(), "checkpoints.jsonl")})
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		time.Sleep(time.Hour)
		if last, _ := l.Last(ctx); last != 0 {
			t.Errorf("an empty ledger was sealed: %d records", last)
		}
		id := announcement.NewID()
		for range 3 {
			if _, err := l.Append(ctx, ledgertest.Answered(id, 1)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(4 * time.Minute)
		if last, _ := l.Last(ctx); last != 3 {
			t.Errorf("sealed too early: %d records", last)
		}
		time.Sleep(2 * time.Minute)
		if last, _ := l.Last(ctx); last != 4 {
			t.Errorf("got %d records, want the checkpoint as the fourth", last)
		}
		time.Sleep(time.Hour)
		if last, _ := l.Last(ctx); last != 4 {
			t.Errorf("a checkpoint was sealed for itself: %d records", last)
		}
		stop()
		<-ended
	})
}

// An export is checked without the ledger: what is done to it afterwards is named.
func TestExportIsEvidence(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.fill(30)
	h.seal()
	id := h.fill(25)
	h.seal()
	h.answer(id, 3)
	var b bytes.Buffer
	if err := h.notary().Export(t.Context(), id, &b, ledger.File{Name: "texts.json", Content: []byte(`["Fire"]`)}); err != nil {
		t.Fatal(err)
	}
	keys := h.trust().Keys
	check := func(what string, b []byte, keys []ed25519.PublicKey, want ...string) ledger.Report {
		t.Helper()
		r, err := ledger.VerifyExport(bytes.NewReader(b), int64(len(b)), keys)
		if err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
		expect(t, what, r.Faults, want)
		return r
	}
	for _, k := range [][]ed25519.PublicKey{keys, nil} {
		if r := check("untouched", b.Bytes(), k); r.Records != 50 || r.Announcements != 1 || r.Key != ledger.KeyName(keys[0]) || r.Checkpoints != 3 {
			t.Errorf("got %+v", r)
		}
	}
	if err := h.notary().Export(t.Context(), announcement.NewID(), io.Discard); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v for an announcement that is not there", err)
	}
	change := func(name string, fn func([]byte) []byte) []byte {
		t.Helper()
		from, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		to := zip.NewWriter(&out)
		for _, f := range from.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if f.Name == name {
				if content = fn(content); content == nil {
					continue
				}
			}
			w, err := to.Create(f.Name)
			if err == nil {
				_, err = w.Write(content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	replace := func(a, b string) func([]byte) []byte {
		return func(c []byte) []byte {
			if !bytes.Contains(c, []byte(a)) {
				t.Errorf("there is no %s to change", a)
			}
			return bytes.Replace(c, []byte(a), []byte(b), 1)
		}
	}
	lines := func(fn func([][]byte) [][]byte) func([]byte) []byte {
		return func(c []byte) []byte { return bytes.Join(fn(bytes.SplitAfter(c, []byte("\n"))), nil) }
	}
	flipped := bytes.Clone(b.Bytes())
	flipped[bytes.Index(flipped, []byte("texts.json"))+len("texts.json")+3] ^= 1
	check("a byte of the archive", flipped, keys, "texts.json: was changed since the export: ", "texts.json: was changed since the export")
	check("the archive cut off", b.Bytes()[:b.Len()-200], keys, "its end may be cut off")
	// The first answer of the second announcement: 53 records and a checkpoint before, and 22 of the accept.
	check("one byte of a record", change("records.jsonl", replace(`"ref":"r0"`, `"ref":"r1"`)), keys, "records.jsonl: was changed", "record 76: is not the one that was sealed")
	check("a record left out", change("records.jsonl", lines(func(l [][]byte) [][]byte { return append(l[:30:30], l[31:]...) })), keys, "records.jsonl: was changed", "record 84: missing")
	check("the last records left out", change("records.jsonl", lines(func(l [][]byte) [][]byte { return l[:48] })), keys, "records.jsonl: was changed", "record 103: missing", "record 104: missing")
	check("a print changed", change("prints.txt", lines(func(l [][]byte) [][]byte {
		l[10] = append([]byte("63 "), l[9][3:]...)
		return l
	})), keys, "prints.txt: was changed", "record 63: is not the one that was sealed", "checkpoint 2: the records up to")
	check("a checkpoint left out", change("checkpoints.jsonl", lines(func(l [][]byte) [][]byte { return l[:2] })), keys, "checkpoints.jsonl: was changed", "the end is cut off: no checkpoint covers record 104")
	check("a file left out", change("texts.json", func([]byte) []byte { return nil }), keys, "texts.json: missing")
	var more bytes.Buffer
	if err := added(&more, b.Bytes(), "en-report.pdf", "records.jsonl"); err != nil {
		t.Fatal(err)
	}
	check("files laid beside", more.Bytes(), keys, "en-report.pdf: does not belong here", "records.jsonl: is there twice")
	check("the manifest changed", change("manifest.json", replace(`"after": 52`, `"after": 53`)), keys, "manifest.json: was changed", "signed by nothing", "checkpoint 2: the records up to")
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)).Public().(ed25519.PublicKey)
	check("of another house", b.Bytes(), []ed25519.PublicKey{other}, "manifest.json: is signed with another key",
		"checkpoint 1: is signed with another key", "checkpoint 2: is signed with another key", "checkpoint 3: is signed with another key", "signed by nothing", "the end is cut off")
}

// added writes an archive again with further files in it.
func added(w io.Writer, archive []byte, names ...string) error {
	from, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	to := zip.NewWriter(w)
	for _, f := range from.File {
		err = errors.Join(err, to.Copy(f))
	}
	for _, name := range names {
		f, cerr := to.Create(name)
		if err = errors.Join(err, cerr); err == nil {
			_, err = f.Write([]byte("made up"))
		}
	}
	return errors.Join(err, to.Close())
}

// What is missing elsewhere in the ledger does not make the evidence of an alert look
// forged: it is linked as it was sealed.
func TestExportBesideAHole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.fill(30)
	id := h.fill(10)
	h.seal()
	h.stop()
	h.remove(30) // an answer to the first
	h.start()
	var b bytes.Buffer
	if err := h.notary().Export(t.Context(), id, &b); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.VerifyExport(bytes.NewReader(b.Bytes()), int64(b.Len()), h.trust().Keys)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the export", r.Faults, []string{"record 30: its print is missing", "the records up to"})
}

// away is a ledger that answers nothing until its caller gives up.
type away struct {
	ledger.Ledger
	asked chan struct{}
	once  sync.Once
}

func (a *away) Last(ctx context.Context) (uint64, error) {
	a.once.Do(func() { close(a.asked) })
	<-ctx.Done()
	return 0, ctx.Err()
}

// Whoever asks a node how it is does not wait for the ledger.
func TestFaultsAreToldWhileTheLedgerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &away{Ledger: ledger.NewMemory(time.Now), asked: make(chan struct{})}
		file := filepath.Join(t.TempDir(), "checkpoints.jsonl")
		if err := os.WriteFile(file, []byte("rubbish\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		n := ledger.NewNotary(ledger.NotaryOptions{Ledger: l, Key: ed25519.NewKeyFromSeed(make([]byte, 32)), File: file})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- n.Run(ctx) }()
		<-l.asked
		if f := n.Faults(); len(f) > 0 { // it would hang, and the test with it
			t.Errorf("got %q before the ledger was seen", f)
		}
		stop()
		<-ended
	})
}
