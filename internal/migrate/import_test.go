package migrate_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"weir/configs"
	"weir/internal/migrate"
)

var update = flag.Bool("update", false, "write what import makes of the definitions into testdata; read the diff")

// planted is the password in all definitions of testdata.
const planted = "hunter2"

// TestImport reads one file a rule: definitions, options, and what comes of them, to the last remark. What comes is loaded, too.
func TestImport(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			given := map[string]string{}
			for _, f := range archive.Files {
				given[f.Name] = string(f.Data)
			}
			yaml, told := imported(t, given["definitions.json"], options(t, given["options"]))
			if strings.Contains(yaml+told, planted) {
				t.Errorf("shows a password:\n%s%s", yaml, told)
			}
			if *update {
				writeWant(t, file, archive, yaml, told)
				return
			}
			if yaml != given["weir.yaml"] || told != given["told"] {
				t.Errorf("got:\n%s\n%s\nwant:\n%s\n%s", yaml, told, given["weir.yaml"], given["told"])
			}
		})
	}
}

// imported is the file, and all that is told about it.
func imported(t *testing.T, definitions string, o migrate.Options) (yaml, told string) {
	t.Helper()
	if !strings.Contains(definitions, planted) {
		t.Fatalf("no password %s in the definitions", planted)
	}
	var b strings.Builder
	r, err := migrate.Import([]byte(definitions), o)
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	if r == nil {
		return "", b.String()
	}
	for _, remark := range r.Remarks {
		fmt.Fprintln(&b, remark)
	}
	variables := map[string]string{}
	for _, v := range r.Variables {
		fmt.Fprintf(&b, "set %s: %s\n", v.Name, v.For)
		variables[v.Name] = planted
	}
	if r.Problems != nil {
		fmt.Fprintf(&b, "problems:\n%v\n", r.Problems)
	}
	if len(r.YAML) > 0 {
		loads(t, r, variables)
	}
	return string(r.YAML), b.String()
}

// loads fails unless the file loads with the variables that were told, or its problems were told.
func loads(t *testing.T, r *migrate.Result, variables map[string]string) {
	t.Helper()
	_, _, err := configs.Parse("weir.yaml", r.YAML, func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
	var problems configs.Problems
	if errors.As(err, &problems); len(problems) != len(r.Problems) {
		t.Errorf("weir says of it: %v\n%s", err, r.YAML)
	}
}

// options are lines of name=value.
func options(t *testing.T, text string) migrate.Options {
	t.Helper()
	o := migrate.Options{File: "weir.yaml"}
	for option := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "site":
			o.Site = value
		case "vhost":
			o.VHost = value
		case "local":
			o.Local = append(o.Local, value)
		case "management":
			o.Management = append(o.Management, value)
		default:
			t.Fatalf("unknown option %s", name)
		}
	}
	return o
}

func writeWant(t *testing.T, file string, archive *txtar.Archive, yaml, told string) {
	t.Helper()
	var kept []txtar.File
	for _, f := range archive.Files {
		if f.Name != "weir.yaml" && f.Name != "told" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "weir.yaml", Data: []byte(yaml)}, txtar.File{Name: "told", Data: []byte(told)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Ensure that what is no definitions is told from them, by a line where there is one.
func TestImportOfSomethingElse(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"empty":          {" \n", "is empty; "},
		"yaml":           {"version: 1\nsite: eu\n", "line 1: not JSON: invalid character 'v'"},
		"cut short":      {"{\"parameters\":\n [", "line 2: not JSON: unexpected end"},
		"a list":         {"[]", "line 1: no definitions of RabbitMQ: the whole is not what it should be; "},
		"something else": {`{"links": []}`, "no definitions of RabbitMQ: there are neither parameters nor policies in it"},
		"a wrong type":   {"{\n\"parameters\": [{\"name\": 7}]}", "line 2: no definitions of RabbitMQ: parameters.name is not what it should be"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := migrate.Import([]byte(c.data), migrate.Options{Site: "eu"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// Ensure that nobody has to guess who the file speaks for, and that --local is refused without a word of its password.
func TestImportOptions(t *testing.T) {
	definitions := []byte(`{"parameters": [], "policies": []}`)
	if _, err := migrate.Import(definitions, migrate.Options{}); !errors.Is(err, migrate.ErrNoSite) {
		t.Errorf("without a site: %v", err)
	}
	for _, uri := range []string{"amqp://weir:hunter2@eu", "amqp://eu/shop", "amqp://", "http://eu", "amqp://weir:hunter2@eu:x"} {
		_, err := migrate.Import(definitions, migrate.Options{Site: "eu", Local: []string{uri}})
		if !errors.Is(err, migrate.ErrLocal) || strings.Contains(err.Error(), planted) {
			t.Errorf("--local %s: %v", uri, err)
		}
	}
}
