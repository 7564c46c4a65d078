package demo

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// session mints a session for one agent run.
func (s *story) session(ctx context.Context, who person) (string, error) {
	var got struct{ Token string }
	err := s.admin.must(ctx, "POST", "/v1/sessions", map[string]any{"tenant": who.tenant, "principal": who.principal, "agent": "demo-agent", "run_id": "run-" + who.login}, &got)
	return got.Token, err
}

func (s *story) agent(principal string) api { return api{s.stack.URL, s.sessions[principal], s.http} }

type result struct {
	ExecutionID  string         `json:"execution_id"`
	ConnectionID string         `json:"connection_id"`
	GrantID      string         `json:"grant_id"`
	Data         map[string]any `json:"data"`
}

// execute runs one tool per person and provider, in parallel, and asks each provider who called.
func (s *story) execute(ctx context.Context) error {
	for _, who := range cast() {
		t, err := s.session(ctx, who)
		if err != nil {
			return err
		}
		s.sessions[who.principal] = t
	}
	before, err := s.marks(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, who := range cast() {
		for _, p := range providers() {
			g.Go(func() error { return s.whoami(gctx, who, p.connector, p.tool, p.member) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.executions += len(cast()) * len(providers())
	for _, p := range providers() {
		if err := s.callers(ctx, p.connector, before[p.connector]); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) whoami(ctx context.Context, who person, connector, tool, member string) error {
	var r result
	if err := s.agent(who.principal).must(ctx, "POST", "/v1/execute", map[string]any{"tool": tool}, &r); err != nil {
		return fmt.Errorf("%s for %s: %w", tool, who.principal, err)
	}
	got, _ := r.Data[member].(string)
	if got != who.login && !strings.HasPrefix(got, who.login+"@") {
		return fmt.Errorf("%s for %s reached %s as %q", tool, who.principal, connector, got)
	}
	if r.ConnectionID != s.connections[who.principal+"/"+connector] || r.GrantID == "" || r.ExecutionID == "" {
		return fmt.Errorf("%s for %s names the wrong connection: %+v", tool, who.principal, r)
	}
	return nil
}

// marks is where each provider's call log stands.
func (s *story) marks(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, p := range providers() {
		rep, err := s.emu.Calls(ctx, p.connector, 1<<30)
		if err != nil {
			return nil, err
		}
		out[p.connector] = rep.Last
	}
	return out, nil
}

// callers reads the provider's own log: one API call by each person, none by anybody else.
func (s *story) callers(ctx context.Context, connector string, since int) error {
	rep, err := s.emu.Calls(ctx, connector, since)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for _, c := range rep.Calls {
		if c.Kind == "api" {
			seen[c.Login]++
		}
	}
	if len(seen) != len(cast()) {
		return fmt.Errorf("%s was called as %v", connector, seen)
	}
	for _, who := range cast() {
		if seen[who.login] != 1 {
			return fmt.Errorf("%s was called as %v", connector, seen)
		}
	}
	s.saw(connector, seen, "%s was called once as each of alice, bob and carol (its own log)", connector)
	return nil
}

// isolation tries to reach Bob's connection with Alice's session, at the API and below it.
func (s *story) isolation(ctx context.Context) error {
	bobs := s.connections["user_bob/github"]
	ans, err := s.agent("user_alice").call(ctx, "POST", "/v1/execute", map[string]any{"tool": "github_get_authenticated_user", "connection": bobs})
	if err != nil {
		return err
	}
	s.executions++
	if ans.Status != 404 || ans.problem().Code != "not_found" {
		return fmt.Errorf("naming Bob's connection was answered with %d %s", ans.Status, ans.Body)
	}
	s.saw("api", ans.problem().Code, "the API refuses her session Bob's connection: %d %s", ans.Status, ans.problem().Code)
	attacks, err := s.stack.AttackAs(ctx, s.sessions["user_alice"], "acme", "user_bob")
	if err != nil {
		return err
	}
	for _, a := range attacks {
		if a.Allowed && !a.Own && s.stack.Account() == nil {
			s.saw("policies", "not enforced by this endpoint", "below the API: this endpoint does not enforce IAM policies (%s was allowed), so nothing can be shown there", a.Name)
			return nil
		}
		if a.Allowed != a.Own {
			return fmt.Errorf("with the credentials vended for Alice: %s was %s", a.Name, map[bool]string{true: "allowed", false: "refused"}[a.Allowed])
		}
		if !a.Own {
			s.saw(a.Name, "AccessDenied", "below the API, her vended AWS credentials: %s → AccessDenied by policy", a.Name)
		}
	}
	return nil
}
