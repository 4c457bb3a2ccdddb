package admin

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who may do what over HTTP: reads are open on loopback, everything else needs the token.
func TestGuard(t *testing.T) {
	const local, bearer = "127.0.0.1:9470", "Bearer right"
	for name, c := range map[string]struct {
		loopback      bool
		token         string
		method        string
		host          string
		authorization string
		cookie        string
		want          int
	}{
		"read on loopback":                       {true, "", "GET", local, "", "", 200},
		"read on loopback with a wrong token":    {true, "right", "GET", local, "Bearer wrong", "", 401},
		"read with a token where there is none":  {true, "", "GET", local, "Bearer any", "", 200},
		"read on loopback by name":               {true, "", "GET", "localhost:9470", "", "", 200},
		"read on loopback, IPv6":                 {true, "", "HEAD", "[::1]:9470", "", "", 200},
		"read under a name of somebody else":     {true, "", "GET", "evil.example:9470", "", "", 403},
		"the same where there is a token":        {true, "right", "GET", "evil.example:9470", "", "", 401},
		"read under another name with the token": {true, "right", "GET", "weir.example", bearer, "", 200},
		"write without a token-file":             {true, "", "POST", local, bearer, "", 403},
		"write without the token":                {true, "right", "POST", local, "", "", 401},
		"write with a wrong token":               {true, "right", "POST", local, "Bearer wrong", "", 401},
		"write with part of the token":           {true, "right", "POST", local, "Bearer righ", "", 401},
		"write with an empty token":              {true, "right", "POST", local, "Bearer ", "", 401},
		"write with another scheme":              {true, "right", "POST", local, "Basic right", "", 401},
		"write with a cookie":                    {true, "right", "POST", local, "", "Authorization=Bearer right", 401},
		"write with the token":                   {true, "right", "POST", local, bearer, "", 200},
		"the scheme in another case":             {true, "right", "POST", local, "bearer right", "", 200},
		"read from elsewhere":                    {false, "right", "GET", "weir.example", "", "", 401},
		"read from elsewhere, as localhost":      {false, "right", "GET", "localhost", "", "", 401},
		"read from elsewhere with the token":     {false, "right", "GET", "weir.example", bearer, "", 200},
		"elsewhere, and the token-file is empty": {false, "", "GET", "weir.example", "Bearer ", "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			g := &guard{
				token:    func() (string, error) { return c.token, nil },
				loopback: c.loopback,
				log:      slog.New(slog.NewTextHandler(&log, nil)),
			}
			request := httptest.NewRequest(c.method, "http://"+c.host+"/api/links", nil)
			if c.authorization != "" {
				request.Header.Set("Authorization", c.authorization)
			}
			request.Header.Set("Cookie", c.cookie)
			answer := httptest.NewRecorder()
			g.protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
			if answer.Code != c.want {
				t.Errorf("%d, want %d: %s", answer.Code, c.want, answer.Body)
			}
			if c.want != 200 && !strings.HasPrefix(answer.Body.String(), "{\n  \"error\": \"") {
				t.Errorf("no JSON: %s", answer.Body)
			}
			if strings.Contains(answer.Body.String()+log.String(), "right") {
				t.Error("the token is told")
			}
		})
	}
}

// A token-file that cannot be read lets nobody in.
// What a proxy on this host passes on does not come from this host, though it names it so.
func TestGuardBehindAProxy(t *testing.T) {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		g := &guard{token: func() (string, error) { return "right", nil }, loopback: true, log: slog.New(slog.DiscardHandler)}
		request := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9470/api/config", nil)
		request.Header.Set(header, "192.0.2.1")
		answer := httptest.NewRecorder()
		g.protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
		if answer.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", header, answer.Code)
		}
	}
}

func TestGuardWithoutItsToken(t *testing.T) {
	g := &guard{
		token: func() (string, error) { return "", errors.New("permission denied") },
		log:   slog.New(slog.DiscardHandler),
	}
	for _, method := range []string{"GET", "POST"} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(method, "http://localhost/api/links", nil)
		request.Header.Set("Authorization", "Bearer ")
		g.protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(answer, request)
		if answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", method, answer.Code)
		}
	}
}
