package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Node is one RabbitMQ node. All its ports are on 127.0.0.1.
type Node struct {
	Name       string `json:"name"` // eu1@localhost
	AMQP       int    `json:"amqp"`
	AMQPS      int    `json:"amqps"`
	Management int    `json:"management"`
	Pid        int    `json:"pid"` // of the Erlang VM, 0 while down; /proc/<pid>/stat tells its CPU time

	dist    int // for other nodes
	process *exec.Cmd
}

const plugins = `[rabbitmq_management, rabbitmq_shovel, rabbitmq_shovel_management, rabbitmq_federation,
 rabbitmq_federation_management, rabbitmq_event_exchange, rabbitmq_auth_mechanism_ssl,
 rabbitmq_consistent_hash_exchange].`

// configure writes the files a node reads.
func (c *Cluster) configure(n *Node) error {
	dir := c.dir(n)
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		return err
	}
	var conf strings.Builder
	set := func(key string, value any) { fmt.Fprintf(&conf, "%s = %v\n", key, value) }
	set("listeners.tcp.1", address(n.AMQP))
	set("listeners.ssl.1", address(n.AMQPS))
	set("management.tcp.ip", loopback)
	set("management.tcp.port", n.Management)
	set("ssl_options.cacertfile", c.Authority.CAFile)
	set("ssl_options.certfile", c.server.CertFile)
	set("ssl_options.keyfile", c.server.KeyFile)
	set("ssl_options.verify", "verify_peer")
	set("ssl_options.fail_if_no_peer_cert", false)
	set("ssl_cert_login_from", "common_name")
	set("auth_mechanisms.1", "PLAIN")
	set("auth_mechanisms.2", "AMQPLAIN")
	set("auth_mechanisms.3", "EXTERNAL")
	set("default_user", c.Username)
	set("default_pass", c.Password)
	set("loopback_users", "none")
	set("cluster_name", c.Name)
	set("vm_memory_high_watermark.absolute", memoryLimit)
	set("disk_free_limit.absolute", "50MB")
	set("raft.wal_max_size_bytes", 64<<20) // half a GiB by default, which a node keeps in memory
	if len(c.Nodes) > 1 {
		set("cluster_formation.peer_discovery_backend", "classic_config")
		set("cluster_formation.target_cluster_size_hint", len(c.Nodes))
		if c.Version == "3.10" { // the first node to lock looks in vain for one that has formed the cluster, 5 s by default
			set("cluster_formation.discovery_retry_limit", 1)
			set("cluster_formation.discovery_retry_interval", 100)
		}
		for i, peer := range c.Nodes {
			set(fmt.Sprintf("cluster_formation.classic_config.nodes.%d", i+1), peer.Name)
		}
	}
	conf.WriteString(c.extra)
	for name, text := range map[string]string{"rabbitmq.conf": conf.String(), "advanced.config": "[].", "enabled_plugins": plugins} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// start starts a node and does not wait for it. The child process is the Erlang VM itself: RABBITMQ_ALLOW_INPUT makes
// the start script end in an exec. It leads a process group, so that Ctrl-C in a terminal reaches only the test, which
// stops it, and the kernel kills it if the test cannot.
func (c *Cluster) start(n *Node) error {
	dir := c.dir(n)
	cmd := c.install.command(c.install.sbin + "/rabbitmq-server")
	cmd.Dir = dir // takes a crash dump
	cmd.Env = append(c.environment(),
		"RABBITMQ_NODENAME="+n.Name,
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", n.dist),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"),
		"RABBITMQ_LOG_BASE="+dir,
		"RABBITMQ_LOGS=-",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES="+filepath.Join(dir, "conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(dir, "advanced.config"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_ALLOW_INPUT=true",
		"RABBITMQ_SERVER_START_ARGS=-noinput",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
	)
	log, err := os.OpenFile(c.log(n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.process, n.Pid = cmd, cmd.Process.Pid
	return nil
}

// kill ends a node the hard way and waits until it is gone. A node that is down stays down.
func (n *Node) kill() {
	if n.process == nil {
		return
	}
	_ = syscall.Kill(-n.Pid, syscall.SIGKILL)
	_ = n.process.Wait() // "signal: killed" is what was asked for
	n.process, n.Pid = nil, 0
}

// exited tells whether the process of a node ended by itself (a zombie, until kill has waited for it).
func (n *Node) exited() bool { return strings.Trim(n.states(), "Z") == "" }

// states is the letter that ps shows for each thread of a node.
func (n *Node) states() string {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.Pid)) // the pattern is good, which is the only error
	var states strings.Builder
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil { // the thread has ended
			continue
		}
		if _, fields, ok := strings.Cut(string(stat), ") "); ok { // after the name of the thread
			states.WriteString(fields[:1])
		}
	}
	return states.String()
}

func (c *Cluster) dir(n *Node) string {
	return filepath.Join(c.folder.path, strings.TrimSuffix(n.Name, "@localhost"))
}
func (c *Cluster) log(n *Node) string { return filepath.Join(c.dir(n), "log") }

const loopback = "127.0.0.1"

func address(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }
