package emulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// hubspot speaks like HubSpot with its dated OAuth endpoint: parameters in the
// body only, scopes as a list, and the portal in the token answer.
//
// Sources: developers.hubspot.com "Manage OAuth tokens" (30 minutes, no rotation,
// revocation of the refresh token alone: doc), requiredGranularScopes: reported,
// categories and refusals of the token endpoint: assumed.
type hubspot struct {
	contacts map[string][]object // by org
}

func newHubSpot() dialect {
	h := &hubspot{contacts: map[string][]object{}}
	for _, org := range []string{"acme", "globex"} {
		h.contacts[org] = []object{{"id": "101", "properties": map[string]any{"email": "jenny@" + org + ".example", "firstname": "Jenny"}}}
	}
	return h
}

func (h *hubspot) traits() traits {
	return traits{
		name: "hubspot", title: "HubSpot", authorizePath: "/oauth/authorize", people: plainPeople(""),
		defaults: Settings{AccessTTLSeconds: 1800, CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		series:   []series{{name: "", param: "scope"}},
		shape: func(m mint, what tokenKind, _ string, _ Person) string {
			return map[tokenKind]string{kindAccess: "CJ", kindRefresh: "na1-", kindCode: "na1-c-"}[what] + m.text(90)
		},
		redirectRepeat: true, responseTypeOptional: true,
	}
}

func hsPortal(org string) int { return map[string]int{"acme": 62515, "globex": 62516}[org] }

func (h *hubspot) routes() []route {
	const contacts = "/crm/v3/objects/contacts"
	return []route{
		{"POST /oauth/2026-03/token", KindToken, h.token},
		{"POST /oauth/2026-03/token/revoke", KindRevoke, h.revoke},
		h.api("POST "+contacts+"/search", h.search, "crm.objects.contacts.read"),
		h.api("GET "+contacts+"/{id}", h.contact, "crm.objects.contacts.read"),
		h.api("PATCH "+contacts+"/{id}", h.contact, "crm.objects.contacts.write"),
		h.api("POST "+contacts, h.create, "crm.objects.contacts.write"),
		h.api("POST /crm/v3/objects/companies/search", h.none, "crm.objects.companies.read"),
		h.api("GET /crm/v3/objects/deals", h.none, "crm.objects.deals.read"),
	}
}

// token refuses a query: v1 took parameters there, this version does not.
func (h *hubspot) token(c *call) reply {
	if c.r.URL.RawQuery != "" {
		return oauthError(refusal{reason: reasonRequest})
	}
	sent := c.bodyArg("refresh_token")
	sets, why := c.answerToken()
	if why != nil {
		return h.refuse(c, *why)
	}
	set := sets[0]
	user, _ := strconv.Atoi(set.who.ID)
	body := object{"access_token": set.access, "expires_in": set.ttl, "token_type": "bearer", "scopes": set.scopes, "hub_id": hsPortal(set.who.Org), "user_id": user, "refresh_token": set.refresh}
	if set.refresh == "" {
		body["refresh_token"] = sent
	}
	return jsonReply(http.StatusOK, body)
}

// revoke ends the refresh token; access tokens live on.
func (h *hubspot) revoke(c *call) reply {
	if why := c.authenticateClient(); why != nil {
		return oauthError(*why)
	}
	if c.token == nil || c.token.Kind != kindRefresh || c.grant.ClientID != c.client.ID || c.p.standing(c.token) != stateLive {
		return jsonReply(http.StatusNotFound, object{"status": "error", "message": "no such token"}).failed("not_found")
	}
	c.token.end(c.p.now(), stateRevoked)
	c.revoked()
	return emptyReply(http.StatusNoContent)
}

func (h *hubspot) api(pattern string, do func(*call) reply, scope string) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated(scope); why != nil {
			return h.refuse(c, *why)
		}
		return do(c)
	}}
}

func (h *hubspot) refuse(c *call, why refusal) reply {
	switch {
	case why.reason == reasonStatus:
		return hsError(why.status, "SERVER_ERROR", http.StatusText(why.status), nil)
	case why.reason == reasonRateLimited:
		out := jsonReply(http.StatusTooManyRequests, object{"status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"})
		if why.retryAfter > 0 {
			out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
		}
		return out.failed("RATE_LIMIT")
	case c.kind == KindToken || c.kind == KindRefresh:
		return oauthError(why)
	case why.reason == reasonScope:
		return hsError(http.StatusForbidden, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.", why.needed)
	case why.reason == reasonCoded:
		return hsError(http.StatusBadRequest, why.code, why.code, nil)
	case why.reason == reasonTokenExpired:
		return hsError(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.", nil)
	case why.reason == reasonNotFound:
		return hsError(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found", nil)
	}
	return hsError(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found.", nil)
}

func hsError(status int, category, text string, needed []string) reply {
	body := object{"status": "error", "message": text, "correlationId": "c0ffee00-0000-4000-8000-000000000000", "category": category}
	if needed != nil {
		body["errors"] = []object{{"message": "One or more of the following scopes are required.", "context": object{"requiredGranularScopes": needed}}}
	}
	return jsonReply(status, body).failed(category)
}

func (h *hubspot) search(c *call) reply {
	list := []object{}
	for _, x := range h.contacts[c.who.Org] {
		email, _ := x["properties"].(map[string]any)["email"].(string)
		if strings.Contains(email, c.bodyArg("query")) {
			list = append(list, x)
		}
	}
	return jsonReply(http.StatusOK, object{"total": len(list), "results": list})
}

func (h *hubspot) contact(c *call) reply {
	for _, x := range h.contacts[c.who.Org] {
		if x["id"] != c.r.PathValue("id") {
			continue
		}
		changes, _ := c.json["properties"].(map[string]any)
		for name, v := range changes {
			x["properties"].(map[string]any)[name] = v
		}
		return jsonReply(http.StatusOK, x)
	}
	return h.refuse(c, refusal{reason: reasonNotFound})
}

func (h *hubspot) create(c *call) reply {
	p, _ := c.json["properties"].(map[string]any)
	for _, x := range h.contacts[c.who.Org] {
		if x["properties"].(map[string]any)["email"] == p["email"] {
			return hsError(http.StatusConflict, "CONFLICT", fmt.Sprintf("Contact already exists. Existing ID: %s", x["id"]), nil)
		}
	}
	if p == nil {
		return hsError(http.StatusBadRequest, "VALIDATION_ERROR", "properties are missing", nil)
	}
	x := object{"id": strconv.Itoa(101 + len(h.contacts[c.who.Org])), "properties": p}
	h.contacts[c.who.Org] = append(h.contacts[c.who.Org], x)
	return jsonReply(http.StatusCreated, x)
}

func (h *hubspot) none(*call) reply {
	return jsonReply(http.StatusOK, object{"total": 0, "results": []object{}})
}
