package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	jaegerTimeout = 10 * time.Second
	jaegerAnswer  = 32 << 20 // bytes of an answer
	jaegerTraces  = 20       // of one message
)

// traceID is the id of a trace; everything else is a message-id.
var traceID = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

// jaegerAPI is the query API of a Jaeger.
type jaegerAPI struct{ url, service string }

// jaegerTrace is what its API tells of a trace, as far as it is shown.
type jaegerTrace struct {
	ID        string                   `json:"traceID"`
	Spans     []jaegerSpan             `json:"spans"`
	Processes map[string]jaegerProcess `json:"processes"`
}

type jaegerProcess struct {
	ServiceName string `json:"serviceName"`
}

type jaegerSpan struct {
	ID         string `json:"spanID"`
	Operation  string `json:"operationName"`
	References []struct {
		SpanID  string `json:"spanID"`
		TraceID string `json:"traceID"`
	} `json:"references"`
	Start    int64  `json:"startTime"` // microseconds since 1970
	Duration int64  `json:"duration"`  // microseconds
	Process  string `json:"processID"`
	Tags     []struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	} `json:"tags"`
}

func (a *app) traceFromJaeger(ctx context.Context, from jaegerAPI, id string, asJSON bool) error {
	traces, err := from.find(ctx, id)
	if err != nil {
		return err
	}
	if len(traces) == 0 {
		return exit{exitData, fmt.Errorf("no trace of %q is in Jaeger", id)}
	}
	if asJSON {
		return a.printJSON(traces)
	}
	for _, t := range traces {
		for _, line := range t.tree() {
			a.print("%s", line)
		}
	}
	return nil
}

// find returns the traces of a message, or the one with that id.
func (j jaegerAPI) find(ctx context.Context, id string) ([]jaegerTrace, error) {
	at, err := url.Parse(j.url)
	if err != nil || at.Host == "" {
		return nil, exit{exitUsage, fmt.Errorf("--jaeger is an address such as http://localhost:16686, not %q", j.url)}
	}
	if traceID.MatchString(id) {
		at = at.JoinPath("api", "traces", strings.ToLower(id))
	} else {
		tags, err := json.Marshal(map[string]string{"messaging.message.id": id})
		if err != nil {
			return nil, err
		}
		at = at.JoinPath("api", "traces")
		at.RawQuery = url.Values{
			"service": {j.service}, "tags": {string(tags)}, "limit": {fmt.Sprint(jaegerTraces)},
		}.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, jaegerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if detailed, ok := errors.AsType[*url.Error](err); ok {
			err = detailed.Err // without all of the query
		}
		return nil, exit{exitUnreachable, fmt.Errorf("ask Jaeger at %s: %w", at.Host, err)}
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data   []jaegerTrace     `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, jaegerAnswer)).Decode(&answer)
	switch {
	case response.StatusCode == http.StatusNotFound && len(answer.Errors) > 0: // as Jaeger tells of a trace that it has not
		return nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, exit{exitFailed, fmt.Errorf("ask Jaeger at %s: it answers %s", at.Host, response.Status)}
	case err != nil:
		return nil, exit{exitFailed, fmt.Errorf("ask Jaeger at %s: this is not its API: %w", at.Host, err)}
	}
	return answer.Data, nil
}

// shownTags are what a line tells of a span, in this order.
var shownTags = []struct{ key, word string }{
	{"messaging.message.id", "message"},
	{"weir.source.wait_ms", "waited"},
	{"weir.source.depth", "depth"},
	{"weir.overflow.why", "because"},
	{"weir.destination.passed_over", "passed over"},
	{"error.type", "error"},
}

// tree is a trace in lines: who did what, when after the start, and how long it took.
func (t jaegerTrace) tree() []string {
	slices.SortStableFunc(t.Spans, func(a, b jaegerSpan) int { return cmp.Compare(a.Start, b.Start) })
	known := map[string]bool{}
	for _, s := range t.Spans {
		known[s.ID] = true
	}
	children := map[string][]jaegerSpan{} // by parent, "" for those without one that is known
	for _, s := range t.Spans {
		parent := ""
		for _, r := range s.References {
			if known[r.SpanID] && r.SpanID != s.ID {
				parent = r.SpanID
				break
			}
		}
		children[parent] = append(children[parent], s)
	}
	lines := []string{fmt.Sprintf("trace %s: %s", printable(t.ID), count(len(t.Spans), "span"))}
	if len(t.Spans) == 0 {
		return lines
	}
	start := t.Spans[0].Start
	var walk func(parent, indent string)
	walk = func(parent, indent string) {
		spans := children[parent]
		delete(children, parent) // each once, also where ids come twice
		for i, s := range spans {
			branch, below := "├─ ", "│  "
			if i == len(spans)-1 {
				branch, below = "└─ ", "   "
			}
			lines = append(lines, indent+branch+t.line(s, start))
			walk(s.ID, indent+below)
		}
	}
	walk("", "")
	for _, s := range t.Spans { // those whose parents go round in circles
		walk(s.ID, "")
	}
	return lines
}

func (t jaegerTrace) line(s jaegerSpan, start int64) string {
	parts := []string{fmt.Sprintf("+%s %s: %s (%s)", brief(time.Duration(s.Start-start)*time.Microsecond),
		printable(t.Processes[s.Process].ServiceName), printable(s.Operation), brief(time.Duration(s.Duration)*time.Microsecond))}
	tags := map[string]any{}
	for _, tag := range s.Tags {
		tags[tag.Key] = tag.Value
	}
	for _, shown := range shownTags {
		value, ok := tags[shown.key]
		if !ok {
			continue
		}
		if ms, isNumber := value.(float64); isNumber && strings.HasSuffix(shown.key, "_ms") {
			value = brief(time.Duration(ms * float64(time.Millisecond)))
		}
		parts = append(parts, shown.word+" "+printable(fmt.Sprint(value)))
	}
	return strings.Join(parts, "; ")
}
