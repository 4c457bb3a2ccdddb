package jetstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"weir/broker"
	"weir/broker/jetstream"
)

// works declares a queue and moves a message through it.
func works(t *testing.T, b *jetstream.Broker) {
	t.Helper()
	q := broker.Address{Queue: "q"}
	sink := openSink(t, b, q, broker.SinkOptions{})
	if err := answer(t, send(t, sink, &broker.Message{Body: []byte("1")})); err != nil {
		t.Fatal(err)
	}
	src := openSource(t, b, q, broker.SourceOptions{})
	if got := string(receive(t, src).Body); got != "1" {
		t.Fatalf("got %s", got)
	}
}

func fails(t *testing.T, b *jetstream.Broker, want error) error {
	t.Helper()
	_, err := b.OpenSink(within(t), broker.Address{Queue: "q"}, broker.SinkOptions{})
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	return err
}

// authority is a certificate authority of one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert := a.sign(template)
	a.cert = cert.Leaf
	a.key = cert.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// leaf is a certificate for a server on loopback and for a client.
func (a *authority) leaf() tls.Certificate {
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	s := startSystem(t, 1, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.leaf()}, MinVersion: tls.VersionTLS12}
	})
	trusting := func(pool *x509.CertPool) jetstream.Config {
		return jetstream.Config{URIs: s.urls(), TLS: func() (*tls.Config, error) {
			return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
		}}
	}
	works(t, open(t, trusting(ca.pool)))
	_ = fails(t, open(t, trusting(other.pool)), nil)
	broken := trusting(nil)
	broken.TLS = func() (*tls.Config, error) { return nil, os.ErrNotExist }
	_ = fails(t, open(t, broken), os.ErrNotExist)
}

// A server that asks for a certificate denies whoever has none, or one it does not know.
func TestMutualTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	s := startSystem(t, 1, func(o *server.Options) {
		o.TLSVerify = true
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{ca.leaf()}, ClientCAs: ca.pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		}
	})
	with := func(certificates ...tls.Certificate) jetstream.Config {
		return jetstream.Config{URIs: s.urls(), TLS: func() (*tls.Config, error) {
			return &tls.Config{RootCAs: ca.pool, Certificates: certificates, MinVersion: tls.VersionTLS12}, nil
		}}
	}
	works(t, open(t, with(ca.leaf())))
	_ = fails(t, open(t, with()), broker.ErrDenied)
	_ = fails(t, open(t, with(other.leaf())), broker.ErrDenied)
}

// Secrets are read at each login, and are in no error.
func TestSecretsAreReadAgain(t *testing.T) {
	s := startSystem(t, 1, func(o *server.Options) { o.Username, o.Password = "weir", "right-secret" })
	password := "wrong-secret"
	b := open(t, jetstream.Config{URIs: s.urls(), Credentials: func() (string, string, error) { return "weir", password, nil }})
	if err := fails(t, b, broker.ErrDenied); strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is in %q", err)
	}
	password = "right-secret"
	works(t, b)

	uri := strings.Replace(s.urls()[0], "nats://", "nats://weir:wrong-secret@", 1)
	for _, uri := range []string{uri, uri + "/%zz"} {
		if err := fails(t, open(t, jetstream.Config{URIs: []string{uri}}), nil); strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestToken(t *testing.T) {
	s := startSystem(t, 1, func(o *server.Options) { o.Authorization = "right" })
	with := func(token string) jetstream.Config {
		return jetstream.Config{URIs: s.urls(), Token: func() (string, error) { return token, nil }}
	}
	works(t, open(t, with("right")))
	_ = fails(t, open(t, with("wrong")), broker.ErrDenied)
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string, seed []byte) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = key.Seed(); err != nil {
		t.Fatal(err)
	}
	return key, public, seed
}

func TestNKey(t *testing.T) {
	_, public, seed := newKey(t, nkeys.CreateUser)
	_, _, stranger := newKey(t, nkeys.CreateUser)
	s := startSystem(t, 1, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} })
	works(t, open(t, jetstream.Config{URIs: s.urls(), NKeyFile: write(t, seed)}))
	_ = fails(t, open(t, jetstream.Config{URIs: s.urls(), NKeyFile: write(t, stranger)}), broker.ErrDenied)
	_ = fails(t, open(t, jetstream.Config{URIs: s.urls(), NKeyFile: "/missing"}), os.ErrNotExist)
}

// In operator mode users are known by JWTs, which creds files hold with the user's seed.
func TestCreds(t *testing.T) {
	operator, operatorID, _ := newKey(t, nkeys.CreateOperator)
	encode := func(c interface {
		Encode(nkeys.KeyPair) (string, error)
	}, by nkeys.KeyPair) string {
		t.Helper()
		s, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	resolver := &server.MemAccResolver{}
	account := func(change func(*jwt.AccountClaims)) (nkeys.KeyPair, string) {
		key, id, _ := newKey(t, nkeys.CreateAccount)
		claims := jwt.NewAccountClaims(id)
		change(claims)
		if err := resolver.Store(id, encode(claims, operator)); err != nil {
			t.Fatal(err)
		}
		return key, id
	}
	_, system := account(func(*jwt.AccountClaims) {})
	shop, _ := account(func(c *jwt.AccountClaims) {
		c.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: jwt.NoLimit, MemoryStorage: jwt.NoLimit}
	})
	poor, _ := account(func(*jwt.AccountClaims) {}) // without JetStream
	operatorClaims := jwt.NewOperatorClaims(operatorID)
	operatorClaims.SystemAccount = system
	claims, err := jwt.DecodeOperatorClaims(encode(operatorClaims, operator))
	if err != nil {
		t.Fatal(err)
	}
	creds := func(account nkeys.KeyPair, expires time.Time) string {
		_, id, seed := newKey(t, nkeys.CreateUser)
		user := jwt.NewUserClaims(id)
		if !expires.IsZero() {
			user.Expires = expires.Unix()
		}
		content, err := jwt.FormatUserConfig(encode(user, account), seed)
		if err != nil {
			t.Fatal(err)
		}
		return write(t, content)
	}
	s := startSystem(t, 1, func(o *server.Options) {
		o.TrustedOperators = []*jwt.OperatorClaims{claims}
		o.AccountResolver = resolver
		o.SystemAccount = system
	})
	works(t, open(t, jetstream.Config{URIs: s.urls(), CredsFile: creds(shop, time.Time{})}))
	_ = fails(t, open(t, jetstream.Config{URIs: s.urls(), CredsFile: creds(shop, time.Now().Add(-time.Minute))}), broker.ErrDenied)
	_ = fails(t, open(t, jetstream.Config{URIs: s.urls(), CredsFile: "/missing"}), os.ErrNotExist)
	_ = fails(t, open(t, jetstream.Config{URIs: s.urls(), CredsFile: creds(poor, time.Time{})}), broker.ErrUnsupported)
}
