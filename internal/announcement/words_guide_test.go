package announcement_test

import (
	"regexp"
	"strings"
	"testing"
)

// elsewhere finds a line that points at something around it.
var elsewhere = regexp.MustCompile(`(?i)\b(answer|press|tap|jawab|tekan|ketuk)[^.]* (below|above|here|di bawah|di atas|di sini)\b|\{`)

// TestGuidesStandAlone: a guide is read without the page of an alert around it, so
// no line of it points at an answer that is not there, or has a blank left.
func TestGuidesStandAlone(t *testing.T) {
	c := catalogue(t)
	for _, lang := range langs {
		guides := c.Guides(lang, "")
		if len(guides) == 0 {
			t.Errorf("no guides in %s", lang)
		}
		for _, g := range guides {
			text := strings.Join(append(g.Do, g.Action, g.Dont), "\n")
			if found := elsewhere.FindString(text); found != "" {
				t.Errorf("%s %s says %q", lang, g.Key, found)
			}
		}
	}
}
