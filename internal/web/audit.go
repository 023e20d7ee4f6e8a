package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

// Trail is where it is kept who did, took out and looked at what.
type Trail interface {
	// Note writes down what is about to be done. On an error it must not be done.
	Note(ctx context.Context, by announcement.Actor, act announcement.Act, on Noted) error
	// Saw writes down that somebody looked at something, and neither waits nor fails.
	Saw(ctx context.Context, by announcement.Actor, act announcement.Act, on Noted)

	// Read returns part of the trail, newest first.
	Read(ctx context.Context, f TrailFilter) (TrailPage, error)
	Actors(ctx context.Context) []Name   // who has an account; Number is the actor
	Checked(ctx context.Context) Checked // how the last check of the ledger went
}

// Noted is what an act is about, as a request says it.
type Noted struct {
	announcement.About
	Number    string // of an employee
	Recipient int    // of the announcement, as their number says; -1: nobody
}

// notes names what the trail tells of a route. What changes the house or takes data
// out is noted before it is done, and a look at people's data beside it.
func (r rule) notes(act announcement.Act) rule {
	r.act, r.silent = func(*http.Request) announcement.Act { return act }, ""
	return r
}

// notesWhat is notes where it depends on the request; "" notes nothing.
func (r rule) notesWhat(act func(*http.Request) announcement.Act) rule {
	r.act, r.silent = act, ""
	return r
}

// notesNothing says why the trail is silent about a route.
func (r rule) notesNothing(why string) rule {
	r.act, r.silent = nil, why
	return r
}

// Why the trail is silent.
const (
	isAFact        = "it is a fact of its announcement, with who did it"
	showsCounts    = "it shows counts and texts, and no person"
	oneForm        = "a form that changes nothing before it is sent"
	partOfPage     = "part of a page that was noted when it was opened"
	theirOwn       = "people's own phone, and what is theirs"
	onlyDrafts     = "nothing leaves a draft before it is sent, and that is a fact"
	inTheDesk      = "noted where it is decided: who it is is not known before"
	nobodys        = "it shows nothing of anybody"
	byProvider     = "the SMS provider calls it; what people say is a fact"
	uploading      = "a file that is looked at by whoever brought it; nothing is kept before it is applied"
	showsStaff     = "the people who run the console, for those who let them in"
	notYet         = "a password counts only once its code was typed, and that is noted"
	asksWhatToSign = "a browser asks what a passkey has to sign"
)

const notingKey contextKey = principalKey + 1

// noting is what will be noted of the request; a handler adds how many people it
// showed, and to whom, where the path did not say, or that nothing came of it.
func noting(ctx context.Context) *Noted {
	if on, ok := ctx.Value(notingKey).(*Noted); ok {
		return on
	}
	return new(Noted) // nobody asks
}

// accountAct is what the forms of an account do.
func accountAct(r *http.Request) announcement.Act {
	return map[string]announcement.Act{"role": announcement.RoleChanged, "end": announcement.AccountEnded, "invite": announcement.AccountInvited}[r.PathValue("act")]
}

// editionAct is what the form of a prepared text does.
func editionAct(r *http.Request) announcement.Act {
	switch r.PostFormValue("act") {
	case "publish", "restore":
		return announcement.TemplatePublished
	}
	return announcement.TemplateChanged
}

// noted notes what a route does. s.fail and scimFail tell of a note that failed.
func (s *Server) noted(rl rule, next http.HandlerFunc) http.HandlerFunc {
	if rl.act == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		act := rl.act(r)
		if act == "" {
			next(w, r)
			return
		}
		by, on := principalOf(r.Context()).Actor, s.about(rl, r)
		if !act.Looks() {
			if err := s.Trail.Note(r.Context(), by, act, on); err != nil {
				if rl.gate == gateToken {
					s.scimFail(w, r, err)
				} else {
					s.fail(w, r, "note an act", err)
				}
				return
			}
		}
		out := &reply{ResponseWriter: w, status: http.StatusOK}
		next(out, r.WithContext(context.WithValue(r.Context(), notingKey, &on)))
		s.afterwards(r.Context(), by, act, on, out.status)
	}
}

// afterwards notes a look that was let in, and an act of which nothing came.
func (s *Server) afterwards(ctx context.Context, by announcement.Actor, act announcement.Act, on Noted, status int) {
	on.Refused = on.Refused || status >= http.StatusBadRequest
	if act.Looks() != on.Refused {
		s.Trail.Saw(ctx, by, act, on)
	}
}

// reply remembers how a request was answered.
type reply struct {
	http.ResponseWriter
	status int
}

func (w *reply) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// about reads from a request what it is about. A secret in a path is never among it.
func (s *Server) about(rl rule, r *http.Request) Noted {
	on := aboutPath(r.URL.Path, r.PathValue, r.URL.Query().Has)
	on.By = map[gate]string{gateConsole: "console", gateToken: "scim", gateLink: "link", gateDevice: "phone"}[rl.gate]
	if rl.act != nil {
		on.Asked = append(on.Asked, whyDropped(rl.act(r), r)...)
	}
	return on
}

// whyDropped is the reason for which a stuck delivery is dropped, one of a list.
func whyDropped(act announcement.Act, r *http.Request) []string {
	if why := r.FormValue("why"); act == announcement.JobDropped && slices.Contains(dropReasons, why) {
		return []string{why}
	}
	return nil
}

// filters are those of lists, by which the trail tells what was looked for. What was
// typed there is not told: it may be a name.
var filters = []string{"q", "site", "department", "only", "state", "team", "of", "dry_run", "act", "person", "day", "filter"}

func aboutPath(path string, value func(string) string, asked func(string) bool) Noted {
	on := Noted{Recipient: -1, Number: value("number")}
	id := value("id")
	switch {
	case id == "":
	case strings.HasPrefix(path, "/alerts/"), strings.HasPrefix(path, "/api/v1/announcements/"):
		on.Announcement = announcement.ID(id)
	case strings.HasPrefix(path, "/accounts/"):
		on.Account = id
	case strings.HasPrefix(path, scimPath+"Users/"):
		on.Person = announcement.PersonID(id)
	default:
		on.Object = id
	}
	for _, name := range []string{"key", "done", "made"} {
		if v := value(name); v != "" && on.Object == "" {
			on.Object = v
		}
	}
	if n, err := strconv.Atoi(value("n")); err == nil {
		on.Recipient = n
	}
	on.Asked = slices.DeleteFunc(slices.Clone(filters), func(name string) bool { return !asked(name) })
	return on
}
