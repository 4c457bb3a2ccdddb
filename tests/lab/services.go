package lab

import (
	"os"
	"path/filepath"
)

// withoutServices is an option of apt-get that keeps what it installs from starting a service: the programs by which Debian's
// packages do so (deb-systemd-helper(1p), invoke-rc.d(8)) are found in a folder first where they do nothing.
func withoutServices() (option string, err error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "no-services")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	for _, name := range []string{"invoke-rc.d", "deb-systemd-invoke"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			return "", err
		}
	}
	return "-oDPkg::Path=" + folder + ":/usr/sbin:/usr/bin:/sbin:/bin", nil
}
