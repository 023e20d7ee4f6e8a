package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// Timeline tells the story of an announcement from the ledger, oldest first.
// Calls and receipts of one round and channel are folded into one line; every
// answer and every decision stands alone, with its reason.
func (b boards) Timeline(ctx context.Context, id announcement.ID) ([]web.Entry, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return nil, err
	}
	entries := []web.Entry{}
	folded := map[string]int{} // key → index in entries
	err = b.ledger.Read(ctx, id, func(r ledger.Record) error {
		for _, f := range r.Facts {
			key := foldKey(f)
			if i, ok := folded[key]; ok && key != "" {
				entries[i].Count++
				continue
			}
			e := b.entry(ctx, v, r.Seq, f)
			if key != "" {
				folded[key] = len(entries)
				e.Count, e.Person, e.Name = 1, "", ""
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read timeline of %s: %w", id, err)
	}
	return entries, nil
}

// Story tells part of the timeline, newest first. It reads the lines it shows
// and nothing else.
func (b boards) Story(ctx context.Context, id announcement.ID, f web.StoryFilter) (web.StoryPage, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.StoryPage{}, err
	}
	limit := f.Limit
	if limit <= 0 || limit > 500 {
		limit = 50
	}
	from := max(f.Offset, 0)
	lines, total := b.tracker.Lines(id, func(l tracker.Line) bool {
		return len(f.Kinds) == 0 || slices.Contains(f.Kinds, l.Kind) || f.CallsForHelp && l.Help
	}, from, limit)
	page := web.StoryPage{Total: total, Entries: make([]web.Entry, 0, len(lines))}
	var last ledger.Record
	for _, l := range lines {
		if l.Seq != last.Seq {
			if last, err = b.ledger.At(ctx, l.Seq); err != nil {
				return web.StoryPage{}, fmt.Errorf("read timeline of %s: %w", id, err)
			}
		}
		if l.Fact >= len(last.Facts) {
			continue
		}
		e := b.entry(ctx, v, l.Seq, last.Facts[l.Fact])
		if l.Count > 0 {
			e.Count, e.Person, e.Name = l.Count, "", ""
		}
		page.Entries = append(page.Entries, e)
	}
	if to := from + len(lines); len(lines) > 0 && to < total {
		page.Next = &to
	}
	return page, nil
}

func foldKey(f announcement.Fact) string {
	switch {
	case f.Called != nil:
		return fmt.Sprint("called", f.Called.Round, f.Called.Channel, f.Called.Rank, f.Called.Failure)
	case f.Receipt != nil:
		return fmt.Sprint("receipt", f.Receipt.Round, f.Receipt.Channel, f.Receipt.Rank, f.Receipt.Failure)
	case f.Recipients != nil:
		return "recipients"
	case f.Opened != nil:
		return "opened"
	}
	return ""
}

func (b boards) entry(ctx context.Context, v tracker.View, seq uint64, f announcement.Fact) web.Entry {
	e := web.Entry{Seq: seq, At: f.At, Kind: f.Kind, What: sentence(f)}
	if n, ok := v.About(f); ok && n < len(v.Roster.Recipients) {
		if !b.sees(v.Roster.Recipients[n]) {
			return e // that something happened, not to whom
		}
		name := b.name(v.Roster.Recipients[n].Person)
		e.Person, e.Name = name.Number, name.Name
	}
	var several []announcement.PersonID
	switch {
	case f.Joined != nil:
		for _, p := range f.Joined.People {
			several = append(several, p.Person)
		}
	case f.Moved != nil:
		for _, p := range f.Moved.People {
			several = append(several, p.Person)
		}
	}
	if len(several) == 1 && b.seesPerson(several[0]) {
		name := b.name(several[0])
		e.Person, e.Name = name.Number, name.Name
	} else if len(several) > 1 {
		e.Count = len(several)
	}
	e.Actor = b.actorName(f.Actor)
	if f.Kind != announcement.KindAnnounced && !strings.HasPrefix(f.Reason, "step_") { // what a step is for, its sentence says
		e.Reason = b.words(ctx, f.Announcement, f.Reason)
	}
	switch { // what a person wrote, where they wrote something
	case !b.grant.May(web.Call):
	case f.Answered != nil && f.Answered.Note != "":
		e.Reason = b.words(ctx, f.Announcement, f.Answered.Note)
	case f.Vouched != nil && f.Vouched.Note != "":
		e.Reason = b.words(ctx, f.Announcement, f.Vouched.Note)
	case f.Heard != nil && f.Heard.Note != "":
		e.Reason = b.words(ctx, f.Announcement, f.Heard.Note)
	}
	if f.Announced != nil && f.Announced.Approved != nil {
		by := f.Announced.Approved
		if e.ApprovedBy, e.Alone = b.actorName(by.By), by.Alone; by.Alone {
			e.Reason = b.words(ctx, f.Announcement, by.Reason)
		}
	}
	if f.Decided != nil && len(f.Decided.To) > 0 {
		why := callReasons(f.Decided.To)
		if e.Reason != "" && !strings.HasPrefix(why, e.Reason) { // said once is enough
			why = e.Reason + " " + why
		}
		e.Reason = why
		e.Count = len(f.Decided.To)
	}
	return e
}

// callReasons names why these people were called, each reason with how many.
func callReasons(calls []announcement.Call) string {
	var order []string
	n := map[string]int{}
	for _, c := range calls {
		for _, why := range c.Why {
			if n[why] == 0 {
				order = append(order, why)
			}
			n[why]++
		}
	}
	for i, why := range order {
		order[i] = fmt.Sprintf("%s (%d)", why, n[why])
	}
	return strings.Join(order, ", ")
}

// sentence says in plain English what a fact is.
func sentence(f announcement.Fact) string {
	switch {
	case f.Announced != nil:
		return fmt.Sprintf("Announced (%s, %s)", f.Announced.Mode, f.Announced.Severity)
	case f.Recipients != nil:
		return "Recipients frozen"
	case f.Committed != nil:
		return fmt.Sprintf("Sent to %d people", f.Committed.Recipients)
	case f.Called != nil:
		if f.Called.Rank == announcement.Failed {
			return fmt.Sprintf("Could not be called by %s: %s", f.Called.Channel, f.Called.Failure)
		}
		return fmt.Sprintf("Called by %s; the provider took it", f.Called.Channel)
	case f.Receipt != nil:
		return fmt.Sprintf("The network says of %s: %s %s", f.Receipt.Channel, f.Receipt.Rank, f.Receipt.Failure)
	case f.Opened != nil:
		return "Opened the page"
	case f.Revised != nil && f.Revised.Material:
		return fmt.Sprintf("Version %d of the text: everybody is asked again", f.Revised.Version)
	case f.Revised != nil:
		return "A typo in the text was corrected; nobody was called"
	case f.Answered != nil && f.Answered.Version > 1:
		return fmt.Sprintf("Answered %s by %s, to version %d", f.Answered.Answer.State(), f.Answered.Via, f.Answered.Version)
	case f.Answered != nil:
		return fmt.Sprintf("Answered %s by %s", f.Answered.Answer.State(), f.Answered.Via)
	case f.Vouched != nil && f.Vouched.Answer == announcement.TakenBack:
		return "The mark is taken back"
	case f.Vouched != nil:
		return fmt.Sprintf("Recorded as %s (%s)", f.Vouched.Answer.State(), f.Vouched.How)
	case f.Excused != nil:
		return "No longer asked"
	case f.Joined != nil:
		return "They belong to the audience now, and are asked"
	case f.Moved != nil:
		return "Somebody else leads them now"
	case f.Claimed != nil && f.Claimed.Resolved != "":
		return fmt.Sprintf("Call for help resolved: %s", f.Claimed.Resolved)
	case f.Claimed != nil:
		return "Call for help is being handled"
	case f.Heard != nil:
		return "Wrote a message that is no answer: " + f.Heard.Class
	case f.Decided != nil:
		return decided(f.Decided)
	case f.Closed != nil:
		return "Closed as " + string(f.Closed.As)
	}
	return string(f.Kind)
}

func decided(d *announcement.Decided) string {
	if told := d.Only == "" && len(d.To) > 0; told && (d.Message == announcement.SayUpdate || d.Message == announcement.SayCorrection || d.Message == announcement.SayAllClear) {
		return fmt.Sprintf("%d people who were called about others are told too", len(d.To))
	}
	switch d.Message {
	case announcement.SayReminder:
		if d.Step > 0 {
			return fmt.Sprintf("Step %d: everybody without an answer is reminded", d.Step)
		}
		if d.Only == "" {
			return fmt.Sprintf("%d people are asked again", len(d.To))
		}
		return "Everybody without an answer is reminded"
	case announcement.SayDigest:
		if d.Step == 0 {
			return fmt.Sprintf("%d people are told who of theirs has not answered", len(d.To))
		}
		return fmt.Sprintf("Step %d: %d people are told who has not answered", d.Step, len(d.To))
	case announcement.SayHelp:
		return fmt.Sprintf("%d people are told that somebody needs help", len(d.To))
	case announcement.SayAlert:
		if d.Only == announcement.OnlyOutstanding {
			return "Morning: those for whom it was night are called"
		}
		if d.Second {
			return "The SMS goes again through the second provider to those without an answer for whom it failed"
		}
		return "The SMS goes again to those without an answer for whom it failed"
	case announcement.SaySent:
		return fmt.Sprintf("%d people on the duty list are told that it was sent", len(d.To))
	case announcement.SayRevised:
		return "Everybody is told what changed: " + d.Say(announcement.English)
	case announcement.SayUpdate:
		return "Everybody who was called is told: " + d.Say(announcement.English)
	case announcement.SayCorrection:
		return "Everybody who was called is told that it was sent in error"
	case announcement.SayAllClear:
		return "Everybody who was called is told that it is safe"
	}
	return "A round of calls was decided"
}

// senderName says who sent an alert. What an employee's report sends to the duty
// list has no sender of its own, and no network decided it.
func (d *desk) senderName(a announcement.Actor) string {
	if a == announcement.ByNetwork {
		return "an employee"
	}
	return d.actorName(a)
}

// actorName says who did something, as a person may read it.
func (d *desk) actorName(a announcement.Actor) string {
	kind, id, _ := strings.Cut(string(a), ":")
	switch kind {
	case "person":
		return d.name(announcement.PersonID(id)).Name
	case "account":
		c, _ := d.accounts.get(id)
		return c.Name
	case "token":
		return "API token " + id
	case "console":
		return "HR console"
	case "operator":
		return "Whoever runs the server"
	case "policy":
		return "Escalation policy"
	case "network":
		return "Network"
	case "":
		return ""
	}
	return kind
}
