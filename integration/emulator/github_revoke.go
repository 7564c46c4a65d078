package emulator

import "net/http"

// appToken checks the Basic credentials of the app named in the path and finds
// the access token of the JSON body. (docs.github.com "OAuth authorizations":
// 204 on success, 422 without a token; 404 for a token that is not the app's.)
func (g *github) appToken(c *call) (*token, *refusal) {
	if _, _, ok := c.r.BasicAuth(); !ok {
		return nil, no(reasonNoToken)
	}
	if why := c.authenticateClient(); why != nil {
		return nil, why
	}
	if c.client.ID != c.r.PathValue("client_id") {
		return nil, no(reasonNotFound)
	}
	if c.bodyArg("access_token") == "" {
		return nil, no(reasonRequest)
	}
	if c.token == nil || c.grant.ClientID != c.client.ID || c.p.standing(c.token) == stateRevoked {
		return nil, no(reasonNotFound)
	}
	return c.token, nil
}

// revokeToken removes one access token. Its refresh token stays alive, so a
// client that wants the consent gone has to call /grant ("/token removes one
// token; /grant removes all tokens of that user for the app").
func (g *github) revokeToken(c *call) reply {
	t, why := g.appToken(c)
	if why != nil {
		return g.refuse(c, *why)
	}
	t.end(c.p.now(), stateRevoked)
	c.revoked()
	return emptyReply(http.StatusNoContent)
}

// revokeGrant removes every token that the person gave to the app.
func (g *github) revokeGrant(c *call) reply {
	t, why := g.appToken(c)
	if why != nil {
		return g.refuse(c, *why)
	}
	gr := c.p.grants[t.GrantID]
	c.p.endGrantsOf(gr.Login, gr.ClientID, "revoked_by_app")
	c.revoked()
	return emptyReply(http.StatusNoContent)
}

// revokeLeaked is POST /credentials/revoke: no authentication, a list of
// tokens, 202 whether they exist or not.
func (g *github) revokeLeaked(c *call) reply {
	list, ok := c.json["credentials"].([]any)
	if !ok || len(list) == 0 || len(list) > 1000 {
		return g.refuse(c, refusal{reason: reasonRequest})
	}
	for _, item := range list {
		value, _ := item.(string)
		if t := c.p.tokens[hashOf(value)]; t != nil {
			t.end(c.p.now(), stateRevoked)
			c.revoked()
		}
	}
	return jsonReply(http.StatusAccepted, object{})
}
