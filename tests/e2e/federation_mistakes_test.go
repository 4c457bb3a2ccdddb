package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// Ensure that what is wrong with one upstream or policy shows there, with the reason, and stops no other.
func TestFederationMistakes(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		at, config := sites(t, broker, "eu", "us")
		eu, us := at[0], at[1]
		stranger, _ := us.VHost.User("stranger")
		us.VHost.Permit(stranger, "", "", "")
		as := func(old, replacement string) string { return strings.Replace(us.YAML(), old, replacement, 1) }
		config += "  locked: " + as(`password: "secret"`, `password: "wrong"`) + "\n" +
			"  denied: " + as("username: "+strconv.Quote(us.VHost.Username), "username: "+strconv.Quote(stranger)) + "\n" +
			"  away: " + as("amqp://127.0.0.1:", "amqp://127.0.0.1:1, amqp://127.0.0.99:") + "\n"
		eu.exchange("fed", "topic")
		eu.queue("q", "fed", "#")
		g := built.Start(t, config+`
upstreams:
  us: {broker: us}
  locked: {broker: locked}
  denied: {broker: denied}
  away: {broker: away}
policies:
  fed: {pattern: "^fed$", apply-to: exchanges, definition: {federation-upstream-set: all}}
  none: {pattern: "^nothing$", apply-to: exchanges, definition: {federation-upstream: us}}
`)
		for name, want := range map[string]link.State{"locked": link.Denied, "denied": link.Denied, "away": link.Retrying} {
			await.That(t, federationLimit, name+" is "+string(want), func() bool { return g.Has(name+"/exchanges/fed", want) })
			if s := g.Status(name + "/exchanges/fed"); s.Reason == "" && s.LastError == "" {
				t.Errorf("%s says no reason: %+v", name, s)
			}
		}
		us.pulled("fed", "#")
		us.send("fed", "key", "1")
		eu.gets("q", "1")
		// What is away is tried again, and nothing to mend.
		want := []string{"fed on denied", "fed on locked", "none on eu"}
		await.That(t, federationLimit, fmt.Sprintf("problems: %q", want), func() bool { return slices.Equal(problems(t, g), want) })
	})
}

// problems are the policies that `weir status` says something is wrong with, and the brokers where.
func problems(t *testing.T, g *built.Gateway) []string {
	t.Helper()
	out, err := g.Run("status", "-o", "json")
	if err != nil {
		t.Fatalf("weir status: %v\n%s", err, out)
	}
	var status struct {
		Problems []struct {
			Policy string `json:"policy"`
			Broker string `json:"broker"`
		} `json:"problems"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatalf("weir status: %v\n%s", err, out)
	}
	var names []string
	for _, p := range status.Problems {
		names = append(names, p.Policy+" on "+p.Broker)
	}
	slices.Sort(names)
	return names
}
