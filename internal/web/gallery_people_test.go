package web

import (
	"net/http"
	"testing"

	"kentongan/internal/announcement"
)

// The pages about people, sites and groups.
func init() {
	looks := func(_ testing.TB, c *company) { c.house.open = false }
	empty := func(_ testing.TB, c *company) { c.nobody = true }
	const wrong = http.StatusUnprocessableEntity
	exhibits = append(exhibits,
		exhibit{name: "people", path: "/people?only=stale"},
		exhibit{name: "people-second-page", path: "/people?offset=100"},
		exhibit{name: "people-nobody", path: "/people?q=zzz"},
		exhibit{name: "people-empty", path: "/people", set: empty},
		exhibit{name: "people-held-back", path: "/people", set: func(_ testing.TB, c *company) { c.held = true }},
		exhibit{name: "people-looks", path: "/people", set: looks},
		exhibit{name: "person", path: "/person/2210?done=saved"},
		exhibit{name: "person-away-wrong", path: "/person/2210/away", form: []string{"from=2026-12-24&to=2026-12-20&delegate=2211"}, want: http.StatusUnprocessableEntity},
		exhibit{name: "person-away-nobody", path: "/person/2210/away", form: []string{"from=2026-12-24&to=2026-12-28&delegate=0"}, want: http.StatusUnprocessableEntity},
		exhibit{name: "person-unreachable", path: "/person/2211"},
		exhibit{name: "person-left", path: "/person/2212"},
		exhibit{name: "person-looks", path: "/person/2210", set: looks},
		exhibit{name: "person-data", path: "/person/2210/data"},
		exhibit{name: "person-data-left", path: "/person/2212/data"},
		exhibit{name: "person-erase-faults", path: "/person/2212/erase", form: []string{"typed=1"}, want: wrong},
		exhibit{name: "retention", path: "/retention"},
		exhibit{name: "person-new", path: "/people/new"},
		exhibit{name: "person-new-faults", path: "/people/new", form: []string{"mobile_phone=0812"}, want: wrong},
		exhibit{name: "person-faults", path: "/person/2210", form: []string{"display_name=Agus&mobile_phone=0812&version=3"}, want: wrong},
		exhibit{name: "person-changed", path: "/person/2210", form: []string{"display_name=Agus&version=2"}, want: wrong},
		exhibit{name: "person-no-sms", path: "/person/2211/invite", form: []string{""}, want: wrong},

		exhibit{name: "import", path: "/people/import"},
		exhibit{name: "import-no-file", path: "/people/import", form: []string{"x="}, want: wrong},
		exhibit{name: "import-old", path: "/people/import/x/check", want: wrong},
		exhibit{name: "import-columns", path: "/people/import/u6/columns"},
		exhibit{name: "import-columns-twice", path: "/people/import/u6/columns", form: []string{"c0=employee_id&c1=display_name&c2=mobile_phone&c3=mobile_phone"}, want: wrong},
		exhibit{name: "import-check", path: "/people/import/u6/check"},
		exhibit{name: "import-check-500", path: "/people/import/u500/check"},
		exhibit{name: "import-check-fatal", path: "/people/import/u2/check", set: func(_ testing.TB, c *company) { c.fatal = true }},
		exhibit{name: "import-review", path: "/people/import/u6/review?skip=1"},
		exhibit{name: "import-review-typed", path: "/people/import/u0/review", form: []string{"missing=whole&typed=41"}, want: wrong},
		exhibit{name: "import-review-many-leave", path: "/people/import/u0/review", set: func(_ testing.TB, c *company) { c.leaving = 100 }},
		exhibit{name: "import-checking", path: "/people/import/u50000/check"},
		exhibit{name: "import-going", path: "/people/import/u50000/going?missing=whole"},
		exhibit{name: "import-going-refused", path: "/people/import/u0/going?missing=whole", want: wrong},
		exhibit{name: "imported", path: "/people/imports/done1"},
		exhibit{name: "imported-undone", path: "/people/imports/done0?done=import-undone"},

		exhibit{name: "sites", path: "/sites"},
		exhibit{name: "sites-none", path: "/sites", set: empty},
		exhibit{name: "sites-looks", path: "/sites", set: looks},
		exhibit{name: "site", path: "/sites/edit?id=s1"},
		exhibit{name: "site-elsewhere", path: "/sites/edit?id=s2"},
		exhibit{name: "site-new", path: "/sites/edit"},
		exhibit{name: "site-faults", path: "/sites/edit", form: []string{"name=&zone=Mars&emergency=x"}, want: wrong},
		exhibit{name: "groups", path: "/groups"},
		exhibit{name: "groups-none", path: "/groups", set: empty},
		exhibit{name: "groups-looks", path: "/groups", set: looks},
		exhibit{name: "group", path: "/groups/edit?id=g1"},
		exhibit{name: "group-by-rule", path: "/groups/edit?id=g2"},
		exhibit{name: "group-looks", path: "/groups/edit?id=g1", set: looks},
		exhibit{name: "group-faults", path: "/groups/edit", form: []string{"people=9"}, want: wrong},
		exhibit{name: "group-rule-faults", path: "/groups/edit?by=rule", form: []string{"by=rule&under=9"}, want: wrong},

		exhibit{name: "templates", path: "/templates"},
		exhibit{name: "template", path: "/templates/fire?done=draft"},
		exhibit{name: "template-first", path: "/templates/fire", set: empty},
		exhibit{name: "template-looks", path: "/templates/fire", set: looks},
		exhibit{name: "template-empty", path: "/templates/fire", form: []string{"act=save&revision=4&id.sms=&en.sms=x"}, want: wrong},
		exhibit{name: "template-too-long", path: "/templates/fire", form: []string{"act=publish&revision=4&id.sms=a…&en.sms=b…&id.title=x"}, set: func(_ testing.TB, c *company) { c.fatal = true }, want: wrong},
		exhibit{name: "template-no-phone", path: "/templates/fire", form: []string{"act=try&revision=4&id.sms=a&en.sms=b"}, want: wrong},
		exhibit{name: "readiness", path: "/readiness"},
		exhibit{name: "readiness-first-day", path: "/readiness", set: empty},
		exhibit{name: "readiness-looks", path: "/readiness", set: looks},
		exhibit{name: "stuck", path: "/stuck?done=again", set: func(_ testing.TB, c *company) { c.stuck, c.found = stuckJobs, []string{"stuck"} }},
		exhibit{name: "stuck-none", path: "/stuck"},
		exhibit{name: "stuck-no-reason", path: "/stuck/0a1b2c3d4e5f", form: []string{"act=drop"}, set: func(_ testing.TB, c *company) { c.stuck = stuckJobs }, want: http.StatusUnprocessableEntity},
		exhibit{name: "stuck-operator", path: "/stuck", as: "operator", set: func(_ testing.TB, c *company) { c.stuck, c.found = stuckJobs[:1], []string{"stuck"} }},
		exhibit{name: "home-wrong", path: "/", set: func(_ testing.TB, c *company) { c.found = []string{"emergency", "stuck"} }},
		exhibit{name: "setup", path: "/setup"},
		exhibit{name: "setup-channels", path: "/setup/channels?done=tested"},
		exhibit{name: "setup-channels-proven", path: "/setup/channels", set: func(_ testing.TB, c *company) {
			c.trials = &Trials{SMSProvider: "twilio", TwoWay: true, Proven: noon, Failing: map[announcement.Channel]string{announcement.SMS: "unauthorized"}}
		}},
		exhibit{name: "setup-channels-set", path: "/setup/channels", set: func(_ testing.TB, c *company) { c.trials = &Trials{SMSProvider: "none", TwoWay: true, Forced: true} }},
		exhibit{name: "setup-channels-looks", path: "/setup/channels", set: looks},
		exhibit{name: "setup-channels-nobody", path: "/setup/channels", form: []string{"act=sms&number="}, want: wrong},
		exhibit{name: "setup-duty", path: "/setup/duty"},
		exhibit{name: "setup-duty-none", path: "/setup/duty", set: empty},
		exhibit{name: "setup-duty-looks", path: "/setup/duty", set: looks},
		exhibit{name: "setup-duty-faults", path: "/setup/duty", form: []string{"duty=9"}, want: wrong},
	)
}
