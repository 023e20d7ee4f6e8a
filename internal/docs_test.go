package internal

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test was renamed or removed is no promise any more.
func TestPagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"ARCHITECTURE.md", "deploy/faults.md"} {
		page, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllSubmatch(page, -1)
		if len(names) < 30 {
			t.Errorf("%s names %d tests, want one or more per promise", file, len(names))
		}
		for _, m := range names {
			if !there[string(m[1])] {
				t.Errorf("%s names %s, which does not exist", file, m[1])
			}
		}
	}
}

// A newcomer types what the README says.
func TestReadmeNamesWhatExists(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\bmake ([a-z]+) {2,}#|`+"`make ([a-z]+)`").FindAllStringSubmatch(string(page), -1) {
		if target := m[1] + m[2]; !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("README.md says make %s, which does not exist", target)
		}
	}
	for _, m := range regexp.MustCompile(`(?:deploy|templates)/[\w./-]*\w`).FindAllString(string(page), -1) {
		if m == "deploy/.env" { // made by the operator
			continue
		}
		if _, err := os.Stat("../" + m); err != nil {
			t.Errorf("README.md names %s: %v", m, err)
		}
	}
}
