package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
)

// Load reads, checks and completes the configuration in a file; settings lie over what the file says of the process
// (Locate finds both). Warnings come beside a configuration that can be used. The error is of type Problems where the
// file has mistakes, and then holds the warnings as well; otherwise the file could not be read.
func Load(file string, env Env, settings ...Setting) (*Config, Problems, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration %s: %w", file, reason(err))
	}
	r := newReport(file)
	cfg := read(r, data, env, settings)
	r.filesReadable()
	return finish(r, cfg)
}

// Parse is Load for a configuration that is not in a file. Relative paths in it start at the folder of name, which also
// stands in messages. Unlike Load it does not look whether files that the configuration names can be read.
func Parse(name string, data []byte, env Env, settings ...Setting) (*Config, Problems, error) {
	r := newReport(name)
	cfg := read(r, data, env, settings)
	return finish(r, cfg)
}

// Socket is admin.socket of a file, whatever else in it is wrong: whoever mends a file must still reach the weir that runs
// with the one before. It is empty where the file does not say, or cannot be read.
func Socket(file string, env Env) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	cfg := read(newReport(file), data, env, nil)
	if cfg == nil {
		return ""
	}
	return cfg.Admin.Socket
}

// Located gives findings about what a file declares the line and column of their Path, or of the block around it where
// nothing is written. A file that cannot be read leaves them as they are.
func Located(file string, env Env, found Problems) Problems {
	data, err := os.ReadFile(file)
	if err != nil {
		return found
	}
	r := newReport(file)
	read(r, data, env, nil)
	located := make(Problems, len(found))
	for i, p := range found {
		at := r.where(path(p.Path))
		p.Line, p.Column = at.line, at.column
		located[i] = p
	}
	return located
}

func finish(r *report, cfg *Config) (*Config, Problems, error) {
	found := r.problems.Sorted()
	if found.failed() {
		return nil, nil, found
	}
	return cfg, found, nil
}

// read does all steps and notes everything that is wrong; where that is a mistake the result is not to be used.
func read(r *report, data []byte, env Env, settings []Setting) *Config {
	name := r.root.source
	root := parseTree(r, data, env)
	if root == nil {
		return nil
	}
	var cfg Config
	v := reflect.ValueOf(&cfg).Elem()
	fill(v)
	(&decoder{report: r, folder: filepath.Dir(name)}).value(root, r.root, v, "", field{})
	for _, s := range settings {
		(&decoder{report: r}).setting(s, v)
	}
	if r.bad[""] { // not even keys and values
		return nil
	}
	c := &checker{report: r, cfg: &cfg}
	c.resolve()
	c.check()
	return &cfg
}

// filesReadable warns of files that cannot be read now. That is no mistake: a secret may be mounted later, and a
// configuration may be checked on another machine.
func (r *report) filesReadable() {
	for p, name := range r.files {
		f, err := os.Open(name)
		if err != nil {
			r.warn(p, "cannot be read now: %v", reason(err))
			continue
		}
		_ = f.Close() // nothing was written
	}
}
