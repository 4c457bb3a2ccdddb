package configs

import "net/url"

func (c *checker) process() {
	if endpoint := c.cfg.Telemetry.Traces.Endpoint; endpoint != "" {
		at := path("telemetry").key("traces").key("endpoint")
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			c.mistake(at, "want http://host:port or https://host:port")
		case u.User != nil:
			c.mistake(at, "a uri holds no credentials; set OTEL_EXPORTER_OTLP_HEADERS")
		}
	}
	a, at := c.cfg.Admin, path("admin")
	if a.Listen != "" && !c.loopback(at.key("listen"), a.Listen) && a.TokenFile == "" {
		c.mistake(at.key("token-file"), "missing; %s can be reached from other hosts", at.key("listen"))
	}
}
