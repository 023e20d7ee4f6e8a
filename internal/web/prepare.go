package web

import (
	"net/http"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routePrepare() {
	s.on("GET /readiness", to(See, Operate).notesNothing(showsCounts), s.readinessPage)
	s.on("GET /setup", to(See, Operate).notesNothing(showsCounts), s.tasksPage)
	s.on("POST /setup/live", to(Announce).notes(announcement.WentLive), s.goLive)
	s.on("GET /setup/channels", to(See, Operate).notesNothing(showsCounts), s.channelsPage)
	s.on("POST /setup/channels", to(Keep, Operate).notes(announcement.ChannelTried), s.tryChannel)
	s.on("GET /setup/duty", to(See, Operate).notes(announcement.PeopleListed), s.dutyPage)
	s.on("POST /setup/duty", to(Keep).notes(announcement.DutyChanged), s.setDuty)
}

type prepareView struct {
	page
	Report  ReadyReport
	Tasks   []Task
	Trials  Trials
	Number  string // as typed
	Numbers string
	Called  []Name

	Practice bool   // the console sends only small drills yet
	Typed    string // instead of the word that was asked for
}

func (s *Server) readinessPage(w http.ResponseWriter, r *http.Request) {
	v := prepareView{page: s.page(r, "Readiness")}
	var err error
	if v.Report, err = s.People.Report(r.Context()); err != nil {
		s.fail(w, r, "readiness", err)
		return
	}
	s.show(w, r, http.StatusOK, "prepare", "readiness", v)
}

// Ready is what the row of tiles shows.
func (v prepareView) Ready() Readiness { return v.Report.Readiness }

// Quiet times after which a sender name or a habit is lost.
const (
	smsQuiet   = 60 // days: networks block a sender name after three months without traffic
	drillQuiet = 90 // days
)

// SMSQuiet reports whether the sender name is about to be forgotten.
func (v prepareView) SMSQuiet() bool {
	return v.Report.LastSMS == nil || v.Report.Since["sms"] >= smsQuiet
}

// DrillQuiet reports whether people have not practised for long.
func (v prepareView) DrillQuiet() bool {
	return v.Report.LastDrill == nil || v.Report.Since["drill"] >= drillQuiet
}

// Chips are the lists of people behind the numbers.
func (v prepareView) Chips() []chip {
	var out []chip
	for _, key := range []string{"unreachable", "wrong_number", "sms_stopped", "stale", "no_manager", "shared"} {
		out = append(out, chip{key, v.T(troubleWords[key]), troubleIcons[key], "/people?only=" + key, v.Report.Troubles[key], false})
	}
	return out
}

// Percent is a share in whole percent, for the width of a bar.
func (v prepareView) Percent(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return part * 100 / whole
}

// taskWords name the tasks before the first alert: what it is, and what counts.
var taskWords = map[string][2]string{
	"organisation": {"Name of the organisation", "At most 11 characters, registered as SMS sender name. Whoever runs this server sets KENTONGAN_ORG_NAME."},
	"sites":        {"Sites and assembly points", "Every site has an assembly point."},
	"people":       {"People", "Import a file, or add people one by one."},
	"managers":     {"Managers", "Everybody reports to somebody, except the head of the company."},
	"channels":     {"Channels", "SMS and push are set up and have taken a test. Whoever runs this server sets up the providers."},
	"yourself":     {"Test yourself", "All channels to your own phone."},
	"correction":   {"Rehearse a correction", "Send a drill to yourself, and correct it as sent in error."},
	"second":       {"A second sender", "Somebody else can send when you cannot. An administrator invites them."},
	"policy":       {"Who is called when nobody answers", "Defaults are in force. Name the duty list."},
	"drill":        {"First drill", "A drill to a small group, with answers."},
}

// TaskName and TaskHint are the words of a task.
func (p page) TaskName(key string) string { return p.T(taskWords[key][0]) }

// TaskHint says what a task is done with.
func (p page) TaskHint(key string) string { return p.T(taskWords[key][1]) }

func (s *Server) tasksPage(w http.ResponseWriter, r *http.Request) { s.showTasks(w, r, nil) }

func (s *Server) showTasks(w http.ResponseWriter, r *http.Request, errs announcement.FieldErrors) {
	v := prepareView{page: s.page(r, "Setup"), Practice: s.Desk.Readiness(r.Context()).Practice, Typed: short(r.PostFormValue("live"))}
	status := http.StatusOK
	if v.Errors = errs; len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	var err error
	if v.Tasks, err = s.People.Tasks(r.Context()); err != nil {
		s.fail(w, r, "setup", err)
		return
	}
	s.show(w, r, status, "prepare", "tasks", v)
}

// Before is how many tasks are left that come before the first real alert.
func (v prepareView) Before() int {
	n := 0
	for _, t := range v.Tasks {
		if t.Before && t.State != "completed" {
			n++
		}
	}
	return n
}

// goLive ends the practice, for good, once somebody has typed the word for it.
func (s *Server) goLive(w http.ResponseWriter, r *http.Request) {
	err := error(fault("live", "Type the word as it stands here."))
	for _, lang := range ownLanguages { // whatever language the page was in
		if p := (page{Lang: lang, words: s.views.words}); strings.EqualFold(strings.TrimSpace(r.PostFormValue("live")), p.T("LIVE")) {
			err = s.People.GoLive(r.Context(), principalOf(r.Context()))
		}
	}
	if errs := faults(err); errs != nil {
		s.showTasks(w, r, errs)
		return
	}
	s.back(w, r, "go live", "/?done=live", err)
}

// Completed is how many tasks are done.
func (v prepareView) Completed() int {
	n := 0
	for _, t := range v.Tasks {
		if t.State == "completed" {
			n++
		}
	}
	return n
}

func (s *Server) channelsPage(w http.ResponseWriter, r *http.Request) {
	s.showChannels(w, r, "", nil)
}

func (s *Server) showChannels(w http.ResponseWriter, r *http.Request, number string, errs announcement.FieldErrors) {
	v := prepareView{page: s.page(r, "Channels"), Trials: s.People.Trials(r.Context()), Number: number}
	v.Errors = errs
	status := http.StatusOK
	if len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "prepare", "channels", v)
}

// FailingSMS is why the SMS provider does not take calls now, or nothing.
func (v prepareView) FailingSMS() string { return v.Trials.Failing[announcement.SMS] }

// tryChannel sends one of the tests, or locks the texts to one way.
func (s *Server) tryChannel(w http.ResponseWriter, r *http.Request) {
	number, who := strings.TrimSpace(r.PostFormValue("number")), principalOf(r.Context())
	done := "tested"
	var err error
	act := r.PostFormValue("act")
	switch {
	case act == "lock":
		done, err = "locked", s.People.LockOneWay(r.Context(), who)
	case number == "":
		err = fault("number", "Type the employee number of the person who has the phone in hand.")
	case act == "reply":
		done, err = "reply-asked", s.People.StartReplyTest(r.Context(), who, number)
	case act == "push":
		err = s.People.SendTest(r.Context(), who, number, announcement.WebPush)
	default:
		err = s.People.SendTest(r.Context(), who, number, announcement.SMS)
	}
	if errs := faults(err); errs != nil {
		s.showChannels(w, r, number, errs)
		return
	}
	s.back(w, r, "test channel", "/setup/channels?done="+done, err)
}

func (s *Server) dutyPage(w http.ResponseWriter, r *http.Request) {
	s.showDuty(w, r, nil, "")
}

func (s *Server) showDuty(w http.ResponseWriter, r *http.Request, errs announcement.FieldErrors, typed string) {
	v := prepareView{page: s.page(r, "Duty list")}
	numbers, called := s.People.Duty(r.Context())
	v.Numbers, v.Called = strings.Join(numbers, " "), called[:min(len(called), membersShown)]
	v.Errors = errs
	status := http.StatusOK
	if len(errs) > 0 {
		v.Numbers = typed
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "prepare", "duty", v)
}

func (s *Server) setDuty(w http.ResponseWriter, r *http.Request) {
	typed := r.PostFormValue("duty")
	err := s.People.SetDuty(r.Context(), principalOf(r.Context()), list(typed))
	if errs := faults(err); errs != nil {
		s.showDuty(w, r, errs, typed)
		return
	}
	s.back(w, r, "duty list", "/setup/duty?done=saved", err)
}

// reachRows is a table of reach, by site or by team.
type reachRows struct {
	View  prepareView
	Label string
	Rows  []ReachRow
}

// rowsShown is how many sites or teams a page lists: the worst come first.
const rowsShown = 50

// BySite and ByTeam are the tables of the page of readiness.
func (v prepareView) BySite() reachRows {
	return reachRows{v, v.T("Site"), v.Report.Sites[:min(len(v.Report.Sites), rowsShown)]}
}

// ByTeam is the table of teams.
func (v prepareView) ByTeam() reachRows {
	return reachRows{v, v.T("Team"), v.Report.Teams[:min(len(v.Report.Teams), rowsShown)]}
}
