package toolcall

import (
	"slices"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// choose picks the connection of a call: the one named, or the only one that is not revoked.
func (e *Executor) choose(r *run, all []Held) (Held, error) {
	if r.call.Connection != "" {
		return e.named(r, all)
	}
	now := e.Now()
	var live []Held
	for _, h := range all {
		if !h.Part() && h.Live(now) && h.Status != connection.Pending {
			live = append(live, h)
		}
	}
	switch len(live) {
	case 0:
		if slices.ContainsFunc(all, func(h Held) bool { return h.Status == connection.Revoked && !h.Part() }) {
			return Held{}, e.wayIn(r, fault.New(fault.Revoked, "the %s connection was revoked; the account must be connected again", r.spec.Name), nil)
		}
		return Held{}, e.wayIn(r, fault.New(fault.ConnectionRequired, "no %s account is connected for this principal", r.spec.Name), nil)
	case 1:
		return live[0], e.usable(r, live[0])
	}
	// Prefer the only active one: a dead sibling must not make a call ambiguous.
	active := slices.DeleteFunc(slices.Clone(live), func(h Held) bool { return h.Status != connection.Active })
	if len(active) == 1 {
		return active[0], nil
	}
	choices := make([]map[string]string, 0, len(live))
	for _, h := range live {
		choices = append(choices, map[string]string{"connection": string(h.ID), "account": h.Account.Login, "status": string(h.Status)})
	}
	return Held{}, fault.Invalid("/connection", "several %s accounts are connected; name one of them in \"connection\"", r.spec.Name).With("choices", choices)
}

func (e *Executor) named(r *run, all []Held) (Held, error) {
	id, err := connection.ParseID("/connection", r.call.Connection)
	if err != nil {
		return Held{}, err
	}
	for _, h := range all {
		if h.ID == id && !h.Part() {
			return h, e.usable(r, h)
		}
	}
	return Held{}, fault.New(fault.NotFound, "this session's principal has no %s connection %s", r.spec.Name, id).WithField("/connection")
}

// usable turns a status other than active into its error.
func (e *Executor) usable(r *run, h Held) error {
	switch h.Status {
	case connection.Active:
		return nil
	case connection.ReauthorizationRequired:
		return e.reauthorize(r, h)
	case connection.Revoked:
		return e.wayIn(r, fault.New(fault.Revoked, "connection %s was revoked; the account must be connected again", h.ID), nil)
	case connection.Pending:
		return e.wayIn(r, fault.New(fault.ConnectionRequired, "connection %s was never completed", h.ID), nil)
	}
	return fault.New(fault.Conflict, "connection %s is paused; resume it with POST /v1/tenants/%s/connections/%s/resume", h.ID, h.Tenant, h.ID).With("status_now", string(h.Status))
}

func (e *Executor) reauthorize(r *run, h Held) error {
	f := fault.New(fault.ReauthorizationRequired, "%s no longer accepts this connection (%s); the account must be connected again", r.spec.Name, h.Reason).With("reason", h.Reason)
	f = e.wayIn(r, f, h.Scopes)
	connect, ok := f.Detail["connect"].(map[string]any)
	if ok {
		connect["body"].(map[string]any)["connection"] = string(h.ID)
	}
	return f
}

// wayIn adds what is missing and the request with which the back end gets a connect link for it.
func (e *Executor) wayIn(r *run, f *fault.Error, scopes []string) *fault.Error {
	body := map[string]any{"tenant": string(r.session.Tenant), "principal": string(r.session.Principal), "connector": r.spec.ID}
	if len(scopes) > 0 {
		body["scopes"] = scopes
	} else if r.op != nil {
		if need := r.op.missing(nil); len(need) > 0 {
			body["scopes"] = withDefaults(r.spec, need)
		}
	}
	if r.held.ID != "" && f.Code == fault.ScopeMissing {
		body["connection"] = string(r.held.ID)
	}
	return f.With("connector", r.spec.ID).With("connect", map[string]any{"method": "POST", "path": "/v1/connect-links", "body": body})
}

func withDefaults(spec *catalog.Connector, need []string) []string {
	out := slices.Concat(spec.Scopes.Default, need)
	slices.Sort(out)
	return slices.Compact(out)
}
