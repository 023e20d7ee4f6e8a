package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// rollView is the list that a manager calls out at the assembly point. Unlike the
// team page it is in the order of names: who calls out a list wants to find a
// person, and nobody may move on it.
type rollView struct {
	teamView
	Missing []Recipient // nobody knows yet that they are well
	There   []Recipient
}

// AnswerOrg is the company, as messages name it.
func (v rollView) AnswerOrg() string { return cmp.Or(v.Org, v.House) }

func (s *Server) rollCall(w http.ResponseWriter, r *http.Request) {
	team, ok := s.teamView(w, r, "")
	if !ok {
		return
	}
	v := rollView{teamView: team}
	for _, p := range v.Recipients {
		if v.Settled(p.State) {
			v.There = append(v.There, p)
		} else {
			v.Missing = append(v.Missing, p)
		}
	}
	byName := func(a, b Recipient) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name.Name), strings.ToLower(b.Name.Name)), cmp.Compare(a.Index, b.Index))
	}
	slices.SortFunc(v.There, byName)
	slices.SortFunc(v.Missing, func(a, b Recipient) int { // a call for help is never in the middle of a list
		return cmp.Or(-cmp.Compare(helps(a), helps(b)), byName(a, b))
	})
	s.show(w, r, http.StatusOK, "roll", "roll", v)
}

func helps(r Recipient) int {
	if r.State == announcement.NeedsHelp {
		return 1
	}
	return 0
}
