package ledger

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// Evidence is one announcement taken out of the ledger, so that somebody without the
// ledger can check it: its records as they are stored, the checkpoints before, between
// and after them, and the hash of every record between. With these the chain can be
// recomputed from what was signed, and each record has its place in it. The manifest
// names every file and every position, and is signed with the key of the checkpoints.

// File is a file that goes with the evidence: texts, a report for people.
type File struct {
	Name    string
	Content []byte
}

// Manifest is the first file of an archive; manifest.sig is its signature.
type Manifest struct {
	Format       int               `json:"format"`
	Announcement announcement.ID   `json:"announcement"`
	Stream       string            `json:"stream"`
	Made         string            `json:"made"`
	After        uint64            `json:"after"`   // prints.txt begins behind this record
	Chain        string            `json:"chain"`   // there; signed by a checkpoint, or zeros at the beginning
	Records      []uint64          `json:"records"` // positions of the announcement
	Files        map[string]string `json:"files"`   // SHA-256 of each
	Key          []byte            `json:"key"`     // public, Ed25519
}

const (
	manifestFile    = "manifest.json"
	signatureFile   = "manifest.sig"
	recordsFile     = "records.jsonl"
	checkpointsName = "checkpoints.jsonl"
	printsFile      = "prints.txt"
	mostEvidence    = 1 << 30 // of one file that is read
)

// storedLine is a line of records.jsonl. Body is as it is in the ledger, to the byte.
type storedLine struct {
	Seq     uint64          `json:"seq"`
	Subject string          `json:"subject"`
	Body    json.RawMessage `json:"body"`
}

// Export seals what is open and writes an announcement's evidence as a zip.
func (n *Notary) Export(ctx context.Context, id announcement.ID, w io.Writer, more ...File) error {
	if err := n.Seal(ctx); err != nil {
		return err
	}
	last, err := n.o.Ledger.Last(ctx)
	if err != nil {
		return fmt.Errorf("export evidence: %w", err)
	}
	n.mu.Lock()
	stream, stopped := n.w.stream, n.stopped
	n.mu.Unlock()
	m := Manifest{Format: 1, Announcement: id, Stream: stream, Made: n.o.Now().UTC().Format("2006-01-02T15:04:05Z"), Chain: strings.Repeat("0", 64),
		Key: n.o.Key.Public().(ed25519.PublicKey), Files: map[string]string{}}
	var lines, seals, prints bytes.Buffer
	var open []Hash // of the records after m.After
	var held []announcement.Checkpoint
	var torn error
	skip := func(to uint64) { // what is missing has no print, and is linked as zeros
		if to-m.After-uint64(len(open)) > mostMissing {
			torn = fmt.Errorf("records up to %d are missing: verify the ledger", to)
			return
		}
		for m.After+uint64(len(open)) < to {
			open = append(open, Hash{})
		}
	}
	err = readTo(ctx, n.o.Ledger, 0, last, func(s Stored) error {
		if torn != nil {
			return torn
		}
		open = append(open, printOf(s))
		if strings.HasPrefix(s.Subject, subjectPrefix+string(id)+".") {
			if !json.Valid(s.Body) || bytes.ContainsAny(s.Body, "\r\n") {
				return fmt.Errorf("record %d cannot be read: verify the ledger", s.Seq)
			}
			m.Records = append(m.Records, s.Seq)
			fmt.Fprintf(&lines, `{"seq":%d,"subject":%q,"body":%s}`+"\n", s.Seq, s.Subject, s.Body)
		}
		var facts []announcement.Fact
		if strings.HasPrefix(s.Subject, subjectOf(announcement.House, announcement.KindCheckpoint)+".") && json.Unmarshal(s.Body, &facts) == nil && len(facts) == 1 && facts[0].Checkpoint != nil {
			c := *facts[0].Checkpoint
			if c.Seq > m.After && c.Seq < s.Seq && (len(m.Records) == 0 || c.Seq < m.Records[0]) { // everything before is of no use
				open = slices.Clone(open[c.Seq-m.After:])
				m.After, m.Chain, held = c.Seq, c.Chain, nil
			}
			held = append(held, c)
		}
		return nil
	}, skip)
	if err = errors.Join(err, torn); err != nil {
		return fmt.Errorf("export evidence: %w", err)
	}
	if len(m.Records) == 0 {
		return ErrNotFound
	}
	end := m.After
	for _, c := range held {
		if end < m.Records[len(m.Records)-1] {
			line, err := json.Marshal(c)
			if err != nil {
				return fmt.Errorf("export evidence: %w", err)
			}
			seals.Write(append(line, '\n'))
			end = max(end, c.Seq)
		}
	}
	if !stopped && end < m.Records[len(m.Records)-1] { // another node was about to, or the ledger takes nothing
		return fmt.Errorf("export evidence: the last records are not sealed yet: %w", ErrUnavailable)
	}
	for i, p := range open[:min(end-m.After, uint64(len(open)))] {
		if p != (Hash{}) {
			fmt.Fprintf(&prints, "%d %x\n", m.After+uint64(i)+1, p)
		}
	}
	files := append([]File{{recordsFile, lines.Bytes()}, {checkpointsName, seals.Bytes()}, {printsFile, prints.Bytes()}}, more...)
	for _, f := range files {
		sum := sha256.Sum256(f.Content)
		m.Files[f.Name] = hex.EncodeToString(sum[:])
	}
	about, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("export evidence: %w", err)
	}
	signature := ed25519.Sign(n.o.Key, append([]byte("kentongan evidence 1\n"), about...))
	files = append([]File{{manifestFile, about}, {signatureFile, []byte(hex.EncodeToString(signature))}}, files...)
	archive := zip.NewWriter(w)
	for _, f := range files {
		to, err := archive.Create(f.Name)
		if err == nil {
			_, err = to.Write(f.Content)
		}
		if err != nil {
			return fmt.Errorf("export evidence: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("export evidence: %w", err)
	}
	return nil
}

// VerifyExport checks the evidence of an announcement without the ledger. With keys nil
// the key that is in it is believed, and a person has to compare Report.Key.
func VerifyExport(r io.ReaderAt, size int64, keys []ed25519.PublicKey) (Report, error) {
	var report Report
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return report, fmt.Errorf("this is no whole archive, its end may be cut off: %w", err)
	}
	files := map[string][]byte{}
	for _, f := range archive.File {
		if _, twice := files[f.Name]; twice {
			report.fault("%s: is there twice", f.Name)
			continue
		}
		from, err := f.Open()
		if err == nil {
			files[f.Name], err = io.ReadAll(io.LimitReader(from, mostEvidence))
		}
		if err != nil { // the zip's own check sum
			report.fault("%s: was changed since the export: %v", f.Name, err)
		}
	}
	var m Manifest
	if err := json.Unmarshal(files[manifestFile], &m); err != nil || m.Format != 1 || len(m.Key) != ed25519.PublicKeySize {
		return report, errors.New("this is no evidence of Kentongan: its manifest.json cannot be read")
	}
	report.Key = KeyName(m.Key)
	if keys == nil {
		keys = []ed25519.PublicKey{m.Key}
		for _, c := range checkpointsIn(files[checkpointsName]) { // of a former key, the first seals are
			if !slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, c.Key) }) {
				keys = append([]ed25519.PublicKey{c.Key}, keys...)
			}
		}
	}
	signature, _ := hex.DecodeString(strings.TrimSpace(string(files[signatureFile])))
	if !ed25519.Verify(m.Key, append([]byte("kentongan evidence 1\n"), files[manifestFile]...), signature) {
		report.fault("%s: was changed since the export: its signature does not fit", manifestFile)
	}
	if !slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, m.Key) }) {
		report.fault("%s: is signed with another key (%s) than this installation's", manifestFile, report.Key)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		content, there := files[name]
		sum := sha256.Sum256(content)
		switch {
		case !there:
			report.fault("%s: missing", name)
		case hex.EncodeToString(sum[:]) != m.Files[name]:
			report.fault("%s: was changed since the export", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, listed := m.Files[name]; !listed && name != manifestFile && name != signatureFile {
			report.fault("%s: does not belong here", name)
		}
	}
	prints := report.readPrints(files[printsFile])
	report.readRecords(m, files[recordsFile], prints)
	report.followChain(m, files[checkpointsName], prints, keys)
	return report, nil
}

func checkpointsIn(b []byte) []announcement.Checkpoint {
	all, _ := decodeWitness(b)
	return all
}

func (r *Report) readPrints(b []byte) map[uint64]Hash {
	prints := map[uint64]Hash{}
	for line := range strings.Lines(string(b)) {
		var seq uint64
		var print []byte
		if n, err := fmt.Sscanf(line, "%d %x", &seq, &print); err != nil || n != 2 || len(print) != sha256.Size {
			r.fault("%s: a line cannot be read", printsFile)
			continue
		}
		prints[seq] = Hash(print)
	}
	return prints
}

// readRecords compares each record with its print, and reads what it says.
func (r *Report) readRecords(m Manifest, b []byte, prints map[uint64]Hash) {
	stories := map[announcement.ID]*story{}
	seen := map[uint64]bool{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l storedLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			r.fault("%s: a line cannot be read", recordsFile)
			continue
		}
		s := Stored{l.Seq, l.Subject, l.Body}
		switch print, ok := prints[l.Seq]; {
		case seen[l.Seq] || !slices.Contains(m.Records, l.Seq):
			r.fault("record %d: does not belong here", l.Seq)
		case !ok || print != printOf(s):
			r.fault("record %d: is not the one that was sealed", l.Seq)
		}
		seen[l.Seq] = true
		r.add(stories, s)
		r.Last = max(r.Last, l.Seq)
	}
	for _, seq := range m.Records {
		if !seen[seq] {
			r.fault("record %d: missing", seq)
		}
	}
	for _, s := range stories {
		if s.committed {
			r.Announcements++
		}
	}
}

// followChain recomputes the chain from what was signed before the first record to the
// checkpoint behind the last.
func (r *Report) followChain(m Manifest, b []byte, prints map[uint64]Hash, keys []ed25519.PublicKey) {
	all, err := decodeWitness(b)
	if err != nil {
		r.fault("%s: %v", checkpointsName, err)
	}
	var chain Hash
	begin, _ := hex.DecodeString(m.Chain)
	copy(chain[:], begin)
	at, signed := m.After, m.After == 0
	end := m.After
	for seq := range prints {
		end = max(end, seq)
	}
	for _, c := range all {
		known := slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, c.Key) })
		switch {
		case !signatureFits(c):
			r.fault("checkpoint %d: its signature does not fit: it was changed", c.Number)
			continue
		case !known:
			r.fault("checkpoint %d: is signed with another key (%s) than this installation's", c.Number, KeyName(c.Key))
			continue
		case c.Stream != m.Stream:
			r.fault("checkpoint %d: is of another stream", c.Number)
			continue
		case c.Seq > end:
			r.fault("checkpoint %d: covers up to record %d, and the prints end at %d", c.Number, c.Seq, end)
			continue
		}
		r.Checkpoints++
		if c.Seq == m.After {
			signed = signed || c.Chain == m.Chain
			continue
		}
		for at < c.Seq {
			at++
			print, ok := prints[at]
			if !ok {
				r.fault("record %d: its print is missing", at)
			}
			chain = link(chain, print)
		}
		if hex.EncodeToString(chain[:]) != c.Chain {
			r.fault("checkpoint %d: the records up to %d are not those that it sealed", c.Number, c.Seq)
		}
		sealed, _ := hex.DecodeString(c.Chain)
		copy(chain[:], sealed)
		r.Sealed = c.Seq
	}
	if !signed {
		r.fault("the chain at record %d is signed by nothing", m.After)
	}
	if n := len(m.Records); n > 0 && r.Sealed < m.Records[n-1] {
		r.fault("the end is cut off: no checkpoint covers record %d", m.Records[n-1])
	}
}
