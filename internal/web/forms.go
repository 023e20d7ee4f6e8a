package web

import (
	"fmt"
	"html/template"
	"strings"

	"kentongan/internal/announcement"
)

// notices say what has just been done, after the redirect that ended a form.
var notices = map[string]string{
	"again": "It is tried again.", "dropped": "It was dropped.",
	// of an employee's own phone
	"arrived":    "Good: alerts reach this phone.",
	"saved":      "Saved.",
	"place-gone": "The place was erased.",
	"erased":     "The person was erased.",
	"code-sent":  "A code is on its way to the new number.",
	"number":     "Your new number is saved.",
	"removed":    "The device is removed.",
	"signed-out": "This phone is disconnected.",

	// of the console and the team page
	"decided-before":  "It was decided already.",
	"sent-already":    "Too late to cancel: it has gone out. If it was a mistake, press Correct: sent in error.",
	"reminded":        "Everybody without an answer is being called again.",
	"reminded-before": "They were called again a moment ago. Nobody is called twice within two minutes.",
	"closed-before":   "It was closed already, and nothing was sent now. Below stands how it ended.",
	"nobody":          "Everybody has answered: nobody is called again.",
	"claimed":         "The others now see who handles this.",
	"resolved":        "Recorded as resolved.",
	"marked":          "Recorded.",
	"marked-help":     "Recorded. Whoever asked for help themselves still counts so, until they answer that they are safe.",
	"resent":          "The SMS is on its way again to those for whom it failed.",
	"resent-before":   "It was sent again a moment ago. Nobody is called twice within two minutes.",
	"none-failed":     "There is nobody left whom another SMS could help.",
	"no-step":         "There is no further step: nobody else was called.",
	"escalated":       "The next step is taken: they are being called now.",
	"updated":         "The update is on its way to everybody who was called.",
	"revised":         "The new version is on its way: everybody is asked again.",
	"typo-corrected":  "The text is corrected. Nobody was called.",
	"corrected":       "Everybody who was called is being told that it was sent in error.",
	"cleared":         "All clear: everybody who was called is being told.",
	"cleared-on":      "All clear: everybody who was called is being told. Those without an answer are asked on.",
	"called":          "They are being called again.",
	"too-soon":        "They were called again less than 5 minutes ago.",
	"called-one":      "They are being called again on every channel.",
	"too-soon-one":    "This person was called again less than 5 minutes ago.",
	"handled":         "Marked as handled.",
	"assigned":        "The text now stands under their name. Call them, then mark it as handled.",
	"filed":           "The text is filed here. If it says how they are, mark them below.",
	"undone":          "The mark is taken back.",
	"too-late":        "This mark can no longer be taken back. Mark them again as they are.",
	"deleted":         "Deleted.",
	"draft-saved":     "Saved as a draft. Nothing was sent.",
	"ended":           "Ended: nobody can use it any more.",
	"access-ended":    "Their access has ended, on every device.",
	"last-way":        "This stays: without it nobody could sign in any more. Add another first.",
	"draft":           "The draft is saved. What is sent has not changed.",
	"published":       "Published. These words are sent from now on.",
	"restored":        "It is the draft now. What is sent has not changed.",
	"live":            "The house is live: what you send now reaches everybody.",
	"tested":          "The test is on its way. Look at the phone.",
	"reply-asked":     "The question is on its way. Reply 1 from that phone.",
	"locked":          "Texts no longer ask for replies.",
	"shutout":         "Every phone of theirs is disconnected. Send them the link to join anew.",
	"invited":         "The link is on its way. It counts for 14 days.",
	"import-undone":   "The import was undone. Everybody is as before.",
	"unchanged":       "The file says nothing new. Nothing was changed.",
}

// fieldNames say what a field of a form is called on the page.
var fieldNames = map[string]string{
	"audience": "People", "sites": "Sites", "departments": "Departments", "under": "Managers and all their people", "people": "Named people",
	"except": "Not these", "title": "Title", "body": "Text", "text": "Text", "sms": "In the SMS", "severity": "How serious?", "answers": "Question",
	"duty": "Duty list", "number": "Employee number", "groups": "Groups", "name": "Name", "login": "Login", "password": "Password", "assembly": "Assembly points", "zone": "Time zone", "emergency": "Emergency number",
}

// Anchor is the id of the field that an error is about: "audience.people[0]" is
// about the field of named people.
func (p page) Anchor(field string) string {
	field, _, _ = strings.Cut(field, "[")
	parts := strings.Split(field, ".")
	switch parts[0] {
	case "draft": // about the form as a whole
		return "main"
	case "fields":
		return "f." + parts[len(parts)-1]
	case "text":
		if len(parts) == 3 {
			return parts[2] + "." + parts[1]
		}
	case "audience":
		return map[string]string{"audience": "all", "sites": "site", "departments": "department", "groups": "group", "under": "under", "people": "people", "except": "except"}[parts[min(1, len(parts)-1)]]
	}
	return field
}

// FaultOf is one line of the summary of errors: which field, what stood there,
// and what is wrong with it.
func (p page) FaultOf(f *announcement.FieldError) string {
	why := p.Say(f.Why)
	if strings.HasSuffix(f.Why, ".") { // a sentence that needs no more
		return why
	}
	if f.Value != "" {
		why = "“" + f.Value + "” " + why
	}
	field, _, _ := strings.Cut(f.Field, "[")
	parts := strings.Split(field, ".")
	name := parts[len(parts)-1]
	if len(parts) > 1 && parts[1] == "except" {
		name = "except"
	}
	if words, ok := fieldWords[name]; ok && parts[0] == "fields" {
		return p.T(words[0]) + ": " + why
	}
	if word, ok := fieldNames[name]; ok {
		return p.T(word) + ": " + why
	}
	if word, ok := columnNames[name]; ok {
		return p.T(word) + ": " + why
	}
	return why
}

// H is T for a sentence whose blanks hold HTML.
func (p page) H(english string, args ...any) template.HTML {
	return template.HTML(fmt.Sprintf(template.HTMLEscapeString(p.sentence(english, args)), args...)) // #nosec G203 -- the sentence is escaped, the blanks are made by Num and N
}

// Slot is a word that a script fills in.
func (p page) Slot(key string) template.HTML {
	return template.HTML(`<span class="num" data-slot="` + template.HTMLEscapeString(key) + `"></span>`) // #nosec G203
}

// Num is a number that a script keeps up to date.
func (p page) Num(key string, n int) template.HTML {
	return p.Kept(key, p.N(n))
}

// Kept is a word that a script keeps up to date.
func (p page) Kept(key, word string) template.HTML {
	return template.HTML(`<span class="num" data-n="` + template.HTMLEscapeString(key) + `">` + template.HTMLEscapeString(word) + `</span>`) // #nosec G203
}
