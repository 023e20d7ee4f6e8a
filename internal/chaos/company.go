package chaos

import (
	"fmt"
	"strings"
)

// person is one of the sample company.
type person struct {
	number, name, mobile, manager string
	push                          bool // has a phone with notifications
}

// The canary is one of the people, whose name and number are unlike all others: where
// they turn up outside of the vault and the messages, something personal has leaked.
const (
	canaryName   = "Kanari Zqxjv"
	canaryMobile = "+6289955501234"
)

// company returns n people in a tree: one head, ten below each. Seven of ten have a
// phone with notifications, all have SMS.
func company(n int) []person {
	people := make([]person, n)
	for i := range people {
		p := person{number: fmt.Sprintf("E%05d", i+1), name: fmt.Sprintf("Sample %d", i+1), mobile: fmt.Sprintf("+62812%07d", i+1), push: i%10 < 7}
		if i > 0 {
			p.manager = fmt.Sprintf("E%05d", (i-1)/10+1)
		}
		if i == n-1 { // below everybody
			p.name, p.mobile, p.push = canaryName, canaryMobile, true
		}
		people[i] = p
	}
	return people
}

// file is the company as HR would import it.
func file(people []person) string {
	var b strings.Builder
	b.WriteString("employee_id,display_name,mobile_phone,manager_id,site,locale,active\n")
	for i, p := range people {
		fmt.Fprintf(&b, "%s,%s,%s,%s,Harbour,%s,true\n", p.number, p.name, p.mobile, p.manager, [...]string{"id-ID", "en"}[i%2])
	}
	return b.String()
}
