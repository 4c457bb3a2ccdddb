package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Sockets are where the command line looks for a weir that runs, if nobody says: in the runtime directory of the user,
// then in that of the system.
func Sockets() []string {
	paths := []string{"/run/weir/weir.sock"}
	if user := os.Getenv("XDG_RUNTIME_DIR"); user != "" {
		paths = append([]string{filepath.Join(user, "weir.sock")}, paths...)
	}
	return paths
}

// longestSocket is what fits into sockaddr_un of Linux, less a closing zero.
const longestSocket = 107

// errInUse: another process listens on the socket.
var errInUse = errors.New("another weir answers there; stop it, or give this one a socket of its own (admin.socket)")

// listenSocket listens on a unix socket that its owner and group may use. What a dead process has left is replaced.
func listenSocket(path string) (*socket, error) {
	// Nobody may connect before the permissions are set: so it gets its name afterwards.
	unnamed := fmt.Sprintf("%s.%d", path, os.Getpid())
	if most := longestSocket - (len(unnamed) - len(path)); len(path) > most {
		return nil, fmt.Errorf("socket %s: the path has %d bytes, and may have %d", path, len(path), most)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := clear(path); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: unnamed, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(unnamed, 0o660)
	if err == nil {
		err = os.Rename(unnamed, path)
	}
	if err != nil {
		_ = l.Close()
		_ = os.Remove(unnamed)
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return &socket{l, path}, nil
}

// clear makes way for a new socket, unless something else is there.
func clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file of that name, and it is no socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return errInUse
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("it belongs to another user, whose weir may answer there; give this one a socket of its own (admin.socket): %w",
			fs.ErrPermission)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return err
	}
	return os.Remove(path)
}

// socket removes its file when it is closed.
type socket struct {
	*net.UnixListener
	path string
}

func (s *socket) Close() error {
	_ = os.Remove(s.path) // somebody may have removed it before
	return s.UnixListener.Close()
}
