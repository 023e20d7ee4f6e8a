package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	_, err := k.erase(ctx, p.Actor, []announcement.PersonID{who.ID}, true)
	return err
}

func refuseErasure(why string) error {
	return announcement.FieldErrors{{Field: "typed", Why: why}}
}

// erase is Erase without asking, and says how many it erased: whoever can be is, and
// the error is of the others. rewrite takes them off the disk at once; without, the caller does.
func (k *keeper) erase(ctx context.Context, by announcement.Actor, ids []announcement.PersonID, rewrite bool) (int, error) {
	why, err := k.mayErase(ctx, ids)
	if err != nil {
		return 0, err
	}
	var errs []error
	going := map[announcement.PersonID]erasure{}
	for _, id := range ids {
		e := erasure{By: by, At: k.now().UTC()}
		err := why[id]
		if err == nil {
			err = k.putErasure(ctx, id, e)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		going[id] = e
	}
	n, err := k.finish(ctx, going, rewrite)
	return n, errors.Join(append(errs, err)...)
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

// mayErase says, as FieldErrors, why some of these cannot be erased now.
func (k *keeper) mayErase(ctx context.Context, ids []announcement.PersonID) (map[announcement.PersonID]error, error) {
	if err := k.tracker.CatchUp(ctx); err != nil { // an alert that began elsewhere must be known
		return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	why := map[announcement.PersonID]error{}
	for _, id := range ids {
		if who, _ := k.directory.Person(id); who.Active {
			why[id] = refuseErasure("This person works here and would get no alerts any more. Say first that they have left.")
			continue
		}
		asked, err := k.stillAsked(ctx, id)
		if err != nil {
			return nil, err
		}
		if asked {
			why[id] = refuseErasure("An open alert still asks for this person. End it first, or wait a minute until it no longer asks for who has left.")
		}
	}
	needed, err := k.callsFor(ctx, ids)
	if err != nil {
		return nil, err
	}
	going := k.errands.list(func(_ string, one errand) bool { return one.Ended.IsZero() })
	for _, id := range ids {
		switch {
		case why[id] != nil:
		case needed[id]:
			why[id] = refuseErasure("A message that nobody has dealt with yet, or one in an open alert, names this person. See to it first.")
		case len(going) > 0:
			why[id] = refuseErasure("A large import or report is being made and may hold this person. Try again when it is done.")
		}
	}
	return why, nil
}

// stillAsked reports whether an open alert asks for somebody.
func (k *keeper) stillAsked(ctx context.Context, id announcement.PersonID) (bool, error) {
	for _, place := range k.tracker.OpenFor(id) {
		if !place.Open {
			continue
		}
		standing, err := k.tracker.Standing(ctx, place.ID)
		if err != nil {
			return false, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if !standing.Excused(place.Number) {
			return true, nil
		}
	}
	return false, nil
}

// callsFor returns who of these is named by words that may be a call for help which is
// not answered yet: those of an open alert, and texts that nobody has dealt with.
func (k *keeper) callsFor(ctx context.Context, ids []announcement.PersonID) (map[announcement.PersonID]bool, error) {
	names := k.namesOf(ids)
	needed := map[announcement.PersonID]bool{}
	err := k.vault.Walk(ctx, "", func(key string, value []byte, _ time.Time) error {
		switch kindOfKey(key) {
		case "note":
			v, known := k.tracker.View(announcement.ID(second(key)))
			if !known || v.Status != announcement.StatusOpen {
				return nil
			}
		case "inbox":
			var t text
			if json.Unmarshal(value, &t) != nil || t.Handled {
				return nil //nolint:nilerr // what cannot be read names nobody
			}
			value = []byte(t.Body + "\n" + t.Where)
		default:
			return nil
		}
		for id, named := range names {
			needed[id] = needed[id] || named(value)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return needed, nil
}

// namesOf finds each of these whom the directory knows in the words of others.
func (k *keeper) namesOf(ids []announcement.PersonID) map[announcement.PersonID]func([]byte) bool {
	names := map[announcement.PersonID]func([]byte) bool{}
	for _, id := range ids {
		if who, ok := k.directory.Person(id); ok {
			names[id] = k.nameOf(who)
		}
	}
	return names
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
	for id := range left {
		if who, _ := k.directory.Person(id); who.Active {
			if err := k.vault.Delete(ctx, erasureKey+string(id)); err != nil && ctx.Err() == nil {
				k.log.Error("the erasure of somebody who is back is not dropped yet; it is tried again", "step", "erase", "reason", err)
			}
			delete(left, id)
		}
	}
	if len(left) == 0 {
		return
	}
	why, err := k.mayErase(ctx, slices.Collect(maps.Keys(left)))
	errs := []error{err}
	if err == nil {
		for id, no := range why {
			errs = append(errs, no)
			delete(left, id)
		}
		_, err = k.finish(ctx, left, true)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
		k.log.Error("an erasure is not done yet; it is tried again", "step", "erase", "reason", err)
	}
}

// finish erases people's traces first and who they are last: as long as that is
// known, everything else can still be found. It says how many are done.
func (k *keeper) finish(ctx context.Context, going map[announcement.PersonID]erasure, rewrite bool) (int, error) {
	people := map[announcement.PersonID]directory.Person{}
	for id := range going {
		if who, ok := k.directory.Person(id); ok {
			people[id] = who
		}
	}
	if err := k.eraseWords(ctx, people); err != nil {
		return 0, fmt.Errorf("%w: erase words: %w", web.ErrNotYet, err)
	}
	waits, err := k.eraseTraces(ctx, people)
	if err != nil {
		return 0, fmt.Errorf("%w: erase traces: %w", web.ErrNotYet, err)
	}
	var errs []error
	for id := range going {
		if waits[id] {
			errs = append(errs, fmt.Errorf("%w: an announcement that names the person is about to go out", web.ErrNotYet))
			delete(going, id)
			continue
		}
		if err := k.directory.Erase(ctx, id); err != nil {
			if errors.Is(err, directory.ErrActive) {
				err = refuseErasure("This person works here and would get no alerts any more. Say first that they have left.")
			} else {
				err = fmt.Errorf("%w: %w", web.ErrNotYet, err)
			}
			errs = append(errs, err)
			delete(going, id)
		}
	}
	if rewrite && len(going) > 0 {
		if err := k.vault.Rewrite(ctx); err != nil {
			return 0, errors.Join(append(errs, fmt.Errorf("%w: %w", web.ErrNotYet, err))...)
		}
	}
	n := 0
	for id, e := range going {
		e.Ended = k.now().UTC()
		if err := k.putErasure(ctx, id, e); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// eraseWords erases what people wrote in announcements, and what others wrote about
// them there. The facts that refer to it stay: who answered what is counted on.
func (k *keeper) eraseWords(ctx context.Context, people map[announcement.PersonID]directory.Person) error {
	return k.notesOf(ctx, people, func(id announcement.ID, ref string) error {
		return errors.Join(k.vault.Delete(ctx, noteKey(id, ref)), k.vault.Delete(ctx, placeKey(id, ref)))
	})
}

// notesOf calls fn with each note by one of these people, or about them, in any
// announcement. Each announcement that concerns one of them is read once.
func (k *keeper) notesOf(ctx context.Context, people map[announcement.PersonID]directory.Person, fn func(id announcement.ID, ref string) error) error {
	is := func(p announcement.PersonID) bool { _, ok := people[p]; return ok }
	for _, id := range k.tracker.IDs() {
		v, ok := k.tracker.View(id)
		if !ok {
			continue
		}
		about := func(n int) bool {
			return n >= 0 && n < len(v.Roster.Recipients) && is(v.Roster.Recipients[n].Person)
		}
		concerned := slices.ContainsFunc(v.Roster.Recipients, func(r announcement.Recipient) bool { return is(r.Person) }) ||
			slices.ContainsFunc(v.Roster.Duty, is) || slices.ContainsFunc(v.Roster.Lines, func(l announcement.Line) bool { return is(l.Person) })
		if !concerned {
			continue
		}
		err := k.ledger.Read(ctx, id, func(r ledger.Record) error {
			for _, f := range r.Facts {
				person, byPerson := strings.CutPrefix(string(f.Actor), "person:")
				note, theirs := "", byPerson && is(announcement.PersonID(person))
				switch {
				case f.Answered != nil:
					note, theirs = f.Answered.Note, theirs || about(f.Answered.Number)
				case f.Vouched != nil:
					note, theirs = f.Vouched.Note, theirs || about(f.Vouched.Number) || is(f.Vouched.By)
				case f.Heard != nil:
					note, theirs = f.Heard.Note, theirs || about(f.Heard.Number)
				case f.Excused != nil:
					note, theirs = f.Reason, theirs || about(f.Excused.Number)
				default:
					note = f.Reason
				}
				if ref, ok := strings.CutPrefix(note, "note:"); ok && theirs {
					if err := fn(id, ref); err != nil {
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

// eraseTraces erases whatever else in the vault belongs to these people or names them:
// their texts and photos, codes, drafts, and the files that hold many people. Who is
// named by what is about to go out has to wait.
func (k *keeper) eraseTraces(ctx context.Context, people map[announcement.PersonID]directory.Person) (waits map[announcement.PersonID]bool, err error) {
	if len(people) == 0 {
		return nil, nil
	}
	names := k.namesOf(slices.Collect(maps.Keys(people)))
	named := func(value []byte) (out []announcement.PersonID) {
		for id, find := range names {
			if find(value) {
				out = append(out, id)
			}
		}
		return out
	}
	waits = map[announcement.PersonID]bool{}
	var gone []string
	err = k.vault.Walk(ctx, "", func(key string, value []byte, _ time.Time) error {
		kind := kindOfKey(key)
		h, _ := holdingOf(kind)
		erase := false
		switch kind {
		case "person", "contact", "erasure": // last
		case "inbox":
			var t text
			if json.Unmarshal(value, &t) == nil {
				_, erase = people[t.Person]
				for _, who := range people {
					erase = erase || k.onlyTheirs(who, t.From)
				}
			}
			erase = erase || len(named(value)) > 0
			if erase {
				gone = append(gone, photoKey+second(key))
			}
		case "note", "draft":
			erase = len(named(value)) > 0
		case "prepared": // its end is what keeps it from going out again, and is forgotten after it
			in := named(value)
			_, end, known := k.countdowns.get(announcement.ID(second(key)))
			if erase = len(in) > 0; erase && (!known || end.At.IsZero()) {
				erase = false
				for _, id := range in {
					waits[id] = true
				}
			}
		case "upload", "uploadpart", "errandpart": // a file of many people, which can be made again
			erase = true
		default:
			_, theirs := people[announcement.PersonID(second(key))]
			erase = h.Named && theirs
		}
		if erase {
			gone = append(gone, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range k.errands.list(func(_ string, one errand) bool { return !one.Ended.IsZero() }) {
		if err := k.errands.drop(ctx, id); err != nil {
			return nil, err
		}
	}
	for _, key := range gone {
		if err := k.vault.Delete(ctx, key); err != nil {
			return nil, err
		}
	}
	if _, theirs := people[k.trials.get().Person]; theirs {
		return waits, k.trials.change(ctx, func(t *tried) { t.Person = "" })
	}
	return waits, nil
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
