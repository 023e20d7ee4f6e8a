package web

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// routeAccount: everybody who signs in looks after how they do so themselves.
// Whoever has been invited does the same on the page of their invitation.
func (s *Server) routeAccount() {
	s.on("GET /welcome/{code}", byLink, s.welcome)
	s.on("POST /welcome/{code}", byLink.notesNothing(inTheDesk), s.introduce)
	s.on("GET /account", toSignedIn.notesNothing(theirOwn), s.account)
	s.on("POST /account/sessions/end", toSignedIn.notes(announcement.SessionEnded), s.endSession)
	s.on("POST /account/number", toSignedIn.notes(announcement.AccountChanged), s.setPhone)
	s.on("POST /account/passkeys/{key}/drop", toSignedIn.notes(announcement.PasskeyDropped), s.dropPasskey)
	for base, mine := range map[string]rule{"/welcome/{code}": byLink, "/account": toSignedIn.notesNothing(theirOwn)} {
		s.on("GET "+base+"/how", mine, s.own(s.howPage))
		s.on("POST "+base+"/password", mine.notesNothing(notYet), s.own(s.choosePassword))
		s.on("POST "+base+"/code", mine.notesNothing(inTheDesk), s.own(s.prove))
		s.on("POST "+base+"/passkey/ask", mine.notesNothing(asksWhatToSign), s.own(s.newPasskey))
		s.on("POST "+base+"/passkey", mine.notesNothing(inTheDesk), s.own(s.keepPasskey))
	}
	s.on("GET /accounts", to(Administer).notesNothing(showsStaff), s.accounts)
	s.on("POST /accounts", to(Administer).notes(announcement.AccountInvited), s.inviteAccount)
	s.on("POST /accounts/{id}/{act}", to(Administer).notesWhat(accountAct), s.actOnAccount)
}

// accountView is somebody's own account, or that of an invitation.
type accountView struct {
	page
	Account  Account
	Base     string // path below which its forms are
	Sessions []Session

	Name, Login   string // as typed
	Number        string
	Authenticator Authenticator
	code          template.HTML
}

// QR is what the app that makes codes scans.
func (v accountView) QR() template.HTML { return v.code }

// owner is the account that a request is about: that of an invitation in its
// path, or that of whoever has signed in.
type owner struct {
	Account
	base string
}

func (s *Server) ownerOf(r *http.Request) (owner, error) {
	if code := r.PathValue("code"); code != "" {
		a, err := s.Access.Invited(r.Context(), code)
		return owner{a, "/welcome/" + code}, err
	}
	a, err := s.Access.AccountOf(r.Context(), principalOf(r.Context()))
	return owner{a, "/account"}, err
}

// own is for the holder of an invitation that is in the path, else for whoever has
// signed in with an account.
func (s *Server) own(next func(http.ResponseWriter, *http.Request, owner)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, err := s.ownerOf(r)
		if err != nil {
			s.failAccount(w, r, err)
			return
		}
		next(w, r, o)
	}
}

// failAccount says that an invitation is used or over, and slows down whoever
// tries out others.
func (s *Server) failAccount(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrNotFound) && r.PathValue("code") != "" && s.misses.tooMany(r, s.Now()) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		return
	}
	if errors.Is(err, ErrNotFound) && r.PathValue("code") != "" {
		s.failSaying(w, r, http.StatusNotFound, "This link is not known, or it is over. It lets in one person, once. Ask whoever invited you for a new one; if you have been here before, sign in.", nil)
		return
	}
	s.fail(w, r, "open an account", err)
}

func (s *Server) welcome(w http.ResponseWriter, r *http.Request) {
	o, err := s.ownerOf(r)
	if err != nil {
		s.failAccount(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "account", "welcome", accountView{page: s.page(r, "Welcome"), Account: o.Account, Base: o.base, Name: o.Name, Login: o.Login})
}

func (s *Server) introduce(w http.ResponseWriter, r *http.Request) {
	o, err := s.ownerOf(r)
	if err != nil {
		s.failAccount(w, r, err)
		return
	}
	v := accountView{page: s.page(r, "Welcome"), Account: o.Account, Base: o.base, Name: r.PostFormValue("name"), Login: r.PostFormValue("login")}
	if err := s.Access.Introduce(r.Context(), o.ID, v.Name, v.Login); err != nil {
		s.mend(w, r, "welcome", v, err)
		return
	}
	http.Redirect(w, r, o.base+"/how", http.StatusSeeOther)
}

// mend shows a page again with what has to be mended, and what was typed.
func (s *Server) mend(w http.ResponseWriter, r *http.Request, part string, v accountView, err error) {
	if v.Errors = faults(err); len(v.Errors) == 0 {
		s.fail(w, r, "change an account", err)
		return
	}
	v.Title = v.T("Error:") + " " + v.Title
	s.show(w, r, http.StatusUnprocessableEntity, "account", part, v)
}

func (s *Server) howPage(w http.ResponseWriter, r *http.Request, o owner) {
	s.show(w, r, http.StatusOK, "account", "how", accountView{page: s.page(r, "How do you want to sign in?"), Account: o.Account, Base: o.base})
}

func (s *Server) choosePassword(w http.ResponseWriter, r *http.Request, o owner) {
	v := accountView{page: s.page(r, "How do you want to sign in?"), Account: o.Account, Base: o.base}
	made, err := s.Access.ChoosePassword(r.Context(), o.ID, r.PostFormValue("password"))
	if err != nil {
		s.mend(w, r, "how", v, err)
		return
	}
	s.showAuthenticator(w, r, o, made, nil)
}

// showAuthenticator shows what the app scans, and asks for its first code.
func (s *Server) showAuthenticator(w http.ResponseWriter, r *http.Request, o owner, made Authenticator, wrong error) {
	v := accountView{page: s.page(r, "One more step: the app"), Account: o.Account, Base: o.base, Authenticator: made}
	var err error
	if v.code, err = qrCode(made.URL); err != nil {
		s.fail(w, r, "draw a code", err)
		return
	}
	status := http.StatusOK
	if wrong != nil {
		v.Errors, v.Title, status = faults(wrong), v.T("Error:")+" "+v.Title, http.StatusUnprocessableEntity
	}
	s.show(w, r, status, "account", "authenticator", v)
}

func (s *Server) prove(w http.ResponseWriter, r *http.Request, o owner) {
	p, err := s.Access.Prove(r.Context(), o.ID, r.PostFormValue("proof"))
	made := Authenticator{Secret: r.PostFormValue("secret"), URL: r.PostFormValue("url")} // the browser's own, shown to it again
	var wait *WaitError
	switch {
	case errors.Is(err, ErrWrongCode):
		s.showAuthenticator(w, r, o, made, fault("proof", "This is not the code that the app shows now."))
		return
	case errors.As(err, &wait):
		pg := s.page(r, "")
		s.showAuthenticator(w, r, o, made, fault("proof", pg.T("Too many tries. Try again at %s, or sign in with a passkey.", pg.Clock(wait.Until))))
		return
	case err != nil:
		s.fail(w, r, "prove a password", err)
		return
	}
	s.settled(w, r, o, p)
}

// settled begins a session for whoever came by an invitation, and brings
// everybody on.
func (s *Server) settled(w http.ResponseWriter, r *http.Request, o owner, p Principal) {
	if o.base == "/account" {
		http.Redirect(w, r, "/account?done=saved", http.StatusSeeOther)
		return
	}
	if err := s.begin(w, r, p, "password"); err != nil {
		s.fail(w, r, "sign in", err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) newPasskey(w http.ResponseWriter, r *http.Request, o owner) {
	c, err := s.Access.NewPasskey(r.Context(), o.ID)
	s.ask(w, r, "passkey for "+o.ID, c, err)
}

func (s *Server) keepPasskey(w http.ResponseWriter, r *http.Request, o owner) {
	state, response, err := s.said(r, "passkey for "+o.ID)
	if err == nil {
		var p Principal
		p, err = s.Access.KeepPasskey(r.Context(), o.ID, state, response, browserName(r.UserAgent()))
		if err == nil && o.base != "/account" {
			err = s.begin(w, r, p, "passkey")
		}
	}
	s.tellScript(w, err)
}

func (s *Server) account(w http.ResponseWriter, r *http.Request) {
	v := accountView{page: s.page(r, "My account"), Base: "/account"}
	p := principalOf(r.Context())
	var err error
	if v.Account, err = s.Access.AccountOf(r.Context(), p); err != nil && !errors.Is(err, ErrNotFound) {
		s.fail(w, r, "open an account", err)
		return
	}
	v.Sessions, v.Number = s.Access.Sessions(r.Context(), p, s.sessionOf(r)), v.Account.Number
	s.show(w, r, http.StatusOK, "account", "account", v)
}

// setPhone says which phone is one's own.
func (s *Server) setPhone(w http.ResponseWriter, r *http.Request) {
	err := s.Access.SetNumber(r.Context(), principalOf(r.Context()), r.PostFormValue("number"))
	if errs := faults(err); errs != nil {
		v := accountView{page: s.page(r, "My account"), Base: "/account", Number: short(r.PostFormValue("number"))}
		v.Errors, v.Title = errs, v.T("Error:")+" "+v.Title
		v.Account, _ = s.Access.AccountOf(r.Context(), principalOf(r.Context()))
		v.Sessions = s.Access.Sessions(r.Context(), principalOf(r.Context()), s.sessionOf(r))
		s.show(w, r, http.StatusUnprocessableEntity, "account", "account", v)
		return
	}
	s.backTo(w, r, "/account", "saved", err)
}

// sessionOf is what the browser holds of its session; nothing where the console
// is open.
func (s *Server) sessionOf(r *http.Request) string {
	c, err := r.Cookie("session")
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	if err := s.Access.EndSession(r.Context(), principalOf(r.Context()), s.sessionOf(r), r.PostFormValue("id")); err != nil {
		s.fail(w, r, "end a session", err)
		return
	}
	http.Redirect(w, r, "/account?done=ended", http.StatusSeeOther)
}

func (s *Server) dropPasskey(w http.ResponseWriter, r *http.Request) {
	o, err := s.ownerOf(r)
	if err == nil {
		err = s.Access.DropPasskey(r.Context(), o.ID, r.PathValue("key"))
	}
	s.backTo(w, r, "/account", "deleted", err)
}

// backTo ends a form: with what was done, or with why it was not.
func (s *Server) backTo(w http.ResponseWriter, r *http.Request, path, done string, err error) {
	switch {
	case errors.Is(err, ErrLastWay):
		done = "last-way"
	case err != nil:
		s.fail(w, r, "change an account", err)
		return
	}
	http.Redirect(w, r, path+"?done="+done, http.StatusSeeOther)
}

// accountsView lists the people who run the console.
type accountsView struct {
	page
	All         []Account
	Name, Login string
	Give        Grant // as chosen
	Places      []Site
	Crowds      []Group
	Link        string // of an invitation that was made now; it is shown once
	Invited     string // whom
}

// offer is what an account may be given, with what it has.
type offer struct {
	page
	For     string // id of the account; empty: one to come
	Why     string // what is wrong with the choice
	Choices []struct {
		Role       Role
		Name, What string
		Given      bool
	}
	Calm   bool // a sender of notices only
	Scopes []scopeChoice
}

// scopeChoice is where a right holds, as a form offers it.
type scopeChoice struct {
	Name          string // of its fields
	Title, Hint   string
	Narrow        bool // some are chosen
	Sites, Groups []struct {
		Value, Label string
		Given        bool
	}
}

// Offer is the choice of roles on a form.
func (v accountsView) Offer(id string, g Grant) offer {
	o := offer{page: v.page, For: id, Calm: g.Calm}
	if id == "" {
		o.Why = v.Fault("role")
	}
	for _, r := range Roles {
		o.Choices = append(o.Choices, struct {
			Role       Role
			Name, What string
			Given      bool
		}{r, roleNames[r], roleWhat[r], g.Has(r)})
	}
	for _, c := range []struct {
		name, title, hint string
		Scope
	}{{"alarms", "May alarm only", "Nothing chosen: everybody. It holds for senders.", g.Alarms},
		{"sees", "May see only", "Nothing chosen: everybody.", g.Sees}} {
		choice := scopeChoice{Name: c.name, Title: c.title, Hint: c.hint, Narrow: !c.IsZero()}
		for _, site := range v.Places {
			choice.Sites = append(choice.Sites, struct {
				Value, Label string
				Given        bool
			}{site.Name, site.Name, slices.Contains(c.Sites, site.Name)})
		}
		for _, group := range v.Crowds {
			choice.Groups = append(choice.Groups, struct {
				Value, Label string
				Given        bool
			}{group.ID, group.Name, slices.Contains(c.Groups, group.ID)})
		}
		o.Scopes = append(o.Scopes, choice)
	}
	return o
}

// Reach says where somebody's roles hold, empty for everywhere.
func (v accountsView) Reach(g Grant) string {
	of := func(s Scope) string {
		names := slices.Clone(s.Sites)
		for _, group := range v.Crowds {
			if slices.Contains(s.Groups, group.ID) {
				names = append(names, group.Name)
			}
		}
		return strings.Join(names, ", ")
	}
	var out []string
	if g.Calm && g.Has(Sender) {
		out = append(out, v.T("Notices only: wakes nobody")+".")
	}
	if !g.Alarms.IsZero() {
		out = append(out, v.T("May alarm only")+": "+of(g.Alarms)+".")
	}
	if !g.Sees.IsZero() {
		out = append(out, v.T("May see only")+": "+of(g.Sees)+".")
	}
	return strings.Join(out, " ")
}

// Given names the roles of an account.
func (v accountsView) Given(a Account) (out []string) {
	for _, r := range Roles {
		if a.Has(r) {
			out = append(out, roleNames[r])
		}
	}
	return out
}

func (s *Server) accounts(w http.ResponseWriter, r *http.Request) {
	s.showAccounts(w, r, accountsView{page: s.page(r, "Who runs the console"), Give: As(Sender)})
}

func (s *Server) showAccounts(w http.ResponseWriter, r *http.Request, v accountsView) {
	var err error
	if v.All, err = s.Access.Accounts(r.Context(), principalOf(r.Context())); err != nil {
		s.fail(w, r, "list accounts", err)
		return
	}
	v.Places, v.Crowds = s.People.AllSites(r.Context()), s.People.AllGroups(r.Context())
	status := http.StatusOK
	if len(v.Errors) > 0 {
		v.Title, status = v.T("Error:")+" "+v.Title, http.StatusUnprocessableEntity
	}
	s.show(w, r, status, "account", "accounts", v)
}

// granted reads what somebody may do from a form.
func granted(r *http.Request) (g Grant) {
	_ = r.ParseForm() // what cannot be read is missing, and that is refused
	for _, role := range r.PostForm["role"] {
		g.Roles = append(g.Roles, Role(role))
	}
	g.Calm = r.PostForm.Get("calm") == "1"
	g.Alarms = Scope{Sites: r.PostForm["alarms.site"], Groups: r.PostForm["alarms.group"]}
	g.Sees = Scope{Sites: r.PostForm["sees.site"], Groups: r.PostForm["sees.group"]}
	return g
}

func (s *Server) inviteAccount(w http.ResponseWriter, r *http.Request) {
	v := accountsView{page: s.page(r, "Who runs the console"), Name: r.PostFormValue("name"), Login: r.PostFormValue("login"), Give: granted(r)}
	code, err := s.Access.InviteAccount(r.Context(), principalOf(r.Context()), v.Name, v.Login, v.Give)
	if v.Errors = faults(err); err != nil && len(v.Errors) == 0 {
		s.fail(w, r, "invite", err)
		return
	}
	if err == nil {
		v.Link, v.Invited = s.welcomeLink(code), v.Name
		v.Name, v.Login = "", ""
	}
	s.showAccounts(w, r, v)
}

func (s *Server) welcomeLink(code string) string {
	return strings.TrimSuffix(s.PublicURL, "/") + "/welcome/" + code
}

func (s *Server) actOnAccount(w http.ResponseWriter, r *http.Request) {
	p, id := principalOf(r.Context()), r.PathValue("id")
	switch r.PathValue("act") {
	case "role":
		s.backTo(w, r, "/accounts", "saved", s.Access.SetGrant(r.Context(), p, id, granted(r)))
	case "end":
		s.backTo(w, r, "/accounts", "access-ended", s.Access.EndAccount(r.Context(), p, id))
	case "invite":
		code, err := s.Access.InviteAgain(r.Context(), p, id)
		if err != nil {
			s.backTo(w, r, "/accounts", "", err)
			return
		}
		v := accountsView{page: s.page(r, "Who runs the console"), Give: As(Sender), Link: s.welcomeLink(code)}
		s.showAccounts(w, r, v)
	default:
		s.unknownPage(w, r)
	}
}
