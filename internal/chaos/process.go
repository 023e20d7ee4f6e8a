package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is one program of the installation, which can be killed, frozen, asked to
// end, and started again. What it writes goes to one file over all its lives.
type process struct {
	name    string
	command []string
	env     []string
	log     *os.File

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan error
}

// newProcess prepares a program; nothing runs yet.
func newProcess(folder, name string, env []string, command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	return &process{name: name, command: command, env: append(os.Environ(), env...), log: log}, nil
}

// Start runs the program, unless it runs.
func (p *process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	cmd := exec.CommandContext(context.Background(), p.command[0], p.command[1:]...) //nolint:gosec // our own programs
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	// A group of its own: Ctrl-C on the terminal is for the run, which then ends everything.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.cmd, p.ended = cmd, ended
	return nil
}

// Kill ends it at once, as a crash or the loss of the machine does.
func (p *process) Kill() { _ = p.end(syscall.SIGKILL, time.Minute) }

// Terminate asks it to end, and says how it ended. One that is not done in time is
// killed, and that is an error.
func (p *process) Terminate(within time.Duration) error { return p.end(syscall.SIGTERM, within) }

func (p *process) end(signal syscall.Signal, within time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // a frozen one hears nothing else
	var err error
	select {
	case err = <-p.ended:
	case <-time.After(within):
		_ = p.cmd.Process.Kill()
		err = fmt.Errorf("%s did not end within %s: %w", p.name, within, <-p.ended)
	}
	p.cmd = nil
	return err
}

// Signal sends SIGSTOP or SIGCONT.
func (p *process) Signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(signal)
	}
}

// Died reports whether it has ended though nobody ended it, and takes note.
func (p *process) Died() (error, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, false
	}
	select {
	case err := <-p.ended:
		p.cmd = nil
		return err, true
	default:
		return nil, false
	}
}
