package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const asCommand = "RUN_AS_KENTONGAN"

// TestMain lets this test binary be the command, so that what is tried is what
// people type, exit codes included.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// shell is one operator's terminal: a folder and an environment.
type shell struct {
	t   *testing.T
	env []string
}

func (s shell) with(env ...string) shell {
	return shell{s.t, append(s.env[:len(s.env):len(s.env)], env...)}
}

func (s shell) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append([]string{asCommand + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir()}, s.env...)
	return c
}

// run returns what a command says and how it ends.
func (s shell) run(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	c := s.command(ctx, args...)
	var out, bad bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &bad
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("kentongan %q: %v", args, err)
	}
	return out.String(), bad.String(), c.ProcessState.ExitCode()
}

// says runs a command that must succeed and whose output holds want.
func (s shell) says(want string, args ...string) string {
	s.t.Helper()
	return s.reads("", want, args...)
}

func (s shell) reads(stdin, want string, args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.run(stdin, args...)
	if code != 0 || !strings.Contains(stdout, want) {
		s.t.Errorf("kentongan %q: exit %d\n%s%s\nwant %q", args, code, stdout, stderr, want)
	}
	return stdout
}

// fails runs a command that must fail with a cause and a hint.
func (s shell) fails(cause, hint string, args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.run("", args...)
	if code != 1 || !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr, cause) || !strings.Contains(stderr, "\nhint: ") || !strings.Contains(stderr, hint) {
		s.t.Errorf("kentongan %q: exit %d\n%s%s\nwant the error %q and the hint %q", args, code, stdout, stderr, cause, hint)
	}
	return stdout
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve starts the sandbox and returns what stops it.
func (s shell) serve(url string) (stop func()) {
	s.t.Helper()
	server := s.command(context.Background(), "serve", "--sandbox")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	stop = func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("serve ended with %v:\n%s", err, log.String())
			}
		case <-time.After(30 * time.Second):
			_ = server.Process.Kill()
			<-ended
			s.t.Errorf("serve did not stop:\n%s", log.String())
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(url + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return stop
			}
		}
		if time.Now().After(deadline) {
			stop()
			s.t.Fatalf("not ready:\n%s", log.String())
		}
	}
}

const ownText = `{"mode": "live", "severity": "extreme", "answers": "safety",
 "text": {"en": {"title": "Fire in hall 3", "body": "Leave by the east gate."}},
 "audience": {"people": ["E100073", "E100879"]}}`

// Every command, as it is used on a first day.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the program as a process of its own: nothing that a race detector sees")
	}
	address, data := freeAddress(t), t.TempDir()
	url := "http://" + address
	house := shell{t, []string{"KENTONGAN_DATA=" + data, "KENTONGAN_LISTEN=" + address, "KENTONGAN_SANDBOX_LISTEN=" + freeAddress(t), "KENTONGAN_BOOTSTRAP_TOKEN=0123456789abcdef"}}
	stop := house.serve(url)
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	boss := shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url, "KENTONGAN_BOOTSTRAP_TOKEN=0123456789abcdef", "KENTONGAN_DATA=" + data}}

	boss.says("kentongan dev", "version")
	boss.says("nothing has been announced yet", "status")

	const people = "../../internal/directory/testdata/people-1000.csv"
	boss.says("0 added, 0 changed, 1000 unchanged", "people", "import", "--dry-run", people)
	boss.says("0 added, 0 changed, 1000 unchanged", "people", "import", people)
	boss.says("0 added, 0 changed, 1000 unchanged", "people", "import", "../../internal/directory/testdata/people-1000-excel.csv")
	bad := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(bad, []byte("employee_id;nama;no hp;atasan\nB1;;08123;\nB2;Ana;08xx;B2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	table := boss.fails("nothing was imported; faults: 4", "mend these cells", "people", "import", bad)
	for _, line := range []string{`2 +nama +"" `, `2 +no hp +"08123" `, `3 +no hp +"08xx" `, `3 +atasan +"B2" `} {
		if !regexp.MustCompile(line).MatchString(table) {
			t.Errorf("got\n%s\nwant a line with %s", table, line)
		}
	}

	drill := []string{"announce", "--mode", "drill", "--template", "fire", "--field", "site=Bandung Plant", "--field", "muster=Gate 2", "--site", "Bandung Plant", "--key", "morning"}
	first := boss.says("DRILL  open  DRILL fire: Bandung Plant", drill...)
	if again := boss.says("DRILL  open", drill...); id(again) != id(first) {
		t.Errorf("the same key announced twice: %s and %s", id(first), id(again))
	}
	boss.fails("was used for other text", "another --key", append(drill, "--field", "muster=Gate 3")...)
	boss.fails("fields.muster: is missing", "--field NAME=VALUE", "announce", "--mode", "drill", "--template", "fire", "--all", "--field", "site=X")
	boss.fails(`sites[0] "Nowhere, far away": no active person has this site`, "nothing was sent", "announce", "--mode", "drill", "--template", "fire", "--field", "site=X; Y", "--field", "muster=Z", "--site", "Nowhere, far away")
	live := boss.reads(ownText, "2 people:", "announce", "--file", "-")
	boss.says("LIVE  open  Fire in hall 3", "status")
	boss.says("sms: 2 to call", "status", id(live))
	boss.says(`"counts":{"recipients":2,`, "status", id(live), "--json")
	boss.fails("There is nothing here", "kentongan status", "status", "nobody")

	watched := make(chan string, 1)
	go func() {
		out, _, _ := boss.run("", "watch", id(live))
		watched <- out
	}()
	time.Sleep(time.Second)
	boss.says("closed as corrected", "close", id(live), "--as", "corrected", "--reason", "sent in error")
	select {
	case out := <-watched:
		if !strings.Contains(out, "LIVE  open  2 people") || !strings.Contains(out, "LIVE  closed as corrected") {
			t.Errorf("watch said\n%s", out)
		}
	case <-time.After(20 * time.Second):
		t.Error("watch did not end with the announcement")
	}
	boss.fails("is closed", "kentongan status "+id(live), "close", id(live), "--reason", "again")
	boss.fails("missing flags: --reason", "kentongan close --help", "close", id(live))

	viewer := shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url, "KENTONGAN_TOKEN=" + strings.TrimSpace(boss.says("kt_", "token", "create", "wall screen"))}}
	viewer.says(id(live), "status")
	viewer.fails("does not allow this call", "--role sender", drill...)
	sender := shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url, "KENTONGAN_TOKEN=" + strings.TrimSpace(boss.says("kt_", "token", "create", "script", "--role", "sender"))}}
	sender.reads(ownText, "LIVE  open", "announce", "-f", "-")
	shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url}}.fails("bearer token", "KENTONGAN_TOKEN", "status")
	shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url, "KENTONGAN_TOKEN=kt_a_b"}}.fails("not known", "KENTONGAN_TOKEN", "status")
	shell{t, nil}.with("KENTONGAN_PUBLIC_URL=http://"+freeAddress(t)).fails("reach http://127.0.0.1:", "kentongan serve", "status")

	boss.says("the ledger is whole", "ledger", "verify")
	evidence := filepath.Join(t.TempDir(), "evidence.zip")
	sender.fails("does not allow this call", "--role", "ledger", "export", id(live), "-o", evidence)
	auditor := shell{t, []string{"KENTONGAN_PUBLIC_URL=" + url, "KENTONGAN_TOKEN=" + strings.TrimSpace(boss.says("kt_", "token", "create", "auditor", "--role", "auditor"))}}
	auditor.says("the evidence is whole", "ledger", "export", id(live), "-o", evidence)
	auditor.fails("file exists", "--out", "ledger", "export", id(live), "-o", evidence)
	boss.says("the evidence is whole\n", "ledger", "verify", evidence)
	if b, err := os.ReadFile(evidence); err != nil || !bytes.Contains(b, []byte("id-report.pdf")) || bytes.Contains(b, []byte("+62")) {
		t.Errorf("the evidence has no report, or numbers: %v", err)
	}
	anonymous := filepath.Join(t.TempDir(), "ids.zip")
	auditor.says("the evidence is whole", "ledger", "export", id(live), "-o", anonymous, "--without-names")
	if b, err := os.ReadFile(anonymous); err != nil || bytes.Contains(b, []byte("report.pdf")) {
		t.Errorf("ids alone were asked for: %v", err)
	}
	// A second server on the same store would destroy it.
	house.with("KENTONGAN_LISTEN="+freeAddress(t)).fails("in use by another kentongan", "--data", "serve")
	house.with("KENTONGAN_DATA="+t.TempDir()).fails("KENTONGAN_LISTEN: listen tcp "+address, "--listen", "serve")
	stop()
	stopped = true
	whole := boss.says(" of them in the file outside too; sealed to record ", "ledger", "verify")
	if !strings.Contains(whole, "3 announcements\n") || !strings.HasSuffix(whole, "\nthe ledger is whole\n") {
		t.Errorf("verify said\n%s", whole)
	}
	if err := os.Truncate(filepath.Join(data, "checkpoints.jsonl"), 0); err != nil {
		t.Fatal(err)
	}
	boss.says(" checkpoints, 0 of them in the file outside too", "ledger", "verify")
	boss.fails("there is no ledger", "--data", "ledger", "verify", "--data", t.TempDir())
}

func id(out string) string {
	word, _, _ := strings.Cut(out, " ")
	return word
}

// Whatever is refused, the variable or flag is named and nothing serves.
func TestWrongArguments(t *testing.T) {
	t.Parallel()
	s := shell{t, []string{"KENTONGAN_DATA=" + filepath.Join(t.TempDir(), "data"), "KENTONGAN_LISTEN=127.0.0.1:0"}}
	for _, c := range []struct {
		name        string
		env         string
		args        []string
		cause, hint string
	}{
		{"unknown command", "", []string{"statsu"}, `did you mean "status"`, "kentongan --help"},
		{"unknown flag", "", []string{"serve", "--sms"}, "unknown flag --sms", "kentongan serve --help"},
		{"half a command", "", []string{"ledger"}, "verify", "kentongan ledger --help"},
		{"no number", "KENTONGAN_SMS_RATE=fast", []string{"serve"}, "KENTONGAN_SMS_RATE", "kentongan serve --help"},
		{"neither yes nor no", "KENTONGAN_SMS_TWO_WAY=maybe", []string{"serve"}, "KENTONGAN_SMS_TWO_WAY", "kentongan serve --help"},
		{"misspelt variable", "KENTONGAN_DUTTY=E1", []string{"serve"}, "KENTONGAN_DUTTY: means nothing here; did you mean KENTONGAN_DUTY?", "deploy/example.env"},
		{"unknown provider", "KENTONGAN_SMS_PROVIDER=vonage", []string{"serve"}, "KENTONGAN_SMS_PROVIDER", "deploy/example.env"},
		{"the same as a flag", "", []string{"serve", "--sms-provider", "vonage"}, "KENTONGAN_SMS_PROVIDER", "deploy/example.env"},
		{"half of Twilio", "KENTONGAN_TWILIO_FROM=+15005550006", []string{"serve", "--sms-provider=twilio"}, "KENTONGAN_TWILIO_AUTH_TOKEN: needed", "deploy/example.env"},
		{"wrong address", "", []string{"status", "--url", "siaga.example"}, "not an http or https address", "--url"},
		{"unknown role", "", []string{"token", "create", "x", "--role", "admin"}, `but got "admin"`, "kentongan token create --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := shell{t, s.env}
			if c.env != "" {
				s = s.with(c.env)
			}
			s.fails(c.cause, c.hint, c.args...)
		})
	}
	if out, _, code := s.run(""); code != 0 || !strings.Contains(out, "Usage: kentongan <command>") {
		t.Errorf("without arguments: exit %d\n%s", code, out)
	}
}
