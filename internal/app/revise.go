package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// Revise changes the text of an open announcement. A material change is a new
// version: everybody is asked again. Anything else mends a typo, and calls nobody.
// It returns how many people are told.
//
// An answer belongs to the version that the person had before them:
//   - a page and a notification carry their version, and post it with the answer;
//   - an SMS is an answer to the newest version that was handed to the number at least
//     replyTakes before, or whose page the person has opened since;
//   - a call for help counts, whatever it was an answer to.
func (d *desk) Revise(ctx context.Context, p web.Principal, id announcement.ID, r web.Revision) (int, error) {
	v, err := d.opened(ctx, p, id)
	if err != nil {
		return 0, err
	}
	revised, bad := d.revised(v, r)
	if d.revisedBefore(v, revised) {
		return d.asked(ctx, v, revised) // the same button pressed twice
	}
	if len(bad) == 0 && reflect.DeepEqual(v.Announcement.Text, revised.Text) {
		bad = append(bad, &announcement.FieldError{Field: "text", Why: "says the same as before"})
	}
	if len(bad) > 0 {
		return 0, bad
	}
	told, err := d.asked(ctx, v, revised)
	if err != nil {
		return 0, err
	}
	if revised.Material {
		revised.Version++
		revised.Woken = d.woken(v.Announcement, v.Roster)
	}
	_, err = d.ledger.Once(ctx, fmt.Sprint("revision-", len(v.Revisions)+1), announcement.Fact{Announcement: id, Kind: announcement.KindRevised, At: d.now().UTC(),
		Actor: p.Actor, Revised: &revised})
	switch {
	case errors.Is(err, ledger.ErrAlready):
		if err := d.tracker.CatchUp(ctx); err != nil {
			return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if now, ok := d.tracker.View(id); ok && d.revisedBefore(now, revised) {
			return told, nil
		}
		return 0, web.ErrConflict
	case err != nil:
		return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return told, d.caughtUp(ctx)
}

// revised is what the announcement would say, with all that is wrong with it. Its
// version is the one that counts now.
func (d *desk) revised(v tracker.View, r web.Revision) (announcement.Revised, announcement.FieldErrors) {
	was := v.Announcement
	out := announcement.Revised{Version: v.Version, Material: r.Material, Text: r.Text}
	var bad announcement.FieldErrors
	if r.Fields != nil {
		switch {
		case was.Template == "":
			bad = append(bad, &announcement.FieldError{Field: "fields", Why: "this announcement was written in own words: give text"})
		case len(r.Text) > 0:
			bad = append(bad, &announcement.FieldError{Field: "text", Why: "give either text or fields, not both"})
		default:
			text, _, _, err := d.catalogue.Fill(was.Template, was.Mode, r.Fields, was.At, was.Zone)
			if err != nil {
				return out, append(bad, asFieldErrors(err, "fields")...)
			}
			out.Text, out.Fields = text, r.Fields
		}
	}
	for _, lang := range slices.Sorted(maps.Keys(was.Text)) {
		if _, kept := out.Text[lang]; !kept {
			bad = append(bad, &announcement.FieldError{Field: "text." + string(lang), Why: "is missing: people were asked in this language"})
		}
	}
	check := *was
	check.Text = out.Text
	if err := check.Validate(); err != nil {
		for _, one := range asFieldErrors(err, "text") {
			if strings.HasPrefix(one.Field, "text") {
				bad = append(bad, one)
			}
		}
	}
	if !r.Material {
		return out, bad
	}
	said, faults := spoken("changed", r.Changed, "say what changed: people read it first")
	out.Changed = said
	return out, append(bad, faults...)
}

// revisedBefore reports whether the announcement was revised in this way a moment ago.
func (d *desk) revisedBefore(v tracker.View, r announcement.Revised) bool {
	n := len(v.Revisions)
	if n == 0 || d.now().Sub(v.RevisionsAt[n-1]) > sameUpdateWithin {
		return false
	}
	last := v.Revisions[n-1]
	return last.Material == r.Material && reflect.DeepEqual(last.Text, r.Text) && maps.Equal(last.Changed, r.Changed)
}

// asked returns how many people a revision tells: all recipients who are not excused,
// and those who were called about others.
func (d *desk) asked(ctx context.Context, v tracker.View, r announcement.Revised) (int, error) {
	if !r.Material {
		return 0, nil
	}
	standing, err := d.tracker.Standing(ctx, v.Announcement.ID)
	if err != nil {
		return 0, err
	}
	responders, err := d.tracker.Responders(ctx, v.Announcement.ID, announcement.SayUpdate)
	return standing.Counts().Recipients + len(responders), err
}
