package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// Operating is what whoever looks after the installation asks of deliveries that nobody
// works on any more.
type Operating interface {
	// Found returns what is not as it should be, as the watch saw it a minute ago: words of
	// wrongWords. It asks nobody.
	Found() []string
	Stuck(ctx context.Context) ([]StuckJob, error) // the oldest first
	TryAgain(ctx context.Context, id string) error // ErrNotFound: somebody else decided first
	DropStuck(ctx context.Context, id string) error
}

// StuckJob is a delivery to some recipients of an announcement that was set aside,
// because it could not be worked on.
type StuckJob struct {
	ID           string               `json:"id"`
	Announcement announcement.ID      `json:"announcement,omitempty" doc:"Missing where the job cannot be read"`
	Round        int64                `json:"round"`
	Lane         announcement.Lane    `json:"lane"`
	Channel      announcement.Channel `json:"channel"`
	From         int                  `json:"from" doc:"Numbers of the people, of this round: from this one"`
	To           int                  `json:"to" doc:"… to before this one"`
	Why          string               `json:"why" enum:"unreadable,panicked,crashed,unknown"`
	Place        string               `json:"place,omitempty" doc:"Where in the source the program failed"`
	Tries        int                  `json:"tries"`
	Published    time.Time            `json:"published"`
	At           time.Time            `json:"at" doc:"When it was set aside"`
}

// People is to how many people it goes.
func (j StuckJob) People() int { return j.To - j.From }

// Last is the last of their numbers.
func (j StuckJob) Last() int { return j.To - 1 }

// stuckWords say why a delivery is stuck: what happened, and what to do.
var stuckWords = map[string][2]string{
	"unreadable": {"Nobody can read it.", "Another version of the program wrote it, or it was damaged. Bring all nodes to the same version, then try again."},
	"panicked":   {"The program failed at it, each time.", "It is a fault of the program. Reach these people in another way, keep the log, and try again after an update."},
	"crashed":    {"The program ended while it was worked on, each time.", "It is a fault of the program, or of its memory. Reach these people in another way, keep the log, and try again after an update."},
	"unknown":    {"Its announcement is not known here.", "The ledger has it not, or not yet. Look at the readiness of the node, then try again."},
}

// dropReasons are why a person may drop a delivery: they stand in the audit trail, which
// takes no words of anybody.
var dropReasons = []string{"otherwise", "over", "test"}

var dropWords = map[string]string{"otherwise": "these people were reached in another way", "over": "the alert is over", "test": "it was only a test"}

// wrongWords say what the watch found: what it is, and what to do. Whoever sends alerts
// reads them too.
var wrongWords = map[string][2]string{
	"ledger":     {"what is sent and answered cannot be recorded now.", "Call people by phone until it can."},
	"slow":       {"the service is very slow.", "Alerts go out, perhaps late."},
	"behind":     {"the counts may be some minutes old.", "Ask managers before you rely on them."},
	"escalation": {"a step of an escalation is late.", "Call managers by phone if it is urgent."},
	"emergency":  {"messages of an emergency have not gone out for minutes.", "Call people by phone meanwhile."},
	"routine":    {"messages that are not urgent have waited for more than a day.", "Whoever runs this server looks at the queue."},
	"stuck":      {"some messages could not be sent and wait for a person.", "Whoever runs this server decides about them."},
	"queue":      {"nobody can see whether messages go out.", "Call people by phone if it is urgent."},
	"lost":       {"messages were lost inside of the service, and go out now.", "Look at the board: who is still not reached is called by phone."},
	"unplanned":  {"a decision has not become messages yet.", "Call people by phone if it is urgent."},
	"miscounted": {"a count was wrong, and was made anew.", "The counts are right again. Whoever runs this server looks for the cause."},
	"unread":     {"another version of the program has written something that this one does not know.", "Counts may be wrong here. Ask managers who is safe, and have the update finished."},
	"uncounted":  {"an open alert cannot be counted now.", "Ask managers who is safe."},
}

// wrong is one thing that is wrong with the service.
type wrong struct{ What, Do string }

// Wrong is what is wrong with the service, for those who send or look after it.
func (p page) Wrong() (out []wrong) {
	for _, code := range p.wrong {
		words := wrongWords[code]
		out = append(out, wrong{p.T(words[0]), p.T(words[1])})
	}
	return out
}

// Blocked reports whether some deliveries are stuck, and the reader decides about them.
func (p page) Blocked() bool { return slices.Contains(p.wrong, "stuck") && p.Operates() }

func (s *Server) routeStuck() {
	s.on("GET /stuck", to(Operate).notesNothing(showsCounts), s.stuckPage)
	s.on("POST /stuck", to(Operate).notes(announcement.JobTriedAgain), s.tryAllAgain)
	s.on("POST /stuck/{id}", to(Operate).notesWhat(stuckAct), s.decideStuck)
}

// stuckAct is what the forms of a stuck delivery do.
func stuckAct(r *http.Request) announcement.Act {
	if r.PostFormValue("act") == "again" {
		return announcement.JobTriedAgain
	}
	return announcement.JobDropped
}

type stuckView struct {
	page
	Jobs    []StuckJob
	Chose   string // the id of the job whose form has a fault
	Reasons []string
}

// Happened and Advice are why a job is stuck, and what to do about it.
func (v stuckView) Happened(j StuckJob) string { return v.T(stuckWords[j.Why][0]) }

// Advice is what to do about it.
func (v stuckView) Advice(j StuckJob) string { return v.T(stuckWords[j.Why][1]) }

// Reason is why it may be dropped, in words.
func (v stuckView) Reason(why string) string { return v.T(dropWords[why]) }

func (s *Server) stuckPage(w http.ResponseWriter, r *http.Request) { s.showStuck(w, r, "", nil) }

func (s *Server) showStuck(w http.ResponseWriter, r *http.Request, chose string, errs announcement.FieldErrors) {
	jobs, err := s.Health.Stuck(r.Context())
	if err != nil {
		s.fail(w, r, "stuck", err)
		return
	}
	v := stuckView{page: s.page(r, "Stuck deliveries"), Jobs: jobs, Chose: chose, Reasons: dropReasons}
	status := http.StatusOK
	if v.Errors = errs; len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "stuck", "stuck", v)
}

func (s *Server) tryAllAgain(w http.ResponseWriter, r *http.Request) {
	_, err := s.allAgain(r.Context())
	s.back(w, r, "try again", "/stuck?done=again", err)
}

// allAgain has every stuck job tried again. One that somebody else decided about
// meanwhile is as it should be.
func (s *Server) allAgain(ctx context.Context) (n int, err error) {
	jobs, err := s.Health.Stuck(ctx)
	if err != nil {
		return 0, err
	}
	for _, j := range jobs {
		switch err := s.Health.TryAgain(ctx, j.ID); statusIs(err) {
		case 0:
			n++
		case http.StatusNotFound:
		default:
			return n, err
		}
	}
	return n, nil
}

// statusIs is the status of an error; 0: there is none.
func statusIs(err error) int {
	if err == nil {
		return 0
	}
	status, _ := statusOf(err)
	return status
}

func (s *Server) decideStuck(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	switch act := r.PostFormValue("act"); {
	case act == "again":
		s.back(w, r, "try again", "/stuck?done=again", s.Health.TryAgain(r.Context(), id))
	case act == "drop" && slices.Contains(dropReasons, r.PostFormValue("why")):
		s.back(w, r, "drop", "/stuck?done=dropped", s.Health.DropStuck(r.Context(), id))
	default:
		s.showStuck(w, r, id, fault("why", "Choose why it is dropped."))
	}
}

type stuckReply struct {
	Body struct {
		Jobs []StuckJob `json:"jobs"`
	}
}

type againReply struct {
	Body struct {
		Tried int `json:"tried" doc:"Jobs that are back in the queue"`
	}
}

type stuckRequest struct {
	ID string `path:"id" maxLength:"64" doc:"Of the stuck job"`
}

type dropRequest struct {
	ID  string `path:"id" maxLength:"64" doc:"Of the stuck job"`
	Why string `query:"why" required:"true" enum:"otherwise,over,test" doc:"These people were reached in another way, the announcement is over, or it was only a test"`
}

func (s *Server) apiStuck(ctx context.Context, _ *struct{}) (*stuckReply, error) {
	jobs, err := s.Health.Stuck(ctx)
	if err != nil {
		return nil, s.problem("stuck", err)
	}
	out := new(stuckReply)
	out.Body.Jobs = append([]StuckJob{}, jobs...)
	return out, nil
}

func (s *Server) apiAllAgain(ctx context.Context, _ *struct{}) (*againReply, error) {
	n, err := s.allAgain(ctx)
	if err != nil {
		return nil, s.problem("try again", err)
	}
	out := new(againReply)
	out.Body.Tried = n
	return out, nil
}

func (s *Server) apiAgain(ctx context.Context, in *stuckRequest) (*struct{}, error) {
	if err := s.Health.TryAgain(ctx, in.ID); err != nil {
		return nil, s.problem("try again", err)
	}
	return nil, nil // 204: there is nothing to say
}

func (s *Server) apiDrop(ctx context.Context, in *dropRequest) (*struct{}, error) {
	if err := s.Health.DropStuck(ctx, in.ID); err != nil {
		return nil, s.problem("drop", err)
	}
	return nil, nil // 204: there is nothing to say
}
