package configs_test

import (
	"os"
	"path/filepath"
	"testing"

	"weir/configs"
)

// Ensure the socket is found in a file that has mistakes elsewhere, so that a weir that runs can be reached to tell them.
func TestSocketDespiteMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	text := "version: 1\nbrokers: {eu: {type: rabbit}}\nadmin: {socket: /tmp/weir.sock}\nshovles: {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := configs.Socket(file, os.LookupEnv); got != "/tmp/weir.sock" {
		t.Errorf("got %q", got)
	}
	if got := configs.Socket(file+".missing", os.LookupEnv); got != "" {
		t.Errorf("of a missing file: %q", got)
	}
}

// Ensure what others find is placed where it stands, or in the block around it.
func TestLocated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	text := "brokers:\n  eu.west: {type: rabbitmq}\nshovels:\n  orders:\n    destinations:\n      - {broker: us}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]int{
		configs.Place("brokers", "eu.west"):     {2, 12},
		"shovels.orders.destinations[0]":        {6, 9},
		"shovels.orders.destinations[0].broker": {6, 18},
		"shovels.orders.overflow.watch":         {4, 3},
		"nothing":                               {1, 1},
	} {
		found := configs.Located(file, os.LookupEnv, configs.Problems{{File: file, Path: path, Message: "is wrong"}})
		if got := [2]int{found[0].Line, found[0].Column}; got != want || found[0].Message != "is wrong" {
			t.Errorf("%s: got %v, want %v", path, found[0], want)
		}
	}
	if found := configs.Located(file+".missing", os.LookupEnv, configs.Problems{{Path: "brokers"}}); len(found) != 1 || found[0].Line != 0 {
		t.Errorf("of a missing file: %v", found)
	}
}
