package emulator

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
)

// snowflake speaks like Snowflake's SQL API with key pair authentication. Each
// account has a host; here it is the first segment of the path.
//
// Sources: docs.snowflake.com "Authenticating to the server" (claims, the
// fingerprint in iss, one hour at most, the token type header: doc), SQL API
// reference (shapes: doc), error codes: reported.
type snowflake struct {
	keys map[string]*keyPair // by "ACCOUNT.USER"
}

func newSnowflake() dialect { return &snowflake{keys: map[string]*keyPair{}} }

func (s *snowflake) traits() traits {
	return traits{
		name: "snowflake", title: "Snowflake",
		people: []Person{
			{Login: "alice", ID: "ALICE", Name: "Alice Anders", Email: "alice@acme.example", Org: "acme"},
			{Login: "bob", ID: "BOB", Name: "Bob Brandt", Email: "bob@acme.example", Org: "acme"},
			{Login: "carol", ID: "CAROL", Name: "Carol Chen", Email: "carol@globex.example", Org: "globex"},
		},
		defaults: Settings{CodeTTLSeconds: 600, Rotation: RotationNone, OnReuse: ReuseError},
		shape:    func(m mint, _ tokenKind, _ string, _ Person) string { return m.text(40) },
	}
}

func sfAccount(org string) string { return strings.ToUpper(org) + "ORG-MAIN" }

// credential implements keyed: ALTER USER … SET RSA_PUBLIC_KEY with a new key.
func (s *snowflake) credential(p *provider, who Person) (map[string]string, error) {
	k, private, err := p.newKeyPair(who)
	if err != nil {
		return nil, err
	}
	s.keys[sfAccount(who.Org)+"."+who.ID] = k
	return map[string]string{"account": strings.ToLower(sfAccount(who.Org)), "user": strings.ToLower(who.ID), "private_key": private, "warehouse": "COMPUTE_WH"}, nil
}

func (s *snowflake) routes() []route {
	const at = "/{account}/api/v2"
	return []route{
		s.api("POST "+at+"/statements", s.statement),
		s.api("GET "+at+"/statements/{handle}", s.result),
		s.api("GET "+at+"/databases", s.databases),
		s.api("GET "+at+"/databases/{database}/schemas/{schema}/tables", s.tables),
		s.api("GET "+at+"/databases/{database}/schemas/{schema}/tables/{table}", s.table),
	}
}

// api looks at the JWT of each call: there is no token endpoint that would have.
func (s *snowflake) api(pattern string, do func(*call) reply) route {
	return route{pattern, KindAPI, func(c *call) reply {
		account := strings.ToUpper(c.r.PathValue("account"))
		jws, _, cl, ok := unverified(c.secret)
		k := s.keys[cl.Subject]
		if !ok || k == nil || sfAccount(k.who.Org) != account || cl.Issuer != cl.Subject+".SHA256:"+sfFingerprint(k) || !cl.timely(c.p.now()) ||
			c.r.Header.Get("X-Snowflake-Authorization-Token-Type") != "KEYPAIR_JWT" {
			return s.refuse(c, refusal{reason: reasonBadToken})
		}
		c.who, c.grant = c.p.person(k.who.Login), c.p.grants[k.grantID]
		if _, err := jws.Verify(k.public); err != nil || !c.grant.EndedAt.IsZero() {
			return s.refuse(c, refusal{reason: reasonBadToken})
		}
		return do(c)
	}}
}

func sfFingerprint(k *keyPair) string {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil { // an RSA key always can be written
		return ""
	}
	h := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(h[:])
}

func (s *snowflake) refuse(_ *call, why refusal) reply {
	status, code, text := http.StatusUnauthorized, "390144", "JWT token is invalid."
	switch why.reason {
	case reasonStatus:
		status, code, text = why.status, "000000", http.StatusText(why.status)
	case reasonRateLimited:
		status, code, text = http.StatusTooManyRequests, "429", "Too many requests"
	case reasonNotFound:
		status, code, text = http.StatusNotFound, "404", "Not found"
	case reasonRequest, reasonCoded:
		status, code, text = http.StatusUnprocessableEntity, "000904", "SQL compilation error: "+why.code
	}
	return jsonReply(status, object{"code": code, "message": text}).failed(code)
}

// statement knows who asks, and answers everything else with one row; it runs no SQL.
func (s *snowflake) statement(c *call) reply {
	text := c.bodyArg("statement")
	row, names := []string{"1"}, []string{"ONE"}
	switch {
	case text == "":
		return s.refuse(c, refusal{reason: reasonRequest})
	case strings.Contains(text, "CURRENT_USER"):
		row, names = []string{c.who.ID, "ANALYST", "LOC" + strings.ToUpper(c.who.Org)}, []string{"CURRENT_USER()", "CURRENT_ROLE()", "CURRENT_ACCOUNT()"}
	case strings.Contains(text, "CURRENT_WAREHOUSE"):
		row, names = []string{c.bodyArg("warehouse")}, []string{"CURRENT_WAREHOUSE()"}
	}
	types := []object{}
	for _, n := range names {
		types = append(types, object{"name": n, "type": "text"})
	}
	return jsonReply(http.StatusOK, object{"code": "090001", "sqlState": "00000", "message": "Statement executed successfully.", "statementHandle": "01b2c3d4-0000-0000-0000-000000000001",
		"resultSetMetaData": object{"numRows": 1, "format": "jsonv2", "rowType": types, "partitionInfo": []object{{"rowCount": 1}}}, "data": [][]string{row}})
}

func (s *snowflake) result(*call) reply {
	return jsonReply(http.StatusOK, object{"code": "090001", "resultSetMetaData": object{"numRows": 1}, "data": [][]string{{"1"}}})
}

func (s *snowflake) databases(*call) reply {
	return jsonReply(http.StatusOK, []object{{"name": "SALES", "kind": "STANDARD"}})
}

func (s *snowflake) tables(*call) reply {
	return jsonReply(http.StatusOK, []object{{"name": "CUSTOMERS", "kind": "TABLE", "rows": 2}})
}

func (s *snowflake) table(c *call) reply {
	return jsonReply(http.StatusOK, object{"name": c.r.PathValue("table"), "kind": "TABLE", "columns": []object{{"name": "ID", "datatype": "NUMBER"}}})
}
