package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// program is a server of the lab that is no broker: a child process with a folder, ports and a log of its own, which the
// kernel kills when this process ends.
type program struct {
	folder folder
	ports  block
	env    []string // NAME=value, beside the environment of this process
	cmd    *exec.Cmd
	exited chan struct{}
}

// newProgram prepares the folder and the ports.
func newProgram() (*program, error) {
	folder, err := newFolder()
	if err != nil {
		return nil, err
	}
	ports, err := claimBlock()
	if err != nil {
		folder.remove()
		return nil, err
	}
	return &program{folder: folder, ports: ports}, nil
}

// at is the address of its i-th port.
func (p *program) at(i int) string { return address(p.ports.base + i) }

// start runs it and waits until url answers with 200. On error nothing is left of it. After kill it may be started again.
func (p *program) start(ctx context.Context, url, path string, args ...string) error {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.stop()
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.folder.path, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		p.stop()
		return err
	}
	cmd, exited := p.cmd, make(chan struct{})
	p.exited = exited
	go func() {
		defer close(exited)
		_ = cmd.Wait() // it is killed in the end
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = until(ctx, func() error {
		select {
		case <-p.exited:
			return errExited
		default:
			_, err := fetch(ctx, url)
			return err
		}
	})
	if err != nil {
		err = fmt.Errorf("start %s: %w\n%s", filepath.Base(path), err, p.tail())
		p.stop()
	}
	return err
}

func (p *program) log() string { return filepath.Join(p.folder.path, "log") }

// tail is the end of its log.
func (p *program) tail() string {
	text, err := os.ReadFile(p.log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// kill ends it, and all that it has started, with SIGKILL.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	p.cmd = nil
}

// stop kills it and removes its files.
func (p *program) stop() {
	p.kill()
	p.ports.release()
	p.folder.remove()
}

// fetch gets a page.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, reply.Status, body)
	}
	return body, err
}

// notInstalled says how to get a program.
func notInstalled(name string) error {
	return fmt.Errorf("%s is %w; get it with: %s", name, ErrNotInstalled, installCommand())
}

// installOnce makes file by calling get, unless it is there. Two installers wait for one another.
func installOnce(file string, get func() error) error {
	unlock, err := lock(file + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return get()
}
