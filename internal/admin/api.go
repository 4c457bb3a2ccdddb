package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"

	"weir/broker"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/link"
)

const (
	maxBody   = 64 << 10 // bytes of a request
	maxReason = 1000     // bytes
	maxHops   = 1000     // of one answer
)

// api is the endpoints. Answers are JSON; an error is {"error": "..."}, and {"problems": [...]} beside it where a
// configuration has mistakes.
type api struct {
	gateway  *gateway.Gateway
	hops     Hops
	writable bool // there is a token-file
	log      *slog.Logger
	mux      *http.ServeMux

	known    atomic.Bool   // the state of every link has been known once
	watchers chan struct{} // holds one for each
	ended    chan struct{} // closed when the server ends
}

func newAPI(g *gateway.Gateway, extras Extras, page map[string]http.Handler, writable bool, log *slog.Logger) *api {
	a := &api{
		gateway: g, hops: extras.Hops, writable: writable, log: log, mux: http.NewServeMux(),
		watchers: make(chan struct{}, maxWatchers), ended: make(chan struct{}),
	}
	if a.hops == nil {
		a.hops = noHops{}
	}
	for path, file := range page {
		if path == "/" {
			path = "/{$}"
		}
		a.mux.Handle("GET "+path, file)
	}
	if extras.Metrics != nil {
		a.mux.Handle("GET /metrics", extras.Metrics)
	}
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /healthz":                            a.healthy,
		"GET /readyz":                             a.ready,
		"GET /api/events":                         a.events,
		"GET /api/snapshot":                       a.now,
		"GET /api/hops":                           a.recent,
		"GET /api/hops/{id}":                      a.trace,
		"GET /api/links":                          a.links,
		"GET /api/links/{name}":                   a.link,
		"POST /api/links/{name}/pause":            a.pause,
		"POST /api/links/{name}/resume":           a.resume,
		"POST /api/shovels/{name}/overflow/{way}": a.overflow,
		"POST /api/reload":                        a.reload,
		"GET /api/leftovers":                      a.leftovers,
		"POST /api/leftovers/remove":              a.remove,
		"GET /api/config":                         a.config,
		"GET /api/topology":                       a.topology,
	} {
		a.mux.HandleFunc(pattern, handle)
	}
	return a
}

// ServeHTTP implements http.Handler.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if _, pattern := a.mux.Handler(r); pattern == "" {
		// The mux knows whether the path or the method is wrong, but says so in plain text.
		status := statusOf{ResponseWriter: w}
		a.mux.ServeHTTP(&status, r)
		fail(w, status.code, fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, http.StatusText(status.code)))
		return
	}
	a.mux.ServeHTTP(w, r)
}

// statusOf keeps the headers and the status of an answer, and drops the rest.
type statusOf struct {
	http.ResponseWriter
	code int
}

func (s *statusOf) WriteHeader(code int)        { s.code = code }
func (s *statusOf) Write(b []byte) (int, error) { return len(b), nil }

// now answers with what events sends.
func (a *api) now(w http.ResponseWriter, r *http.Request) { answer(w, a.snapshot(a.writes(r))) }

// writes tells what the caller may do.
func (a *api) writes(r *http.Request) Writes {
	switch {
	case authorized(r):
		return WritesAllowed
	case a.writable:
		return WritesLocked
	}
	return WritesOff
}

func (a *api) recent(w http.ResponseWriter, _ *http.Request) { answer(w, list(a.hops.Recent(maxHops))) }

func (a *api) trace(w http.ResponseWriter, r *http.Request) {
	answer(w, list(a.hops.Find(r.PathValue("id"))))
}

// list makes an empty list of none, for JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func (a *api) links(w http.ResponseWriter, _ *http.Request) { answer(w, a.gateway.Status()) }

func (a *api) config(w http.ResponseWriter, _ *http.Request) {
	answer(w, a.gateway.Config().Redacted())
}

func (a *api) topology(w http.ResponseWriter, _ *http.Request) { answer(w, a.gateway.Topology()) }

func (a *api) link(w http.ResponseWriter, r *http.Request) {
	a.status(w)(a.gateway.Link(r.PathValue("name")))
}

// pauseRequest is the body of a pause; none is as good as an empty one.
type pauseRequest struct {
	// Reason is shown in status.
	Reason string `json:"reason"`
}

func (a *api) pause(w http.ResponseWriter, r *http.Request) {
	var asked pauseRequest
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	err := body.Decode(&asked)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long), len(asked.Reason) > maxReason:
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a reason may have %d bytes", maxReason))
		return
	case err != nil && !errors.Is(err, io.EOF):
		fail(w, http.StatusBadRequest, `want {"reason": "..."}, or no body: `+err.Error())
		return
	}
	a.status(w)(a.gateway.Pause(r.PathValue("name"), asked.Reason))
}

func (a *api) resume(w http.ResponseWriter, r *http.Request) {
	a.status(w)(a.gateway.Resume(r.PathValue("name")))
}

func (a *api) overflow(w http.ResponseWriter, r *http.Request) {
	switch mode := link.Mode(r.PathValue("way")); mode {
	case link.On, link.Off, link.Auto:
		a.status(w)(a.gateway.Override(r.PathValue("name"), mode))
	default:
		fail(w, http.StatusNotFound, fmt.Sprintf("overflow is on, off or auto, not %q", mode))
	}
}

func (a *api) reload(w http.ResponseWriter, _ *http.Request) {
	changes, err := a.gateway.Reload()
	if err != nil {
		a.refuse(w, err)
		return
	}
	answer(w, changes)
}

// status answers with what an action has returned.
func (a *api) status(w http.ResponseWriter) func(link.Status, error) {
	return func(s link.Status, err error) {
		if err != nil {
			a.refuse(w, err)
			return
		}
		answer(w, s)
	}
}

// refuse answers with an error of the gateway.
func (a *api) refuse(w http.ResponseWriter, err error) {
	var problems configs.Problems
	switch {
	case errors.Is(err, gateway.ErrNoLink), errors.Is(err, broker.ErrNotFound):
		fail(w, http.StatusNotFound, err.Error())
	case errors.Is(err, gateway.ErrNoOverflow):
		fail(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, brokers.ErrRestart), errors.Is(err, broker.ErrInUse):
		fail(w, http.StatusConflict, err.Error())
	case errors.Is(err, gateway.ErrStopping):
		fail(w, http.StatusServiceUnavailable, err.Error())
	case errors.As(err, &problems):
		write(w, http.StatusUnprocessableEntity, Failure{"the configuration has mistakes; nothing was changed", problems})
	default:
		fail(w, http.StatusUnprocessableEntity, err.Error())
	}
}

// Failure is an answer that says why not; the commands' own answers with -o json have the same form.
type Failure struct {
	Error    string           `json:"error"`
	Problems configs.Problems `json:"problems,omitempty"`
}

func fail(w http.ResponseWriter, code int, why string) { write(w, code, Failure{Error: why}) }

func answer(w http.ResponseWriter, v any) { write(w, http.StatusOK, v) }

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the caller is gone
}
