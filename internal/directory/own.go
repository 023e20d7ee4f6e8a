package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"kentongan/internal/announcement"
)

// own is what a person corrected about themselves, with what the company's file
// said before. As long as the file still says the same, their own word stands;
// when it says something new, the company has heard of a change, and that counts.
type own struct {
	MobileWas   string                `json:"mobile_was,omitempty"`
	Mobile      string                `json:"mobile,omitempty"`
	LanguageWas announcement.Language `json:"language_was,omitempty"`
	Language    announcement.Language `json:"language,omitempty"`
}

// keepOwn lets a person's own corrections stand against a file that still says
// what they corrected.
func (r *record) keepOwn() {
	if o := r.Own; o.Mobile != "" {
		if r.Mobile == o.MobileWas || r.Mobile == o.Mobile {
			r.Mobile, r.Landline = o.Mobile, false
		} else {
			r.Own.Mobile, r.Own.MobileWas = "", ""
		}
	}
	if o := r.Own; o.Language != "" {
		if r.Language == o.LanguageWas || r.Language == o.Language {
			r.Language = o.Language
		} else {
			r.Own.Language, r.Own.LanguageWas = "", ""
		}
	}
}

// OwnNumber reads a number that a person gives as their own: a mobile number, in
// the way people write numbers in their country.
func (d *Directory) OwnNumber(p announcement.PersonID, s string) (e164 string, err error) {
	who, ok := d.Person(p)
	if !ok {
		return "", ErrUnknown
	}
	e164, _, err = ParseMobile(s, who.Country)
	return e164, err
}

// SetMobile takes the number that a person has proved to have in place of the
// one on file.
func (d *Directory) SetMobile(ctx context.Context, p announcement.PersonID, e164 string) error {
	return d.correct(ctx, p, func(r *record) {
		if r.Own.Mobile == "" {
			r.Own.MobileWas = r.Mobile
		}
		r.Own.Mobile, r.Mobile, r.Landline = e164, e164, false
	})
}

// SetLanguage takes the language that a person chose.
func (d *Directory) SetLanguage(ctx context.Context, p announcement.PersonID, lang announcement.Language) error {
	return d.correct(ctx, p, func(r *record) {
		if r.Own.Language == "" {
			r.Own.LanguageWas = r.Language
		}
		r.Own.Language, r.Language = lang, lang
	})
}

// correct stores what edit makes of a person, unless that is nothing new.
func (d *Directory) correct(ctx context.Context, p announcement.PersonID, edit func(*record)) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	r, known := d.people[p]
	d.mu.RUnlock()
	if !known {
		return ErrUnknown
	}
	old := r
	edit(&r)
	if r == old {
		return nil
	}
	r.Version++
	r.Changed = d.Now().UTC().Round(0)
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("correct person: %w", errors.New("the person cannot be encoded"))
	}
	if err := d.store.Put(ctx, personKey+string(p), value); err != nil {
		return fmt.Errorf("correct person: %w", err)
	}
	d.apply(personKey+string(p), value)
	return nil
}
