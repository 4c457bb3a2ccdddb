package admin_test

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page may use nothing but its own files, and nobody may frame it.
func TestPagePolicy(t *testing.T) {
	r := newRig(t, "")
	response, err := http.Get("http://" + r.http + "/") //nolint:noctx // the server ends with the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	http.DefaultClient.CloseIdleConnections()
	policy := response.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %q", want, policy)
		}
	}
	if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
}

// The files of the page name nothing elsewhere, keep nothing in the browser, and never make markup of text.
func TestPageFiles(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage|sessionStorage|indexedDB|\.cookie|https?://[^w]`)
	err := fs.WalkDir(os.DirFS("page"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile("page/" + path)
		if found := forbidden.Find(text); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// From another host the files of the page may be read, and nothing else without the token.
func TestReadsFromAfar(t *testing.T) {
	r := newRigAt(t, "0.0.0.0:0", "token")
	_, port, _ := strings.Cut(strings.TrimPrefix(r.http, "[::]"), ":")
	r.http = "127.0.0.1:" + port
	for _, path := range []string{"/", "/page.js", "/page.css"} {
		if status, _ := r.ask("GET", path, ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/api/links", "/api/snapshot", "/api/events", "/api/config", "/api/topology", "/api/hops", "/api/leftovers", "/metrics", "/healthz", "/readyz", "/nothing"} {
		if status, answer := r.ask("GET", path, ""); status != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d %s", path, status, answer)
		}
		if status, _ := r.ask("GET", path, "", "Authorization: Bearer wrong"); status != http.StatusUnauthorized {
			t.Errorf("%s with a wrong token: %d", path, status)
		}
	}
	if status, _ := r.ask("GET", "/api/links", "", "Authorization: Bearer token"); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
}
