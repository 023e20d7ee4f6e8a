package sandbox

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Person is whose phone it is, as the product registers it.
type Person struct {
	Number   string `json:"number"` // employee number
	Name     string `json:"name"`
	Mobile   string `json:"mobile"`             // E.164; empty for a phone without SMS
	Language string `json:"language,omitempty"` // BCP 47
	Enrol    string `json:"enrol,omitempty"`    // path of the personal enrolment link; empty for a phone without push
}

// Entry is one message that a phone got.
type Entry struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Phone   string    `json:"phone"`  // employee number
	Mobile  string    `json:"mobile"` // E.164
	Channel string    `json:"channel"`
	Kind    string    `json:"kind,omitempty"` // of a push message as its sender named it; "digest" or "answer" for an SMS with a link; "reply" for an answer to the person's own SMS
	Title   string    `json:"title,omitempty"`
	Text    string    `json:"text"`
	Token   string    `json:"token,omitempty"`
	Link    string    `json:"link,omitempty"`
	Round   int64     `json:"round,omitempty"`
	Version int       `json:"version,omitempty"` // of the text, as a push message names it
	Asks    bool      `json:"asks,omitempty"`
	Read    bool      `json:"read,omitempty"` // the question is "understood", not "safe"
	Topic   string    `json:"topic,omitempty"`
	Urgency string    `json:"urgency,omitempty"`
	Silent  bool      `json:"silent,omitempty"`   // it makes no sound
	From    string    `json:"from,omitempty"`     // sender of an SMS
	Back    string    `json:"callback,omitempty"` // where the sender of an SMS wants its receipts
}

// Given is one answer that a person gave, and how the product took it. OK means
// that the product thanked for it.
type Given struct {
	Time   time.Time `json:"time"`
	Phone  string    `json:"phone"`
	Via    string    `json:"via"`
	Answer int       `json:"answer,omitempty"`
	Text   string    `json:"text,omitempty"`
	Token  string    `json:"token,omitempty"`
	Status int       `json:"status,omitempty"` // HTTP status of the last try; 0 when the product could not be reached
	Tries  int       `json:"tries"`
	OK     bool      `json:"ok"`
}

// bubble is a message on the screen: from the product, or by the person.
type bubble struct {
	Entry
	Mine     bool
	Answered int  // digit, 0 for none
	Failed   bool // the person's message did not get through
}

type phone struct {
	Person
	index    int
	devices  []*device
	bubbles  []bubble
	enrolled bool
	changed  uint64     // version of the sandbox when this phone last changed
	lastFrom string     // sender that the person would reply to
	due      bool       // an automatic answer is on its way
	acting   sync.Mutex // one act at a time, as with one pair of hands
}

// personal finds the link of a person in a text. Links are always opened at the
// product's own address, so only the path matters.
var personal = regexp.MustCompile(`(?:https?://)?[^\s/]+(?:/[^\s/]+)*?(/(r|t)/([A-Za-z0-9_~-]+))`)

// readLink fills token, link and kind from a text or a URL.
func (e *Entry) readLink(text string) {
	m := personal.FindStringSubmatch(text)
	if m == nil {
		return
	}
	if e.Link == "" {
		e.Link = m[0]
	}
	if m[2] == "t" {
		e.Kind = cmp.Or(e.Kind, "digest")
		return
	}
	e.Kind = cmp.Or(e.Kind, "answer")
	e.Token = cmp.Or(e.Token, m[3])
}

// digit is one answer that an SMS explains: "1D=paham".
type digit struct {
	Answer int
	Code   string // what to write
	Says   string
}

var explained = regexp.MustCompile(`\b([123][A-Z]?)=`)

// digits reads how an SMS wants to be answered, as its reader does. An SMS that
// cannot be replied to explains none.
func digits(text string) []digit {
	if m := personal.FindStringIndex(text); m != nil {
		text = text[:m[0]]
	}
	var out []digit
	found := explained.FindAllStringSubmatchIndex(text, -1)
	for i, m := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		code := text[m[2]:m[3]]
		out = append(out, digit{Answer: int(code[0] - '0'), Code: code, Says: strings.TrimSpace(text[m[1]:end])})
	}
	return out
}

// code is what this person writes to give an answer by SMS: the digit, with the
// letter that the SMS gave it when several alerts are open. It needs s.mu.
func (ph *phone) code(token string, answer int) string {
	for _, b := range slices.Backward(ph.bubbles) {
		if b.Mine || b.Channel != "sms" || b.Token == "" || token != "" && b.Token != token {
			continue
		}
		for _, d := range digits(b.Text) {
			if d.Answer == answer {
				return d.Code
			}
		}
	}
	return strconv.Itoa(answer)
}

// addPhone adds or updates a phone. It needs s.mu. It returns nil when there are
// too many.
func (s *Sandbox) addPhone(p Person) *phone {
	if p.Number == "" {
		p.Number = p.Mobile
	}
	ph, known := s.byNumber[p.Number]
	if !known {
		if len(s.phones) >= maxPhones {
			return nil
		}
		ph = &phone{index: len(s.phones)}
		s.phones = append(s.phones, ph)
		s.byNumber[p.Number] = ph
	}
	if ph.Mobile != p.Mobile {
		if rest := slices.DeleteFunc(s.byMobile[ph.Mobile], func(o *phone) bool { return o == ph }); len(rest) > 0 {
			s.byMobile[ph.Mobile] = rest
		} else {
			delete(s.byMobile, ph.Mobile)
		}
		if p.Mobile != "" {
			s.byMobile[p.Mobile] = append(s.byMobile[p.Mobile], ph)
		}
	}
	ph.Person = p
	s.touch(ph)
	return ph
}

// touch marks that ph looks different. It needs s.mu.
func (s *Sandbox) touch(ph *phone) {
	s.version++
	ph.changed = s.version
}

// show puts a message on phones that share a number, or on one. It is logged
// once, under the first.
func (s *Sandbox) show(e Entry, phones ...*phone) {
	if len(phones) == 0 {
		return
	}
	s.mu.Lock()
	e.Seq = s.version + 1
	e.Time = s.o.Now().UTC()
	e.Phone, e.Mobile = phones[0].Number, phones[0].Mobile
	for _, ph := range phones {
		for i := range ph.bubbles { // another version asks anew
			if b := &ph.bubbles[i]; e.Kind == "revised" && b.Token == e.Token {
				b.Answered = 0
			}
		}
		ph.add(bubble{Entry: e, Answered: ph.answered(e.Token)})
		if e.From != "" {
			ph.lastFrom = e.From
		}
		s.touch(ph)
	}
	s.log.push(e)
	s.mu.Unlock()
	if e.Token != "" {
		s.answerByItself(phones[0])
	}
}

// answered returns what the person answered to an earlier message with this
// token: a reminder is not a new question. It needs the lock of the sandbox.
func (ph *phone) answered(token string) int {
	for _, b := range ph.bubbles {
		if token != "" && b.Token == token && b.Answered != 0 {
			return b.Answered
		}
	}
	return 0
}

// add needs the lock of the sandbox.
func (ph *phone) add(b bubble) {
	if len(ph.bubbles) >= keepOnPhone {
		ph.bubbles = slices.Delete(ph.bubbles, 0, len(ph.bubbles)-keepOnPhone+1)
	}
	ph.bubbles = append(ph.bubbles, b)
}

// find returns a phone by employee number, or by mobile number.
func (s *Sandbox) find(number string) *phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ph := s.byNumber[number]; ph != nil {
		return ph
	}
	if shared := s.byMobile[number]; len(shared) > 0 {
		return shared[0]
	}
	return nil
}

func (s *Sandbox) registerPhones(w http.ResponseWriter, r *http.Request) {
	var people []Person
	if err := decode(w, r, &people, nil); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	var enrol []*phone
	s.mu.Lock()
	for _, p := range people {
		if !utf8.ValidString(p.Name) || p.Number == "" && p.Mobile == "" {
			continue
		}
		if ph := s.addPhone(p); ph != nil && p.Enrol != "" && !ph.enrolled {
			enrol = append(enrol, ph)
		}
	}
	total := len(s.phones)
	s.mu.Unlock()
	s.enrolAll(enrol)
	writeJSON(w, http.StatusAccepted, map[string]int{"phones": total, "enrolling": len(enrol)})
}

func (s *Sandbox) listPhones(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		Person
		Devices []string `json:"devices"`
	}
	s.mu.Lock()
	rows := make([]row, 0, len(s.phones))
	for _, ph := range s.phones {
		r := row{Person: ph.Person, Devices: []string{}}
		r.Enrol = ""
		for _, d := range ph.devices {
			r.Devices = append(r.Devices, d.id)
		}
		rows = append(rows, r)
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, rows)
}

// showLog lists what phones got, oldest first; ?phone= and ?after=seq narrow it.
func (s *Sandbox) showLog(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.FormValue("after"), 10, 64)
	who := r.FormValue("phone")
	entries := []Entry{}
	s.mu.Lock()
	for e := range s.log.each {
		if e.Seq > after && (who == "" || e.Phone == who || e.Mobile == who) {
			entries = append(entries, *e)
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, entries)
}

func (s *Sandbox) showAnswers(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	given := s.answers.all()
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, given)
}

// clearLog forgets messages and answers, also those on the screens.
func (s *Sandbox) clearLog(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.log.clear()
	s.answers.clear()
	for _, ph := range s.phones {
		ph.bubbles = nil
		s.touch(ph)
	}
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// pathOf returns the path and query of a link, or "".
func pathOf(link string) string {
	if !strings.Contains(link, "://") {
		link = "http://" + link
	}
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}
