package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"weir/internal/gateway"
)

// leftoversTimeout bounds how long brokers may take to say what has been left on them, or to remove it.
const leftoversTimeout = 30 * time.Second

// Leftovers are the buffers that no policy asks for any more.
type Leftovers struct {
	Leftovers []gateway.Leftover `json:"leftovers"`
	// Problem is why some brokers could not be asked; empty: all were.
	Problem string `json:"problem,omitempty"`
}

func (a *api) leftovers(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), leftoversTimeout)
	defer cancel()
	found, err := a.gateway.Leftovers(ctx)
	all := Leftovers{Leftovers: list(found)}
	if err != nil {
		all.Problem = err.Error()
	}
	answer(w, all)
}

// Removal names a leftover.
type Removal struct {
	Broker string `json:"broker"`
	Name   string `json:"name"`
	// Force removes it also where it holds messages, which are lost then.
	Force bool `json:"force"`
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	var asked Removal
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if err := body.Decode(&asked); err != nil {
		fail(w, http.StatusBadRequest, `want {"broker": "...", "name": "...", "force": false}: `+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), leftoversTimeout)
	defer cancel()
	if err := a.gateway.Remove(ctx, asked.Broker, asked.Name, asked.Force); err != nil {
		a.refuse(w, err)
		return
	}
	answer(w, asked)
}
