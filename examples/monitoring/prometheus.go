package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"weir/tests/lab"
)

//go:embed prometheus.yml alerts.yml dashboard.json
var files embed.FS

// server is a Prometheus that scrapes weir each second.
type server struct{ *lab.Prometheus }

// startPrometheus runs it with the files beside this one, but for weir's address and the times: a minute is too long here.
func startPrometheus(ctx context.Context, folder, weir string) (*server, error) {
	alerts, err := files.ReadFile("alerts.yml")
	if err != nil {
		return nil, err
	}
	config, err := files.ReadFile("prometheus.yml")
	if err != nil {
		return nil, err
	}
	adapted := strings.NewReplacer("127.0.0.1:9470", weir, "15s", "1s").Replace(string(config))
	path := filepath.Join(folder, "prometheus.yml")
	if err := errors.Join(
		os.WriteFile(filepath.Join(folder, "alerts.yml"), alerts, 0o600),
		os.WriteFile(path, []byte(adapted), 0o600),
	); err != nil {
		return nil, err
	}
	p, err := lab.RunPrometheus(ctx, path)
	if err != nil {
		return nil, err
	}
	return &server{p}, nil
}

// sample is one series in an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any // seconds, and the value as text
}

func (s *server) ask(ctx context.Context, expression string) ([]sample, error) {
	var answer struct{ Result []sample }
	err := s.Query(ctx, "query", url.Values{"query": {expression}}, &answer)
	return answer.Result, err
}

// has tells whether an expression yields anything.
func (s *server) has(ctx context.Context, expression string) (bool, error) {
	samples, err := s.ask(ctx, expression)
	return len(samples) > 0, err
}

// panel is one of the dashboard.
type panel struct {
	Title   string
	Targets []struct{ Expr, LegendFormat string }
}

func panels() ([]panel, error) {
	text, err := files.ReadFile("dashboard.json")
	if err != nil {
		return nil, err
	}
	var dashboard struct{ Panels []panel }
	return dashboard.Panels, json.Unmarshal(text, &dashboard)
}

// variables are what Grafana puts in place of its variables.
var variables = strings.NewReplacer("$instance", ".*", "$link", ".*", "$__rate_interval", "10s")

// report prints what the dashboard would show, and the alerts.
func (s *server) report(ctx context.Context, w io.Writer) error {
	all, err := panels()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nWhat the dashboard shows:\n\n")
	for _, p := range all {
		for _, target := range p.Targets {
			samples, err := s.ask(ctx, variables.Replace(target.Expr))
			if err != nil {
				return fmt.Errorf("panel %q: %w", p.Title, err)
			}
			for _, got := range samples {
				if value := got.Value[1]; got.Metric["le"] == "" && value != "NaN" { // no buckets, and nothing of what has not been
					fmt.Fprintf(w, "  %-50s %-32s %8.8v\n", p.Title, legend(target.LegendFormat, got.Metric), value)
				}
			}
		}
	}
	var rules struct {
		Groups []struct{ Rules []rule }
	}
	if err := s.Query(ctx, "rules", nil, &rules); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe alerts:\n\n")
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if r.Health != "ok" {
				return fmt.Errorf("alert %s: %s %s", r.Name, r.Health, r.LastError)
			}
			fmt.Fprintf(w, "  %-22s %-9s", r.Name, r.State)
			for _, a := range r.Alerts {
				fmt.Fprintf(w, " %s", a.Annotations["summary"])
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

// rule is an alert as Prometheus tells it.
type rule struct {
	Name, State, Health, LastError string
	Alerts                         []struct{ Annotations map[string]string }
}

var label = regexp.MustCompile(`{{(\w+)}}`)

// legend fills in the labels, as Grafana does.
func legend(format string, labels map[string]string) string {
	return label.ReplaceAllStringFunc(format, func(found string) string { return labels[label.FindStringSubmatch(found)[1]] })
}
