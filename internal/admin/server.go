// Package admin is what operators talk to: an API and a page over HTTP and, for the command line, the API over a unix
// socket.
//
//	server.go    both listeners
//	socket.go    the unix socket: where it is, who may use it
//	guard.go     who may do what over HTTP
//	api.go       the endpoints
//	health.go    whether the process is ready
//	snapshot.go  all that the page shows; events.go sends it again and again
//	level.go     what each state means and asks of an operator
//	hops.go      where messages have been
//	leftovers.go what federation has left on brokers
//	page.go      the files of the page, which are in the folder page
//	client.go    the other side, for the command line
package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"weir/configs"
	"weir/internal/gateway"
)

// Server answers operators. Listen makes it, Serve starts it.
type Server struct {
	config  configs.Admin
	log     *slog.Logger
	http    net.Listener // nil: none
	socket  *socket      // nil: none
	api     *api         // nil before Serve
	servers []*http.Server
	serving sync.WaitGroup
}

// Extras are what else is shown; each may be missing.
type Extras struct {
	// Metrics answers at /metrics.
	Metrics http.Handler
	Hops    Hops
}

// Listen takes the address and the socket that admin declares, so that a second weir on the same host finds out before it
// moves anything. Without a declared socket it takes the first of Sockets; if it may not, there is a warning and no
// socket.
func Listen(config configs.Admin, log *slog.Logger) (*Server, error) {
	s := &Server{config: config, log: log}
	if err := s.listenSocket(); err != nil {
		return nil, err
	}
	if config.Listen != "" {
		if err := s.listenHTTP(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) listenSocket() (err error) {
	path, declared := s.config.Socket, true
	if path == "" {
		path, declared = Sockets()[0], false
	}
	s.socket, err = listenSocket(path)
	if refused := errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS); refused && !declared {
		s.log.Warn("no socket for the weir command; set admin.socket to a path that can be written", "error", err)
		return nil
	}
	return err
}

func (s *Server) listenHTTP() (err error) {
	s.http, err = net.Listen("tcp", s.config.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("admin.listen: %s is taken, perhaps by another weir; set another address, or \"\" for none", s.config.Listen)
	case err != nil:
		return fmt.Errorf("admin.listen: %w", err)
	case !s.loopback() && s.config.TokenFile == "":
		_ = s.http.Close()
		return fmt.Errorf("admin.listen: %s can be reached from other hosts, which needs admin.token-file", s.config.Listen)
	}
	return nil
}

// loopback tells whether only this host can reach the HTTP listener.
func (s *Server) loopback() bool {
	at, ok := s.http.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// Addr is where the HTTP listener is, "" if there is none.
func (s *Server) Addr() string {
	if s.http == nil {
		return ""
	}
	return s.http.Addr().String()
}

// Serve starts to answer for g. Close ends it.
func (s *Server) Serve(g *gateway.Gateway, extras Extras) {
	page := pageFiles()
	s.api = newAPI(g, extras, page, s.config.TokenFile != "", s.log)
	if s.http != nil {
		guard := &guard{token: s.config.ReadToken, loopback: s.loopback(), open: page, log: s.log}
		s.serve(s.http, guard.protect(s.api))
		s.log.Info("admin answers", "http", s.Addr())
	}
	if s.socket != nil {
		s.serve(s.socket, s.api)
		s.log.Info("admin answers", "socket", s.socket.path)
	}
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, server)
	s.serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("admin does not answer any more", "listener", l.Addr().String(), "error", err)
		}
	})
}

// Close finishes the answers that are under way, for a few seconds at most, and stops listening. It is called once.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if s.api != nil {
		close(s.api.ended)
	}
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close()
		}
	}
	s.close()
	s.serving.Wait()
}

// close ends listeners that nobody serves.
func (s *Server) close() {
	if s.http != nil {
		_ = s.http.Close() // after Shutdown it is closed already
	}
	if s.socket != nil {
		_ = s.socket.Close()
	}
}
