package env

import (
	"fmt"
	"strings"
)

// Names of the environment variables. Values are plain configuration; none is a credential.
const (
	Stage             = "BEHALF_STAGE"               // deployment stage ("prod", "local"); bound into every ciphertext
	PublicURL         = "BEHALF_PUBLIC_URL"          // base URL that browsers, agents and providers reach, no trailing slash
	VaultTable        = "BEHALF_VAULT_TABLE"         // connections, secret slots, wrapped keys, OAuth clients
	DirectoryTable    = "BEHALF_DIRECTORY_TABLE"     // tenants, SCIM users, key hashes
	FlowTable         = "BEHALF_FLOW_TABLE"          // one-time things with a TTL
	AuditTable        = "BEHALF_AUDIT_TABLE"         // append-only records
	AuditBucket       = "BEHALF_AUDIT_BUCKET"        // S3 bucket with Object Lock that holds a copy of each sealed segment
	VaultKey          = "BEHALF_VAULT_KEY_ARN"       // KMS key that wraps tenant keys
	SessionKey        = "BEHALF_SESSION_KEY_ARN"     // KMS ECC_NIST_P256 key that signs session tokens
	ExecuteRole       = "BEHALF_EXECUTE_ROLE_ARN"    // assumed per tenant and principal, by authorizer
	RefreshRole       = "BEHALF_REFRESH_ROLE_ARN"    // assumed per tenant, by refresh and revoke
	ConnectRole       = "BEHALF_CONNECT_ROLE_ARN"    // assumed per tenant and principal, by callback
	DirectoryRole     = "BEHALF_DIRECTORY_ROLE_ARN"  // assumed per tenant, by admin and scim; no KMS
	KeysRole          = "BEHALF_KEYS_ROLE_ARN"       // assumed per tenant, by keys
	TenantKeys        = "BEHALF_TENANT_KEYS"         // KMS keys that tenants may bring: ARNs, in which * is any text, with commas; "none"
	PortalRole        = "BEHALF_PORTAL_ROLE_ARN"     // assumed per tenant and principal, by portal; no KMS
	NotifyRole        = "BEHALF_NOTIFY_ROLE_ARN"     // assumed per owner of webhooks, by notify; opens webhook secrets alone
	RefreshFunction   = "BEHALF_REFRESH_FUNCTION"    // name of the refresh function, for on-demand refresh
	RevokeFunction    = "BEHALF_REVOKE_FUNCTION"     // name of the revoke function, for revocation with an answer
	RefreshQueue      = "BEHALF_REFRESH_QUEUE_URL"   // connections that are due
	RevokeQueue       = "BEHALF_REVOKE_QUEUE_URL"    // connections to be revoked at the provider
	WebhookQueue      = "BEHALF_WEBHOOK_QUEUE_URL"   // events from the bus, and webhooks to be delivered
	WebhookDeadQueue  = "BEHALF_WEBHOOK_DEAD_URL"    // webhooks that were given up
	MCPLoginURL       = "BEHALF_MCP_LOGIN_URL"       // the application's login page for MCP clients; "none" leaves OAuth for them off
	EventBus          = "BEHALF_EVENT_BUS"           // EventBridge bus for the adopter
	ConnectorHosts    = "BEHALF_CONNECTOR_HOSTS"     // optional JSON: host overrides by connector, for emulators
	ConnectorsDir     = "BEHALF_CONNECTORS_DIR"      // optional: the adopter's own connector folders
	AllowPrivateHosts = "BEHALF_ALLOW_PRIVATE_HOSTS" // "true" only in the local stack: egress may reach loopback
	DownloadBytes     = "BEHALF_DOWNLOAD_BYTES"      // most that one answer through the proxy route may have, in bytes
	LogLevel          = "BEHALF_LOG_LEVEL"           // optional: debug, info (default), warn, error
)

// Lookup reads one variable; os.LookupEnv in a function, a map in the local stack and in tests.
type Lookup func(name string) (string, bool)

// FromMap makes a Lookup over m.
func FromMap(m map[string]string) Lookup {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// Reader collects values and remembers what was missing.
type Reader struct {
	lookup  Lookup
	missing []string
}

// NewReader returns a Reader over lookup.
func NewReader(lookup Lookup) *Reader { return &Reader{lookup: lookup} }

// Require returns the value of name, and notes name as missing when it is unset or empty.
func (r *Reader) Require(name string) string {
	v, ok := r.lookup(name)
	if !ok || v == "" {
		r.missing = append(r.missing, name)
	}
	return v
}

// Optional returns the value of name, or fallback.
func (r *Reader) Optional(name, fallback string) string {
	if v, ok := r.lookup(name); ok && v != "" {
		return v
	}
	return fallback
}

// Err names every missing variable, or is nil.
func (r *Reader) Err() error {
	if len(r.missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing environment variables: %s", strings.Join(r.missing, ", "))
}
