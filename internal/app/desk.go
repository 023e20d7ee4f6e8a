package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/inapp"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// desk is where requests from people meet the house: it validates, resolves
// and writes facts, and reads where things stand. It holds no state of its own.
type desk struct {
	*audit
	config     *Config
	ledger     ledger.Ledger
	vault      ledger.Vault
	directory  *directory.Directory
	accounts   *accounts
	tracker    *tracker.Tracker
	catalogue  *announcement.Catalogue
	links      *links
	hub        *inapp.Hub
	now        func() time.Time
	log        *slog.Logger
	lag        rate.Sometimes // says that the tracker lags: under load everybody finds it at once
	strange    rate.Sometimes // says that a receipt is of no call: a signed callback can be posted again for ever
	inbox      *inbox
	countdowns *countdowns
	errands    *errands
	drafts     *drafts
	providers  *providers
	replies    *replyLimit
	codes      *codes
	senders    map[announcement.Channel]channel.Sender
	trials     *trials
	noting     sync.Mutex // held while the date of a shown notification is kept
	presses    presses
	receipts   presses // what networks said a moment ago

	away func(announcement.Channel) bool // whether calls wait for the provider of a channel
}

// topics of the hub: an announcement, and a person.
func topicOf(id announcement.ID) string            { return "announcement." + string(id) }
func topicOfPerson(p announcement.PersonID) string { return inapp.PersonTopic(p) }

// write makes facts durable. Any failure means "not recorded yet" to a person:
// the fact may or may not be stored, and only a PubAck is thanked for.
func (d *desk) write(ctx context.Context, facts ...announcement.Fact) error {
	_, err := d.record(ctx, facts...)
	return err
}

// record is write for who wants to know the position.
func (d *desk) record(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	seq, err := d.ledger.Append(ctx, facts...)
	if err != nil {
		d.log.Error("fact not recorded", "reason", err)
		return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return seq, nil
}

// complete turns a draft into an announcement, without an id, and resolves its audience.
func (d *desk) complete(draft web.Draft) (*announcement.Announcement, *directory.Resolution, error) {
	return d.completeFor(draft, d.now(), d.directory.Resolve)
}

// completeConfirmed is complete for a draft that somebody confirmed a while ago, with
// the times in its texts as of at: it goes to those of its people who are still here.
func (d *desk) completeConfirmed(draft web.Draft, at time.Time) (*announcement.Announcement, *directory.Resolution, error) {
	return d.completeFor(draft, at, d.directory.Remaining)
}

func (d *desk) completeFor(draft web.Draft, at time.Time, resolve func(announcement.Audience) (*directory.Resolution, error)) (*announcement.Announcement, *directory.Resolution, error) {
	var bad announcement.FieldErrors
	a := &announcement.Announcement{
		Mode: draft.Mode, Severity: draft.Severity, Class: draft.Class, Answers: draft.Answers, Text: draft.Text,
		Template: draft.Template, Fields: draft.Fields, Audience: draft.Audience, AudienceMode: draft.AudienceMode, Channels: slices.Clone(draft.Channels),
		Zone: d.config.Zone, At: at.UTC().Truncate(time.Millisecond),
	}
	if place, ok := d.directory.Place(draft.Fields["site"]); ok && place.Zone != "" {
		a.Zone = place.Zone // times are those of the place
	}
	if draft.Policy != nil {
		a.Policy = announcement.Policy{Steps: slices.Clone(draft.Policy.Steps), ExpireAfter: draft.Policy.ExpireAfter}
	}
	switch {
	case draft.Template != "" && len(draft.Text) > 0:
		bad = append(bad, &announcement.FieldError{Field: "text", Why: "give either text or template, not both"})
	case draft.Template != "":
		text, severity, answers, err := d.catalogue.Fill(draft.Template, draft.Mode, draft.Fields, a.At, a.Zone)
		if err != nil {
			bad = append(bad, asFieldErrors(err, "template")...)
			text = map[announcement.Language]announcement.Text{"id": {Title: "-", Body: "-"}} // so that the rest is checked too
			severity, answers = announcement.Info, announcement.Safety
		}
		a.Text = text
		if a.Severity == "" {
			a.Severity = severity
		}
		if a.Answers == "" {
			a.Answers = answers
		}
	}
	a.Complete()
	if a.Class == announcement.ClassNotice {
		a.Quiet = d.config.quiet
	}
	if err := a.Validate(); err != nil {
		bad = append(bad, asFieldErrors(err, "announcement")...)
	}
	if a.Audience.IsZero() {
		return nil, nil, bad
	}
	resolved, err := resolve(a.Audience)
	if err != nil {
		bad = append(bad, asFieldErrors(err, "audience")...)
	}
	if len(bad) > 0 {
		return nil, nil, bad
	}
	d.freezeZones(a, &resolved.Roster)
	return a, resolved, nil
}

func asFieldErrors(err error, field string) announcement.FieldErrors {
	var many announcement.FieldErrors
	if errors.As(err, &many) {
		return many
	}
	var one *announcement.FieldError
	if errors.As(err, &one) {
		return announcement.FieldErrors{one}
	}
	return announcement.FieldErrors{{Field: field, Why: err.Error()}}
}

// Announce accepts an announcement: once it returns, the recipients are durable
// and calling has begun or will begin by itself.
func (d *desk) Announce(ctx context.Context, p web.Principal, draft web.Draft, key string) (web.Summary, bool, error) {
	if !p.May(web.Announce) {
		return web.Summary{}, false, web.ErrForbidden
	}
	print, err := fingerprint(draft)
	if err != nil {
		return web.Summary{}, false, err
	}
	id := announcement.NewID()
	if key != "" {
		id = idForKey(d.links.key, p, key)
		if err := d.tracker.CatchUp(ctx); err != nil {
			return web.Summary{}, false, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if v, ok := d.tracker.View(id); ok {
			s, err := d.repeated(ctx, v, print)
			return s, true, err
		}
	}
	a, resolved, err := d.complete(draft)
	if err == nil {
		err = d.allowed(p.Grant, a, resolved.Roster)
	}
	if err != nil {
		return web.Summary{}, false, err
	}
	a.ID = id
	if err := d.accept(ctx, a, resolved, p.Actor, print); err != nil {
		return web.Summary{}, false, err
	}
	if err := d.tracker.CatchUp(ctx); err != nil {
		// It is accepted and durable; only the figures are missing.
		d.log.Warn("announcement accepted, figures not there yet", "announcement", id, "reason", err)
		return web.Summary{ID: id, Status: announcement.StatusOpen, Mode: a.Mode, Severity: a.Severity, Class: a.Class, Answers: a.Answers, Audience: a.AudienceMode,
			Text: a.Text, Channels: a.Channels, Zone: a.Zone, OpenedAt: a.At, Rebuilding: true,
			Counts: announcement.Counts{Recipients: len(resolved.Roster.Recipients), NoAnswer: len(resolved.Roster.Recipients)}}, false, nil
	}
	s, err := d.whole().Summary(ctx, id)
	return s, false, err
}

// accept makes an announcement durable; from then on people are called.
func (d *desk) accept(ctx context.Context, a *announcement.Announcement, to *directory.Resolution, by announcement.Actor, print string) error {
	a.Audience = to.Audience
	if _, err := d.ledger.Accept(ctx, acceptance(a, &to.Roster, by, print, d.woken(a, &to.Roster))); err != nil {
		d.log.Error("announcement not accepted", "announcement", a.ID, "reason", err)
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

func (d *desk) repeated(ctx context.Context, v tracker.View, print string) (web.Summary, error) {
	recorded := ""
	err := d.ledger.Read(ctx, v.Announcement.ID, func(r ledger.Record) error {
		for _, f := range r.Facts {
			if f.Kind == announcement.KindAnnounced {
				recorded = f.Reason
			}
		}
		return nil
	})
	if err != nil {
		return web.Summary{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if recorded != print {
		return web.Summary{}, web.ErrReused
	}
	return d.whole().Summary(ctx, v.Announcement.ID)
}

// fingerprint tells whether two drafts are the same request.
func fingerprint(draft web.Draft) (string, error) {
	b, err := json.Marshal(draft)
	if err != nil {
		return "", fmt.Errorf("encode draft: %w", err)
	}
	sum := sha256.Sum256(b)
	return "draft:" + hex.EncodeToString(sum[:12]), nil
}

// idForKey makes the announcement id from the Idempotency-Key, so that of two
// requests at the same moment, on two nodes, one is stored.
func idForKey(secret []byte, p web.Principal, key string) announcement.ID {
	const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	sum := sha256.Sum256([]byte(mac(secret, 22, "idempotency", string(p.Actor), key)))
	b := make([]byte, 15)
	for i := range b {
		b[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return announcement.ID("a" + string(b))
}

// chunkSize keeps a recipients fact well below the 1 MB that NATS takes.
const chunkSize = 1000

// acceptance writes an announcement out as facts: announced, recipients, committed.
// woken is how many people's quiet hours it breaks.
func acceptance(a *announcement.Announcement, roster *announcement.Roster, by announcement.Actor, print string, woken int) []announcement.Fact {
	fact := func(k announcement.Kind) announcement.Fact {
		return announcement.Fact{Announcement: a.ID, Kind: k, At: a.At, Actor: by}
	}
	announced := fact(announcement.KindAnnounced)
	announced.Announced, announced.Reason = a, print
	facts := []announcement.Fact{announced}
	chunks := 0
	for first := 0; first < len(roster.Recipients) || first < len(roster.Lines); first += chunkSize {
		c := &announcement.Chunk{First: first, LinesFirst: first}
		if first < len(roster.Recipients) {
			c.Recipients = roster.Recipients[first:min(first+chunkSize, len(roster.Recipients))]
		}
		if first < len(roster.Lines) {
			c.Lines = roster.Lines[first:min(first+chunkSize, len(roster.Lines))]
		}
		if first == 0 {
			c.Duty = roster.Duty
		}
		f := fact(announcement.KindRecipients)
		f.Recipients = c
		facts = append(facts, f)
		chunks++
	}
	committed := fact(announcement.KindCommitted)
	committed.Committed = &announcement.Committed{Recipients: len(roster.Recipients), Chunks: chunks, Woken: woken}
	return append(facts, committed)
}

// Close ends an announcement. Closing as corrected or all clear is followed by
// a word to exactly those who were called.
func (d *desk) Close(ctx context.Context, p web.Principal, id announcement.ID, as announcement.ClosedAs, reason string) error {
	v, err := d.mine(ctx, p, id)
	if err != nil {
		return err
	}
	var bad announcement.FieldErrors
	if strings.TrimSpace(reason) == "" || len([]rune(reason)) > 500 {
		bad = append(bad, &announcement.FieldError{Field: "reason", Why: "say in a few words why (at most 500 characters)"})
	}
	if as != announcement.AsAllClear && as != announcement.AsCorrected && as != announcement.AsCancelled {
		bad = append(bad, &announcement.FieldError{Field: "as", Value: string(as), Why: "must be all_clear, corrected or cancelled"})
	}
	if len(bad) > 0 {
		return bad
	}
	if v.Status == announcement.StatusClosed {
		return web.ErrClosed
	}
	note, err := d.keepNote(ctx, id, reason)
	if err != nil {
		return err
	}
	_, err = d.ledger.Once(ctx, "closed", announcement.Fact{Announcement: id, Kind: announcement.KindClosed, At: d.now().UTC(),
		Actor: p.Actor, Reason: note, Closed: &announcement.Closed{As: as}})
	switch {
	case errors.Is(err, ledger.ErrAlready):
		return web.ErrClosed
	case err != nil:
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return d.caughtUp(ctx)
}

// Remind calls everybody outstanding once more, on every channel of the announcement.
//
// A second press, or two people at the same moment, call nobody twice: it is
// ErrConflict within two minutes of the last.
func (d *desk) Remind(ctx context.Context, p web.Principal, id announcement.ID, reason string) (int, error) {
	v, err := d.mine(ctx, p, id)
	if err != nil {
		return 0, err
	}
	if v.Status != announcement.StatusOpen {
		return 0, web.ErrClosed
	}
	if d.now().Sub(d.remindedAll(v)) < remindAllEvery {
		return 0, web.ErrConflict
	}
	standing, err := d.tracker.Standing(ctx, id)
	if err != nil {
		return 0, err
	}
	outstanding := standing.Counts().Outstanding()
	if outstanding == 0 {
		return 0, nil
	}
	note, err := d.keepNote(ctx, id, reason)
	if err != nil {
		return 0, err
	}
	err = d.extraRound(ctx, v, announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Actor: p.Actor, Reason: note,
		Decided: &announcement.Decided{Message: announcement.SayReminder, Channels: v.Announcement.Channels, Only: announcement.OnlyOutstanding}})
	if err != nil {
		return 0, err
	}
	return outstanding, d.caughtUp(ctx)
}

// remindedAll is when everybody without an answer was last reminded by hand.
func (d *desk) remindedAll(v tracker.View) time.Time {
	var last time.Time
	for i, r := range v.Rounds {
		if r.Step == 0 && r.Message == announcement.SayReminder && r.Only == announcement.OnlyOutstanding && v.RoundsAt[i].After(last) {
			last = v.RoundsAt[i]
		}
	}
	return last
}

// remindAllEvery is how often everybody without an answer may be called again by
// hand; the policy calls them by itself besides.
const remindAllEvery = 2 * time.Minute

// MarkAt accounts for somebody from the console.
func (d *desk) MarkAt(ctx context.Context, p web.Principal, id announcement.ID, m web.Mark) error {
	if _, err := d.mineOne(ctx, p, id, m.Index); err != nil {
		return err
	}
	return d.mark(ctx, id, "", p.Actor, m)
}

func (d *desk) mark(ctx context.Context, id announcement.ID, by announcement.PersonID, actor announcement.Actor, m web.Mark) error {
	v, err := d.view(ctx, id)
	if err != nil {
		return err
	}
	if m.Index < 0 || m.Index >= len(v.Roster.Recipients) {
		return web.ErrNotFound
	}
	var bad announcement.FieldErrors
	if !m.Answer.Valid() {
		bad = append(bad, &announcement.FieldError{Field: "a", Why: "choose safe, needs help or not on site"})
	}
	if !m.How.Valid() {
		bad = append(bad, &announcement.FieldError{Field: "how", Why: "say how you know"})
	}
	if len(bad) > 0 {
		return bad
	}
	if m.Ref == "" {
		m.Ref = string(announcement.NewID())
	}
	return d.presses.once("mark"+string(id)+m.Ref, func() error {
		note, err := d.keepNote(ctx, id, m.Note)
		if err != nil {
			return err
		}
		said := d.said(m.Said, v)
		err = d.write(ctx, announcement.Fact{Announcement: id, Kind: announcement.KindVouched, At: d.now().UTC(), Actor: actor,
			Vouched: &announcement.Vouched{Number: m.Index, Answer: m.Answer, By: by, How: m.How, Note: note, Said: said, Ref: shorten(m.Ref), Version: v.VersionAt(said)}})
		if err != nil {
			return err
		}
		return d.caughtUp(ctx)
	})
}

// ClaimAt says from the console who handles a call for help, or how it was resolved.
func (d *desk) ClaimAt(ctx context.Context, p web.Principal, id announcement.ID, index int, resolved announcement.Resolution) error {
	if _, err := d.mineOne(ctx, p, id, index); err != nil {
		return err
	}
	return d.claim(ctx, id, "", p.Actor, index, resolved)
}

func (d *desk) claim(ctx context.Context, id announcement.ID, by announcement.PersonID, actor announcement.Actor, index int, resolved announcement.Resolution) error {
	v, err := d.view(ctx, id)
	if err != nil {
		return err
	}
	if index < 0 || index >= len(v.Roster.Recipients) {
		return web.ErrNotFound
	}
	details, err := d.tracker.Details(ctx, id, []int{index})
	if err != nil {
		return err
	}
	fact := announcement.Fact{Announcement: id, Kind: announcement.KindClaimed, At: d.now().UTC(), Actor: actor,
		Claimed: &announcement.Claimed{Number: index, By: by, Resolved: resolved}}
	c := details[0]
	switch {
	case resolved != "":
		err = d.write(ctx, fact)
	case !c.ClaimedAt.IsZero() && c.ClaimedAt.After(c.Since) && !(c.ClaimedBy == by && c.ClaimActor == actor):
		return web.ErrConflict
	default:
		// The key is this call for help: of two who claim it at once, one wins.
		_, err = d.ledger.Once(ctx, fmt.Sprintf("%d-%d", index, c.Since.UnixMilli()), fact)
		if errors.Is(err, ledger.ErrAlready) {
			if c.ClaimedBy == by && c.ClaimActor == actor && !c.ClaimedAt.IsZero() {
				return nil // pressed twice
			}
			return web.ErrConflict
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	if err != nil {
		return err
	}
	return d.caughtUp(ctx)
}

// Changes wakes a board.
func (d *desk) Changes(ctx context.Context, id announcement.ID) <-chan struct{} {
	return d.hub.Watch(ctx, topicOf(id))
}

// view returns a known announcement; one that another node just accepted is
// waited for.
func (d *desk) view(ctx context.Context, id announcement.ID) (tracker.View, error) {
	if !id.Valid() {
		return tracker.View{}, web.ErrNotFound
	}
	if v, ok := d.tracker.View(id); ok {
		return v, nil
	}
	if err := d.tracker.CatchUp(ctx); err != nil {
		return tracker.View{}, fmt.Errorf("%w: %w", web.ErrNotYet, err) // it may be there: whoever asks must ask again
	}
	if v, ok := d.tracker.View(id); ok {
		return v, nil
	}
	return tracker.View{}, web.ErrNotFound
}

// caughtUp waits until what was just written shows. What was written is
// durable, so a slow tracker is no failure.
func (d *desk) caughtUp(ctx context.Context) error {
	d.shows(ctx, d.tracker.CatchUp)
	return nil
}

func (d *desk) shows(ctx context.Context, wait func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := wait(ctx); err != nil {
		d.lag.Do(func() { d.log.Warn("the tracker lags behind the ledger", "reason", err) })
	}
}

// said bounds the time at which a person says they pressed: never before the
// announcement, never in the future.
func (d *desk) said(t time.Time, v tracker.View) time.Time {
	now := d.now().UTC()
	if t.IsZero() || t.After(now) || t.Before(v.Announcement.At) {
		return now
	}
	return t.UTC()
}

// shorten bounds a ref that came from outside and keeps it free of odd characters.
func shorten(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return hex.EncodeToString(sum[:10])
}

// keepNote stores a person's own words outside the ledger, encrypted and
// erasable, and returns the reference that the fact carries. A place among them is
// kept apart, because it has to go sooner.
func (d *desk) keepNote(ctx context.Context, id announcement.ID, words string) (string, error) {
	words = strings.TrimSpace(strings.ToValidUTF8(words, ""))
	if words == "" {
		return "", nil
	}
	if r := []rune(words); len(r) > 1600 {
		words = string(r[:1600])
	}
	ref := string(announcement.NewID())
	words, place := splitPlace(words)
	if place != "" {
		if err := d.vault.Put(ctx, placeKey(id, ref), []byte(place)); err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	if err := d.vault.Put(ctx, noteKey(id, ref), []byte(words)); err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return "note:" + ref, nil
}

func noteKey(id announcement.ID, ref string) string  { return "note." + string(id) + "." + ref }
func placeKey(id announcement.ID, ref string) string { return "place." + string(id) + "." + ref }

// placeShape is how a phone writes a place down when its owner shares it, and how
// map apps do.
var placeShape = regexp.MustCompile(`\s*-?\d{1,2}\.\d{3,},\s*-?\d{1,3}\.\d{3,}(?: \(±\d+ m\))?`)

// splitPlace takes places out of words.
func splitPlace(words string) (rest, place string) {
	place = strings.TrimSpace(strings.Join(placeShape.FindAllString(words, -1), ""))
	return strings.TrimSpace(placeShape.ReplaceAllString(words, "")), place
}

// words returns what a reference stands for, with the place as long as it is kept; a
// reason that is no reference is itself.
func (d *desk) words(ctx context.Context, id announcement.ID, note string) string {
	ref, ok := strings.CutPrefix(note, "note:")
	if !ok {
		return note
	}
	b, err := d.vault.Get(ctx, noteKey(id, ref))
	if err != nil {
		return ""
	}
	place, _ := d.vault.Get(ctx, placeKey(id, ref)) // most have none
	return strings.TrimSpace(string(b) + " " + string(place))
}

// Templates lists the prepared announcements.
func (d *desk) Templates() []web.Template {
	var out []web.Template
	for _, t := range d.catalogue.Templates() {
		out = append(out, web.Template{Key: t.Key, Severity: t.Severity, Answers: t.Answers, Name: t.Name, Fields: t.Fields, Optional: d.catalogue.Optional(t.Key), Ticks: d.catalogue.Ticks(t.Key), Icon: t.Icon})
	}
	return out
}

// Sitelist lists the sites that have active people.
func (d *desk) Sitelist() []web.Choice { return choices(d.directory.Sites()) }

// Departments lists the departments that have active people.
func (d *desk) Departments() []web.Choice { return choices(d.directory.Departments()) }

func choices(m map[string]int) []web.Choice {
	out := make([]web.Choice, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, web.Choice{Name: name, People: m[name]})
	}
	return out
}
