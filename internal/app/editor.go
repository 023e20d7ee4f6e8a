package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// editions are the company's own words for the prepared announcements. They are
// kept in the vault; every node follows them and says the same.
type editions struct {
	vault     ledger.Vault
	catalogue *announcement.Catalogue

	mu  sync.RWMutex
	all map[string]edition
}

// edition is the words of one template as stored.
type edition struct {
	Draft    texts     `json:"draft,omitempty"` // nil: none
	Versions []version `json:"versions,omitempty"`
	Revision int64     `json:"revision"`
}

type texts = map[announcement.Language]announcement.Text

// version is words that were published. What was announced keeps its words in
// the ledger, whatever is published after.
type version struct {
	Number int                `json:"number"`
	At     time.Time          `json:"at"`
	By     announcement.Actor `json:"by"`
	Texts  texts              `json:"texts"`
}

const (
	editionKey   = "setting.template."
	versionsKept = 20
)

// openEditions returns when the words that were published before are said.
func openEditions(ctx context.Context, vault ledger.Vault, catalogue *announcement.Catalogue) (*editions, error) {
	e := &editions{vault: vault, catalogue: catalogue, all: map[string]edition{}}
	if err := keepUp(ctx, vault, editionKey, "edited texts", e.learn); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *editions) learn(key string, value []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key = strings.TrimPrefix(key, editionKey)
	var of edition
	if value == nil || json.Unmarshal(value, &of) != nil {
		delete(e.all, key)
	} else if of.Revision >= e.all[key].Revision {
		e.all[key] = of
	}
	published := map[string]map[announcement.Language]announcement.Text{}
	for key, of := range e.all {
		// Words that this release would refuse are not said: its own are safer.
		if n := len(of.Versions); n > 0 && len(e.catalogue.CheckWords(key, of.Versions[n-1].Texts)) == 0 {
			published[key] = of.Versions[n-1].Texts
		}
	}
	e.catalogue.Reword(published)
}

func (e *editions) get(key string) edition {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.all[key]
}

func (e *editions) put(ctx context.Context, key string, of edition) error {
	of.Revision++
	value, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("encode edited text: %w", err)
	}
	if err := e.vault.Put(ctx, editionKey+key, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	e.learn(editionKey+key, value)
	return nil
}

// Editions lists the prepared texts.
func (p *people) Editions(ctx context.Context) []web.Edition {
	var out []web.Edition
	for _, t := range p.desk.Templates() {
		if e, err := p.Edition(ctx, t.Key); err == nil {
			out = append(out, e)
		}
	}
	return out
}

// Edition returns one prepared text with its draft and versions.
func (p *people) Edition(ctx context.Context, key string) (web.Edition, error) {
	d := p.desk
	i := slices.IndexFunc(d.Templates(), func(t web.Template) bool { return t.Key == key })
	if i < 0 {
		return web.Edition{}, web.ErrNotFound
	}
	of := p.editions.get(key)
	e := web.Edition{Template: d.Templates()[i], Revision: of.Revision, Published: d.catalogue.Said(key), Units: map[announcement.Language]int{}}
	e.Texts, e.Draft = e.Published, of.Draft != nil
	if e.Draft {
		e.Texts = of.Draft
	}
	for i, v := range slices.Backward(of.Versions) {
		one := web.EditionOf{Number: v.Number, At: v.At, By: d.actorName(v.By), Texts: v.Texts}
		switch {
		case i > 0:
			one.Before = of.Versions[i-1].Texts
		case v.Number == 1:
			one.Before = d.catalogue.Original(key)
		}
		e.Versions = append(e.Versions, one)
	}
	if n := len(of.Versions); n > 0 {
		e.Version = of.Versions[n-1].Number
	}
	for lang, j := range p.Judge(ctx, key, e.Published) {
		e.Units[lang] = j.Units
	}
	return e, nil
}

// longest values that the blanks of a text may have to hold.
var longestBlanks = map[string]int{"date": 12, "time": 5, "next": 5}

// Judge measures words with the longest site, assembly point and organisation
// there are, asking for a reply, which is the longer way to answer.
func (p *people) Judge(_ context.Context, key string, words map[announcement.Language]announcement.Text) map[announcement.Language]web.Judgment {
	d := p.desk
	fields := p.longestFields(key)
	now := d.now().UTC()
	other := d.catalogue.With(key, words)
	out := map[announcement.Language]web.Judgment{}
	filled, severity, answers, err := other.Fill(key, announcement.Live, fields, now, d.config.Zone)
	if err != nil {
		return out
	}
	a := &announcement.Announcement{Mode: announcement.Live, Severity: severity, Answers: answers, Text: filled, Template: key, Zone: d.config.Zone, At: now}
	for lang, text := range words {
		j := web.Judgment{Long: announcement.LongSentences(text), Strict: severity == announcement.Extreme || severity == announcement.Severe,
			Awkward: announcement.AwkwardIn(strings.NewReplacer("{", "", "}", "").Replace(text.SMS))}
		for _, twoWay := range []bool{false, true} {
			saying := announcement.Saying{Kind: announcement.SayAlert, Language: lang, Org: d.config.OrgName, TwoWay: twoWay, Now: now, Expires: now.Add(time.Hour),
				Link: d.config.anybodys()}
			if twoWay && !d.twoWay() && j.SMS != "" {
				continue // as long as no reply arrives, none is asked for
			}
			sms1 := other.Whole(a, saying)
			if m := sms.Measure(sms1); m.Units >= j.Units {
				j.SMS, j.Units, j.Limit, j.Segments, j.Over = sms1, m.Units, m.Limit, m.Segments, announcement.OverOneSMS(sms1)
			}
			m := other.Compose(a, saying)
			j.Push = [2]string{m.Title, m.Body}
		}
		out[lang] = j
	}
	return out
}

func (p *people) longestFields(key string) map[string]string {
	site, muster := "", ""
	for _, s := range p.directory.Places() {
		if utf8.RuneCountInString(s.Name) > utf8.RuneCountInString(site) {
			site = s.Name
		}
		for _, point := range s.Assembly {
			if utf8.RuneCountInString(point) > utf8.RuneCountInString(muster) {
				muster = point
			}
		}
	}
	fields := map[string]string{}
	for _, t := range p.desk.Templates() {
		if t.Key != key {
			continue
		}
		for _, name := range t.Fields {
			switch name {
			case "site":
				fields[name] = cmp.Or(site, blankLine[:14])
			case "muster":
				fields[name] = cmp.Or(muster, blankLine)
			default:
				fields[name] = strings.Repeat("x", cmp.Or(longestBlanks[name], 15))
			}
		}
	}
	return fields
}

// SaveWords keeps words as a draft.
func (p *people) SaveWords(ctx context.Context, who web.Principal, key string, words map[announcement.Language]announcement.Text, revision int64) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	if p.desk.catalogue.Original(key) == nil {
		return web.ErrNotFound
	}
	if bad := p.desk.catalogue.CheckWords(key, words); len(bad) > 0 {
		return bad
	}
	of := p.editions.get(key)
	if of.Revision != revision {
		return web.ErrConflict
	}
	of.Draft = maps.Clone(words)
	return p.editions.put(ctx, key, of)
}

// Publish makes the draft what is sent from now on.
func (p *people) Publish(ctx context.Context, who web.Principal, key string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	of := p.editions.get(key)
	if of.Draft == nil {
		return nil // published already
	}
	bad := p.desk.catalogue.CheckWords(key, of.Draft)
	for _, lang := range slices.Sorted(maps.Keys(of.Draft)) {
		j := p.Judge(ctx, key, of.Draft)[lang]
		if !j.Strict {
			continue
		}
		if len(j.Awkward) > 0 {
			var names []string
			for _, a := range j.Awkward {
				names = append(names, a.Char)
			}
			bad = append(bad, &announcement.FieldError{Field: string(lang) + ".sms", Why: fmt.Sprintf("has characters that some networks do not carry: %s", strings.Join(names, " "))})
		}
		if j.Over > 0 {
			bad = append(bad, &announcement.FieldError{Field: string(lang) + ".sms", Why: fmt.Sprintf("is %d characters too long for one SMS with the longest names", j.Over)})
		}
	}
	if len(bad) > 0 {
		return bad
	}
	number := 1
	if n := len(of.Versions); n > 0 {
		number = of.Versions[n-1].Number + 1
	}
	of.Versions = append(of.Versions, version{Number: number, At: p.desk.now().UTC(), By: who.Actor, Texts: of.Draft})
	of.Versions, of.Draft = of.Versions[max(0, len(of.Versions)-versionsKept):], nil
	return p.editions.put(ctx, key, of)
}

// Restore makes an earlier version the draft.
func (p *people) Restore(ctx context.Context, who web.Principal, key string, number int) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	of := p.editions.get(key)
	of.Draft = nil
	if number == 0 {
		of.Draft = p.desk.catalogue.Original(key)
	}
	for _, v := range of.Versions {
		if v.Number == number {
			of.Draft = v.Texts
		}
	}
	if of.Draft == nil {
		return web.ErrNotFound
	}
	return p.editions.put(ctx, key, of)
}

// TryWords sends the draft to one person. Every form of it says first that it is
// a test, in the person's language.
func (p *people) TryWords(ctx context.Context, who web.Principal, key, number string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, err := p.tester(number)
	if err != nil {
		return err
	}
	e, err := p.Edition(ctx, key)
	if err != nil {
		return err
	}
	lang := person.lang
	if lang != announcement.Indonesian {
		lang = announcement.English
	}
	mark := map[announcement.Language]string{announcement.Indonesian: "TES: ", announcement.English: "TEST: "}[lang]
	j, ok := p.Judge(ctx, key, e.Texts)[lang]
	if !ok {
		return web.ErrNotFound
	}
	return p.desk.textOne(ctx, person.id, mark+j.SMS)
}
