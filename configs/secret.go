package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

// mask is what a secret shows in place of itself.
const mask = "***"

// Secret is text that cannot print itself: formatting, logging and marshalling show a mask. The zero Secret is empty.
type Secret struct {
	// A pointer, because fmt does not call the methods of an unexported field; it prints the address instead.
	// reflect.DeepEqual compares the texts.
	text *string
}

// NewSecret hides text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text. Whoever calls it takes over the duty not to print it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns a mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return mask
}

// Format prints the mask whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText masks the secret in JSON, YAML and every other encoding that knows text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue masks the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// ErrSecret is in the error of ReadPassword and its like where the file of a secret cannot be read.
var ErrSecret = errors.New("read secret")

// readSecret returns the secret, or what its file holds now, without the line break that editors leave at the end.
func readSecret(inline Secret, file string) (string, error) {
	if file == "" {
		return inline.Reveal(), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w %s: %w", ErrSecret, file, reason(err))
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// reason is a file error without the name of the file, which the message around it has already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
