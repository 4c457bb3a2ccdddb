package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: an open file of this process, the processes that run in it, and the sockets
// that were made in it. The kernel kills those processes when this one ends, and takes away all the rest with it.
type namespace struct{ file *os.File }

func newNamespace() (n namespace, err error) {
	err = elsewhere(
		func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		func() error {
			n.file, err = os.Open(threadNamespace)
			return err
		})
	if err != nil {
		return namespace{}, fmt.Errorf("make a network namespace: %w", err)
	}
	return n, nil
}

func (n namespace) close() { _ = n.file.Close() }

// path is where other processes find it.
func (n namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// command runs a program in it. The process id is that of the program.
func (n namespace) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--net=" + n.path(), "--", program}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// inside calls f on a thread that is in it. A socket belongs to the namespace that it was made in, wherever it is used.
func (n namespace) inside(f func() error) error {
	return elsewhere(func() error { return unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET) }, f)
}

const threadNamespace = "/proc/thread-self/ns/net"

// elsewhere calls f on a thread that has gone to another namespace, and comes home. The thread must not end instead: it may be the
// parent of processes that the kernel would then kill (Pdeathsig).
func elsewhere(leave, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(threadNamespace)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	err = leave()
	if err == nil {
		err = f()
	}
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("come home: %w", back)) // and the thread serves nobody else
	}
	runtime.UnlockOSThread()
	return err
}
