package demo

import (
	"context"
	"fmt"
	"time"
)

// deprovision is what an identity provider does when somebody leaves.
func (s *story) deprovision(ctx context.Context) error {
	var tok struct{ Token string }
	if err := s.admin.must(ctx, "POST", "/v1/tenants/acme/scim-tokens", map[string]any{"name": "demo directory"}, &tok); err != nil {
		return err
	}
	idp := api{s.stack.URL, tok.Token, s.http}
	var user struct{ ID string }
	err := idp.must(ctx, "POST", "/scim/v2/Users", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "alice@acme.example", "externalId": "user_alice", "active": true}, &user)
	if err != nil {
		return err
	}
	began := time.Now()
	err = idp.must(ctx, "PATCH", "/scim/v2/Users/"+user.ID, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []map[string]any{{"op": "replace", "path": "active", "value": false}}}, nil)
	if err != nil {
		return err
	}
	s.saw("scim_ms", time.Since(began).Milliseconds(), "SCIM PATCH active=false answered in %d ms", time.Since(began).Milliseconds())
	ans, err := s.agent("user_alice").call(ctx, "POST", "/v1/execute", map[string]any{"tool": "github_get_authenticated_user"})
	if err != nil {
		return err
	}
	s.executions++
	if ans.problem().Code != "revoked" {
		return fmt.Errorf("the next call was answered with %d %s", ans.Status, ans.Body)
	}
	s.saw("next_call", "revoked", "her agent's next call is refused: %d revoked, although its session token is still valid", ans.Status)
	return s.providersTold(ctx)
}

// providersTold waits until the queue is empty and asks each provider what arrived.
func (s *story) providersTold(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.stack.Drain(ctx); err != nil {
		return fmt.Errorf("wait for the revocations: %w", err)
	}
	for _, p := range providers() {
		c, err := s.emu.Counters(ctx, p.connector)
		if err != nil {
			return err
		}
		if n := c.ByPerson["alice"].Revocations; n == 0 {
			return fmt.Errorf("%s was not told to revoke Alice's token", p.connector)
		}
		if n := c.ByPerson["bob"].Revocations; n != 0 {
			return fmt.Errorf("%s was told to revoke Bob's token", p.connector)
		}
		s.saw(p.connector, "revoked", "%s received the revocation of Alice's token, and none of Bob's", p.connector)
	}
	return nil
}
