package announcement

import (
	"slices"
	"strings"
)

// House is where facts stand that belong to no announcement.
const House ID = "house"

// Noted says that somebody did something to the house, took data out of it, or
// looked at somebody's data. Together these facts are the audit trail.
type Noted struct {
	Act   Act   `json:"act"`
	About About `json:"about,omitzero"`
}

// About says what an act was done to, by opaque references only: a name, a number,
// an endpoint or anybody's words would stay for good, because the ledger cannot be
// erased.
type About struct {
	Person       PersonID `json:"person,omitempty"`
	Announcement ID       `json:"announcement,omitempty"`
	Account      string   `json:"account,omitempty"` // of the console
	Object       string   `json:"object,omitempty"`  // the key of a template, the id of a site, a group, an import, a token
	Count        int      `json:"count,omitempty"`   // people on a list, rows of a file, tries
	Asked        []string `json:"asked,omitempty"`   // names of the filters of a list, or a reason from a list; never what was typed
	By           string   `json:"by,omitempty"`      // the way: console, api, scim, link, phone, password, passkey, sso
	Refused      bool     `json:"refused,omitempty"` // it was asked for, and nothing came of it
}

func (a About) key() [4]string {
	return [4]string{string(a.Person), string(a.Announcement), a.Account, a.Object}
}

// Opaque reports whether nothing in it can be somebody's name, number or words:
// every part is one short word of letters, digits, '-', '_' and '.'.
func (a About) Opaque() bool {
	k := a.key()
	for _, part := range append(append(k[:], a.By), a.Asked...) {
		if len(part) > 64 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return false
		}
	}
	return true
}

// Act names what was noted. The list is closed: whatever is new gets a word here,
// and words for people in the pages.
type Act string

const (
	SignedIn      Act = "signed_in"
	SignInRefused Act = "sign_in_refused"
	SignedOut     Act = "signed_out"
	SessionEnded  Act = "session_ended"

	AccountInvited  Act = "account_invited"
	AccountChanged  Act = "account_changed"
	AccountEnded    Act = "account_ended"
	RoleChanged     Act = "role_changed"
	PasswordSet     Act = "password_set"
	PasskeyAdded    Act = "passkey_added"
	PasskeyDropped  Act = "passkey_dropped"
	TokenCreated    Act = "token_created"
	TokenEnded      Act = "token_ended"
	PersonChanged   Act = "person_changed"
	PeopleLeft      Act = "people_left"
	NumberCleared   Act = "number_cleared"
	PersonInvited   Act = "person_invited"
	PhonesShutOut   Act = "phones_shut_out"
	PeopleImported  Act = "people_imported"
	ImportUndone    Act = "import_undone"
	PeopleProvision Act = "people_provisioned" // by SCIM
	SiteChanged     Act = "site_changed"
	GroupChanged    Act = "group_changed"
	DutyChanged     Act = "duty_changed"

	TemplateChanged   Act = "template_changed"
	TemplatePublished Act = "template_published"
	WentLive          Act = "went_live"
	ChannelTried      Act = "channel_tried"
	Approved          Act = "approved"
	Rejected          Act = "rejected"
	SentAlone         Act = "sent_alone" // nobody approved it in time
	TextHandled       Act = "text_handled"
	LedgerVerified    Act = "ledger_verified"

	Erased           Act = "erased"
	RetentionChanged Act = "retention_changed"
	BackupMade       Act = "backup_made"
	BackupRestored   Act = "backup_restored"
	JobTriedAgain    Act = "job_tried_again" // a delivery that was stuck
	JobDropped       Act = "job_dropped"

	PeopleExported   Act = "people_exported"
	ReportExported   Act = "report_exported"
	FaultsExported   Act = "faults_exported"
	AuditExported    Act = "audit_exported"
	EvidenceExported Act = "evidence_exported"

	PeopleListed     Act = "people_listed"
	PersonViewed     Act = "person_viewed"
	NumberShown      Act = "number_shown"
	RecipientsViewed Act = "recipients_viewed"
	TeamViewed       Act = "team_viewed"
	TextViewed       Act = "text_viewed"
	PhotoViewed      Act = "photo_viewed"
	ReportViewed     Act = "report_viewed"
	AuditViewed      Act = "audit_viewed"
)

// Acts are all of them, in the order in which a page offers them.
var Acts = []Act{
	SignedIn, SignInRefused, SignedOut, SessionEnded,
	AccountInvited, AccountChanged, AccountEnded, RoleChanged, PasswordSet, PasskeyAdded, PasskeyDropped, TokenCreated, TokenEnded,
	PersonChanged, PeopleLeft, NumberCleared, PersonInvited, PhonesShutOut, PeopleImported, ImportUndone, PeopleProvision, SiteChanged, GroupChanged, DutyChanged,
	TemplateChanged, TemplatePublished, WentLive, ChannelTried, Approved, Rejected, SentAlone, TextHandled, LedgerVerified,
	Erased, RetentionChanged, BackupMade, BackupRestored, JobTriedAgain, JobDropped,
	PeopleExported, ReportExported, FaultsExported, AuditExported, EvidenceExported,
	PeopleListed, PersonViewed, NumberShown, RecipientsViewed, TeamViewed, TextViewed, PhotoViewed, ReportViewed, AuditViewed,
}

// Valid reports whether the act is one of the list.
func (a Act) Valid() bool { return slices.Contains(Acts, a) }

// Looks reports whether somebody only looked, at somebody's data: nothing was changed,
// and nothing taken away.
func (a Act) Looks() bool {
	i := slices.Index(Acts, a)
	return i >= slices.Index(Acts, PeopleListed)
}
