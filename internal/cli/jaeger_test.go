package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answerOfJaeger is a trace as Jaeger's API tells it: two hops of an order, spans in no order, one with hostile text, and
// two that claim to be one another's parent.
const answerOfJaeger = `{"data":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spans":[
{"spanID":"c","operationName":"publish orders","references":[{"refType":"CHILD_OF","spanID":"b"}],"startTime":1000012310000,"duration":83000,"processID":"p2","tags":[]},
{"spanID":"a","operationName":"publish orders","references":[],"startTime":1000000000000,"duration":2000,"processID":"p1","tags":[]},
{"spanID":"b","operationName":"forward orders-overflow","references":[{"refType":"CHILD_OF","spanID":"a"}],"startTime":1000012300000,"duration":95000,"processID":"p2","tags":[
  {"key":"messaging.message.id","value":"order-7"},{"key":"weir.source.wait_ms","value":12300},{"key":"weir.source.depth","value":1200},{"key":"weir.overflow.why","value":"ready 1200, opens at 1000"}]},
{"spanID":"d","operationName":"process \u001b[31morders\u202e","references":[{"refType":"FOLLOWS_FROM","spanID":"c"}],"startTime":1000012400000,"duration":400,"processID":"p3","tags":[{"key":"error.type","value":"timeout"}]},
{"spanID":"x","operationName":"x","references":[{"spanID":"y"}],"startTime":1000012500000,"duration":1,"processID":"p3","tags":[]},
{"spanID":"y","operationName":"y","references":[{"spanID":"x"}],"startTime":1000012500000,"duration":1,"processID":"p3","tags":[]}
],"processes":{"p1":{"serviceName":"shop-eu"},"p2":{"serviceName":"weir"},"p3":{"serviceName":"warehouse-us"}}}]}`

func TestTreeOfJaeger(t *testing.T) {
	var asked []string
	jaeger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		_, _ = w.Write([]byte(answerOfJaeger))
	}))
	defer jaeger.Close()
	var out, problems strings.Builder
	for _, id := range []string{"order-7", "4BF92F3577B34DA6A3CE929D0E0E4736"} {
		out.Reset()
		if code := Main([]string{"trace", id, "--jaeger", jaeger.URL}, &out, &problems, nil); code != 0 {
			t.Fatalf("exit code %d: %s", code, &problems)
		}
		want := `trace 4bf92f3577b34da6a3ce929d0e0e4736: 6 spans
└─ +0s shop-eu: publish orders (2ms)
   └─ +12.3s weir: forward orders-overflow (95ms); message order-7; waited 12.3s; depth 1200; because ready 1200, opens at 1000
      └─ +12.3s weir: publish orders (83ms)
         └─ +12.4s warehouse-us: process [31morders (400µs); error timeout
└─ +12.5s warehouse-us: y (1µs)
   └─ +12.5s warehouse-us: x (1µs)
`
		if d := cmp.Diff(want, out.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
	want := []string{
		"/api/traces?limit=20&service=weir&tags=%7B%22messaging.message.id%22%3A%22order-7%22%7D",
		"/api/traces/4bf92f3577b34da6a3ce929d0e0e4736",
	}
	if d := cmp.Diff(want, asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

// What is no Jaeger is told apart from a Jaeger without the trace.
func TestJaegerThatIsNone(t *testing.T) {
	answers := map[string]struct {
		code   int
		body   string
		exits  int
		stderr string
	}{
		"not there":      {404, `{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}`, exitData, `no trace of "order-7" is in Jaeger`},
		"another server": {404, `404 page not found`, exitFailed, "it answers 404 Not Found"},
		"another API":    {404, `{"error":"not found"}`, exitFailed, "it answers 404 Not Found"},
		"a page":         {200, `<html>`, exitFailed, "this is not its API"},
	}
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			var out, problems strings.Builder
			code := Main([]string{"trace", "order-7", "--jaeger", server.URL}, &out, &problems, nil)
			if code != c.exits || !strings.Contains(problems.String(), c.stderr) {
				t.Errorf("exit code %d, %s; want %d, %s", code, &problems, c.exits, c.stderr)
			}
		})
	}
}
