package directory

import (
	"strings"
	"testing"
)

// Two employee numbers that differ only in case are one: which of the two is meant by
// a manager's number, nobody could say.
func TestNumbersThatDifferOnlyInCaseAreOne(t *testing.T) {
	d := open(t, newMemory())
	report, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\nk1,Siti,\nK1,Budi,\n"), ImportOptions{})
	if err != nil || len(report.Errors) == 0 || report.Errors[0].Row != 3 || !strings.Contains(report.Errors[0].Reason, "also in row 2") {
		t.Errorf("got %+v, %v, want row 3 refused", report.Errors, err)
	}
}
