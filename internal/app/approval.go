package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// A second person looks at a real alert that can wait for one: whoever wrote it never
// approves it. What is approved is what was confirmed, as it is stored and never
// changed: an edit is another announcement, which has to be approved anew.
//
// Of two who approve at once the vault lets one be the first; to the other it is done.
// An approval counts as of the moment it was given. Seconds matter more than a second
// pair of eyes where lives are in danger: extreme alerts go alone.

// approval is what the vault keeps of one.
type approval struct {
	By     announcement.Actor `json:"by"`
	At     time.Time          `json:"at"`
	Due    time.Time          `json:"due"`
	Print  string             `json:"print,omitempty"`  // of what was approved, see printOf
	Alone  bool               `json:"alone,omitempty"`  // nobody came, and the author sent it
	Reason string             `json:"reason,omitempty"` // why the author did
}

const (
	approvalKey = "approval."

	// aloneAfter is when somebody who waits for a second person may send without.
	aloneAfter = 10 * time.Minute
	// awaitsFor is how long an alert may wait: one that is stale is worse than none.
	awaitsFor = 4 * time.Hour
	// blankAlone is to how many people words that nobody has prepared go without a
	// second look.
	blankAlone = 5
)

// needsApproval says why a second person has to look at an announcement, and who may;
// "" when it needs none. With nobody who may, its author sends it alone.
func (d *desk) needsApproval(a *announcement.Announcement, r *directory.Resolution, by announcement.Actor) (why string, who []string) {
	people := len(r.Roster.Recipients)
	over := d.config.ApprovalOver
	switch {
	case over == 0 || a.Mode != announcement.Live || a.Severity == announcement.Extreme:
		return "", nil
	case people > over:
		why = "many"
	case a.Audience.All && people > blankAlone:
		why = "everybody"
	case a.Template == "" && people > blankAlone:
		why = "blank"
	default:
		return "", nil
	}
	return why, d.approvers(by, &r.Roster)
}

// others are the accounts, but one of them, that have a right over all of these people.
func (d *desk) others(right web.Right, but announcement.Actor, to *announcement.Roster) (out []account) {
	for id, c := range d.accounts.all.walk() {
		if c.ID = id; c.canEnter() && c.May(right) && c.actor() != but && d.boards(c.Grant).seesAll(to) {
			out = append(out, c)
		}
	}
	return out
}

// approvers names who else than the author may approve.
func (d *desk) approvers(author announcement.Actor, to *announcement.Roster) (names []string) {
	for _, c := range d.others(web.Approve, author, to) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// phonesOf are the people behind accounts: those who have said which phone is theirs.
func (d *desk) phonesOf(accounts []account) (out []announcement.PersonID) {
	for _, c := range accounts {
		if c.Number == "" {
			continue
		}
		if who, ok := d.directory.ByNumber(c.Number); ok && who.Active {
			out = append(out, who.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askApprovers tells those who may approve that an alert waits for one of them, by
// push and SMS on their own phones. Whoever does not hear of it sees it on the first
// page, and is called by its author.
func (d *desk) askApprovers(ctx context.Context, id announcement.ID, by announcement.Actor) {
	ctx = context.WithoutCancel(ctx)
	waits, _, _ := d.countdowns.get(id)
	_, to, err := d.completeConfirmed(waits.Draft, d.now())
	if err != nil {
		return // nobody is left to whom it could go, and whoever looks sees it
	}
	for _, person := range d.phonesOf(d.others(web.Approve, by, &to.Roster)) {
		who, _ := d.directory.Person(person)
		text := d.catalogue.AnswerBack("approval", who.Language, map[string]string{"org": d.config.OrgName, "name": d.actorName(by), "link": d.config.PublicURL + "/alerts/" + string(id)})
		push := announcement.Message{Announcement: id, Kind: announcement.SayUpdate, Language: who.Language, Title: d.config.OrgName, Body: strings.TrimPrefix(text, d.config.OrgName+": "),
			Link: d.config.PublicURL + "/alerts/" + string(id)}
		if err := errors.Join(d.pushTo(ctx, person, push), d.textOne(ctx, person, text)); err != nil {
			d.log.Info("somebody who may approve was not told on every channel", "announcement", id, "reason", err)
		}
	}
}

// awaiting returns an announcement that waits for approval.
func (d *desk) awaiting(id announcement.ID) (prepared, error) {
	p, end, known := d.countdowns.get(id)
	switch {
	case !known:
		return p, web.ErrNotFound
	case !p.Awaits || !end.At.IsZero() || d.now().Sub(p.At) >= awaitsFor:
		return p, web.ErrClosed // it was withdrawn, edited, rejected, or waited for too long
	}
	return p, nil
}

// decidesOn is awaiting for somebody who may approve or reject it: one who may see
// everybody whom it concerns.
func (d *desk) decidesOn(p web.Principal, id announcement.ID) (prepared, error) {
	if !p.May(web.Approve) {
		return prepared{}, web.ErrForbidden
	}
	waits, err := d.awaiting(id)
	if err != nil {
		return waits, err
	}
	b := d.boardsOf(p)
	if !b.reads(waits.By, waits.Draft.Audience) {
		return waits, web.ErrNotFound
	}
	if _, to, err := d.completeConfirmed(waits.Draft, d.now()); err == nil && !b.seesAll(&to.Roster) {
		return waits, web.ErrForbidden
	}
	return waits, nil
}

// printOf names what would go out of an announcement that waits: its very words in
// every language, as they were when it was confirmed, and, after a dot, its very people.
// Another version of a prepared text, or another person, is another print.
func (d *desk) printOf(p prepared) (string, error) {
	a, resolved, err := d.completeConfirmed(p.Draft, p.At)
	if err != nil {
		return "", err
	}
	ids := make([]announcement.PersonID, len(resolved.Roster.Recipients))
	for i, r := range resolved.Roster.Recipients {
		ids[i] = r.Person
	}
	words, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("print of an announcement: %w", err)
	}
	people, err := json.Marshal(ids)
	if err != nil {
		return "", fmt.Errorf("print of its people: %w", err)
	}
	return shorten(string(words)) + "." + shorten(string(people)), nil
}

// author is what whoever wrote it may do now, which may be less than when they did.
func (d *desk) author(p prepared) (web.Grant, error) {
	if !strings.HasPrefix(string(p.By), "account:") {
		return p.Grant, nil
	}
	now, err := d.accounts.principalOf(p.By)
	if err == nil && !now.May(web.Announce) {
		err = web.ErrForbidden
	}
	return now.Grant, err
}

// Approve lets an announcement go out as whoever approves has seen it, after the
// countdown. It is idempotent: an approval that came before stands.
func (d *desk) Approve(ctx context.Context, p web.Principal, id announcement.ID, seen string) error {
	waits, err := d.decidesOn(p, id)
	if err != nil {
		return err
	}
	if waits.By == p.Actor || strings.HasPrefix(string(p.Actor), "token:") { // nobody knows whose hand holds a token
		return fmt.Errorf("%w: whoever wrote it does not approve it, nor a script", web.ErrForbidden)
	}
	if _, err := d.author(waits); err != nil {
		return announcement.FieldErrors{{Field: "understand", Why: "Whoever wrote it may not send any more. Reject it, or write it yourself."}}
	}
	print, err := d.printOf(waits)
	if err != nil {
		return err
	}
	if print != seen {
		return announcement.FieldErrors{{Field: "understand", Why: "The words or the people have changed. Please check again."}}
	}
	return d.letGo(ctx, p.Actor, id, approval{By: p.Actor, At: d.now().UTC(), Print: print, Due: d.now().UTC().Add(d.config.Countdown)}, announcement.Approved)
}

// SendAlone sends what nobody has approved within ten minutes; the reason is kept.
func (d *desk) SendAlone(ctx context.Context, p web.Principal, id announcement.ID, reason string) error {
	waits, err := d.awaiting(id)
	switch reason = strings.TrimSpace(reason); {
	case !p.May(web.Announce), err == nil && waits.By != p.Actor:
		return web.ErrForbidden
	case err != nil:
		return err
	case d.now().Before(waits.At.Add(aloneAfter)):
		return web.ErrConflict
	case reason == "" || len([]rune(reason)) > 500:
		return announcement.FieldErrors{{Field: "reason", Why: "say in a few words why (at most 500 characters)"}}
	}
	note, err := d.keepNote(ctx, id, reason)
	if err != nil {
		return err
	}
	return d.letGo(ctx, p.Actor, id, approval{By: p.Actor, At: d.now().UTC(), Due: d.now().UTC().Add(d.config.Countdown), Alone: true, Reason: note}, announcement.SentAlone)
}

// letGo stores an approval, if it is the first.
func (d *desk) letGo(ctx context.Context, by announcement.Actor, id announcement.ID, a approval, act announcement.Act) error {
	value, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode approval: %w", err)
	}
	if _, there := d.countdowns.approval(id); there {
		return nil
	}
	if err := d.audit.note(ctx, by, act, announcement.About{Announcement: id}); err != nil {
		return err
	}
	err = d.vault.Create(ctx, approvalKey+string(id), value)
	switch {
	case errors.Is(err, ledger.ErrAlready): // somebody else was faster, and theirs counts
		d.saw(by, act, announcement.About{Announcement: id, Refused: true})
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	d.countdowns.learn(approvalKey+string(id), value)
	return nil
}

// stillApproved reports whether the words that would go out now are those that were
// approved. Otherwise the approval is void, it waits again, and those who may approve
// hear of it. Somebody who has joined or left since does not hold up an alarm.
func (d *desk) stillApproved(ctx context.Context, id announcement.ID, p prepared, a approval) (bool, error) {
	if a.Alone {
		return true, nil
	}
	print, err := d.printOf(p)
	var bad announcement.FieldErrors
	if err != nil && !errors.As(err, &bad) {
		return false, err
	}
	now, _, _ := strings.Cut(print, ".")
	if then, _, _ := strings.Cut(a.Print, "."); err == nil && now == then {
		return true, nil
	}
	if err := d.vault.Delete(ctx, approvalKey+string(id)); err != nil {
		return false, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	d.countdowns.learn(approvalKey+string(id), nil)
	d.log.Warn("its words changed after the approval: it waits again", "announcement", id, "reason", "approval void")
	go d.askApprovers(ctx, id, p.By)
	return false, nil
}

// Reject gives an announcement back to its author, as a draft.
func (d *desk) Reject(ctx context.Context, p web.Principal, id announcement.ID, reason string) error {
	waits, err := d.decidesOn(p, id)
	if err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len([]rune(reason)) > 500 {
		return announcement.FieldErrors{{Field: "reason", Why: "say in a few words why (at most 500 characters)"}}
	}
	if _, approved := d.countdowns.approval(id); approved {
		return web.ErrClosed
	}
	if err := d.audit.note(ctx, p.Actor, announcement.Rejected, announcement.About{Announcement: id}); err != nil {
		return err
	}
	return d.takeBack(ctx, id, waits, ending{By: p.Actor, At: d.now().UTC(), Rejected: true, Reason: reason})
}

// takeBack ends an announcement before anybody was called, and keeps what was written.
func (d *desk) takeBack(ctx context.Context, id announcement.ID, was prepared, e ending) error {
	stands, err := d.countdowns.end(ctx, id, e)
	switch {
	case err != nil:
		return err
	case stands.Sent:
		return web.ErrClosed
	case stands != e: // taken back before, and the draft may have been written on since
		if _, there := d.drafts.get(string(id)); there {
			return nil
		}
	}
	d.log.Info("announcement taken back before it went out", "announcement", id, "reason", map[bool]string{true: "rejected", false: "cancelled"}[e.Rejected])
	// What was written is a draft again, so that nobody writes it twice.
	return d.drafts.put(ctx, string(id), laidAside{Draft: was.Draft, Step: "write", By: was.By, At: d.now().UTC()})
}
