package telemetry_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
	"weir/tests/lab"
)

func newTelemetry(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tele, err := telemetry.New(t.Context(), &configs.Config{}, telemetry.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return tele
}

// snapshot is a gateway with a link that tells all it can, and one that knows next to nothing.
func snapshot() telemetry.Snapshot {
	ready, oldest, lag := int64(12_873), 61.5, 0.25
	return telemetry.Snapshot{
		Applied: time.UnixMilli(1_700_000_000_250),
		Links: []link.Status{
			{
				Name: "orders-overflow", Kind: link.Overflow, State: link.Running, From: "eu", To: []string{"us", "ap"},
				InFlight: 7, Window: 64, Held: 2,
				Counts: link.Counts{
					Received: 101, Confirmed: 90, BytesConfirmed: 90_000, Refused: 5, Unroutable: 4, Filtered: 6, Expired: 12, Dropped: 3,
					Rejected: 2, DeadLettered: 1, Retries: 8, Reconnects: 9,
				},
				Depth:     &link.SourceDepth{Reading: link.Reading{Ready: &ready, OldestMin: &oldest}},
				Confirms:  link.Histogram{Bounds: []float64{.1, 1}, Counts: []int64{80, 9, 1}, Sum: 12.5},
				Heartbeat: &link.HeartbeatStatus{Every: 10, Seconds: &lag, Missed: 11},
				Overflow:  &link.OverflowStatus{Open: true, Switches: 3},
			},
			{
				Name: "catalog <- us \xff", Kind: link.Federation, State: link.Denied, From: "us", To: []string{"eu"},
				Heartbeat: &link.HeartbeatStatus{Every: 10},
			},
		},
	}
}

// Each figure of the status is told, under its name.
func TestMetricsTellTheStatus(t *testing.T) {
	text := scrape(t, newTelemetry(t), snapshot())
	const overflow = `destination="us,ap",kind="overflow",link="orders-overflow"`
	for _, want := range []string{
		`weir_messages_received_total{` + overflow + `,source="eu"} 101`,
		`weir_messages_confirmed_total{` + overflow + `,source="eu"} 90`,
		`weir_bytes_confirmed_total{` + overflow + `,source="eu"} 90000`,
		`weir_messages_refused_total{` + overflow + `,source="eu"} 5`,
		`weir_messages_unroutable_total{` + overflow + `,source="eu"} 4`,
		`weir_messages_filtered_total{` + overflow + `,source="eu"} 6`,
		`weir_messages_expired_total{` + overflow + `,source="eu"} 12`,
		`weir_messages_dropped_total{` + overflow + `,reason="drop",source="eu"} 3`,
		`weir_messages_dropped_total{` + overflow + `,reason="reject",source="eu"} 2`,
		`weir_messages_dropped_total{` + overflow + `,reason="dead-letter",source="eu"} 1`,
		`weir_retries_total{` + overflow + `,source="eu"} 8`,
		`weir_reconnects_total{` + overflow + `,source="eu"} 9`,
		`weir_in_flight{` + overflow + `,source="eu"} 7`,
		`weir_window{` + overflow + `,source="eu"} 64`,
		`weir_held{` + overflow + `,source="eu"} 2`,
		`weir_link_state{` + overflow + `,source="eu",state="running"} 1`,
		`weir_link_state{` + overflow + `,source="eu",state="stuck"} 0`,
		`weir_source_depth{` + overflow + `,source="eu"} 12873`,
		`weir_source_oldest_seconds{` + overflow + `,source="eu"} 61.5`,
		`weir_heartbeat_seconds{` + overflow + `,source="eu"} 0.25`,
		`weir_heartbeats_missed_total{` + overflow + `,source="eu"} 11`,
		`weir_overflow_open{` + overflow + `,source="eu"} 1`,
		`weir_overflow_switches_total{` + overflow + `,source="eu"} 3`,
		`weir_confirm_seconds_bucket{` + overflow + `,source="eu",le="0.1"} 80`,
		`weir_confirm_seconds_bucket{` + overflow + `,source="eu",le="1"} 89`,
		`weir_confirm_seconds_bucket{` + overflow + `,source="eu",le="+Inf"} 90`,
		`weir_confirm_seconds_sum{` + overflow + `,source="eu"} 12.5`,
		`weir_confirm_seconds_count{` + overflow + `,source="eu"} 90`,
		`weir_wait_seconds_count{` + overflow + `,source="eu"} 0`,
		`weir_transit_seconds_count{` + overflow + `,source="eu"} 0`,
		`weir_config_reload_success 1`,
		`weir_config_reload_timestamp_seconds 1.70000000025e+09`,
		`weir_spans_lost_total 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			name, _, _ := strings.Cut(want, "{")
			t.Errorf("no %s\nbut %s", want, strings.Join(regexp.MustCompile(`(?m)^`+name+`.*overflow.*$`).FindAllString(text, 5), "\n    "))
		}
	}
	if !strings.Contains(scrape(t, newTelemetry(t), telemetry.Snapshot{Rejected: true}), "\nweir_config_reload_success 0\n") {
		t.Error("a refused configuration is not told")
	}
}

// What is not known is absent: a dashboard must not show an empty queue where nobody has looked.
func TestUnknownFiguresAreAbsent(t *testing.T) {
	text := scrape(t, newTelemetry(t), snapshot())
	for _, name := range []string{
		"weir_source_depth", "weir_source_oldest_seconds", "weir_overflow_open", "weir_overflow_switches_total", "weir_heartbeat_seconds",
	} {
		if regexp.MustCompile(name + `\{[^}]*federation`).MatchString(text) {
			t.Errorf("%s of a link that does not know it", name)
		}
	}
	if n := len(regexp.MustCompile(`weir_messages_received_total\{[^}]*federation[^}]*\} 0`).FindAllString(text, -1)); n != 1 {
		t.Errorf("a counter of the other link is there %d times, want once and at 0", n)
	}
	if strings.Contains(scrape(t, newTelemetry(t), telemetry.Snapshot{}), "weir_config_reload_timestamp_seconds ") {
		t.Error("a time of a reload that has not been")
	}
}

// A link is in exactly one state, and each state that it can be in has a series.
func TestEachStateHasASeries(t *testing.T) {
	for _, state := range []link.State{
		link.Starting, link.Running, link.Idle, link.Paused, link.Shut, link.Standby, link.Holding, link.Stuck, link.Blocked,
		link.Retrying, link.Denied, link.Finished, link.Stopped,
	} {
		text := scrape(t, newTelemetry(t), telemetry.Snapshot{Links: []link.Status{{Name: "orders", State: state}}})
		in := regexp.MustCompile(`(?m)^weir_link_state\{[^}]*state="([^"]*)"\} 1$`).FindAllStringSubmatch(text, -1)
		if len(in) != 1 || in[0][1] != string(state) {
			t.Errorf("%s: in %v", state, in)
		}
	}
}

// No label holds anything but names from the configuration and words of weir's own.
func TestLabelsAreBounded(t *testing.T) {
	text := scrape(t, newTelemetry(t), snapshot())
	allowed := []string{"link", "kind", "source", "destination", "state", "reason", "le", "version", "goversion"}
	for _, line := range regexp.MustCompile(`(?m)^weir_\w+\{.*\}`).FindAllString(text, -1) {
		for _, label := range regexp.MustCompile(`[{,](\w+)="`).FindAllStringSubmatch(line, -1) {
			if !slices.Contains(allowed, label[1]) {
				t.Errorf("label %s in %s", label[1], line)
			}
		}
	}
}

// promtool finds nothing to complain of: names, units, types and help texts.
func TestPromtoolIsContent(t *testing.T) {
	said, err := lab.Promtool(t, strings.NewReader(scrape(t, newTelemetry(t), snapshot())), "check", "metrics")
	if err != nil || said != "" {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
}
