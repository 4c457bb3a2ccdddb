package admin_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/configs"
	"weir/internal/admin"
)

var quiet = slog.New(slog.DiscardHandler)

func TestSocketIsForOwnerAndGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "weir.sock")
	s, err := admin.Listen(configs.Admin{Socket: path}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v, %v; want a socket with 0660", info.Mode(), err)
	}
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there after Close: %v", err)
	}
}

// What a process that was killed has left behind is replaced.
func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	s, err := admin.Listen(configs.Admin{Socket: path}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestSocketThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	live := filepath.Join(folder, "live.sock")
	s, err := admin.Listen(configs.Admin{Socket: live}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file := filepath.Join(folder, "file")
	write(t, file, "precious")
	long := filepath.Join(folder, strings.Repeat("x", 108))
	nearly := filepath.Join(folder, strings.Repeat("x", 106-len(folder))) // fits; what it is called at first does not
	for path, want := range map[string]string{
		live:        "another weir answers there; stop it, or give this one a socket of its own (admin.socket)",
		file:        "there is a file of that name, and it is no socket",
		long:        "bytes, and may have",
		nearly:      "the path has 107 bytes, and may have",
		file + "/x": "not a directory",
	} {
		if s, err := admin.Listen(configs.Admin{Socket: path}, quiet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
			if err == nil {
				s.Close()
			}
		}
	}
	if _, err := os.ReadFile(file); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the socket in use is gone: %v", err)
	}
}

func TestClientWithoutServer(t *testing.T) {
	folder := t.TempDir()
	c := admin.NewClient(folder+"/one.sock", folder+"/two.sock")
	_, err := c.Status(t.Context())
	want := "no weir answers at " + folder + "/one.sock or " + folder + "/two.sock; start it with `weir run`, or say where it is with --socket"
	if !errors.Is(err, admin.ErrNobody) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAddressThatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for address, want := range map[string]string{
		taken.Addr().String(): "is taken, perhaps by another weir; set another address",
		"0.0.0.0:0":           "can be reached from other hosts, which needs admin.token-file",
	} {
		socket := filepath.Join(t.TempDir(), "weir.sock")
		if _, err := admin.Listen(configs.Admin{Listen: address, Socket: socket}, quiet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the socket is left behind", address)
		}
	}
}
