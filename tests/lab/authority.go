package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority issues certificates for tests. Every broker of the lab has one; tests of other servers make their own.
type Authority struct {
	CAFile    string `json:"ca-file"` // PEM, for whoever verifies
	CAKeyFile string `json:"ca-key-file"`
}

// KeyPair names a certificate and its private key, both PEM.
type KeyPair struct{ CertFile, KeyFile string }

// NewAuthority makes an authority that nobody else trusts. Its files go with the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a, err := newAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Issue makes a certificate for localhost, 127.0.0.1 and ::1 that serves as server and as client certificate. RabbitMQ
// takes its common name for the user name under SASL EXTERNAL. Its files go with the test.
func (a *Authority) Issue(t testing.TB, commonName string) KeyPair {
	t.Helper()
	pair, err := a.issue(t.TempDir(), commonName)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func newAuthority(dir string) (*Authority, error) {
	template := certificate("weir lab")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	pair, err := write(dir, "ca", template, nil, nil)
	return &Authority{CAFile: pair.CertFile, CAKeyFile: pair.KeyFile}, err
}

func (a *Authority) issue(dir, commonName string) (KeyPair, error) {
	ca, key, err := a.load()
	if err != nil {
		return KeyPair{}, err
	}
	template := certificate(commonName)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return write(dir, "cert", template, ca, key)
}

func (a *Authority) load() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := os.ReadFile(a.CAKeyFile)
	if err != nil {
		return nil, nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, fmt.Errorf("no PEM in %s or %s", a.CAFile, a.CAKeyFile)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	return cert, key, err
}

func certificate(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetInt64(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

// write makes a key, signs the certificate with the issuer's (its own without one) and writes both to dir.
func write(dir, name string, template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return KeyPair{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	pair := KeyPair{CertFile: filepath.Join(dir, name+".pem"), KeyFile: filepath.Join(dir, name+".key")}
	if err := os.WriteFile(pair.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return KeyPair{}, err
	}
	return pair, os.WriteFile(pair.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600)
}
