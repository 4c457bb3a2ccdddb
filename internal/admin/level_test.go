package admin

import (
	"os"
	"strings"
	"testing"

	"weir/federation"
	"weir/internal/gateway"
	"weir/link"
)

func TestVerdict(t *testing.T) {
	links := func(states ...link.State) (all []link.Status) {
		for i, s := range states {
			all = append(all, link.Status{Name: string(rune('a' + i)), State: s})
		}
		return all
	}
	for want, s := range map[Verdict]gateway.Status{
		{Waiting, "No links are configured"}:                                          {},
		{Well, "All is well: 3 links (1 idle, 1 running, 1 shut)"}:                    {Links: links(link.Running, link.Idle, link.Shut)},
		{Attention, "1 of 2 links needs attention: b"}:                                {Links: links(link.Running, link.Paused)},
		{Attention, "2 of 2 links need attention: a, b"}:                              {Links: links(link.Holding, link.Blocked)},
		{Down, "1 of 1 link is down: a"}:                                              {Links: links("no such state")},
		{Down, "5 of 6 links are down: b, c, d and 2 more"}:                           {Links: links(link.Paused, link.Denied, link.Stuck, link.Retrying, link.Denied, link.Denied)},
		{Attention, "Federation has 1 problem"}:                                       {Problems: []federation.Problem{{}}},
		{Attention, "The last configuration was refused; the one before is in force"}: {Links: links(link.Idle), Config: gateway.ConfigStatus{Rejected: &gateway.Rejection{}}},
	} {
		if got := VerdictOf(s); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// Every state is explained where operators look it up.
func TestStatesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for state, m := range meanings {
		if !strings.Contains(string(text), "| `"+string(state)+"` | "+string(m.level)+" |") {
			t.Errorf("docs/operations.md does not have %s as %s", state, m.level)
		}
	}
}

func TestUnknownUntilALinkHasShownItsState(t *testing.T) {
	got := starting([]link.Status{{Name: "a", State: link.Starting}, {Name: "b", State: link.Retrying}, {Name: "c", State: link.Starting, Attempt: 3}})
	if len(got) != 1 || got[0] != "a" {
		t.Errorf("got %v, want a: the others have shown theirs", got)
	}
}
