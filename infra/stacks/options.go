package stacks

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

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
	// Build is the directory that holds <function>/bootstrap. Empty means placeholders, for a template that is not deployed.
	Build string
	// Placeholder is the directory that takes the place of a function that is not built. Both paths start at infra/.
	Placeholder string
}

// Defaults are the options of an app that is given no context.
func Defaults() Options {
	return Options{Stage: "dev", LogDays: 30, LogLevel: "info", AccountLogRole: true, Firewall: true, Build: "../build", Placeholder: "placeholder"}
}

// stageGrammar keeps the longest physical name, a role, below 64 characters.
var stageGrammar = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

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
	var err error
	if o.LogDays, err = strconv.ParseFloat(text("logDays", "30"), 64); err != nil {
		return o, fmt.Errorf("context logDays: %w", err)
	}
	if o.Destroy, err = choice("removal", text("removal", "retain"), "destroy", "retain"); err != nil {
		return o, err
	}
	if o.PerTenant, err = choice("tenantIsolation", text("tenantIsolation", "off"), "on", "off"); err != nil {
		return o, err
	}
	if o.AccountLogRole, err = choice("accountLogRole", text("accountLogRole", "on"), "on", "off"); err != nil {
		return o, err
	}
	if o.Firewall, err = choice("firewall", text("firewall", "on"), "on", "off"); err != nil {
		return o, err
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
	}
	return nil
}

// Local are the options of the committed templates: the defaults, under stage "local", without code.
func Local() Options {
	o := Defaults()
	o.Stage, o.Build = "local", ""
	return o
}
