package admin

import (
	"fmt"
	"net/http"

	"weir/link"
)

func (a *api) healthy(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]string{"status": "ok"})
}

// ready answers 200 once the configuration runs and the state of every link is known, until the stop begins. A region
// that is down does not matter: weir is there for that. Nor does a link that starts anew later.
func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.gateway.Ready(); err != nil {
		a.refuse(w, err)
		return
	}
	if !a.known.Load() {
		if unknown := starting(a.gateway.Status().Links); len(unknown) > 0 {
			fail(w, http.StatusServiceUnavailable, fmt.Sprintf("weir is starting: %s", some(unknown)))
			return
		}
		a.known.Store(true)
	}
	a.healthy(w, r)
}

// starting names the links of which nothing is known yet.
func starting(links []link.Status) (names []string) {
	for _, l := range links {
		if l.State == link.Starting && l.Attempt == 0 {
			names = append(names, l.Name)
		}
	}
	return names
}
