package internal

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// notHere are checks that cannot be made yet: what they check is not built.
var notHere = map[int]string{
	26: "a second person who approves",
}

// TestEveryCheckHasATest looks for the checks of what people see and do, 1 to 62:
// each is a test that is named by its number.
func TestEveryCheckHasATest(t *testing.T) {
	named := map[string]string{}
	name := regexp.MustCompile(`(?:func Test|t\.Run\("|\{")Check(\d\d)[A-Z]`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range name.FindAllStringSubmatch(string(b), -1) {
			named[m[1]] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 62; n++ {
		number := fmt.Sprintf("%02d", n)
		if why, left := notHere[n]; left && named[number] != "" {
			t.Errorf("check %s is in %s; it is listed as waiting for %s", number, named[number], why)
		} else if !left && named[number] == "" {
			t.Errorf("no test is named Check%s", number)
		}
	}
}
