package app

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/directory"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// form checks the signature over the configured public URL and the raw body,
// and returns the form.
func (d *desk) form(r web.HookRequest) (url.Values, error) {
	signed := func(token string) bool {
		return token != "" && sms.ValidSignature(token, d.config.PublicURL+r.Path, r.ContentType, r.Body, r.Signature)
	}
	if d.config.SMSProvider == "none" || !signed(d.config.TwilioAuthToken) && !signed(d.config.SMS2AuthToken) {
		return nil, web.ErrSignature
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, announcement.FieldErrors{{Field: "body", Why: "is not a form"}}
	}
	return form, nil
}

// Status records what the network says of an SMS. Callbacks may come twice, out
// of order, or before our own call returned; ranks only rise.
func (d *desk) Status(ctx context.Context, r web.HookRequest) error {
	form, err := d.form(r)
	if err != nil {
		return err
	}
	_, query, _ := strings.Cut(r.Path, "?")
	q, _ := url.ParseQuery(query)
	id, round, number, err := dispatch.ParseSendID(q.Get("d"))
	rank, failure, ok := sms.ParseStatus(form)
	if err != nil || !ok || rank == announcement.Accepted {
		return nil //nolint:nilerr // nothing that we do not know already
	}
	v, err := d.view(ctx, id)
	switch {
	case errors.Is(err, web.ErrNotFound):
		return nil
	case err != nil:
		return err // the provider calls again
	}
	return d.receiptOnce(ctx, v, announcement.Receipt{Round: round, Channel: announcement.SMS, Number: number, Rank: rank, Failure: failure})
}

// receiptOnce writes what a network said, once, however it came to us. What it says of a
// call that nobody decided is passed over: the ledger would never be whole again. After
// a restore such receipts come of what was decided after the backup.
func (d *desk) receiptOnce(ctx context.Context, v tracker.View, said announcement.Receipt) error {
	if !v.Calls(said.Round, said.Number) { // another node may have decided it a moment ago
		wait, cancel := context.WithTimeout(ctx, 8*time.Second) // the provider waits for 15
		defer cancel()
		if err := d.tracker.CatchUp(wait); err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		id := v.Announcement.ID
		var known bool
		if v, known = d.tracker.View(id); !known {
			return web.ErrNotYet
		}
		if !v.Calls(said.Round, said.Number) {
			d.strange.Do(func() {
				d.log.Warn("a receipt of a call that nobody decided is not recorded", "announcement", id, "round", said.Round, "channel", said.Channel)
			})
			return nil
		}
	}
	return d.receipts.once(fmt.Sprint(v.Announcement.ID, said), func() error { return d.receipt(ctx, v, said) })
}

// receipt writes what a network said, unless the ledger says so already: a signed
// callback can be posted again for ever, and must not fill the disk.
func (d *desk) receipt(ctx context.Context, v tracker.View, said announcement.Receipt) error {
	id := v.Announcement.ID
	fact := announcement.Fact{Announcement: id, Kind: announcement.KindReceipt, At: d.now().UTC(), Actor: announcement.ByNetwork, Receipt: &said}
	if !v.ToRecipients(said.Round) { // managers and the duty list: few
		_, err := d.ledger.Once(ctx, fmt.Sprintf("%d-%d-%d", said.Round, said.Number, said.Rank), fact)
		if err != nil && !errors.Is(err, ledger.ErrAlready) {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		return nil
	}
	if said.Number >= len(v.Roster.Recipients) {
		return nil
	}
	if details, err := d.tracker.Details(ctx, id, []int{said.Number}); err == nil && details[0].Ladder[said.Channel].Rank >= said.Rank {
		for _, seq := range d.tracker.Records(id, said.Number) { // it may be of another round, and new
			r, err := d.ledger.At(ctx, seq)
			if err != nil {
				break // rather twice than never
			}
			if slices.ContainsFunc(r.Facts, func(f announcement.Fact) bool { return f.Receipt != nil && *f.Receipt == said }) {
				return nil
			}
		}
	}
	return d.write(ctx, fact)
}

// Message handles one inbound SMS and returns the answer-back as TwiML once
// everything is durable. The same MessageSid is handled once, for ever.
func (d *desk) Message(ctx context.Context, r web.HookRequest) ([]byte, error) {
	form, err := d.form(r)
	if err != nil {
		return nil, err
	}
	in := sms.ParseMessage(form)
	if in.SID == "" || in.From == "" {
		return nil, announcement.FieldErrors{{Field: "MessageSid", Why: "is missing"}}
	}
	answer, err := d.hear(ctx, in)
	if err != nil {
		return nil, err
	}
	return twiml(answer), nil
}

func twiml(answer string) []byte {
	var out strings.Builder
	out.WriteString(xml.Header + "<Response>")
	if answer != "" {
		out.WriteString("<Message>")
		_ = xml.EscapeText(&out, []byte(answer))
		out.WriteString("</Message>")
	}
	out.WriteString("</Response>")
	return []byte(out.String())
}

// listener is one person who may have written an SMS, and where they stand.
type listener struct {
	person directory.Person
	places []tracker.Place // newest first
}

func (l listener) open() []tracker.Place {
	var out []tracker.Place
	for _, p := range l.places {
		if p.Open {
			out = append(out, p)
		}
	}
	return out
}

// writtenAt is when a text was written, as far as that is known.
func (d *desk) writtenAt(in sms.Inbound) time.Time {
	if now := d.now(); in.At.IsZero() || in.At.After(now) {
		return now
	}
	return in.At
}

// wasOut reports whether an announcement had gone out when a text was written: what
// reaches us late is no answer to what came since.
func (d *desk) wasOut(id announcement.ID, in sms.Inbound) bool {
	v, ok := d.tracker.View(id)
	return !ok || in.At.IsZero() || !v.OpenedAt.Truncate(time.Second).After(in.At)
}

// heardKey is where it is kept that a text was dealt with. A fact alone does not
// tell: it belongs to an announcement, and a text that comes again a day later
// would be taken for an answer to another one.
func heardKey(sid string) string { return "heard." + shorten(sid) }

// hear takes a text once: after that the same MessageSid changes nothing and is
// not answered.
func (d *desk) hear(ctx context.Context, in sms.Inbound) (string, error) {
	if !d.tracker.Begun() { // as long as it is not known who was asked what, "1" would look like no answer
		wait, cancel := context.WithTimeout(ctx, 8*time.Second) // the provider waits for 15
		defer cancel()
		if err := d.tracker.CatchUp(wait); err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	switch _, err := d.vault.Get(ctx, heardKey(in.SID)); {
	case err == nil:
		return "", nil
	case !errors.Is(err, ledger.ErrNotFound):
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	answer, err := d.hearNew(ctx, in)
	if err != nil {
		return "", err
	}
	if err := d.vault.Create(ctx, heardKey(in.SID), []byte("1")); err != nil && !errors.Is(err, ledger.ErrAlready) {
		// What was said is durable, and is thanked for.
		d.log.Warn("a text may be taken again if it comes again", "channel", announcement.SMS, "reason", err)
	}
	return answer, nil
}

// hearNew turns a text into facts, and returns what to answer. It fails towards
// help: whatever might be a call for help is recorded as one. It may be cut off
// and come again: every part of it is done once.
func (d *desk) hearNew(ctx context.Context, in sms.Inbound) (string, error) {
	var people []listener
	for _, p := range d.directory.ByMobile(in.From) {
		if p.Active {
			places := slices.DeleteFunc(slices.Clone(d.tracker.OpenFor(p.ID)), func(place tracker.Place) bool { return !d.wasOut(place.ID, in) })
			people = append(people, listener{p, places})
		}
	}
	if len(people) == 0 {
		return d.hearStranger(ctx, in)
	}
	if answer, ok, err := d.hearTrial(ctx, people, in); ok || err != nil {
		return answer, err
	}
	reply := sms.Parse(in.Body, d.question(people))
	stopped := d.directory.Contact(people[0].person.ID).SMSStopped
	switch {
	case in.OptOut == "STOP": // the provider has stopped already, whatever we think of the word
		reply.Class = sms.ClassStop
	case in.OptOut == "START" && stopped: // "YES" opts in again; from anybody else it is an answer
		reply.Class = sms.ClassStart
	}
	ref := shorten(in.SID)
	lang := people[0].person.Language
	say := func(key string, v *tracker.View, more map[string]string) string {
		fields := d.backFields(v, lang)
		maps.Copy(fields, more)
		return d.answerBack(in.From, in.Body, reply.Class == sms.ClassHelp, key, lang, fields)
	}

	switch reply.Class {
	case sms.ClassStop, sms.ClassStart, sms.ClassWrongNumber:
		for _, l := range people {
			var err error
			switch reply.Class {
			case sms.ClassStop:
				err = d.directory.StopSMS(ctx, l.person.ID, true)
			case sms.ClassStart:
				err = errors.Join(d.directory.StopSMS(ctx, l.person.ID, false), d.directory.WrongNumber(ctx, l.person.ID, false))
			case sms.ClassWrongNumber:
				err = d.directory.WrongNumber(ctx, l.person.ID, true)
			}
			if err != nil {
				return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
			}
		}
		key := map[sms.Class]string{sms.ClassStop: "stop_ok", sms.ClassStart: "start_ok", sms.ClassWrongNumber: "wrong_number"}[reply.Class]
		return say(key, nil, nil), d.heard(ctx, people, reply, in, ref)
	case sms.ClassWho:
		return say("who", nil, nil), d.heard(ctx, people, reply, in, ref)
	}
	if stopped {
		say = func(string, *tracker.View, map[string]string) string { return "" } // after STOP only START is answered; help is still recorded
	}
	return d.hearAnswer(ctx, people, reply, in, ref, say)
}

// sayer writes the answer to a text from the fields of an announcement and some more.
type sayer = func(key string, v *tracker.View, more map[string]string) string

// hearAnswer decides which recipients of which announcements an answer is for.
func (d *desk) hearAnswer(ctx context.Context, people []listener, reply sms.Reply, in sms.Inbound, ref string, say sayer) (string, error) {
	answer := map[sms.Class]announcement.Answer{sms.ClassHelp: announcement.NeedHelp, sms.ClassSafe: announcement.Safe,
		sms.ClassAck: announcement.Safe, sms.ClassOffSite: announcement.NotOnSite}[reply.Class]
	seats := slices.DeleteFunc(slices.Clone(d.seats(people)), func(s tracker.Seat) bool { return !d.wasOut(s.ID, in) })
	open := openSeats(seats)
	var targets []tracker.Seat
	late := false
	ask := ""
	named := slices.IndexFunc(seats, func(s tracker.Seat) bool { return s.Letter != "" && strings.EqualFold(s.Letter, reply.Letter) })
	switch {
	case answer == 0:
	case named >= 0:
		targets, late = seats[named:named+1], !seats[named].Open
	case answer == announcement.NeedHelp && len(open) > 0: // rather for too many
		targets = open
	case answer == announcement.NeedHelp:
		targets, late = newestOf(seats), true
	case len(people) > 1 && len(seats) > 0:
		ask = "shared_phone"
	case len(open) == 1 && (reply.Letter == "" || open[0].Letter == ""):
		targets = open
	case len(open) == 0:
		targets, late = newestOf(seats), true
	default:
		ask = "which_one"
	}
	if answer == 0 || len(targets) == 0 {
		return d.hearOther(ctx, people, seats, reply, in, ref, ask, say)
	}
	words := ""
	if reply.FromWords || reply.Note != "" || strings.TrimSpace(in.Body) != fmt.Sprint(int(answer)) {
		words = in.Body
	}
	var last *tracker.View
	fresh := false   // some of it was not recorded before
	stale := false   // all of it was said of an earlier version
	reality := false // help was asked for in a drill, and meant
	for _, p := range targets {
		v, ok := d.tracker.View(p.ID)
		if !ok {
			return "", web.ErrNotYet
		}
		last = &v
		details, err := d.tracker.Details(ctx, p.ID, []int{p.Number})
		if err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		stands := details[0]
		if d.resent(ctx, p.Place, stands, answer, words, ref) {
			continue
		}
		if answer == announcement.NeedHelp && v.Announcement.Mode == announcement.Drill {
			real, err := d.realInDrill(ctx, p.Place, stands, in, ref)
			if err != nil {
				return "", err
			}
			reality = reality || real
		}
		note, err := d.keepNote(ctx, p.ID, words)
		if err != nil {
			return "", err
		}
		version := versionHeard(v, stands, d.writtenAt(in))
		stale = version < v.Version && answer != announcement.NeedHelp
		fact := d.answered(v, p.Number, announcement.Answered{Answer: answer, Via: announcement.ViaSMS, Said: d.writtenAt(in).UTC(), Ref: ref, Note: note, FromWords: reply.FromWords, Version: version})
		_, err = d.ledger.Once(ctx, "sms-"+ref+"-"+strconv.Itoa(p.Number), fact)
		if errors.Is(err, ledger.ErrAlready) {
			continue // cut off before: the others may be missing
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		fresh = true
	}
	if !fresh {
		return "", nil // all of it is recorded, and was answered then
	}
	if reality {
		return say("help_ok", nil, nil), nil
	}
	if stale && len(targets) == 1 && !late {
		return d.sayChanged(ctx, *last, targets[0], people[0].person.Language, say)
	}
	if key := answerKey(answer, reply, late, last); key == "safe_ok" && len(people) == 1 {
		if more := d.stillOpen(ctx, open, targets[0], people[0].person.Language); more != nil {
			return say("two_open", last, more), nil
		}
	}
	return say(answerKey(answer, reply, late, last), last, nil), nil
}

// replyTakes is how long it takes at least until a text has reached a phone, was read
// and answered: what comes sooner was on its way already.
const replyTakes = 15 * time.Second

// versionHeard returns which version a text of a recipient answers: the one that
// counts, if it was handed to their number long enough ago, or no other was, or they
// have opened its page; else the one before.
func versionHeard(v tracker.View, t tracker.Detail, written time.Time) int {
	if v.Version == 1 || t.Opened || t.Answer != 0 && t.Version == int64(v.Version) ||
		!t.Told.IsZero() && (!t.ToldBefore || written.Sub(t.Told) >= replyTakes) {
		return v.Version
	}
	return v.Version - 1
}

// sayChanged answers whoever answered an earlier version with what changed. Once that
// is on its way to them their next answer is to this one.
func (d *desk) sayChanged(ctx context.Context, v tracker.View, seat tracker.Seat, lang announcement.Language, say sayer) (string, error) {
	answer := say(changedKey(&v), &v, changedFields(&v, lang))
	if answer == "" {
		return "", nil
	}
	return answer, d.write(ctx, openedBy(seat, d.now()))
}

// openedBy says that a person has before them what counts now.
func openedBy(s tracker.Seat, at time.Time) announcement.Fact {
	return announcement.Fact{Announcement: s.ID, Kind: announcement.KindOpened, At: at.UTC(), Actor: announcement.ByPerson(s.Person),
		Opened: &announcement.Opened{Number: s.Number}}
}

// changedKey names the text that says what changed and asks again.
func changedKey(v *tracker.View) string {
	if v.Announcement.Answers == announcement.Read {
		return "changed_read"
	}
	return "changed"
}

func changedFields(v *tracker.View, lang announcement.Language) map[string]string {
	return map[string]string{"words": announcement.Decided{Words: v.Changed()}.Say(lang)}
}

// resendWithin is how soon operators send a text again under another name when
// they missed that it was taken.
const resendWithin = 10 * time.Second

// resent reports whether a text is the one again that stands: one answer, and in a
// drill no sign that somebody asks for help a second time.
func (d *desk) resent(ctx context.Context, p tracker.Place, stands tracker.Detail, answer announcement.Answer, words, ref string) bool {
	return stands.Ref != "" && stands.Ref != tracker.PressOf(p.Number, ref) && stands.Via == announcement.ViaSMS && stands.Answer == answer &&
		d.now().Sub(stands.Since) < resendWithin && d.words(ctx, p.ID, stands.Note) == strings.TrimSpace(words)
}

// realInDrill reports whether somebody who asks for help in a drill means it:
// they wrote SOS, as drill texts tell them to, or ask again. Then the duty list
// is called for real.
func (d *desk) realInDrill(ctx context.Context, p tracker.Place, stands tracker.Detail, in sms.Inbound, ref string) (bool, error) {
	again := stands.State == announcement.NeedsHelp && stands.Ref != "" && stands.Ref != tracker.PressOf(p.Number, ref) // "": another's word
	if !again && !strings.Contains(strings.ToLower(in.Body), "sos") && !strings.ContainsAny(in.Body, "🆘🚨") {
		return false, nil
	}
	return true, d.askForHelp(ctx, in)
}

func answerKey(answer announcement.Answer, reply sms.Reply, late bool, v *tracker.View) string {
	switch {
	case late && answer != announcement.NeedHelp:
		return "late"
	case answer == announcement.NeedHelp && v != nil && v.Announcement.Mode == announcement.Drill:
		return "drill_help"
	case answer == announcement.NeedHelp && reply.FromWords:
		return "help_words"
	case answer == announcement.NeedHelp:
		return "help_ok"
	case answer == announcement.NotOnSite:
		return "offsite_ok"
	case v != nil && v.Announcement.Answers == announcement.Read:
		return "ack_ok"
	}
	return "safe_ok"
}

// hearOther files what is no answer, asks once where a question helps, and
// raises help even when no announcement is open.
func (d *desk) hearOther(ctx context.Context, people []listener, seats []tracker.Seat, reply sms.Reply, in sms.Inbound, ref, ask string, say sayer) (string, error) {
	var newest *tracker.View
	var seat tracker.Seat // of the last of them, in the newest
	stale := false        // what they have seen there is an earlier version
	for _, l := range people {
		open := l.open()
		if len(open) == 0 {
			continue
		}
		v, ok := d.tracker.View(open[0].ID)
		if !ok {
			continue
		}
		newest, seat = &v, tracker.Seat{Place: open[0], Person: l.person.ID}
		if reply.Class != sms.ClassSeen && ask != "which_one" {
			continue
		}
		details, err := d.tracker.Details(ctx, seat.ID, []int{seat.Number})
		if err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if stale = versionHeard(v, details[0], d.writtenAt(in)) < v.Version; stale {
			continue // they have opened what no longer counts
		}
		if err := d.write(ctx, openedBy(seat, d.now())); err != nil {
			return "", err
		}
	}
	if reply.Class == sms.ClassHelp { // they are asked nothing now, or this was no answer to it
		if err := d.askForHelp(ctx, in); err != nil {
			return "", err
		}
		return say("help_ok", newest, nil), nil
	}
	if err := d.heard(ctx, people, reply, in, ref); err != nil {
		return "", err
	}
	switch {
	case ask != "":
		return say(ask, nil, d.which(people, seats, ask)), nil
	case newest == nil:
		return say("no_open", nil, nil), nil
	case reply.Class == sms.ClassFreeText:
		return say("free_text", newest, nil), nil
	case reply.Class == sms.ClassSeen && stale:
		return d.sayChanged(ctx, *newest, seat, people[0].person.Language, say)
	case reply.Class == sms.ClassSeen || reply.Class == sms.ClassUnclear:
		if newest.Version > 1 { // what they have read may be the text before
			return say(changedKey(newest), newest, changedFields(newest, people[0].person.Language)), nil
		}
		return say("ask_again", newest, nil), nil
	}
	return say("unknown", newest, nil), nil
}

// which lists for whom or for which announcement a bare digit may have been meant.
func (d *desk) which(people []listener, seats []tracker.Seat, ask string) map[string]string {
	lang := people[0].person.Language
	if open := openSeats(seats); len(open) > 0 {
		seats = open
	} else {
		seats = newestOf(seats)
	}
	several := slices.ContainsFunc(seats, func(s tracker.Seat) bool { return s.ID != seats[0].ID })
	var choices []string
	for _, s := range seats {
		title := ""
		if v, ok := d.tracker.View(s.ID); ok {
			text, _, _ := v.Announcement.In(lang)
			title = text.Title
		}
		choice := s.Letter + " " + title
		if ask == "shared_phone" {
			choice = "1" + s.Letter + "=" + d.given(s.Person)
			if several {
				choice += " (" + title + ")"
			}
		}
		choices = append(choices, choice)
	}
	n := len(seats)
	if ask == "shared_phone" {
		n = len(people)
	}
	return map[string]string{"n": strconv.Itoa(n), "letter": seats[0].Letter, "title": strings.Join(choices, ", ")}
}

// stillOpen names another alert to which somebody who is safe in one has not
// answered; nil if there is none.
func (d *desk) stillOpen(ctx context.Context, open []tracker.Seat, answered tracker.Seat, lang announcement.Language) map[string]string {
	for _, s := range open {
		other, ok := d.tracker.View(s.ID)
		if !ok || s.ID == answered.ID || other.Announcement.Answers != announcement.Safety {
			continue
		}
		if details, err := d.tracker.Details(ctx, s.ID, []int{s.Number}); err != nil || details[0].Answer != 0 {
			continue
		}
		text, _, _ := other.Announcement.In(lang)
		return map[string]string{"letter": s.Letter, "other": text.Title}
	}
	return nil
}

// seats are the places of the people who may have written a text.
func (d *desk) seats(people []listener) []tracker.Seat {
	ids := make([]announcement.PersonID, len(people))
	for i, l := range people {
		ids[i] = l.person.ID
	}
	return d.tracker.Seats(ids...)
}

func openSeats(seats []tracker.Seat) []tracker.Seat {
	return slices.DeleteFunc(slices.Clone(seats), func(s tracker.Seat) bool { return !s.Open })
}

// newestOf returns each person's seat in the announcement that opened last.
func newestOf(seats []tracker.Seat) []tracker.Seat {
	seen := map[announcement.PersonID]bool{}
	var out []tracker.Seat
	for _, s := range slices.Backward(seats) {
		if !seen[s.Person] {
			seen[s.Person] = true
			out = append(out, s)
		}
	}
	return out
}

// given is how people who share a phone call each other.
func (d *desk) given(p announcement.PersonID) string {
	who, _ := d.directory.Person(p)
	return firstName(who)
}

func firstName(p directory.Person) string { return cmp.Or(p.Given, p.Name) }

// heard files a text under the person and their newest announcement; with none
// it is filed in the vault for a person to read.
func (d *desk) heard(ctx context.Context, people []listener, reply sms.Reply, in sms.Inbound, ref string) error {
	for _, l := range people {
		if len(l.places) == 0 {
			continue
		}
		p := l.places[0]
		note, err := d.keepNote(ctx, p.ID, in.Body)
		if err != nil {
			return err
		}
		_, err = d.ledger.Once(ctx, "sms-"+ref+"-"+strconv.Itoa(p.Number), announcement.Fact{Announcement: p.ID, Kind: announcement.KindHeard, At: d.now().UTC(),
			Actor: announcement.ByPerson(l.person.ID), Heard: &announcement.Heard{Number: p.Number, Class: string(reply.Class), Via: announcement.ViaSMS, Note: note, Ref: ref}})
		if err != nil && !errors.Is(err, ledger.ErrAlready) {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		return nil
	}
	return d.inbox.file(ctx, in, reply.Class, d.now().UTC())
}

// hearStranger files a text from a number that nobody has. Such a number is
// answered once a day; short codes, names and our own number never are.
func (d *desk) hearStranger(ctx context.Context, in sms.Inbound) (string, error) {
	if in.From == d.config.TwilioFrom || in.From == d.config.SMS2From {
		return "", nil
	}
	reply := sms.Parse(in.Body, announcement.Safety)
	key, take := "unregistered", func(ctx context.Context, in sms.Inbound) error {
		return d.inbox.file(ctx, in, reply.Class, d.now().UTC())
	}
	if reply.Class == sms.ClassHelp {
		key, take = "unregistered_help", d.askForHelp
	}
	if err := take(ctx, in); err != nil {
		return "", err
	}
	if !strings.HasPrefix(in.From, "+") || len(in.From) < 8 {
		return "", nil
	}
	if !d.replies.firstToday(in.From, key, d.now()) {
		return "", nil
	}
	return d.answerBack(in.From, in.Body, reply.Class == sms.ClassHelp, key, announcement.Indonesian, d.backFields(nil, announcement.Indonesian)), nil
}

// question returns what the newest open announcement asks these people.
func (d *desk) question(people []listener) announcement.Answers {
	for _, l := range people {
		for _, p := range l.places {
			if v, ok := d.tracker.View(p.ID); ok {
				return v.Announcement.Answers
			}
		}
	}
	return announcement.Safety
}

// backFields fills the blanks of an answer-back.
func (d *desk) backFields(v *tracker.View, lang announcement.Language) map[string]string {
	f := map[string]string{"org": d.config.OrgName, "time": announcement.FormatTime(d.now(), lang, d.config.Zone), "link": d.config.PublicURL}
	if v != nil {
		text, _, _ := v.Announcement.In(lang)
		f["title"], f["mode"] = text.Title, string(v.Announcement.Mode)
		if !v.ClosedAt.IsZero() {
			f["time"] = announcement.FormatTime(v.ClosedAt, lang, v.Announcement.Zone)
		}
	}
	return f
}

func (d *desk) answerBack(from, body string, help bool, key string, lang announcement.Language, fields map[string]string) string {
	if !d.replies.allow(from, body, help, d.now()) {
		return ""
	}
	return d.catalogue.AnswerBack(key, lang, fields)
}
