package admin_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/admin"
	"weir/link"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

func TestReads(t *testing.T) {
	r := newRig(t, "")
	r.ready()
	for path, want := range map[string]string{
		"/":                             "<title>weir</title>",
		"/page.js":                      "import",
		"/api/snapshot":                 `"text": "`,
		"/api/hops":                     `"message-id": "an-id"`,
		"/api/hops/an-id":               `"message-id": "an-id"`,
		"/api/hops/another":             `[]`,
		"/metrics":                      `weir_in_flight{destination="us",kind="overflow",link="orders",source="eu"} 0`,
		"/healthz":                      `"status": "ok"`,
		"/readyz":                       `"status": "ok"`,
		"/api/links":                    `"name": "orders"`,
		"/api/links/orders":             `"kind": "overflow"`,
		"/api/links/odd%20name%252F%3F": `"name": "odd name%2F?"`,
		"/api/config":                   `"password": "***"`,
		"/api/topology":                 `"from": "eu"`,
	} {
		if status, answer := r.ask("GET", path, ""); status != http.StatusOK || !strings.Contains(answer, want) {
			t.Errorf("%s: %d, without %s:\n%s", path, status, want, answer)
		}
	}
}

// An error is JSON, whatever is wrong.
func TestErrors(t *testing.T) {
	r := newRig(t, "token")
	for request, want := range map[string]struct {
		status int
		error  string
	}{
		"GET /nothing":                                     {404, "GET /nothing: Not Found"},
		"GET /api/links/nothing":                           {404, `no such link: "nothing"`},
		"DELETE /api/links/orders":                         {405, "DELETE /api/links/orders: Method Not Allowed"},
		"GET /api/reload":                                  {405, "GET /api/reload: Method Not Allowed"},
		"POST /api/shovels/orders/overflow/half":           {404, `overflow is on, off or auto, not "half"`},
		"POST /api/shovels/odd%20name%252F%3F/overflow/on": {400, `"odd name%2F?" has no thresholds to override: no overflow shovel`},
		"POST /api/leftovers/remove":                       {400, `want {"broker": "...", "name": "...", "force": false}: EOF`},
		"POST /api/links/nothing/resume":                   {404, `no such link: "nothing"`},
	} {
		method, path, _ := strings.Cut(request, " ")
		status, answer := r.ask(method, path, "", "Authorization: Bearer token")
		expectFailure(t, request, status, answer, want.status, want.error)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t, "token")
	for body, want := range map[string]struct {
		status int
		error  string
	}{
		`{"reason": "` + strings.Repeat("x", 1001) + `"}`:  {413, "a reason may have 1000 bytes"},
		`{"reason": "` + strings.Repeat("x", 1<<20) + `"}`: {413, "a reason may have 1000 bytes"},
		`{"raeson": "typo"}`:                               {400, `want {"reason": "..."}, or no body: json: unknown field "raeson"`},
	} {
		status, answer := r.ask("POST", "/api/links/orders/pause", body, "Authorization: Bearer token")
		expectFailure(t, body[:15], status, answer, want.status, want.error)
	}
}

// What the command line does, over the socket, which needs no token.
func TestClient(t *testing.T) {
	r := newRig(t, "")
	ctx := t.Context()
	if s, err := r.client.Pause(ctx, "orders", "new release"); err != nil || s.Name != "orders" {
		t.Errorf("pause: %v, %v", s.Name, err)
	}
	paused := func() bool {
		s, err := r.client.Link(ctx, "orders")
		return err == nil && s.State == link.Paused && s.Reason == "new release"
	}
	eventually(t, "the link is paused", paused)
	if _, err := r.client.Resume(ctx, "orders"); err != nil {
		t.Errorf("resume: %v", err)
	}
	eventually(t, "the link is resumed", func() bool { return !paused() })
	if s, err := r.client.Override(ctx, "orders", link.Off); err != nil || s.Overflow.Mode != link.Off {
		t.Errorf("override: %v", err)
	}
	if _, err := r.client.Pause(ctx, "odd name%2F?", ""); err != nil {
		t.Errorf("pause of an odd name: %v", err)
	}
	if s, err := r.client.Status(ctx); err != nil || len(s.Links) != 2 || s.Site != "eu" {
		t.Errorf("status: %+v, %v", s, err)
	}
	if c, err := r.client.Reload(ctx); err != nil || len(c.Kept) != 2 {
		t.Errorf("reload: %+v, %v", c, err)
	}
	var refusal *admin.Refusal
	if _, err := r.client.Link(ctx, "nothing"); !errors.As(err, &refusal) || refusal.Status != http.StatusNotFound {
		t.Errorf("a link that does not exist: %v", err)
	}
}

// A reload that is refused tells every mistake, with its line.
func TestReloadTellsMistakes(t *testing.T) {
	r := newRig(t, "")
	r.yaml = strings.Replace(declared, "broker: us", "broker: su", 2)
	var refusal *admin.Refusal
	if _, err := r.client.Reload(t.Context()); !errors.As(err, &refusal) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range refusal.Problems {
		got = append(got, strings.TrimPrefix(p.String(), r.folder+"/"))
	}
	want := []string{
		`weir.yaml:17:29: shovels.orders.destinations[0].broker: no broker "su"; did you mean "us"?`,
		`weir.yaml:21:29: shovels."odd name%2F?".destinations[0].broker: no broker "su"; did you mean "us"?`,
	}
	if d := cmp.Diff(want, got[len(got)-2:]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if s, err := r.client.Status(t.Context()); err != nil || s.Config.Rejected == nil || len(s.Config.Rejected.Problems) != len(got) {
		t.Errorf("status: %+v, %v", s.Config, err)
	}
}

// Secrets are planted everywhere a configuration can hold one; nothing that weir says may hold them.
func TestNothingTellsSecrets(t *testing.T) {
	r := newRig(t, "PLANTED-token")
	bearer := "Authorization: Bearer PLANTED-token"
	var said strings.Builder
	say := func(method, path string) {
		_, answer := r.ask(method, path, "", bearer)
		said.WriteString(answer)
	}
	for _, path := range []string{
		"/", "/page.js", "/healthz", "/readyz", "/metrics", "/api/links", "/api/links/orders", "/api/config", "/api/topology",
		"/api/snapshot", "/api/hops", "/api/hops/orders", "/api/leftovers", "/nothing",
	} {
		say("GET", path)
	}
	for _, path := range []string{"/api/links/orders/pause", "/api/links/orders/resume", "/api/shovels/orders/overflow/on", "/api/reload"} {
		say("POST", path)
	}
	r.yaml = strings.Replace(declared, "uris: [amqp://eu]", `uris: ["amqp://weir:PLANTED-uri@eu"]`, 1)
	say("POST", "/api/reload")
	say("GET", "/api/links")
	_, answer := r.ask("GET", "/api/links", "", "Authorization: Bearer PLANTED-wrong")
	said.WriteString(answer)
	for what, text := range map[string]string{"an answer": said.String(), "the log": r.log.String()} {
		if at := strings.Index(text, "PLANTED"); at >= 0 {
			t.Errorf("%s tells a secret: ...%s", what, text[max(0, at-100):min(len(text), at+50)])
		}
	}
	if !strings.Contains(said.String(), "***") || !strings.Contains(r.log.String(), "orders") {
		t.Error("nothing was said at all: the test looks in the wrong place")
	}
}
