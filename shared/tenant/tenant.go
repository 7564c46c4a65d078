package tenant

import (
	"regexp"

	"behalf.dev/behalf/shared/fault"
)

// ID is a tenant's id: 2 to 63 characters of [a-z0-9-], the first one not a hyphen. It is chosen by the SaaS and never
// reused after deletion. Make one with Parse only.
type ID string

// Deployment is the pseudo tenant that owns what belongs to no customer: deployment-wide OAuth clients and API keys.
// Its leading underscore keeps it outside the grammar, so that no customer can be called so.
const Deployment ID = "_deployment"

var grammar = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

// Parse checks s against the grammar. It returns fault.InvalidInput about field otherwise.
func Parse(field, s string) (ID, error) {
	if s == "" {
		return "", fault.Invalid(field, "the tenant is missing")
	}
	if !grammar.MatchString(s) {
		return "", fault.Invalid(field, "a tenant is 2 to 63 characters of a-z, 0-9 and '-', and does not start with '-'")
	}
	return ID(s), nil
}

// Tag is the id as an STS session tag, DynamoDB key part and KMS context value. All three are the id itself.
func (id ID) Tag() string { return string(id) }

// Scope is one principal of one tenant: the unit of isolation.
type Scope struct {
	Tenant    ID
	Principal Principal
}

// Valid reports that both parts are present. Stores and vendors refuse a Scope that is not.
func (s Scope) Valid() bool { return s.Tenant != "" && s.Principal != "" }
