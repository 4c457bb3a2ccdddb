package lab

import (
	"os"
	"os/exec"

	"weir/tests/transcript"
)

// Daemon is a program that runs on a Host until the test ends.
type Daemon struct {
	cmd    *exec.Cmd
	log    transcript.Buffer
	exited chan struct{}
}

// Run starts a program that stays in the foreground, with env (NAME=value) added to the environment. If the test failed, what it
// said is printed.
func (h *Host) Run(env []string, program string, args ...string) *Daemon {
	t := h.network.t
	t.Helper()
	d := &Daemon{cmd: h.Command(program, args...), exited: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), env...)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.exited)
		_ = d.cmd.Wait() // it is killed in the end
	}()
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("%s on %s said:\n%s", program, h.Name, d.log.String())
		}
	})
	return d
}

// Log is what it has said.
func (d *Daemon) Log() string { return d.log.String() }

// Kill ends it at once, unless it has ended, as a crash would.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill() // it may have exited
	<-d.exited
}
