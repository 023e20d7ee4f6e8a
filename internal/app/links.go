package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/tracker"
)

// links knows the personal links of messages: one recipient of one
// announcement each, or one manager's tree in it. A token is made from a key
// and so need not be stored. Its 8 base58 characters (47 bits) keep an SMS in one
// segment; whoever tries unknown ones is slowed down. It signs nobody in, and
// all it can do is answer for one person in one announcement.
type links struct {
	key     []byte
	tracker *tracker.Tracker

	mu      sync.RWMutex
	known   map[announcement.ID]learnt
	answers map[string]place
	teams   map[string]team
}

// learnt is how much of an announcement the links know: it grows while it is open.
type learnt struct{ recipients, lines, rounds int }

// place is a recipient of an announcement.
type place struct {
	id     announcement.ID
	number int
}

// team is those for whom somebody answers in an announcement: a manager, who stands in
// for one, or the duty list. Who they are is looked up when it is asked.
type team struct {
	id     announcement.ID
	person announcement.PersonID
}

const tokenLength = 8

// anybodys is a link as long as anybody's, to measure and show texts with.
func (c *Config) anybodys() string {
	return c.PublicURL + "/r/" + strings.Repeat("M", tokenLength)
}

func newLinks(key []byte, t *tracker.Tracker) *links {
	return &links{key: key, tracker: t, known: map[announcement.ID]learnt{}, answers: map[string]place{}, teams: map[string]team{}}
}

func (l *links) answerToken(id announcement.ID, number int) string {
	return mac(l.key, tokenLength, "answer", string(id), fmt.Sprint(number))
}

func (l *links) teamToken(id announcement.ID, p announcement.PersonID) string {
	return mac(l.key, tokenLength, "team", string(id), string(p))
}

// answer returns the recipient that a token belongs to.
func (l *links) answer(token string) (place, bool) {
	return find(l, token, func() (place, bool) { p, ok := l.answers[token]; return p, ok })
}

// team returns the team that a token opens.
func (l *links) team(token string) (team, bool) {
	return find(l, token, func() (team, bool) { t, ok := l.teams[token]; return t, ok })
}

func find[T any](l *links, token string, look func() (T, bool)) (T, bool) {
	var none T
	if len(token) != tokenLength {
		return none, false
	}
	l.mu.RLock()
	found, ok := look()
	l.mu.RUnlock()
	if ok {
		return found, true
	}
	if !l.learn() {
		return none, false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return look()
}

// learn indexes the announcements that came since; it reports whether there were any.
func (l *links) learn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := false
	for _, id := range l.tracker.IDs() {
		v, ok := l.tracker.View(id)
		if !ok || v.Roster == nil {
			continue
		}
		was, begun := l.known[id]
		now := learnt{len(v.Roster.Recipients), len(v.Roster.Lines), len(v.Rounds)}
		if begun && was == now {
			continue
		}
		fresh = true
		l.known[id] = now
		for n := was.recipients; n < now.recipients; n++ {
			l.answers[l.answerToken(id, n)] = place{id, n}
		}
		for _, line := range v.Roster.Lines[was.lines:] {
			l.teams[l.teamToken(id, line.Person)] = team{id, line.Person}
		}
		for _, d := range v.Rounds[was.rounds:] {
			for _, call := range d.To { // who stands in for somebody
				l.teams[l.teamToken(id, call.Person)] = team{id, call.Person}
			}
		}
		if begun {
			continue
		}
		for _, p := range v.Roster.Duty {
			l.teams[l.teamToken(id, p)] = team{id, p}
		}
	}
	return fresh
}

// credential makes a self-contained secret for a person and a purpose. For
// "enrol" codes p is a person and an hour, see enrolment. For "device" cookies and the receipts of "test" notifications p is a
// person and one of their devices, see pair.
func (l *links) credential(purpose string, p announcement.PersonID) string {
	return string(p) + "." + mac(l.key, 22, purpose, string(p))
}

// enrolLife is how long a link connects phones: long enough for a holiday, and
// not for whoever finds an old message.
const enrolLife = 14 * 24 * time.Hour

// enrolment makes the code of a personal enrolment link and says until when it
// counts. Whole hours keep it short enough for an SMS.
func (l *links) enrolment(p announcement.PersonID, now time.Time) (code string, until time.Time) {
	until = now.UTC().Add(enrolLife).Truncate(time.Hour)
	return l.credential("enrol", p+"-"+announcement.PersonID(strconv.FormatInt(until.Unix()/3600, 36))), until
}

// enrolee returns the person of an enrolment code and until when it counts.
func (l *links) enrolee(code string) (p announcement.PersonID, until time.Time, ok bool) {
	both, ok := l.holder("enrol", code)
	person, end, found := strings.Cut(string(both), "-")
	hours, err := strconv.ParseInt(end, 36, 64)
	return announcement.PersonID(person), time.Unix(hours*3600, 0).UTC(), ok && found && err == nil
}

// holder returns the person of a credential made for this purpose.
func (l *links) holder(purpose, credential string) (announcement.PersonID, bool) {
	p, sum, ok := strings.Cut(credential, ".")
	if !ok {
		return "", false
	}
	want := mac(l.key, 22, purpose, p)
	return announcement.PersonID(p), hmac.Equal([]byte(sum), []byte(want))
}

// pair names one device of a person.
func pair(p announcement.PersonID, device string) announcement.PersonID {
	return p + "~" + announcement.PersonID(device)
}

// unpair takes a pair apart.
func unpair(both announcement.PersonID) (p announcement.PersonID, device string) {
	person, device, _ := strings.Cut(string(both), "~")
	return announcement.PersonID(person), device
}

// digits makes a number of n digits that only the house can foresee.
func digits(key []byte, n int, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s|", len(p), p)
	}
	v := new(big.Int).SetBytes(h.Sum(nil))
	return fmt.Sprintf("%0*d", n, v.Mod(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)))
}
