package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"kentongan/internal/announcement"
)

// The API is described by its Go types: huma checks every request against them
// (unknown fields are refused), writes RFC 9457 problems and publishes OpenAPI
// 3.1, so that the description cannot drift from the code. It was chosen over
// generated code because it sits on net/http and adds no step to the build.

type byID struct {
	ID announcement.ID `path:"id" maxLength:"64" doc:"Announcement id"`
}

type summaryReply struct {
	Location string `header:"Location"`
	Body     Summary
}

type announceRequest struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"The same key and text never announce twice"`
	Body Draft
}

type importRequest struct {
	DryRun  bool   `query:"dry_run" doc:"Only say what would happen"`
	Leaving int    `query:"leaving" minimum:"0" doc:"How many people leave by this file. Needed when that is more than one in twenty, and more than five, within the hour; the refusal names the number."`
	RawBody []byte `contentType:"text/csv"`
}

type importReply struct{ Body ImportReport }

type recipientsRequest struct {
	ID     announcement.ID    `path:"id" maxLength:"64"`
	State  announcement.State `query:"state" enum:"need_help,no_answer,unreachable,opened,not_on_site,confirmed"`
	Team   string             `query:"team" maxLength:"64" doc:"A manager's employee number: their whole tree"`
	Site   string             `query:"site" maxLength:"200"`
	Search string             `query:"q" maxLength:"200" doc:"Part of a name or employee number"`
	Offset int                `query:"offset" minimum:"0"`
	Limit  int                `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type closeRequest struct {
	ID   announcement.ID `path:"id" maxLength:"64"`
	Body struct {
		As     announcement.ClosedAs `json:"as,omitempty" enum:"all_clear,corrected,cancelled" default:"all_clear"`
		Reason string                `json:"reason" minLength:"1" maxLength:"500"`
	}
}

type remindRequest struct {
	ID   announcement.ID `path:"id" maxLength:"64"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500"`
	}
}

type remindReply struct {
	Body struct {
		Called int `json:"called" doc:"People who are called again"`
	}
}

type tokenRequest struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"80"`
		Role Role   `json:"role" enum:"sender,approver,administrator,auditor,operator,viewer,provisioner"`
		Calm bool   `json:"notices_only,omitempty" doc:"A sender's token that may send notices only, which wake nobody"`
	}
}

type tokenReply struct {
	Body struct {
		Token string `json:"token" doc:"Shown once. Keep it secret"`
	}
}

type tokensReply struct {
	Body struct {
		Tokens []Token `json:"tokens"`
	}
}

type endTokenRequest struct {
	ID string `path:"id" maxLength:"64" doc:"Of the token: what stands between its two underscores"`
}

type enrolRequest struct {
	Number string `path:"number" maxLength:"64" doc:"Employee number"`
}

type enrolReply struct {
	Body struct {
		Path  string    `json:"path" doc:"Personal enrolment page. Keep it secret"`
		Until time.Time `json:"until" doc:"When the link stops connecting phones"`
	}
}

type ledgerReply struct{ Body LedgerReport }

type listReply struct {
	Body struct {
		Announcements []Summary `json:"announcements"`
	}
}

type recipientsReply struct{ Body RecipientPage }

type timelineReply struct {
	Body struct {
		Entries []Entry `json:"entries"`
	}
}

func (s *Server) routeAPI() {
	c := huma.DefaultConfig("Kentongan", s.Version)
	c.Info.Description = "Announce to people, and know who has answered."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/api/openapi", "", ""
	c.CreateHooks = nil // no $schema links in answers
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}}
	c.Security = []map[string][]string{{"bearer": {}}}
	// Durations travel as text ("90s").
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[announcement.Duration](), reflect.TypeFor[string]())
	s.list("/api/", toAnybody)
	s.root.HandleFunc("/api/", s.unknownCall)
	s.list("GET /api/openapi.json", toAnybody)
	api := humago.New(s.root, c)
	api.UseMiddleware(s.authorize(api))

	op := func(method, path, id, what string, rl rule) huma.Operation {
		s.list(method+" /api/v1"+path, rl)
		return huma.Operation{
			Metadata:    map[string]any{ofRoute: rl},
			OperationID: id, Method: method, Path: "/api/v1" + path, Summary: what,
			MaxBodyBytes: maxBody, BodyReadTimeout: 10 * time.Second,
			Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		}
	}

	imports := op("POST", "/people:import", "import-people", "Import people from CSV", byToken(Keep).notes(announcement.PeopleImported))
	imports.MaxBodyBytes, imports.BodyReadTimeout = maxImportBody, time.Minute
	huma.Register(api, imports, s.apiImport)
	huma.Register(api, op("POST", "/people/{number}/enrol", "enrol-person", "Make a personal enrolment link", byToken(Keep).notes(announcement.PersonInvited)), s.apiEnrol)
	create := op("POST", "/announcements", "announce", "Announce", byToken(Announce).notesNothing(isAFact))
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.apiAnnounce)
	huma.Register(api, op("GET", "/announcements", "list-announcements", "List announcements", byToken(See).notesNothing(showsCounts)), s.apiList)
	huma.Register(api, op("GET", "/announcements/{id}", "get-announcement", "One announcement and where it stands", byToken(See).notes(announcement.RecipientsViewed)), s.apiSummary)
	huma.Register(api, op("GET", "/announcements/{id}/recipients", "list-recipients", "Recipients, those who need us first", byToken(See).notes(announcement.RecipientsViewed)), s.apiRecipients)
	huma.Register(api, op("GET", "/announcements/{id}/timeline", "get-timeline", "What happened, in order", byToken(See).notes(announcement.RecipientsViewed)), s.apiTimeline)
	huma.Register(api, op("GET", "/announcements/{id}/events", "watch-announcement", "Where it stands, as it changes (text/event-stream)", byToken(See).notesNothing(showsCounts)), s.apiEvents)
	huma.Register(api, op("POST", "/announcements/{id}/close", "close-announcement", "Close; nothing escalates after this", byToken(Announce).notesNothing(isAFact)), s.apiClose)
	huma.Register(api, op("POST", "/announcements/{id}/remind", "remind", "Call everybody again who has not answered", byToken(Announce).notesNothing(isAFact)), s.apiRemind)
	huma.Register(api, op("POST", "/announcements/{id}/revise", "revise", "Change the text: a new version that asks everybody again, or a typo mended", byToken(Announce).notesNothing(isAFact)), s.apiRevise)
	huma.Register(api, op("GET", "/reports/quiet-hours", "broken-quiet-hours", "Who broke quiet hours, by month", byToken(See).notesNothing(showsCounts)), s.apiQuiet)
	tokens := op("POST", "/tokens", "create-token", "Create an API token", byToken(Administer).notesNothing(inTheDesk))
	tokens.DefaultStatus = http.StatusCreated
	huma.Register(api, tokens, s.apiToken)
	huma.Register(api, op("GET", "/tokens", "list-tokens", "The API tokens, without what is secret of them", byToken(Administer).notesNothing(showsStaff)), s.apiTokens)
	huma.Register(api, op("DELETE", "/tokens/{id}", "end-token", "End an API token, at once", byToken(Administer).notes(announcement.TokenEnded)), s.apiEndToken)
	if s.Backup != nil {
		huma.Register(api, op("POST", "/ledger:backup", "backup-ledger", "The ledger and the sealed vault, for a backup (application/x-tar)", byToken(Operate).notes(announcement.BackupMade)), s.apiBackup)
	}
	if s.Evidence != nil {
		huma.Register(api, op("POST", "/announcements/{id}/evidence", "export-evidence", "What proves an announcement, to be checked without the server (application/zip)", byToken(Audit).notes(announcement.EvidenceExported)), s.apiEvidence)
	}
	huma.Register(api, op("GET", "/audit", "list-audit", "Who did, took out and looked at what, newest first", byToken(Audit).notes(announcement.AuditViewed)), s.apiTrail)
	huma.Register(api, op("GET", "/stuck", "list-stuck", "Deliveries that nobody works on any more, the oldest first", byToken(Operate).notesNothing(showsCounts)), s.apiStuck)
	huma.Register(api, op("POST", "/stuck:again", "try-all-stuck-again", "Have all stuck deliveries tried again", byToken(Operate).notes(announcement.JobTriedAgain)), s.apiAllAgain)
	huma.Register(api, op("POST", "/stuck/{id}/again", "try-stuck-again", "Have a stuck delivery tried again", byToken(Operate).notes(announcement.JobTriedAgain)), s.apiAgain)
	huma.Register(api, op("POST", "/stuck/{id}/drop", "drop-stuck", "Drop a stuck delivery, for good", byToken(Operate).notes(announcement.JobDropped)), s.apiDrop)
	if s.Verify != nil {
		huma.Register(api, op("POST", "/ledger:verify", "verify-ledger", "Read the whole ledger and say whether it is whole", byToken(Operate, Audit).notes(announcement.LedgerVerified)), s.apiVerify)
	}
}

// ofRoute is where an operation keeps its rule.
const ofRoute = "rule"

// authorize lets in known tokens that may do what the call asks for.
func (s *Server) authorize(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		p, refusal := s.bearer(ctx.Context(), ctx.Header("Authorization"))
		if refusal != nil {
			if refusal.challenge != "" {
				ctx.SetHeader("WWW-Authenticate", refusal.challenge)
			}
			_ = huma.WriteErr(api, ctx, refusal.status, refusal.detail)
			return
		}
		rl, _ := ctx.Operation().Metadata[ofRoute].(rule)
		switch {
		case !p.Enters():
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "This token is for /scim/v2 only.")
			return
		case !p.May(rl.rights...):
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "The role of this token does not allow this call.")
			return
		}
		s.noteCall(api, huma.WithValue(ctx, principalKey, p), rl, p, next)
	}
}

// noteCall is noted for an operation of the API.
func (s *Server) noteCall(api huma.API, ctx huma.Context, rl rule, p Principal, next func(huma.Context)) {
	if rl.act == nil {
		next(ctx)
		return
	}
	r, _ := humago.Unwrap(ctx)
	act, on := rl.act(r), aboutPath(r.URL.Path, r.PathValue, r.URL.Query().Has)
	on.By, on.Asked = "api", append(on.Asked, whyDropped(act, r)...)
	if !act.Looks() {
		if err := s.Trail.Note(ctx.Context(), p.Actor, act, on); err != nil {
			status, detail := statusOf(err)
			_ = huma.WriteErr(api, ctx, status, detail)
			return
		}
	}
	next(huma.WithValue(ctx, notingKey, &on))
	s.afterwards(ctx.Context(), p.Actor, act, on, ctx.Status())
}

// refusal is why a request with a bearer token is not let in.
type refusal struct {
	status            int
	detail, challenge string
}

// bearer returns who holds the token of a request.
func (s *Server) bearer(ctx context.Context, authorization string) (Principal, *refusal) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Principal{}, &refusal{http.StatusUnauthorized, "A bearer token is needed.", `Bearer realm="kentongan"`}
	}
	p, err := s.Access.Authenticate(ctx, strings.TrimSpace(token))
	if err == nil {
		return p, nil
	}
	if status, detail := statusOf(err); status == http.StatusServiceUnavailable || status == http.StatusInternalServerError {
		return Principal{}, &refusal{http.StatusServiceUnavailable, detail, ""}
	}
	s.Trail.Saw(ctx, "", announcement.SignInRefused, Noted{About: announcement.About{By: "api"}, Recipient: -1})
	return Principal{}, &refusal{http.StatusUnauthorized, "This token is not known.", `Bearer realm="kentongan", error="invalid_token"`}
}

func (s *Server) apiImport(ctx context.Context, in *importRequest) (*importReply, error) {
	report, err := s.People.Import(ctx, principalOf(ctx), bytes.NewReader(in.RawBody), in.DryRun, in.Leaving)
	if err != nil {
		return nil, s.problem("import", err)
	}
	if len(report.Errors) > 0 {
		return nil, refusedImport(report)
	}
	return &importReply{Body: report}, nil
}

func (s *Server) apiEnrol(ctx context.Context, in *enrolRequest) (*enrolReply, error) {
	code, until, err := s.People.EnrolCode(ctx, in.Number)
	if err != nil {
		return nil, s.problem("enrol", err)
	}
	out := new(enrolReply)
	out.Body.Path, out.Body.Until = "/e/"+code, until
	return out, nil
}

func (s *Server) apiAnnounce(ctx context.Context, in *announceRequest) (*summaryReply, error) {
	sum, _, err := s.Desk.Announce(ctx, principalOf(ctx), in.Body, in.Key)
	if err != nil {
		return nil, s.problem("announce", err)
	}
	return &summaryReply{Location: fmt.Sprintf("/api/v1/announcements/%s", sum.ID), Body: sum}, nil
}

func (s *Server) apiList(ctx context.Context, _ *struct{}) (*listReply, error) {
	list, err := s.boards(ctx).List(ctx)
	if err != nil {
		return nil, s.problem("list", err)
	}
	out := new(listReply)
	out.Body.Announcements = list
	return out, nil
}

func (s *Server) apiSummary(ctx context.Context, in *byID) (*summaryReply, error) {
	sum, err := s.boards(ctx).Summary(ctx, in.ID)
	if err != nil {
		return nil, s.problem("summary", err)
	}
	return &summaryReply{Body: sum}, nil
}

func (s *Server) apiRecipients(ctx context.Context, in *recipientsRequest) (*recipientsReply, error) {
	page, err := s.boards(ctx).Recipients(ctx, in.ID, RecipientFilter{
		State: in.State, Team: in.Team, Site: in.Site, Search: in.Search, Offset: in.Offset, Limit: in.Limit,
	})
	if err != nil {
		return nil, s.problem("recipients", err)
	}
	return &recipientsReply{Body: page}, nil
}

func (s *Server) apiTimeline(ctx context.Context, in *byID) (*timelineReply, error) {
	entries, err := s.boards(ctx).Timeline(ctx, in.ID)
	if err != nil {
		return nil, s.problem("timeline", err)
	}
	out := new(timelineReply)
	out.Body.Entries = entries
	return out, nil
}

func (s *Server) apiEvents(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
	if _, err := s.boards(ctx).Summary(ctx, in.ID); err != nil {
		return nil, s.problem("events", err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		s.streamProgress(w, r.WithContext(ctx), in.ID) // ctx knows who asks
	}}, nil
}

func (s *Server) apiClose(ctx context.Context, in *closeRequest) (*summaryReply, error) {
	as := in.Body.As
	if as == "" {
		as = announcement.AsAllClear
	}
	if err := s.Desk.Close(ctx, principalOf(ctx), in.ID, as, in.Body.Reason); err != nil {
		return nil, s.problem("close", err)
	}
	return s.apiSummary(ctx, &byID{in.ID})
}

func (s *Server) apiRemind(ctx context.Context, in *remindRequest) (*remindReply, error) {
	n, err := s.Desk.Remind(ctx, principalOf(ctx), in.ID, in.Body.Reason)
	if err != nil {
		return nil, s.problem("remind", err)
	}
	out := new(remindReply)
	out.Body.Called = n
	return out, nil
}

type reviseRequest struct {
	ID   announcement.ID `path:"id" maxLength:"64"`
	Body Revision
}

type reviseReply struct {
	Body struct {
		Told    int     `json:"told" doc:"People who are asked or told; 0 of a typo"`
		Summary Summary `json:"announcement"`
	}
}

func (s *Server) apiRevise(ctx context.Context, in *reviseRequest) (*reviseReply, error) {
	told, err := s.Desk.Revise(ctx, principalOf(ctx), in.ID, in.Body)
	if err != nil {
		return nil, s.problem("revise", err)
	}
	sum, err := s.apiSummary(ctx, &byID{in.ID})
	if err != nil {
		return nil, err
	}
	out := new(reviseReply)
	out.Body.Told, out.Body.Summary = told, sum.Body
	return out, nil
}

func (s *Server) apiToken(ctx context.Context, in *tokenRequest) (*tokenReply, error) {
	bearer, err := s.Access.CreateToken(ctx, principalOf(ctx), in.Body.Name, in.Body.Role, in.Body.Calm)
	if err != nil {
		return nil, s.problem("token", err)
	}
	out := new(tokenReply)
	out.Body.Token = bearer
	return out, nil
}

func (s *Server) apiTokens(ctx context.Context, _ *struct{}) (*tokensReply, error) {
	list, err := s.Access.Tokens(ctx, principalOf(ctx))
	if err != nil {
		return nil, s.problem("tokens", err)
	}
	out := new(tokensReply)
	out.Body.Tokens = list
	return out, nil
}

func (s *Server) apiEndToken(ctx context.Context, in *endTokenRequest) (*struct{}, error) {
	if err := s.Access.EndToken(ctx, principalOf(ctx), in.ID); err != nil {
		return nil, s.problem("end token", err)
	}
	return nil, nil // 204: there is nothing to say
}

// apiBackup streams. What was cut off has no end that a tar needs, so that half a
// backup is never taken for one.
func (s *Server) apiBackup(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-tar")
		if err := s.Backup(c.Context(), c.BodyWriter()); err != nil {
			s.Log.Error("backup not made", "step", "backup", "reason", err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

type evidenceRequest struct {
	ID    announcement.ID `path:"id" maxLength:"64"`
	Names bool            `query:"names" doc:"With the report, in which people have names"`
}

type evidenceReply struct {
	Type string `header:"Content-Type"`
	Name string `header:"Content-Disposition"`
	Body []byte
}

func (s *Server) apiEvidence(ctx context.Context, in *evidenceRequest) (*evidenceReply, error) {
	var b bytes.Buffer // whole, or an answer that says why not
	if err := s.Evidence(ctx, principalOf(ctx), in.ID, in.Names, &b); err != nil {
		return nil, s.problem("evidence", err)
	}
	return &evidenceReply{"application/zip", fmt.Sprintf(`attachment; filename="evidence-%s.zip"`, in.ID), b.Bytes()}, nil
}

func (s *Server) apiVerify(ctx context.Context, _ *struct{}) (*ledgerReply, error) {
	report, err := s.Verify(ctx)
	if err != nil {
		return nil, s.problem("verify", err)
	}
	return &ledgerReply{Body: report}, nil
}

func cell(e RowError) string { return fmt.Sprintf("body.rows[%d].%s", e.Row, e.Field) }
