package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/link"
)

// cpu is what processes have used so far, user and system, from /proc/<pid>/stat. Pid 0 is none.
func cpu(pids ...int) time.Duration {
	const ticksPerSecond = 100 // USER_HZ, fixed in the kernel's interface
	var ticks int64
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// After the name in brackets: state is field 3, utime 14, stime 15.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// gateway runs weir with a configuration.
func gateway(yaml string) mover {
	return func(b *testing.B) (int, func()) {
		b.Helper()
		w := startWeir(b, yaml)
		return w.cmd.Process.Pid, w.stop
	}
}

// weir is a process of it.
type weir struct {
	b      *testing.B
	cmd    *exec.Cmd
	config string
	log    bytes.Buffer
}

func startWeir(b *testing.B, yaml string) *weir {
	b.Helper()
	w := &weir{b: b, config: filepath.Join(b.TempDir(), "weir.yaml")}
	w.write(yaml)
	w.cmd = exec.Command(binary, "run", "-c", w.config)
	w.cmd.Stdout, w.cmd.Stderr = &w.log, &w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return w
}

func (w *weir) write(yaml string) {
	w.b.Helper()
	yaml += "\nadmin: {listen: \"\", socket: " + filepath.Join(filepath.Dir(w.config), "weir.sock") + "}\n"
	if err := os.WriteFile(w.config, []byte(yaml), 0o600); err != nil {
		w.b.Fatal(err)
	}
}

// stop lets it drain.
func (w *weir) stop() {
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	_ = w.cmd.Wait()
	if w.b.Failed() {
		w.b.Logf("log of weir:\n%s", w.log.String())
	}
}

// states counts its links by state.
func (w *weir) states() map[link.State]int {
	states := map[link.State]int{}
	for _, s := range w.links() {
		states[s.State]++
	}
	return states
}

// links is the status of its links, empty while it does not answer.
func (w *weir) links() []link.Status {
	out, err := exec.Command(binary, "status", "-o", "json", "-c", w.config).Output()
	if err != nil {
		return nil
	}
	var answer struct {
		Links []link.Status `json:"links"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		w.b.Fatalf("weir status: %v\n%s", err, out)
	}
	return answer.Links
}

// resident is its memory in KiB, from /proc/<pid>/status.
func (w *weir) resident() float64 {
	w.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		w.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		w.b.Fatal(err)
	}
	return n
}

// await waits until something is so, and returns how long that took.
func await(b *testing.B, what string, is func() bool) time.Duration {
	b.Helper()
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		if time.Since(began) > 5*time.Minute {
			b.Fatalf("not within 5 minutes: %s", what)
		}
		<-tick.C
	}
	return time.Since(began)
}
