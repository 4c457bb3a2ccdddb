package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
)

// guard stands in front of the HTTP listener. The unix socket needs none: who may open it is a matter of its permissions.
type guard struct {
	// token is what callers must show, read at each call; empty: there is none.
	token func() (string, error)
	// loopback: only this host can reach the listener, so that reads are open.
	loopback bool
	// open are paths that anybody may read: the files of the page, which hold no data. A browser cannot send a token for
	// the address that it opens; the page asks for one.
	open map[string]http.Handler
	log  *slog.Logger
}

// authorizedKey marks the context of a request that carried the token.
type authorizedKey struct{}

func authorized(r *http.Request) bool { return r.Context().Value(authorizedKey{}) != nil }

func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		token, err := g.token()
		switch {
		case read && g.open[r.URL.Path] != nil:
			next.ServeHTTP(w, r)
		case err != nil:
			g.log.Error("the admin token cannot be read, requests that need it are refused", "error", err)
			fail(w, http.StatusForbidden, "the token cannot be checked; weir's log says why")
		case token != "" && g.shows(r, token):
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), authorizedKey{}, true)))
		case token != "" && r.Header.Get("Authorization") != "":
			g.unauthorized(w, r) // also where reads are open: who shows a token wants to know that it is wrong
		case read && g.loopback && local(r.Host) && !forwarded(r):
			next.ServeHTTP(w, r)
		case read && g.loopback && token == "":
			// A page elsewhere that has its own name resolve to 127.0.0.1 could otherwise read what is open here.
			fail(w, http.StatusForbidden, "reads without the token must come from this host and name it as localhost or by its loopback address")
		case token == "":
			fail(w, http.StatusForbidden, "writes over HTTP are off: set admin.token-file, or use the weir command on the host itself")
		default:
			g.unauthorized(w, r)
		}
	})
}

func (g *guard) unauthorized(w http.ResponseWriter, r *http.Request) {
	g.log.Warn("admin request without the token refused", "remote", r.RemoteAddr, "method", r.Method)
	w.Header().Set("WWW-Authenticate", "Bearer")
	fail(w, http.StatusUnauthorized, "send the token of admin.token-file as Authorization: Bearer")
}

// shows tells whether a request carries the token. Cookies do not count: a browser sends them on behalf of any page.
func (g *guard) shows(r *http.Request, token string) bool {
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// forwarded tells whether a proxy says that it passes on what came from elsewhere.
func forwarded(r *http.Request) bool {
	return slices.ContainsFunc([]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"},
		func(header string) bool { return r.Header.Get(header) != "" })
}

// local tells whether a Host header names this host.
func local(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
