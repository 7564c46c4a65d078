package stacks

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Options are the switches of a deployment, read from the CDK context (cdk.json, or -c name=value).
type Options struct {
	// Stage names the deployment and is part of every physical name and of every ciphertext ("dev", "prod").
	Stage string
	// Destroy deletes tables, keys and logs with the stacks, and so drops deletion protection. For throw-away stages.
	Destroy bool
	// PerTenant runs each tenant's executions in environments of their own (Lambda tenant isolation mode). It is fixed when
	// the function is made: changing it replaces the function.
	PerTenant bool
	// Domain is the public host name, with the ARN of its ACM certificate in this Region; empty means the API's own host.
	Domain, Certificate string
	// LogDays is how many days logs are kept; a value that CloudWatch Logs offers.
	LogDays float64
	// LogLevel is what the functions start with: debug, info, warn, error.
	LogLevel string
	// AccountLogRole makes the role by which API Gateway writes logs in this account and Region. Turn it off where the account
	// already has one, since the setting belongs to the account and not to this stack.
	AccountLogRole bool
	// Firewall puts a web ACL with rate limits before the API. It has a monthly price of its own.
	Firewall bool
	// AuditLock is how sealed audit segments are locked: AuditCompliance, AuditGovernance or AuditOff. AuditDays is for how long.
	AuditLock string
	AuditDays float64
	// BreakGlass are the principals of this account, besides the deployment's own roles, that the tables do not refuse: "root", or
	// "role/<path and name>", in which '*' stands for any text. Separated by commas.
	BreakGlass string
	// TenantKeys are the KMS keys that tenants may bring for their own secrets: ARNs with commas, in which '*' may stand for the
	// key id. The tenant roles may use them as they may use the deployment's; what a key's own policy says decides too. Empty
	// means none.
	TenantKeys string
	// MCPLoginURL is the application's login page for interactive MCP clients. Empty leaves OAuth for them off.
	MCPLoginURL string
	// Canary deploys the function that attacks two tenants of its own, and the alarms on it.
	Canary bool
	// Reserved sets concurrency aside for the functions that must run while one tenant's executions take all there is. An account
	// must keep 100 unreserved, so a new one, with a quota of 10, cannot.
	Reserved bool
	// STSQuota and KMSQuota are the account's quotas in this Region, in requests per second; alarms stand at half of them.
	STSQuota, KMSQuota float64
	// DownloadBytes is the most that one answer through the proxy route may have, in bytes; Lambda ends at 200 MB.
	DownloadBytes float64
	// Build is the directory that holds <function>/bootstrap. Empty means placeholders, for a template that is not deployed.
	Build string
	// Placeholder is the directory that takes the place of a function that is not built. Both paths start at infra/.
	Placeholder string
}

// Modes of Object Lock. Governance can be lifted by who holds s3:BypassGovernanceRetention; compliance by nobody, the account's
// root included, until the retention ends. Off keeps versions and locks nothing.
const (
	AuditCompliance = "compliance"
	AuditGovernance = "governance"
	AuditOff        = "off"
)

// maxDownload is what Lambda streams at most, in bytes (Lambda Developer Guide, "Response streaming for Lambda functions").
const maxDownload = 200_000_000

// Defaults are the options of an app that is given no context.
func Defaults() Options {
	return Options{Stage: "dev", LogDays: 30, LogLevel: "info", AccountLogRole: true, Firewall: true, AuditLock: AuditGovernance, AuditDays: 365,
		BreakGlass: "root", Canary: true, Reserved: true, STSQuota: 600, KMSQuota: 10_000, DownloadBytes: maxDownload, Build: "../build", Placeholder: "placeholder"}
}

// stageGrammar keeps the longest physical name, a role, below 64 characters.
var stageGrammar = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// breakGlassGrammar asks for one character before a star, so that no list lets everybody in.
var breakGlassGrammar = regexp.MustCompile(`^(root|role/[A-Za-z0-9_+=,.@-][A-Za-z0-9_+=,.@/*-]*)$`)

// tenantKeyGrammar names Region and account: a pattern for keys of anybody would let whoever can write a tenant's settings
// point Behalf at a key of theirs.
var tenantKeyGrammar = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(\*|[A-Za-z0-9-]+\*?)$`)

// FromContext reads the options from scope's context. It returns an error for a value that no switch has.
func FromContext(scope constructs.Construct) (Options, error) {
	o := Defaults()
	text := func(name, fallback string) string {
		if v := scope.Node().TryGetContext(jsii.String(name)); v != nil && fmt.Sprint(v) != "" {
			return fmt.Sprint(v)
		}
		return fallback
	}
	o.Stage, o.LogLevel = text("stage", o.Stage), text("logLevel", o.LogLevel)
	o.Domain, o.Certificate = text("domain", ""), text("certificate", "")
	o.AuditLock, o.BreakGlass, o.TenantKeys = text("auditLock", o.AuditLock), text("breakGlass", o.BreakGlass), text("tenantKeys", o.TenantKeys)
	o.MCPLoginURL = text("mcpLoginUrl", "")
	for name, to := range map[string]*float64{"logDays": &o.LogDays, "auditDays": &o.AuditDays, "stsQuota": &o.STSQuota, "kmsQuota": &o.KMSQuota, "downloadBytes": &o.DownloadBytes} {
		n, err := strconv.ParseFloat(text(name, fmt.Sprint(*to)), 64)
		if err != nil {
			return o, fmt.Errorf("context %s: %w", name, err)
		}
		*to = n
	}
	for _, s := range []struct {
		name, fallback, yes, no string
		to                      *bool
	}{
		{"removal", "retain", "destroy", "retain", &o.Destroy}, {"tenantIsolation", "off", "on", "off", &o.PerTenant}, {"canary", "on", "on", "off", &o.Canary},
		{"reservedConcurrency", "on", "on", "off", &o.Reserved},
		{"accountLogRole", "on", "on", "off", &o.AccountLogRole}, {"firewall", "on", "on", "off", &o.Firewall},
	} {
		var err error
		if *s.to, err = choice(s.name, text(s.name, s.fallback), s.yes, s.no); err != nil {
			return o, err
		}
	}
	return o, o.check()
}

// choice reports whether value is yes; a value that is neither is an error.
func choice(name, value, yes, no string) (bool, error) {
	if value != yes && value != no {
		return false, fmt.Errorf("context %s is %q; it may be %q or %q", name, value, yes, no)
	}
	return value == yes, nil
}

func (o Options) check() error {
	switch {
	case !stageGrammar.MatchString(o.Stage):
		return fmt.Errorf("context stage is %q; it may be 1 to 20 characters of a-z, 0-9 and '-'", o.Stage)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, o.LogLevel):
		return fmt.Errorf("context logLevel is %q; it may be debug, info, warn or error", o.LogLevel)
	case (o.Domain == "") != (o.Certificate == ""):
		return fmt.Errorf("context domain and certificate go together")
	case !slices.Contains([]string{AuditCompliance, AuditGovernance, AuditOff}, o.AuditLock):
		return fmt.Errorf("context auditLock is %q; it may be compliance, governance or off", o.AuditLock)
	case o.AuditDays < 1 || o.AuditDays != math.Trunc(o.AuditDays):
		return fmt.Errorf("context auditDays is %v; it is a whole number of days", o.AuditDays)
	case o.Destroy && o.AuditLock == AuditCompliance:
		return fmt.Errorf("context removal=destroy and auditLock=compliance exclude each other: nobody can empty that bucket before %v days", o.AuditDays)
	case o.DownloadBytes < 1 || o.DownloadBytes > maxDownload || o.DownloadBytes != math.Trunc(o.DownloadBytes):
		return fmt.Errorf("context downloadBytes is %v; it is a whole number of bytes, at most %d", o.DownloadBytes, maxDownload)
	case o.STSQuota <= 0 || o.KMSQuota <= 0:
		return fmt.Errorf("context stsQuota and kmsQuota are requests per second, above 0")
	}
	for _, who := range o.breakGlass() {
		if !breakGlassGrammar.MatchString(who) {
			return fmt.Errorf("context breakGlass names %q; it may be root, or role/<path and name> with '*' for any text", who)
		}
	}
	if u, err := url.Parse(o.MCPLoginURL); o.MCPLoginURL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "") {
		return fmt.Errorf("context mcpLoginUrl is %q; it may be the https URL of your application's login page, without a fragment", o.MCPLoginURL)
	}
	for _, arn := range o.tenantKeys() {
		if !tenantKeyGrammar.MatchString(arn) {
			return fmt.Errorf("context tenantKeys names %q; it may be the ARN of a KMS key, or arn:aws:kms:<region>:<account>:key/* for all keys of an account", arn)
		}
	}
	return nil
}

// tenantKeys splits TenantKeys.
func (o Options) tenantKeys() []string {
	return strings.FieldsFunc(strings.ReplaceAll(o.TenantKeys, " ", ""), func(r rune) bool { return r == ',' })
}

// breakGlass splits BreakGlass.
func (o Options) breakGlass() []string {
	return strings.Split(strings.ReplaceAll(o.BreakGlass, " ", ""), ",")
}

// Local are the options of the committed templates: the defaults, under stage "local", without code.
func Local() Options {
	o := Defaults()
	o.Stage, o.Build = "local", ""
	o.TenantKeys = "arn:aws:kms:us-east-1:111122223333:key/*" // a customer's account, for the tests of keys that tenants bring
	return o
}
