package telemetry

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"weir/link"
)

// collector makes metrics of a snapshot. Labels hold names from the configuration and words of weir's own, so that there
// are only so many; what is not known is left out, never 0.
type collector func() Snapshot

var linkLabels = []string{"link", "kind", "source", "destination"}

// metric describes a metric of a link, with the four labels and more.
func metric(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append(slices.Clip(linkLabels), more...), nil)
}

var (
	received       = metric("weir_messages_received_total", "Messages received from the source.")
	confirmed      = metric("weir_messages_confirmed_total", "Messages that the destination has confirmed.")
	bytesConfirmed = metric("weir_bytes_confirmed_total", "Bytes in the bodies of messages that the destination has confirmed.")
	refused        = metric("weir_messages_refused_total", "Answers of the destination that it will not store a message.")
	unroutable     = metric("weir_messages_unroutable_total", "Answers of the destination that it has nowhere to put a message.")
	expired        = metric("weir_messages_expired_total", "Messages that the source's broker removed, by age or size, before they were received.")
	filtered       = metric("weir_messages_filtered_total", "Messages acked and not sent because nobody at the destination wants them.")
	dropped        = metric("weir_messages_dropped_total", "Messages that the destination would not take, by what was done with them: drop, reject, dead-letter.", "reason")
	retries        = metric("weir_retries_total", "Further attempts to send a message that was refused or unroutable.")
	reconnects     = metric("weir_reconnects_total", "Sessions that were lost after they had opened.")

	inFlight = metric("weir_in_flight", "Messages sent and not confirmed yet.")
	held     = metric("weir_held", "Messages kept for another attempt.")
	window   = metric("weir_window", "Most messages that may be received and not acked.")
	state    = metric("weir_link_state", "1 for the state that the link is in, 0 for the others.", "state")

	waits    = metric("weir_wait_seconds", "How long messages had lain at the source when they were received, where that is known.")
	confirms = metric("weir_confirm_seconds", "How long the destination took to confirm, from the last attempt.")
	transits = metric("weir_transit_seconds", "How long messages took from their coming to the source until the destination had confirmed them, where that is known.")

	depth  = metric("weir_source_depth", "Messages ready at the source, when last read.")
	oldest = metric("weir_source_oldest_seconds", "Age of the oldest message at the source, at least, when last read.")

	heartbeatLag     = metric("weir_heartbeat_seconds", "How long the last heartbeat took from the source until all before it was confirmed, if one has come back lately.")
	heartbeatsMissed = metric("weir_heartbeats_missed_total", "Heartbeats that were not back within five intervals.")

	overflowOpen     = metric("weir_overflow_open", "1 while overflow is open.")
	overflowSwitches = metric("weir_overflow_switches_total", "How often overflow has opened or shut.")

	reloadSuccess   = prometheus.NewDesc("weir_config_reload_success", "1 if the last configuration was applied, 0 if it was refused.", nil, nil)
	reloadTimestamp = prometheus.NewDesc("weir_config_reload_timestamp_seconds", "When the configuration in force was applied.", nil, nil)
)

// states are all that a link can be in.
var states = []link.State{
	link.Starting, link.Running, link.Idle, link.Paused, link.Shut, link.Standby, link.Holding, link.Blocked, link.Stuck,
	link.Retrying, link.Denied, link.Finished, link.Stopped,
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		received, confirmed, bytesConfirmed, refused, unroutable, filtered, dropped, expired, retries, reconnects,
		inFlight, held, window, state, waits, confirms, transits, depth, oldest, heartbeatLag, heartbeatsMissed,
		overflowOpen, overflowSwitches, reloadSuccess, reloadTimestamp,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	s := c()
	for i := range s.Links {
		l := &s.Links[i]
		labels := []string{l.Name, string(l.Kind), l.From, strings.Join(l.To, ",")}
		for j := range labels { // federated links are named after what brokers hold, and a scrape fails on invalid text
			labels[j] = strings.ToValidUTF8(labels[j], "\uFFFD")
		}
		(&scraped{to, labels}).collect(l)
	}
	to <- prometheus.MustNewConstMetric(reloadSuccess, prometheus.GaugeValue, truth(!s.Rejected))
	if !s.Applied.IsZero() {
		seconds := float64(s.Applied.UnixMilli()) / 1000
		to <- prometheus.MustNewConstMetric(reloadTimestamp, prometheus.GaugeValue, seconds)
	}
}

// scraped is one link during one scrape.
type scraped struct {
	to     chan<- prometheus.Metric
	labels []string
}

func (l *scraped) collect(s *link.Status) {
	n := s.Counts
	l.count(received, n.Received)
	l.count(confirmed, n.Confirmed)
	l.count(bytesConfirmed, n.BytesConfirmed)
	l.count(refused, n.Refused)
	l.count(unroutable, n.Unroutable)
	l.count(filtered, n.Filtered)
	l.count(dropped, n.Dropped, string(link.Drop))
	l.count(dropped, n.Rejected, string(link.Reject))
	l.count(dropped, n.DeadLettered, string(link.DeadLetter))
	l.count(expired, n.Expired)
	l.count(retries, n.Retries)
	l.count(reconnects, n.Reconnects)

	l.gauge(inFlight, float64(s.InFlight))
	l.gauge(held, float64(s.Held))
	l.gauge(window, float64(s.Window))
	for _, word := range states {
		l.gauge(state, truth(s.State == word), string(word))
	}
	l.histogram(waits, s.Waits)
	l.histogram(confirms, s.Confirms)
	l.histogram(transits, s.Transits)

	if d := s.Depth; d != nil && d.Ready != nil {
		l.gauge(depth, float64(*d.Ready))
	}
	if d := s.Depth; d != nil && d.OldestMin != nil {
		l.gauge(oldest, *d.OldestMin)
	}
	if h := s.Heartbeat; h != nil {
		if h.Seconds != nil {
			l.gauge(heartbeatLag, *h.Seconds)
		}
		l.count(heartbeatsMissed, h.Missed)
	}
	if o := s.Overflow; o != nil {
		l.gauge(overflowOpen, truth(o.Open))
		l.count(overflowSwitches, o.Switches)
	}
}

func (l *scraped) count(d *prometheus.Desc, n int64, more ...string) {
	l.value(d, prometheus.CounterValue, float64(n), more)
}

func (l *scraped) gauge(d *prometheus.Desc, v float64, more ...string) {
	l.value(d, prometheus.GaugeValue, v, more)
}

func (l *scraped) value(d *prometheus.Desc, kind prometheus.ValueType, v float64, more []string) {
	l.to <- prometheus.MustNewConstMetric(d, kind, v, append(slices.Clip(l.labels), more...)...)
}

func (l *scraped) histogram(d *prometheus.Desc, h link.Histogram) {
	buckets := make(map[float64]uint64, len(h.Bounds))
	total := uint64(0)
	for i, n := range h.Counts {
		total += uint64(n)
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = total
		}
	}
	l.to <- prometheus.MustNewConstHistogram(d, total, h.Sum, buckets, l.labels...)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
