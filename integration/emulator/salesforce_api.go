package emulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (s *salesforce) apiRoutes() []route {
	const data = "/instances/{org}/services/data/{version}"
	return []route{
		s.api("GET "+data+"/query", s.query),
		s.api("GET "+data+"/sobjects/{object}/{id}", s.getRecord),
		s.api("POST "+data+"/sobjects/{object}", s.createRecord),
		s.api("PATCH "+data+"/sobjects/{object}/{id}", s.updateRecord),
		s.api("DELETE "+data+"/sobjects/{object}/{id}", s.deleteRecord),
	}
}

// api wraps a data operation: a live token of this instance's org with the scope
// api or full, and the usage header of every answer.
func (s *salesforce) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated("api", "full"); why != nil {
			return s.refuse(c, *why)
		}
		if c.r.PathValue("org") != c.who.Org {
			return s.refuse(c, refusal{reason: reasonBadToken})
		}
		if !strings.HasPrefix(c.r.PathValue("version"), "v") {
			return s.refuse(c, refusal{reason: reasonNotFound})
		}
		used := c.p.count.total.APICalls
		return do(c).set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/15000", used))
	}}
}

// sfAPIError maps reasons to status, errorCode and message. A missing scope has
// the same status and code as an expired session; only the message differs.
func sfAPIError(why refusal) (status int, code, text string) {
	switch why.reason {
	case reasonNoToken, reasonBadToken, reasonTokenExpired, reasonTokenRevoked:
		return http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid"
	case reasonScope:
		return http.StatusUnauthorized, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"
	case reasonRateLimited:
		return max(why.status, http.StatusForbidden), "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."
	case reasonStatus:
		return why.status, "SERVER_UNAVAILABLE", http.StatusText(why.status)
	case reasonCoded:
		return http.StatusForbidden, why.code, "ordered by a fault"
	}
	return http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist"
}

func sfError(status int, code, text string) reply {
	return jsonReply(status, []object{{"errorCode": code, "message": text}}).failed(code)
}

// userInfo answers userinfo and the identity URL. For a token that does not work
// both answer 403 with bare text, not the API's 401: a client that refreshes on
// 401 only never notices.
func (s *salesforce) userInfo(c *call) reply {
	if why := c.authenticated(); why != nil {
		text := "Bad_OAuth_Token"
		if why.reason == reasonNoToken {
			text = "Missing_OAuth_Token"
		}
		return textReply(http.StatusForbidden, text, text)
	}
	if org := c.r.PathValue("org"); org != "" && org != c.who.Org {
		return textReply(http.StatusForbidden, "Wrong_Org", "Wrong_Org")
	}
	if id := c.r.PathValue("user_id"); id != "" && id != c.who.ID {
		return textReply(http.StatusForbidden, "Bad_Id", "Bad_Id")
	}
	given, family, _ := strings.Cut(c.who.Name, " ")
	return jsonReply(http.StatusOK, object{
		"sub": s.identityURL(c, *c.who), "user_id": c.who.ID, "organization_id": sfOrgID(c.who.Org),
		"preferred_username": sfUsername(*c.who), "nickname": c.who.Login, "name": c.who.Name, "given_name": given,
		"family_name": family, "email": c.who.Email, "email_verified": true, "active": true, "user_type": "STANDARD",
		"urls": object{"rest": s.instanceURL(c, *c.who) + "/services/data/v{version}/"},
	})
}

func (s *salesforce) query(c *call) reply {
	q, err := parseSOQL(c.r.URL.Query().Get("q"))
	if err != nil {
		return sfError(http.StatusBadRequest, "MALFORMED_QUERY", err.Error())
	}
	fields, known := sfFields(q.object)
	if !known {
		return sfError(http.StatusBadRequest, "INVALID_TYPE", "sObject type '"+q.object+"' is not supported.")
	}
	for _, f := range q.mentioned() {
		if !slices.Contains(fields, f) {
			return sfError(http.StatusBadRequest, "INVALID_FIELD", "No such column '"+f+"' on entity '"+q.object+"'.")
		}
	}
	records := []object{}
	for _, r := range q.pick(s.visible(c, q.object)) {
		records = append(records, r.view(c, q.fields))
	}
	return jsonReply(http.StatusOK, object{"totalSize": len(records), "done": true, "records": records})
}

func (s *salesforce) getRecord(c *call) reply {
	r := s.record(c)
	if r == nil {
		return s.refuse(c, refusal{reason: reasonNotFound})
	}
	fields, _ := sfFields(r.kind)
	if only := c.r.URL.Query().Get("fields"); only != "" {
		for _, f := range splitScopes(only) {
			if !slices.Contains(fields, f) {
				return sfError(http.StatusBadRequest, "INVALID_FIELD", "No such column '"+f+"' on sobject of type "+r.kind)
			}
		}
		fields = append([]string{"Id"}, splitScopes(only)...)
	}
	return jsonReply(http.StatusOK, r.view(c, fields))
}

func (s *salesforce) createRecord(c *call) reply {
	kind := c.r.PathValue("object")
	fields, known := sfFields(kind)
	if !known {
		return s.refuse(c, refusal{reason: reasonNotFound})
	}
	if bad := sfCheck(kind, fields, c.json); bad != nil {
		return *bad
	}
	if need := sfRequired(kind); c.bodyArg(need) == "" {
		return sfError(http.StatusBadRequest, "REQUIRED_FIELD_MISSING", "Required fields are missing: ["+need+"]")
	}
	r := s.add(c.who.Org, kind, c.who.ID, c.json, c.p.now())
	return jsonReply(http.StatusCreated, object{"id": r.id(), "success": true, "errors": []string{}})
}

func (s *salesforce) updateRecord(c *call) reply {
	r := s.record(c)
	if r == nil {
		return s.refuse(c, refusal{reason: reasonNotFound})
	}
	fields, _ := sfFields(r.kind)
	if bad := sfCheck(r.kind, fields, c.json); bad != nil {
		return *bad
	}
	if r.values["OwnerId"] != c.who.ID {
		return sfError(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	}
	maps.Copy(r.values, c.json)
	r.values["LastModifiedDate"] = sfTime(c.p.now())
	return emptyReply(http.StatusNoContent)
}

func (s *salesforce) deleteRecord(c *call) reply {
	r := s.record(c)
	if r == nil {
		return s.refuse(c, refusal{reason: reasonNotFound})
	}
	if r.values["OwnerId"] != c.who.ID {
		return sfError(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	}
	s.records = slices.DeleteFunc(s.records, func(x *sfRecord) bool { return x == r })
	return emptyReply(http.StatusNoContent)
}

// sfCheck refuses an empty body, unknown fields and fields that Salesforce sets.
func sfCheck(kind string, fields []string, body map[string]any) *reply {
	if body == nil {
		return new(sfError(http.StatusBadRequest, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."))
	}
	for f := range body {
		if !slices.Contains(fields, f) {
			return new(sfError(http.StatusBadRequest, "INVALID_FIELD", "No such column '"+f+"' on sobject of type "+kind))
		}
		if f == "Id" || f == "CreatedDate" || f == "LastModifiedDate" {
			return new(sfError(http.StatusBadRequest, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+f))
		}
	}
	return nil
}
