package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Chromium returns the browser that the status page is tested in.
func Chromium(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is %v; get it with: %s", ErrNotInstalled, installCommand())
	}
	return path
}

// InstallChromium gets Chromium, and a font for it, from Debian where it is missing, and returns its release. Without root
// the error is ErrNotInstalled, and says what to run.
func InstallChromium(ctx context.Context, out io.Writer) (release string, err error) {
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Geteuid() != 0 {
			return "", fmt.Errorf("Chromium is %w; get it with: %s", ErrNotInstalled, installCommand())
		}
		if err := aptInstall(ctx, "chromium", out, "fonts-dejavu-core"); err != nil {
			return "", err
		}
	}
	said, err := exec.CommandContext(ctx, "chromium", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("chromium --version: %w", err)
	}
	words := strings.Fields(string(said)) // Chromium 156.0.8078.79 built on Debian ...
	if len(words) < 2 {
		return "", errors.New("chromium --version says nothing")
	}
	return words[1], nil
}
