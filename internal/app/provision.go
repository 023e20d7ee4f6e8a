package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/scim"
	"kentongan/internal/web"
)

// attributeOf is how SCIM calls what the directory found a fault in.
var attributeOf = map[string]string{
	"employee_id": scim.EnterpriseSchema + ":employeeNumber", "display_name": "displayName", "given_name": "name.givenName", "email": "emails",
	"mobile_phone": `phoneNumbers[type eq "mobile"].value`, "manager_id": scim.EnterpriseSchema + ":manager", "site": `addresses[type eq "work"].locality`,
	"country": `addresses[type eq "work"].country`, "timezone": "timezone", "locale": "preferredLanguage", "department": scim.EnterpriseSchema + ":department",
	"job_title": "title", "active": "active", "user_name": "userName", "external_id": "externalId", "name": "displayName", "people": "members",
}

// provisioned tells an identity provider what went wrong.
func provisioned(kind scim.Kind, err error) error {
	var bad announcement.FieldErrors
	var said *scim.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return said
	case errors.Is(err, directory.ErrUnknown), errors.Is(err, web.ErrNotFound):
		return scim.NotFound(kind)
	case errors.Is(err, directory.ErrManyLeave):
		return &scim.Error{Status: http.StatusConflict, Detail: "More than one in twenty people would have left within the hour. Somebody who may send alerts has to allow it on the page People; then try again."}
	case errors.As(err, &bad):
		if errors.Is(err, directory.ErrTaken) {
			return scim.Taken(attributeOf[bad[0].Field])
		}
		out := scim.InvalidValue(attributeOf[bad[0].Field], bad[0].Why)
		for _, b := range bad[1:] {
			out.Detail += "; " + attributeOf[b.Field] + ": " + b.Why
		}
		return out
	}
	return fmt.Errorf("%w: %w", web.ErrNotYet, err)
}

// meta is what the server says about a resource.
func (p *people) meta(kind scim.Kind, id string, version int64, created, changed time.Time) map[string]any {
	m := map[string]any{"resourceType": string(kind), "location": p.scimAddress(kind, id), "version": fmt.Sprintf(`W/"%d"`, version)}
	for name, at := range map[string]time.Time{"created": created, "lastModified": changed} {
		if !at.IsZero() {
			m[name] = at.Format(time.RFC3339Nano)
		}
	}
	return m
}

func (p *people) scimAddress(kind scim.Kind, id string) string {
	return p.desk.config.PublicURL + "/scim/v2/" + string(kind) + "s/" + id
}

// userDocument shows a person as a resource.
func (p *people) userDocument(a directory.Provisioned) scim.Document {
	name := map[string]any{"formatted": a.Name}
	if a.Given != "" {
		name["givenName"] = a.Given
		if rest, ok := strings.CutPrefix(a.Name, a.Given+" "); ok {
			name["familyName"] = rest
		}
	}
	work := map[string]any{"employeeNumber": a.Number}
	if a.Division != "" {
		work["division"] = a.Division
	}
	if a.Department != "" && a.Department != a.Division {
		work["department"] = a.Department
	}
	if a.ManagerID != "" {
		work["manager"] = map[string]any{"value": string(a.ManagerID), "$ref": p.scimAddress(scim.User, string(a.ManagerID)), "displayName": a.ManagerName}
	}
	d := scim.Document{
		"schemas": []string{scim.UserSchema, scim.EnterpriseSchema}, "id": string(a.ID), "userName": a.UserName, "name": name, "displayName": a.Name,
		"active": a.Active, "preferredLanguage": string(a.Language), scim.EnterpriseSchema: work,
		"meta": p.meta(scim.User, string(a.ID), a.Version, a.Created, a.Changed),
	}
	for attribute, value := range map[string]string{"externalId": a.ExternalID, "title": a.Title, "timezone": a.Zone} {
		if value != "" {
			d[attribute] = value
		}
	}
	if a.Email != "" {
		d["emails"] = []any{map[string]any{"value": a.Email, "type": "work", "primary": true}}
	}
	if a.Mobile != "" {
		d["phoneNumbers"] = []any{map[string]any{"value": a.Mobile, "type": "mobile", "primary": true}}
	}
	where := map[string]any{"type": "work", "primary": true}
	for part, value := range map[string]string{"locality": a.Site, "country": a.Country} {
		if value != "" {
			where[part] = value
		}
	}
	if a.Site != "" || a.Country != "" {
		d["addresses"] = []any{where}
	}
	return d
}

// said returns which of several attributes for one thing counts: the first that
// was changed, else the first that is there.
func said(before, after []string) string {
	for i, now := range after {
		if now != "" && now != before[i] {
			return now
		}
	}
	return cmp.Or(after...)
}

// wordsOf reads from a resource what the directory keeps, by column; several
// attributes for one thing in the order in which they count.
func wordsOf(d scim.Document) map[string][]string {
	ext := func(part ...string) string { return d.Text(append([]string{scim.EnterpriseSchema}, part...)...) }
	return map[string][]string{
		"email": {email(d)}, "mobile_phone": {d.Typed("phoneNumbers", "mobile", "value")}, "site": {d.Typed("addresses", "work", "locality")}, "country": {d.Typed("addresses", "work", "country")},
		"timezone": {d.Text("timezone")}, "locale": {firstLanguage(d.Text("preferredLanguage")), firstLanguage(d.Text("locale"))},
		"department": {cmp.Or(ext("department"), ext("division"))}, "job_title": {d.Text("title")}, "active": {fmt.Sprint(d.Bool("active", true))},
		"employee_id": {ext("employeeNumber")},
	}
}

// email returns the primary address, else that of work, else the first.
func email(d scim.Document) string {
	best, rank := "", 0
	for _, v := range d.Values("emails") {
		r := 1
		if t, _ := v["type"].(string); strings.EqualFold(t, "work") {
			r = 2
		}
		if v["primary"] == true {
			r = 3
		}
		if s, _ := v["value"].(string); s != "" && r > rank {
			best, rank = s, r
		}
	}
	return best
}

// firstLanguage takes the language that is liked most: preferredLanguage has the
// form of the header Accept-Language.
func firstLanguage(s string) string {
	s, _, _ = strings.Cut(s, ",")
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}

// callThem puts into values what somebody is called. Whoever has one word for a
// name is called by it. composed says that the name was made of its parts so far;
// it returns whether it is now.
func callThem(values map[string]string, before, after scim.Document, composed bool) bool {
	parts := func(d scim.Document) (given, family, both string) {
		given, family = d.Text("name", "givenName"), d.Text("name", "familyName")
		return given, family, strings.TrimSpace(given + " " + family)
	}
	wasGiven, wasFamily, was := parts(before)
	given, family, both := parts(after)
	old := before.Text("displayName")
	name := said([]string{old, before.Text("name", "formatted")}, []string{after.Text("displayName"), after.Text("name", "formatted")})
	switch {
	case name == "":
		name, composed = both, true
	case name != old:
		composed = false
	case both != was && (composed || family != wasFamily && was == old):
		name, composed = both, true
	}
	values["display_name"] = name
	if given != wasGiven || name == old || strings.Contains(name, given) {
		values["given_name"] = given
	}
	return composed
}

// wanted reads what an identity provider wants a person to be, who is as account
// says so far.
func (p *people) wanted(account directory.Account, before, after scim.Document) (directory.Wanted, error) {
	w := directory.Wanted{Values: map[string]string{}, Account: directory.Account{UserName: after.Text("userName"), ExternalID: after.Text("externalId"),
		Division: after.Text(scim.EnterpriseSchema, "division")}}
	then := wordsOf(before)
	if len(before) == 0 {
		then["active"] = []string{"true"}
	}
	for column, now := range wordsOf(after) {
		is := said(then[column], now)
		if column == "country" && is != "" {
			if _, ok := directory.Country(is); !ok {
				continue // providers send names of countries; only a code decides anything
			}
		}
		if is != cmp.Or(then[column]...) {
			w.Values[column] = is
		}
	}
	if _, told := after["active"].(bool); !told {
		delete(w.Values, "active") // nobody comes back because nothing is said
	}
	w.Account.Composed = callThem(w.Values, before, after, account.Composed)
	if len(before) == 0 {
		w.Values["employee_id"] = cmp.Or(w.Values["employee_id"], w.Account.UserName)
	} else if w.Values["employee_id"] == "" {
		delete(w.Values, "employee_id") // nobody is without a number
	}
	boss := after.Text(scim.EnterpriseSchema, "manager", "value")
	if boss == before.Text(scim.EnterpriseSchema, "manager", "value") {
		return w, nil
	}
	w.Values["manager_id"] = ""
	if boss != "" {
		m, ok := p.directory.Account(announcement.PersonID(boss))
		if !ok {
			return w, scim.InvalidValue(attributeOf["manager_id"], "no User has this id yet; send it again once the manager is there")
		}
		w.Values["manager_id"] = m.Number
	}
	return w, nil
}

// groupDocument shows a group as a resource.
func (p *people) groupDocument(g directory.Group) scim.Document {
	d := scim.Document{"schemas": []string{scim.GroupSchema}, "id": g.ID, "displayName": g.Name, "meta": p.meta(scim.Group, g.ID, g.Version, g.Created, g.Changed)}
	if g.External != "" {
		d["externalId"] = g.External
	}
	members := make([]any, 0, len(g.People))
	for _, id := range g.People {
		if who, ok := p.directory.Account(id); ok { // whoever the provider deleted is nobody to it
			members = append(members, map[string]any{"value": string(id), "$ref": p.scimAddress(scim.User, string(id)), "display": who.Name})
		}
	}
	if len(members) > 0 {
		d["members"] = members
	}
	return d
}

// groupOf reads a group from a resource.
func groupOf(id string, d scim.Document) directory.Group {
	g := directory.Group{ID: id, Name: d.Text("displayName"), External: d.Text("externalId")}
	seen := map[announcement.PersonID]bool{}
	for _, m := range d.Values("members") {
		s, _ := m["value"].(string)
		if who := announcement.PersonID(s); !seen[who] {
			seen[who] = true
			g.People = append(g.People, who)
		}
	}
	return g
}

// Resources lists people, or groups of named people. Groups by a rule are nobody's
// to fill.
func (p *people) Resources(_ context.Context, kind scim.Kind, q scim.Query) (int, []scim.Document, error) {
	var page []scim.Document
	if kind == scim.Group {
		total := 0
		for _, g := range p.directory.NamedGroups() {
			d := p.groupDocument(g)
			if !q.Filter.Match(d) {
				continue
			}
			if total >= q.From && len(page) < q.Limit {
				page = append(page, d)
			}
			total++
		}
		return total, page, nil
	}
	var hint directory.Hint
	for attribute, to := range map[string]*string{"userName": &hint.UserName, "externalId": &hint.ExternalID, scim.EnterpriseSchema + ":employeeNumber": &hint.Number} {
		*to, _ = q.Filter.Equal(attribute)
	}
	if id, ok := q.Filter.Equal("id"); ok {
		hint.ID = announcement.PersonID(id)
	}
	var keep func(directory.Provisioned) bool
	if q.Filter != nil {
		keep = func(a directory.Provisioned) bool { return q.Filter.Match(p.userDocument(a)) }
	}
	total, found := p.directory.Accounts(hint, keep, q.From, q.Limit)
	for _, a := range found {
		page = append(page, p.userDocument(a))
	}
	return total, page, nil
}

// Resource returns a person or a group.
func (p *people) Resource(_ context.Context, kind scim.Kind, id string) (scim.Document, error) {
	if kind == scim.User {
		if a, ok := p.directory.Account(announcement.PersonID(id)); ok {
			return p.userDocument(a), nil
		}
	} else if g, ok := p.directory.NamedGroup(id); ok {
		return p.groupDocument(g), nil
	}
	return nil, scim.NotFound(kind)
}

func mayProvision(who web.Principal) error {
	if !who.May(web.Provision) {
		return web.ErrForbidden
	}
	return nil
}

// AddResource makes a person or a group.
func (p *people) AddResource(ctx context.Context, who web.Principal, kind scim.Kind, d scim.Document) (scim.Document, error) {
	if err := mayProvision(who); err != nil {
		return nil, err
	}
	id, err := p.store(ctx, kind, "", 0, scim.Document{}, d)
	if err != nil {
		return nil, err
	}
	return p.Resource(ctx, kind, id)
}

// store stores what a resource is to become.
func (p *people) store(ctx context.Context, kind scim.Kind, id string, version int64, before, after scim.Document) (string, error) {
	if kind == scim.Group {
		id, err := p.directory.ProvisionGroup(ctx, groupOf(id, after), version)
		return id, keepChanged(kind, err)
	}
	known, _ := p.directory.Account(announcement.PersonID(id))
	w, err := p.wanted(known.Account, before, after)
	if err != nil {
		return "", err
	}
	made, err := p.directory.Provision(ctx, announcement.PersonID(id), w, version, p.sample)
	p.uploads.forgetChecks()
	return string(made), keepChanged(kind, err)
}

// keepChanged leaves the one error alone after which it is tried again.
func keepChanged(kind scim.Kind, err error) error {
	if errors.Is(err, directory.ErrChanged) {
		return err
	}
	return provisioned(kind, err)
}

// versionOf reads the version back out of an entity tag.
func versionOf(d scim.Document) (n int64) {
	_, _ = fmt.Sscanf(d.Version(), `W/"%d"`, &n)
	return n
}

// ChangeResource changes a person or a group.
func (p *people) ChangeResource(ctx context.Context, who web.Principal, kind scim.Kind, id string, current func(string) bool, change func(scim.Document) (scim.Document, error)) (scim.Document, error) {
	if err := mayProvision(who); err != nil {
		return nil, err
	}
	p.provisioning.Lock() // members of one group come one by one, and many at once
	defer p.provisioning.Unlock()
	const tries = 10 // another node, or somebody at the console
	for range tries {
		before, err := p.Resource(ctx, kind, id)
		if err != nil {
			return nil, err
		}
		if !current(before.Version()) {
			return nil, scim.Stale()
		}
		after, err := change(before)
		if err != nil {
			return nil, err
		}
		_, err = p.store(ctx, kind, id, versionOf(before), before, after)
		if err == nil {
			return p.Resource(ctx, kind, id)
		}
		if !errors.Is(err, directory.ErrChanged) {
			return nil, err
		}
	}
	return nil, web.ErrNotYet
}

// RemoveResource takes somebody out for good, or forgets a group.
func (p *people) RemoveResource(ctx context.Context, who web.Principal, kind scim.Kind, id string, current func(string) bool) error {
	if err := mayProvision(who); err != nil {
		return err
	}
	d, err := p.Resource(ctx, kind, id)
	switch {
	case err != nil:
		return err
	case !current(d.Version()):
		return scim.Stale()
	case kind == scim.Group:
		return provisioned(kind, p.directory.DeleteGroup(ctx, id))
	}
	err = p.directory.Remove(ctx, announcement.PersonID(id), versionOf(d))
	p.uploads.forgetChecks()
	if errors.Is(err, directory.ErrChanged) {
		return scim.Stale()
	}
	return provisioned(kind, err)
}

// HeldBack says whom the identity provider may not take out.
func (p *people) HeldBack(_ context.Context, by web.Principal) web.HeldBack {
	since, who := p.directory.HeldBack()
	out := web.HeldBack{Since: since}
	reach := p.desk.boards(by.Grant)
	for _, h := range who {
		if !reach.seesPerson(h.ID) {
			continue
		}
		out.People = append(out.People, web.Name{Number: h.Number, Name: h.Name, Team: h.Department})
	}
	return out
}

// LetLeave allows it.
func (p *people) LetLeave(ctx context.Context, who web.Principal) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	return saved(p.directory.LetLeave(ctx, string(who.Actor)))
}
