package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/link"
)

// Snapshot is what metrics are made of.
type Snapshot struct {
	Links []link.Status
	// Applied is when the configuration in force was applied; Rejected tells that a later one was not.
	Applied  time.Time
	Rejected bool
}

// Handler serves metrics to Prometheus. now is called for each scrape. It may be called more than once.
func (t *Telemetry) Handler(now func() Snapshot) http.Handler {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "weir_build_info",
		Help:        "Always 1. The labels tell which build this is.",
		ConstLabels: prometheus.Labels{"version": t.version, "goversion": runtime.Version()},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
		t.losses.counter,
		collector(now),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		ErrorHandling:     promhttp.ContinueOnError, // one metric that cannot be told must not hide the others
	})
}
