package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// erasureKey is where it is kept that a person was erased, by the id that the ledger
// has of them. It is written first: what is cut off is done to its end by whichever
// node finds it so.
const erasureKey = "erasure."

type erasure struct {
	By    announcement.Actor `json:"by"`
	At    time.Time          `json:"at"`
	Ended time.Time          `json:"ended,omitzero"`
}

// Erase takes a person who has left out of everything that can be erased, for good.
// typed is their employee number again: nobody erases somebody by a slip.
func (k *keeper) Erase(ctx context.Context, p web.Principal, number, typed string) error {
	if !p.May(web.Administer) {
		return web.ErrForbidden
	}
	who, ok := k.directory.ByNumber(number)
	if !ok {
		return web.ErrNotFound
	}
	if strings.TrimSpace(typed) != who.Number {
		return refuseErasure("Type the employee number of this person exactly, so that nobody is erased by mistake.")
	}
	return k.erase(ctx, p.Actor, who.ID, true)
}

func refuseErasure(why string) error {
	return announcement.FieldErrors{{Field: "typed", Why: why}}
}

// erase is Erase without asking. rewrite takes it off the disk at once; without, the
// caller does.
func (k *keeper) erase(ctx context.Context, by announcement.Actor, id announcement.PersonID, rewrite bool) error {
	if err := k.mayErase(ctx, id); err != nil {
		return err
	}
	e := erasure{By: by, At: k.now().UTC()}
	if err := k.putErasure(ctx, id, e); err != nil {
		return err
	}
	return k.finish(ctx, id, e, rewrite)
}

func (k *keeper) putErasure(ctx context.Context, id announcement.PersonID, e erasure) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode erasure: %w", err)
	}
	if err := k.vault.Put(ctx, erasureKey+string(id), value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// mayErase says, as FieldErrors, why somebody cannot be erased now.
func (k *keeper) mayErase(ctx context.Context, id announcement.PersonID) error {
	if err := k.tracker.CatchUp(ctx); err != nil { // an alert that began elsewhere must be known
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if who, _ := k.directory.Person(id); who.Active {
		return refuseErasure("This person works here and would get no alerts any more. Say first that they have left.")
	}
	for _, place := range k.tracker.OpenFor(id) {
		if !place.Open {
			continue
		}
		standing, err := k.tracker.Standing(ctx, place.ID)
		if err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if !standing.Excused(place.Number) {
			return refuseErasure("An open alert still asks for this person. End it first, or wait a minute until it no longer asks for who has left.")
		}
	}
	if err := k.callsFor(ctx, id); err != nil {
		return err
	}
	if going := k.errands.list(func(_ string, one errand) bool { return one.Ended.IsZero() }); len(going) > 0 {
		return refuseErasure("A large import or report is being made and may hold this person. Try again when it is done.")
	}
	return nil
}

// callsFor refuses while words that name somebody may be a call for help that is not
// answered yet: those of an open alert, and texts that nobody has dealt with.
func (k *keeper) callsFor(ctx context.Context, id announcement.PersonID) error {
	who, ok := k.directory.Person(id)
	if !ok {
		return nil
	}
	names, needed := k.nameOf(who), false
	err := k.vault.Walk(ctx, "", func(key string, value []byte, _ time.Time) error {
		switch kindOfKey(key) {
		case "note":
			v, known := k.tracker.View(announcement.ID(second(key)))
			needed = needed || known && v.Status == announcement.StatusOpen && names(value)
		case "inbox":
			var t text
			needed = needed || json.Unmarshal(value, &t) == nil && !t.Handled && names([]byte(t.Body+"\n"+t.Where))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if needed {
		return refuseErasure("A message that nobody has dealt with yet, or one in an open alert, names this person. See to it first.")
	}
	return nil
}

// finishErasures does what was cut off, unless the person works here again.
func (k *keeper) finishErasures(ctx context.Context) {
	left := map[announcement.PersonID]erasure{}
	_ = k.vault.Walk(ctx, erasureKey, func(key string, value []byte, _ time.Time) error {
		var e erasure
		if json.Unmarshal(value, &e) == nil && e.Ended.IsZero() && k.now().Sub(e.At) >= sweepTick {
			left[announcement.PersonID(second(key))] = e
		}
		return nil
	})
	for id, e := range left {
		err := k.mayErase(ctx, id)
		if who, _ := k.directory.Person(id); who.Active {
			if err := k.vault.Delete(ctx, erasureKey+string(id)); err != nil && ctx.Err() == nil {
				k.log.Error("the erasure of somebody who is back is not dropped yet; it is tried again", "step", "erase", "reason", err)
			}
			continue
		}
		if err == nil {
			err = k.finish(ctx, id, e, true)
		}
		if err != nil && ctx.Err() == nil {
			k.log.Error("an erasure is not done yet; it is tried again", "step", "erase", "reason", err)
		}
	}
}

// finish erases a person's traces first and who they are last: as long as that is
// known, everything else can still be found.
func (k *keeper) finish(ctx context.Context, id announcement.PersonID, e erasure, rewrite bool) error {
	if who, ok := k.directory.Person(id); ok {
		if err := k.eraseWords(ctx, who); err != nil {
			return fmt.Errorf("%w: erase words: %w", web.ErrNotYet, err)
		}
		if err := k.eraseTraces(ctx, who); err != nil {
			return fmt.Errorf("%w: erase traces: %w", web.ErrNotYet, err)
		}
	}
	if err := k.directory.Erase(ctx, id); err != nil {
		if errors.Is(err, directory.ErrActive) {
			return refuseErasure("This person works here and would get no alerts any more. Say first that they have left.")
		}
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if rewrite {
		if err := k.vault.Rewrite(ctx); err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	e.Ended = k.now().UTC()
	return k.putErasure(ctx, id, e)
}

// eraseWords erases what a person wrote in announcements, and what others wrote about
// them there. The facts that refer to it stay: who answered what is counted on.
func (k *keeper) eraseWords(ctx context.Context, who directory.Person) error {
	return k.notesOf(ctx, who.ID, func(id announcement.ID, ref string, _ announcement.Fact) error {
		return errors.Join(k.vault.Delete(ctx, noteKey(id, ref)), k.vault.Delete(ctx, placeKey(id, ref)))
	})
}

// notesOf calls fn with each note by a person, or about them, in any announcement.
func (k *keeper) notesOf(ctx context.Context, p announcement.PersonID, fn func(id announcement.ID, ref string, f announcement.Fact) error) error {
	for _, id := range k.tracker.IDs() {
		v, ok := k.tracker.View(id)
		if !ok {
			continue
		}
		own := -1
		if n := slices.IndexFunc(v.Roster.Recipients, func(r announcement.Recipient) bool { return r.Person == p }); n >= 0 {
			own = n
		}
		about := func(n int) bool { return own >= 0 && n == own }
		concerned := own >= 0 || slices.Contains(v.Roster.Duty, p) || slices.ContainsFunc(v.Roster.Lines, func(l announcement.Line) bool { return l.Person == p })
		if !concerned {
			continue
		}
		err := k.ledger.Read(ctx, id, func(r ledger.Record) error {
			for _, f := range r.Facts {
				note, theirs := "", f.Actor == announcement.ByPerson(p)
				switch {
				case f.Answered != nil:
					note, theirs = f.Answered.Note, theirs || about(f.Answered.Number)
				case f.Vouched != nil:
					note, theirs = f.Vouched.Note, theirs || about(f.Vouched.Number) || f.Vouched.By == p
				case f.Heard != nil:
					note, theirs = f.Heard.Note, theirs || about(f.Heard.Number)
				case f.Excused != nil:
					note, theirs = f.Reason, theirs || about(f.Excused.Number)
				default:
					note = f.Reason
				}
				if ref, ok := strings.CutPrefix(note, "note:"); ok && theirs {
					if err := fn(id, ref, f); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
	}
	return nil
}

// eraseTraces erases whatever else in the vault belongs to a person or names them:
// their texts and photos, codes, drafts, and the files that hold many people.
func (k *keeper) eraseTraces(ctx context.Context, who directory.Person) error {
	names := k.nameOf(who)
	var gone []string
	err := k.vault.Walk(ctx, "", func(key string, value []byte, _ time.Time) error {
		kind := kindOfKey(key)
		h, _ := holdingOf(kind)
		erase := false
		switch kind {
		case "person", "contact", "erasure": // last
		case "inbox":
			var t text
			erase = json.Unmarshal(value, &t) == nil && (t.Person == who.ID || k.onlyTheirs(who, t.From)) || names(value)
			if erase {
				gone = append(gone, photoKey+second(key))
			}
		case "note", "draft":
			erase = names(value)
		case "prepared": // its end is what keeps it from going out again, and is forgotten after it
			_, end, known := k.countdowns.get(announcement.ID(second(key)))
			if erase = names(value); erase && (!known || end.At.IsZero()) {
				return errors.New("an announcement that names the person is about to go out")
			}
		case "upload", "uploadpart", "errandpart": // a file of many people, which can be made again
			erase = true
		default:
			erase = h.Named && second(key) == string(who.ID)
		}
		if erase {
			gone = append(gone, key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range k.errands.list(func(_ string, one errand) bool { return !one.Ended.IsZero() }) {
		if err := k.errands.drop(ctx, id); err != nil {
			return err
		}
	}
	for _, key := range gone {
		if err := k.vault.Delete(ctx, key); err != nil {
			return err
		}
	}
	if k.trials.get().Person == who.ID {
		return k.trials.change(ctx, func(t *tried) { t.Person = "" })
	}
	return nil
}

// onlyTheirs reports whether a number is this person's and nobody else's.
func (k *keeper) onlyTheirs(who directory.Person, mobile string) bool {
	return mobile != "" && mobile == who.Mobile && len(k.directory.ByMobile(mobile)) == 1
}

// nameOf returns what finds a person in the words of others: their name, where
// nobody else's has it in it, their employee number, mobile number and e-mail.
func (k *keeper) nameOf(who directory.Person) func([]byte) bool {
	var parts []string
	add := func(s string, shortest int) {
		if s = strings.TrimSpace(s); len([]rune(s)) >= shortest {
			parts = append(parts, regexp.QuoteMeta(s))
		}
	}
	if !k.directory.NameWithin(who.ID) {
		add(who.Name, 3)
	}
	add(who.Number, 4)
	add(who.Email, 5)
	if local := strings.TrimLeftFunc(who.Mobile, func(r rune) bool { return !unicode.IsDigit(r) }); len(local) > 8 && k.onlyTheirs(who, who.Mobile) {
		add(local, 8)
		add("0"+strings.TrimPrefix(local, "62"), 8) // as it is written at home
	}
	if len(parts) == 0 {
		return func([]byte) bool { return false }
	}
	find := regexp.MustCompile(`(?i)(?:^|[^\p{L}\p{N}])(?:` + strings.Join(parts, "|") + `)(?:[^\p{L}\p{N}]|$)`)
	return func(value []byte) bool { return saidIn(value, find.MatchString) }
}

// saidIn reports whether a match is among the strings of a value: as they were
// written, not as JSON escapes them.
func saidIn(value []byte, match func(string) bool) bool {
	if match(string(value)) {
		return true
	}
	decode := json.NewDecoder(bytes.NewReader(value))
	for {
		switch token, err := decode.Token(); s := token.(type) {
		case nil:
			if err != nil { // its end, or it is no JSON
				return false
			}
		case string:
			if match(s) {
				return true
			}
		}
	}
}
