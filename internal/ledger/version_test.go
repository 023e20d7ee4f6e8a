package ledger

import "testing"

func TestOldServersAreRefused(t *testing.T) {
	for _, tc := range []struct {
		version string
		ok      bool
	}{
		{"2.12.3", true}, {"2.12.4-RC.1", true}, {"2.15.2", true}, {"3.0.0", true},
		{"2.12.2", false}, {"2.11.99", false}, {"1.99.9", false}, {"", false}, {"dev", false},
	} {
		if err := checkVersion(tc.version); (err == nil) != tc.ok {
			t.Errorf("version %q: got %v, want ok %v", tc.version, err, tc.ok)
		}
	}
}
