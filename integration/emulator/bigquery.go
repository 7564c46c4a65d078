package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// bigquery speaks like Google's token endpoint for service accounts, and like
// the BigQuery API.
//
// Sources: developers.google.com "Using OAuth 2.0 for Server to Server
// Applications" (claims, one hour at most, invalid_grant: doc), BigQuery
// discovery document (paths and shapes: doc), reasons of 403: reported.
type bigquery struct {
	keys map[string]*keyPair // by key id
	jobs int
}

func newBigQuery() dialect { return &bigquery{keys: map[string]*keyPair{}} }

func (b *bigquery) traits() traits {
	return traits{
		name: "bigquery", title: "BigQuery",
		people: []Person{
			{Login: "alice", ID: "agent-alice@acme-analytics.iam.gserviceaccount.com", Name: "Alice's agent", Email: "agent-alice@acme-analytics.iam.gserviceaccount.com", Org: "acme"},
			{Login: "bob", ID: "agent-bob@acme-analytics.iam.gserviceaccount.com", Name: "Bob's agent", Email: "agent-bob@acme-analytics.iam.gserviceaccount.com", Org: "acme"},
			{Login: "carol", ID: "agent-carol@globex-analytics.iam.gserviceaccount.com", Name: "Carol's agent", Email: "agent-carol@globex-analytics.iam.gserviceaccount.com", Org: "globex"},
		},
		defaults: Settings{AccessTTLSeconds: 3599, CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		shape:    func(m mint, _ tokenKind, _ string, _ Person) string { return "ya29.c." + m.text(180) },
	}
}

func bqProject(org string) string { return org + "-analytics" }

// credential implements keyed: the JSON file of a service account's new key.
func (b *bigquery) credential(p *provider, who Person) (map[string]string, error) {
	k, private, err := p.newKeyPair(who)
	if err != nil {
		return nil, err
	}
	id := p.mint().hex(40)
	b.keys[id] = k
	file := jsonReply(http.StatusOK, object{"type": "service_account", "project_id": bqProject(who.Org), "private_key_id": id, "private_key": private, "client_email": who.Email,
		"client_id": p.mint().digits(21), "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com"})
	return map[string]string{"service_account": string(file.body)}, nil
}

func (b *bigquery) routes() []route {
	const project = "/bigquery/v2/projects/{project}"
	return []route{
		{"POST /token", KindToken, b.token},
		b.api("GET "+project+"/datasets", b.datasets),
		b.api("GET "+project+"/datasets/{dataset}/tables", b.tables),
		b.api("GET "+project+"/datasets/{dataset}/tables/{table}", b.table),
		b.api("POST "+project+"/queries", b.query),
		b.api("GET "+project+"/queries/{job}", b.results),
	}
}

func (b *bigquery) token(c *call) reply {
	if c.bodyArg("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return b.refuse(c, refusal{reason: reasonGrantType})
	}
	jws, kid, cl, ok := unverified(c.bodyArg("assertion"))
	k := b.keys[kid]
	if !ok || k == nil || cl.Issuer != k.who.Email || cl.Audience != "https://oauth2.googleapis.com/token" {
		return b.refuse(c, refusal{reason: reasonCoded, code: "invalid_grant"})
	}
	if _, err := jws.Verify(k.public); err != nil {
		return b.refuse(c, refusal{reason: reasonCoded, code: "invalid_grant"})
	}
	c.who, c.grant = c.p.person(k.who.Login), c.p.grants[k.grantID]
	if !c.grant.EndedAt.IsZero() {
		return b.refuse(c, refusal{reason: reasonCoded, code: "invalid_grant"})
	}
	if !cl.timely(c.p.now()) {
		return b.refuse(c, refusal{reason: reasonTokenExpired})
	}
	c.p.count.add(c.login(), func(n *Counters) { n.TokenExchanges++ })
	set := c.p.issue(c.grant, askedSet{"", splitScopes(cl.Scope)}, 0, false)
	c.p.save()
	return jsonReply(http.StatusOK, object{"access_token": set.access, "expires_in": set.ttl, "token_type": "Bearer"})
}

func (b *bigquery) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		if why := c.authenticated("https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/bigquery.readonly"); why != nil {
			return b.refuse(c, *why)
		}
		if c.r.PathValue("project") != bqProject(c.who.Org) {
			return bqError(http.StatusForbidden, "PERMISSION_DENIED", "accessDenied", "Access Denied: Project "+c.r.PathValue("project"))
		}
		return do(c)
	}}
}

func (b *bigquery) refuse(c *call, why refusal) reply {
	if c.kind == KindToken && why.reason != reasonStatus && why.reason != reasonRateLimited {
		code, text := "invalid_grant", "Invalid JWT Signature."
		switch why.reason {
		case reasonTokenExpired:
			text = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
		case reasonGrantType:
			code, text = "unsupported_grant_type", "Invalid grant_type."
		case reasonCoded:
			code = why.code
		}
		return jsonReply(http.StatusBadRequest, object{"error": code, "error_description": text}).failed(code)
	}
	switch why.reason {
	case reasonRateLimited:
		out := bqError(http.StatusForbidden, "PERMISSION_DENIED", "rateLimitExceeded", "Exceeded rate limits")
		if why.retryAfter > 0 {
			out = out.set("Retry-After", strconv.Itoa(why.retryAfter))
		}
		return out
	case reasonStatus:
		return bqError(why.status, "UNAVAILABLE", "backendError", http.StatusText(why.status))
	case reasonCoded:
		return bqError(http.StatusBadRequest, "INVALID_ARGUMENT", why.code, why.code)
	case reasonScope:
		return bqError(http.StatusForbidden, "PERMISSION_DENIED", "insufficientPermissions", "Request had insufficient authentication scopes.")
	case reasonNotFound:
		return bqError(http.StatusNotFound, "NOT_FOUND", "notFound", "Not found")
	}
	return bqError(http.StatusUnauthorized, "UNAUTHENTICATED", "authError", "Request had invalid authentication credentials.")
}

func bqError(status int, name, reason, text string) reply {
	return jsonReply(status, object{"error": object{"code": status, "status": name, "message": text,
		"errors": []object{{"reason": reason, "domain": "global", "message": text}}}}).failed(reason)
}

func (b *bigquery) datasets(c *call) reply {
	ref := object{"projectId": bqProject(c.who.Org), "datasetId": "sales"}
	return jsonReply(http.StatusOK, object{"kind": "bigquery#datasetList", "datasets": []object{{"kind": "bigquery#dataset", "datasetReference": ref, "location": "EU"}}})
}

func (b *bigquery) tables(c *call) reply {
	if c.r.PathValue("dataset") != "sales" {
		return b.refuse(c, refusal{reason: reasonNotFound})
	}
	ref := object{"projectId": bqProject(c.who.Org), "datasetId": "sales", "tableId": "customers"}
	return jsonReply(http.StatusOK, object{"kind": "bigquery#tableList", "totalItems": 1, "tables": []object{{"tableReference": ref, "type": "TABLE"}}})
}

func bqSchema() object {
	return object{"fields": []object{{"name": "id", "type": "INTEGER", "mode": "REQUIRED"}, {"name": "name", "type": "STRING", "mode": "NULLABLE"}}}
}

func (b *bigquery) table(c *call) reply {
	if c.r.PathValue("dataset") != "sales" || c.r.PathValue("table") != "customers" {
		return b.refuse(c, refusal{reason: reasonNotFound})
	}
	ref := object{"projectId": bqProject(c.who.Org), "datasetId": "sales", "tableId": "customers"}
	return jsonReply(http.StatusOK, object{"kind": "bigquery#table", "tableReference": ref, "type": "TABLE", "schema": bqSchema(), "numRows": "2", "numBytes": "64"})
}

// query answers each statement with the same two rows; it runs no SQL.
func (b *bigquery) query(c *call) reply {
	if c.bodyArg("query") == "" {
		return bqError(http.StatusBadRequest, "INVALID_ARGUMENT", "invalid", "Required parameter is missing: query")
	}
	body := object{"kind": "bigquery#queryResponse", "schema": bqSchema(), "totalBytesProcessed": "64", "jobComplete": true}
	if c.json["dryRun"] == true {
		return jsonReply(http.StatusOK, body)
	}
	b.jobs++
	body["jobReference"] = object{"projectId": bqProject(c.who.Org), "jobId": fmt.Sprintf("job_%06d", b.jobs), "location": "EU"}
	body["rows"], body["totalRows"] = bqRows(c.who.Org), "2"
	return jsonReply(http.StatusOK, body)
}

func bqRows(org string) []object {
	return slices.Clone([]object{{"f": []object{{"v": "1"}, {"v": "Jenny of " + org}}}, {"f": []object{{"v": "2"}, {"v": "Omar of " + org}}}})
}

func (b *bigquery) results(c *call) reply {
	return jsonReply(http.StatusOK, object{"kind": "bigquery#getQueryResultsResponse", "jobComplete": true, "schema": bqSchema(), "rows": bqRows(c.who.Org), "totalRows": "2",
		"jobReference": object{"projectId": bqProject(c.who.Org), "jobId": c.r.PathValue("job"), "location": "EU"}})
}
