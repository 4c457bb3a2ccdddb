package drivers

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"weir/configs"
)

// tlsConfig returns what makes the TLS settings of one connection. It reads the files each time, so that a certificate
// that has been renewed is used at the next connect. nil: Go's defaults.
func tlsConfig(t *configs.TLS) func() (*tls.Config, error) {
	if t == nil {
		return nil
	}
	return func() (*tls.Config, error) {
		c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
		if t.CAFile != "" {
			pem, err := os.ReadFile(t.CAFile)
			if err != nil {
				return nil, fmt.Errorf("read ca-file: %w", err)
			}
			c.RootCAs = x509.NewCertPool()
			if !c.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("ca-file %s holds no certificate in PEM form", t.CAFile)
			}
		}
		if t.CertFile != "" {
			cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read cert-file %s and key-file %s: %w", t.CertFile, t.KeyFile, err)
			}
			c.Certificates = []tls.Certificate{cert}
		}
		return c, nil
	}
}
