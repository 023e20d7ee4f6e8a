// Command once runs every test once: under the race detector what runs in one process,
// and without it what -short leaves out there, which starts processes or a browser, or
// lives through many hours, and would only be slower. What neither ran is named with its
// reason; on CI that is a failure, unless it is no test but a tool that make starts by
// its name.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	packages := os.Args[1:]
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	detector := []string{"-race", "-short"}
	if !canRace() {
		if os.Getenv("CI") != "" {
			fail(errors.New("no C compiler, so no race detector: install gcc"))
		}
		fmt.Println("NOT UNDER THE RACE DETECTOR: it needs a C compiler (apt-get install gcc)")
		detector = detector[1:]
	}
	first, err := run(append(detector, packages...)...)
	if err != nil {
		fail(err)
	}
	var never []string
	for _, pkg := range slices.Sorted(maps.Keys(first)) {
		var left []string // by the name of the whole, where -short leaves out a part
		for test, end := range first[pkg] {
			if end.action == "skip" {
				whole, _, _ := strings.Cut(test, "/")
				left = append(left, whole)
			}
		}
		if len(left) == 0 {
			continue
		}
		slices.Sort(left)
		left = slices.Compact(left)
		// One package after the other: two browsers on two cores wait for each other. Of
		// one package more at once than there are cores, since most of these wait.
		second, err := run("-parallel", "4", "-run", "^("+strings.Join(left, "|")+")$", pkg)
		if err != nil {
			fail(err)
		}
		for _, test := range left {
			if _, ran := second[pkg][test]; !ran {
				fail(fmt.Errorf("%s: %s was left out, and then not found", pkg, test))
			}
		}
		for test, end := range second[pkg] {
			if end.action == "skip" && !strings.Contains(end.said, onlyFor) {
				never = append(never, pkg+" "+test+": "+end.said)
			}
		}
	}
	slices.Sort(never)
	for _, test := range never {
		fmt.Println("not run:", test)
	}
	if len(never) > 0 && os.Getenv("CI") != "" {
		fail(fmt.Errorf("%d tests were not run", len(never)))
	}
}

// onlyFor is what a test says that makes something when it is asked for.
const onlyFor = "only for make "

// canRace reports whether there is what the race detector needs beside Go.
func canRace() bool {
	out, err := exec.Command("go", "env", "CC", "CGO_ENABLED").Output()
	if err != nil {
		fail(fmt.Errorf("go env: %w", err))
	}
	said := strings.Fields(string(out))
	if len(said) < 2 || said[len(said)-1] != "1" {
		return false
	}
	_, err = exec.LookPath(said[0])
	return err == nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output, ImportPath string }

// ending is how a test ended, and the last that it said before.
type ending struct{ action, said string }

// run tests, prints what go test prints without -v, and returns how each test ended, by
// package.
func run(args ...string) (map[string]map[string]ending, error) {
	args = append([]string{"test", "-json", "-shuffle=on", "-count=1", "-timeout", "20m"}, args...)
	fmt.Println("go", strings.Join(args, " "))
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ends, said := map[string]map[string]ending{}, map[string][]string{}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Print(string(line))
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			said[key] = append(said[key], e.Output)
		case "build-output":
			fmt.Print(e.Output)
		case "fail":
			fmt.Print(strings.Join(said[key], ""))
			delete(said, key)
		case "pass", "skip":
			if ends[e.Package] == nil {
				ends[e.Package] = map[string]ending{}
			}
			if e.Test != "" {
				ends[e.Package][e.Test] = ending{e.Action, reason(said[key])}
			} else if n := len(said[key]); n > 0 {
				fmt.Print(said[key][n-1]) // ok, and how long it took
			}
			delete(said, key)
		}
	}
	if err := cmd.Wait(); err != nil {
		for _, key := range slices.Sorted(maps.Keys(said)) { // of tests that had no end of their own
			fmt.Print(strings.Join(said[key], ""))
		}
		return nil, fmt.Errorf("go test: %w", err)
	}
	return ends, nil
}

// reason is what a test said last, without go test's own line about its end.
func reason(said []string) string {
	for _, line := range slices.Backward(said) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "---") && line != "" {
			return line
		}
	}
	return ""
}
