package scim

import "strings"

// Schema URNs (RFC 7643, section 8.7) and message URNs (RFC 7644, section 8.2).
const (
	UserSchema           = "urn:ietf:params:scim:schemas:core:2.0:User"
	EnterpriseUserSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	GroupSchema          = "urn:ietf:params:scim:schemas:core:2.0:Group"
	ListResponseSchema   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	PatchOpSchema        = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	ErrorSchema          = "urn:ietf:params:scim:api:messages:2.0:Error"
)

// ContentType is the media type of every SCIM body (RFC 7644, section 3.1).
const ContentType = "application/scim+json"

// kind says how PATCH and filters treat an attribute. Attributes outside the tables are free: they take whatever
// shape the identity provider gives them.
type kind int

const (
	free kind = iota
	text
	boolean
	complexOne  // one object
	complexMany // an array of objects
)

type attribute struct {
	name     string
	kind     kind
	readOnly bool
}

// resource is what PATCH, filters and decoding must know about one resource type.
type resource struct {
	name, endpoint, schema string
	attributes             []attribute
}

var userResource = resource{name: "User", endpoint: "Users", schema: UserSchema, attributes: []attribute{
	{name: "id", kind: text, readOnly: true}, {name: "meta", kind: complexOne, readOnly: true},
	{name: "groups", kind: complexMany, readOnly: true}, {name: "schemas"}, {name: "password"},
	{name: "externalId", kind: text}, {name: "userName", kind: text}, {name: "name", kind: complexOne},
	{name: "displayName", kind: text}, {name: "nickName", kind: text}, {name: "profileUrl", kind: text},
	{name: "title", kind: text}, {name: "userType", kind: text}, {name: "preferredLanguage", kind: text},
	{name: "locale", kind: text}, {name: "timezone", kind: text}, {name: "active", kind: boolean},
	{name: "emails", kind: complexMany}, {name: "phoneNumbers", kind: complexMany}, {name: "ims", kind: complexMany},
	{name: "photos", kind: complexMany}, {name: "addresses", kind: complexMany}, {name: "entitlements", kind: complexMany},
	{name: "roles", kind: complexMany}, {name: "x509Certificates", kind: complexMany},
}}

var groupResource = resource{name: "Group", endpoint: "Groups", schema: GroupSchema, attributes: []attribute{
	{name: "id", kind: text, readOnly: true}, {name: "meta", kind: complexOne, readOnly: true}, {name: "schemas"},
	{name: "externalId", kind: text}, {name: "displayName", kind: text}, {name: "members", kind: complexMany},
}}

var enterpriseAttributes = []attribute{
	{name: "employeeNumber", kind: text}, {name: "costCenter", kind: text}, {name: "organization", kind: text},
	{name: "division", kind: text}, {name: "department", kind: text}, {name: "manager", kind: complexOne},
}

// subAttributes are the sub-attribute names of RFC 7643, sections 4 and 8.7. None occurs in two spellings, so one list
// serves every complex attribute.
var subAttributes = []string{"value", "type", "primary", "display", "$ref", "formatted", "givenName", "familyName",
	"middleName", "honorificPrefix", "honorificSuffix", "streetAddress", "locality", "region", "postalCode", "country",
	"displayName"}

// attribute finds name, in any case, among the attributes of schema ("" is the core schema of r).
func (r resource) attribute(schema, name string) attribute {
	var table []attribute
	switch {
	case schema == "":
		table = r.attributes
	case schema == EnterpriseUserSchema:
		table = enterpriseAttributes
	}
	for _, a := range table {
		if strings.EqualFold(a.name, name) {
			return a
		}
	}
	return attribute{name: name}
}

func canonicalSub(name string) string {
	for _, s := range subAttributes {
		if strings.EqualFold(s, name) {
			return s
		}
	}
	return name
}

// keyOf finds the key of m that equals name in any case, or gives name itself. Attribute names are case insensitive
// (RFC 7643, section 2.1) but are kept as the identity provider first wrote them.
func keyOf(m map[string]any, name string) string {
	if _, ok := m[name]; ok {
		return name
	}
	for k := range m {
		if strings.EqualFold(k, name) {
			return k
		}
	}
	return name
}

// isURN tells a schema URN from an attribute name; no attribute name holds a colon.
func isURN(key string) bool { return strings.Contains(key, ":") }
