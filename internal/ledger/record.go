package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// subjectPrefix starts every subject of the stream. The parts that follow are
// the announcement, the kind and, for a fact that may be written only once,
// its key.
const subjectPrefix = "ledger."

// maxRecordBytes bounds a packed record, so that it stays below the 1 MiB that
// a NATS server takes by default, whatever is in the facts.
const maxRecordBytes = 512 << 10

// encoded is a fact ready to be packed.
type encoded struct {
	subject string
	json    []byte
}

// encode checks and encodes a fact. A fact without a time gets the node's.
func encode(f announcement.Fact, now func() time.Time) (encoded, error) {
	if !validToken(string(f.Announcement)) || !validToken(string(f.Kind)) {
		return encoded{}, errors.New("encode fact: announcement or kind is missing or not one word")
	}
	if f.At.IsZero() {
		f.At = now()
	}
	f.At = f.At.UTC()
	b, err := json.Marshal(f)
	if err != nil {
		return encoded{}, fmt.Errorf("encode fact: %w", err)
	}
	subject := subjectOf(f.Announcement, f.Kind)
	if f.Kind == announcement.KindNoted {
		if f.Announcement != announcement.House || f.Noted == nil || !f.Noted.Act.Valid() || !f.Noted.About.Opaque() {
			return encoded{}, errors.New("encode fact: what is noted needs a known act of the house, and opaque references only")
		}
		// So that who looked at one person is found without reading all.
		if p := string(f.Noted.About.Person); p != "" {
			if !validToken(p) {
				return encoded{}, errors.New("encode fact: a person's id is not one word")
			}
			subject += "." + p
		}
	}
	return encoded{subject: subject, json: b}, nil
}

func subjectOf(id announcement.ID, kind announcement.Kind) string {
	return subjectPrefix + string(id) + "." + string(kind)
}

// pack makes the body of a record: a JSON array of facts.
func pack(facts ...[]byte) []byte {
	n := 2
	for _, f := range facts {
		n += len(f) + 1
	}
	b := make([]byte, 0, n)
	b = append(b, '[')
	b = append(b, bytes.Join(facts, []byte(","))...)
	return append(b, ']')
}

// decode reads a record back. On an error the record still carries its position
// and announcement, so that a follower can go on after it.
//
// What another version wrote is taken as far as it is known, and counted: in a rolling
// upgrade a node that forgot the rest in silence would show a wrong count as right.
func decode(seq uint64, subject string, body []byte) (Record, error) {
	parts := strings.Split(subject, ".")
	r := Record{Seq: seq, Unread: 1}
	if len(parts) < 3 {
		return r, fmt.Errorf("decode record %d: %w: subject has %d parts", seq, errNoFacts, len(parts))
	}
	r.Announcement = announcement.ID(parts[1])
	var facts []announcement.Fact
	unread := 0
	if err := strictly(body, &facts); err != nil {
		if facts, unread, err = oneByOne(body); err != nil {
			return r, fmt.Errorf("decode record %d: %w: %w", seq, errNoFacts, err)
		}
	}
	for _, f := range facts {
		if f.Announcement != r.Announcement || string(f.Kind) != parts[2] {
			return r, fmt.Errorf("decode record %d: %w: one does not belong under its subject", seq, errNoFacts)
		}
		if !f.Known() {
			unread++
		}
	}
	r.Facts, r.Unread = facts, min(unread, len(facts))
	return r, nil
}

// strictly reads JSON in which nothing is unknown.
func strictly(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if len(bytes.TrimSpace(body[d.InputOffset():])) > 0 {
		return errors.New("something follows")
	}
	return nil
}

// oneByOne reads facts of which some are not as this version writes them, so that one
// takes no other with it. One whose fields have another type keeps its place and nothing
// of what it says: half of an answer may be that of somebody else.
func oneByOne(body []byte) (facts []announcement.Fact, unread int, err error) {
	var each []json.RawMessage
	if err := json.Unmarshal(body, &each); err != nil {
		return nil, 0, errors.New("not a list of facts")
	}
	facts = make([]announcement.Fact, len(each))
	for i, one := range each {
		if strictly(one, &facts[i]) == nil {
			continue
		}
		facts[i] = announcement.Fact{}
		if json.Unmarshal(one, &facts[i]) == nil {
			if facts[i].Known() { // else it is counted by whoever calls this
				unread++
			}
			continue
		}
		var envelope struct {
			Announcement announcement.ID   `json:"announcement"`
			Kind         announcement.Kind `json:"kind"`
			At           time.Time         `json:"at"`
		}
		if err := json.Unmarshal(one, &envelope); err != nil {
			return nil, 0, withoutValue(err)
		}
		facts[i] = announcement.Fact{Announcement: envelope.Announcement, Kind: envelope.Kind, At: envelope.At}
		if facts[i].Known() {
			unread++
		}
	}
	return facts, unread, nil
}

// errNoFacts says that a record is there, and holds no facts that can be read.
var errNoFacts = errors.New("no facts")

// withoutValue keeps what was stored out of an error that may be logged.
func withoutValue(err error) error {
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		return fmt.Errorf("field %s has another type", typeErr.Field)
	}
	return errors.New("not a list of facts")
}

// validToken reports whether s may stand as one part of a subject.
func validToken(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// placed is one message of an accept, with a subject of its own.
type placed struct {
	subject string
	body    []byte
}

// layout checks the facts of an accept and gives each its own subject, so that
// each can be stored only once. The last one is the committed fact.
func layout(facts []announcement.Fact, now func() time.Time) ([]placed, error) {
	n := len(facts)
	if n < 2 || facts[0].Kind != announcement.KindAnnounced || facts[n-1].Kind != announcement.KindCommitted {
		return nil, errors.New("accept: facts must begin with announced and end with committed")
	}
	all := make([]placed, n)
	for i, f := range facts {
		if f.Announcement != facts[0].Announcement {
			return nil, errors.New("accept: facts of more than one announcement")
		}
		key := "0"
		if i > 0 && i < n-1 {
			if f.Kind != announcement.KindRecipients {
				return nil, fmt.Errorf("accept: fact %d is %q between announced and committed", i, f.Kind)
			}
			key = fmt.Sprint(i - 1)
		}
		e, err := encode(f, now)
		if err != nil {
			return nil, fmt.Errorf("accept: %w", err)
		}
		all[i] = placed{subject: e.subject + "." + key, body: pack(e.json)}
	}
	return all, nil
}
