package main

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
	"weir/tests/lab"
)

// The alerts fire when they should, and not when all is well.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"}} {
		if said, err := lab.Promtool(t, strings.NewReader(""), args...); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, said)
		}
	}
}

// Dashboard and alerts ask for nothing that weir does not tell.
func TestEveryMetricExists(t *testing.T) {
	told := metrics(t)
	for _, file := range []string{"dashboard.json", "alerts.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\bweir_[a-z_]+`).FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s asks only for %q", file, names)
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(told) {
				t.Errorf("%s asks for %s, which weir does not tell", file, name)
			}
		}
	}
}

// metrics is what weir tells of a link that has all there is.
func metrics(t *testing.T) string {
	t.Helper()
	tele, err := telemetry.New(t.Context(), &configs.Config{}, telemetry.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ready, oldest := int64(1), 1.0
	snapshot := telemetry.Snapshot{Applied: time.Now(), Links: []link.Status{{
		Name: "orders", Depth: &link.SourceDepth{Reading: link.Reading{Ready: &ready, OldestMin: &oldest}}, Overflow: &link.OverflowStatus{},
	}}}
	answer := httptest.NewRecorder()
	tele.Handler(func() telemetry.Snapshot { return snapshot }).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return answer.Body.String()
}
