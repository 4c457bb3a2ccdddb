package jetstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

const (
	codeStreamNotFound   = jetstream.JSErrCodeStreamNotFound
	codeConsumerNotFound = jetstream.JSErrCodeConsumerNotFound
	codeStreamExists     = jetstream.JSErrCodeStreamNameInUse
	codeConsumerExists   = jetstream.JSErrCodeConsumerExists
	codeMessageTooLarge  = jetstream.JSErrCodeStreamMessageExceedsMaximum
	codeHeadersTooLarge  = 10097 // more than 64 KiB of them; nats.go has no name for it
	codeNotEnabled       = jetstream.JSErrCodeJetStreamNotEnabled
	codeNotForAccount    = jetstream.JSErrCodeJetStreamNotEnabledForAccount
)

// code is the error code of a JetStream API answer, 0 for any other error.
func code(err error) jetstream.ErrorCode {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode
	}
	if js, ok := errors.AsType[jetstream.JetStreamError](err); ok && js.APIError() != nil {
		return js.APIError().ErrorCode
	}
	return 0
}

// classify wraps err in the sentinel that decides what a link does, if there is one.
func classify(err error) error {
	switch code(err) {
	case codeConsumerNotFound:
		return fmt.Errorf("consumer %w", broker.ErrNotFound)
	case codeStreamNotFound:
		return fmt.Errorf("stream %w", broker.ErrNotFound)
	case codeNotEnabled, codeNotForAccount:
		return fmt.Errorf("%w: %w", broker.ErrUnsupported, err)
	}
	if errors.Is(err, jetstream.ErrNotPullConsumer) {
		return fmt.Errorf("%w: %w", broker.ErrUnsupported, err)
	}
	for _, denied := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
	} {
		if errors.Is(err, denied) {
			return fmt.Errorf("%w: %w", broker.ErrDenied, err)
		}
	}
	if refusedCertificate(err) {
		return fmt.Errorf("%w: %w", broker.ErrDenied, err)
	}
	return err
}

// refusedCertificate reports whether the server has ended a TLS handshake: it does not accept our certificate, or that
// there is none. With TLS 1.3 that shows as an alert, or as a connection that is closed after the handshake, whichever
// is seen first.
func refusedCertificate(err error) bool {
	if _, ours := errors.AsType[*tls.CertificateVerificationError](err); ours {
		return false // we do not accept the server's
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" || errors.Is(err, nats.ErrTLS)
}

func isNotFound(err error) bool { return errors.Is(err, broker.ErrNotFound) }
