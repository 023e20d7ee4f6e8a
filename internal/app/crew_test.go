package app

import (
	"strings"
	"testing"
	"time"

	"kentongan/internal/web"
)

// device connects somebody's browser and returns its credential.
func (h *rehearsal) device(name string) string {
	h.t.Helper()
	who, _ := h.house.directory.ByNumber(name)
	code, _ := h.house.links.enrolment(who.ID, time.Now())
	device, err := h.house.desk.Enrol(h.t.Context(), code, web.Browser{Name: "Chrome, Android"})
	if err != nil {
		h.t.Fatal(err)
	}
	return device
}

// A manager holds up the enrolment board; Siti has no signal for an SMS, types
// the code that it shows, and her name ticks.
func TestManagerHelpsTheirTeamToConnect(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, budi manager:chief push, siti manager:budi, agus manager:budi push, wati manager:chief", func(h *rehearsal) {
		budi := h.device("budi")
		crew, err := h.house.desk.Crew(h.t.Context(), budi)
		if err != nil || crew.People != 2 || crew.Connected != 1 || len(crew.Members) != 2 || crew.Members[0].Name != "siti" || !crew.Members[1].Push {
			t.Fatalf("got %+v, %v, want siti to begin and agus connected", crew, err)
		}
		if crew.Members[0].Code == "" || crew.Members[1].Code != "" {
			t.Errorf("got codes %+v, want one for siti only", crew.Members)
		}
		if _, err := h.house.desk.EnterCode(h.t.Context(), "siti", crew.Members[0].Code, web.Browser{}); err != nil {
			t.Fatalf("the code does not connect: %v", err)
		}
		crew, err = h.house.desk.Crew(h.t.Context(), budi)
		if err != nil || crew.Connected != 2 || strings.Contains(crew.Members[0].Name+crew.Members[1].Name, "wati") {
			t.Errorf("got %+v, %v, want both connected and nobody of another team", crew, err)
		}
		if _, err := h.house.desk.Crew(h.t.Context(), h.device("agus")); err == nil {
			t.Error("somebody who leads nobody sees an enrolment board")
		}
	})
}
