package web

import "slices"

// Right is one thing that somebody may do. Code asks for rights, never for roles.
type Right string

const (
	See               Right = "see"                // what was announced, and who has answered
	Call              Right = "call"               // numbers and people's own words: for whoever calls and helps them
	Announce          Right = "announce"           // write, send, and act on what is open
	AnnounceEmergency Right = "announce emergency" // … also what wakes people
	Approve           Right = "approve"            // let somebody else's announcement go out
	Keep              Right = "keep"               // people, sites, groups, prepared texts
	Administer        Right = "administer"         // let others in, take data away for good
	Audit             Right = "audit"              // who did and looked at what
	Operate           Right = "operate"            // how the installation runs, and its tests
	Provision         Right = "provision"          // say by SCIM who works here
)

// Role is a bundle of rights that an administrator gives. Somebody may have
// several. Whoever leads people needs none: that follows from the reporting lines.
type Role string

const (
	Administrator Role = "administrator"
	Sender        Role = "sender"
	Approver      Role = "approver"
	Auditor       Role = "auditor"
	Operator      Role = "operator"
	Viewer        Role = "viewer"      // a wallboard, a script that counts
	Provisioner   Role = "provisioner" // an identity provider's token; nobody signs in with it
)

// Roles are those that an account can have, in the order in which they are offered.
var Roles = []Role{Sender, Approver, Administrator, Auditor, Operator, Viewer}

var rightsOf = map[Role][]Right{
	Administrator: {See, Keep, Administer, Audit, Operate, Provision},
	Sender:        {See, Call, Announce, AnnounceEmergency, Keep, Provision},
	Approver:      {See, Approve},
	Auditor:       {See, Audit},
	Operator:      {Operate},
	Viewer:        {See},
	Provisioner:   {Provision},
}

// Gives reports whether somebody of this role has one of the rights. A role that
// is not known gives none.
func (r Role) Gives(rights ...Right) bool {
	return slices.ContainsFunc(rights, func(one Right) bool { return slices.Contains(rightsOf[r], one) })
}

// Grant is what an administrator gives somebody: roles, and where they hold.
type Grant struct {
	Roles  []Role `json:"roles"`
	Calm   bool   `json:"calm,omitempty"`  // a sender of notices only, who wakes nobody
	Alarms Scope  `json:"alarms,omitzero"` // whom they may announce to
	Sees   Scope  `json:"sees,omitzero"`   // of whom they may see how they are
}

// Scope is some of the people. The zero Scope is everybody.
type Scope struct {
	Sites  []string `json:"sites,omitempty"`  // by name
	Groups []string `json:"groups,omitempty"` // by id
}

// IsZero reports whether the scope is everybody.
func (s Scope) IsZero() bool { return len(s.Sites)+len(s.Groups) == 0 }

// As is a grant of roles that holds everywhere.
func As(roles ...Role) Grant { return Grant{Roles: roles} }

// May reports whether one of the rights is given. A sender of some people only
// does not keep the data of all.
func (g Grant) May(rights ...Right) bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool {
		rights := rights
		if g.Calm {
			rights = slices.DeleteFunc(slices.Clone(rights), func(one Right) bool { return one == AnnounceEmergency })
		}
		if r == Sender && (!g.Alarms.IsZero() || !g.Sees.IsZero()) {
			rights = slices.DeleteFunc(slices.Clone(rights), func(one Right) bool { return one == Keep || one == Provision })
		}
		return r.Gives(rights...)
	})
}

// Covers reports whether everything that o shows may be shown to the holder of g.
func (g Grant) Covers(o Grant) bool {
	return (g.May(Call) || !o.May(Call)) && (g.Sees.IsZero() || slices.Equal(g.Sees.Sites, o.Sees.Sites) && slices.Equal(g.Sees.Groups, o.Sees.Groups))
}

// Enters reports whether the console and the API are for its holder at all.
func (g Grant) Enters() bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool { return r != Provisioner && len(rightsOf[r]) > 0 })
}

// Has reports whether a role is among those given.
func (g Grant) Has(r Role) bool { return slices.Contains(g.Roles, r) }
