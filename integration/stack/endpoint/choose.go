package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrRealAWS is wrapped by the refusal of an endpoint that belongs to AWS.
var ErrRealAWS = errors.New("the local stack does not run against real AWS")

// Choose is the one place that decides where AWS calls of local commands go: to the returned base URL, or, when that is
// empty, to the embedded account. It reads AWS_ENDPOINT_URL and AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (AWS SDKs Reference
// Guide, "Service-specific endpoints"). Errors: a URL that is not one, and ErrRealAWS.
func Choose(getenv func(string) string) (string, error) {
	raw := getenv("AWS_ENDPOINT_URL")
	if raw == "" || strings.EqualFold(getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return "", nil
	}
	return Check(raw)
}

// Check returns a base URL without its final slash. Errors are those of Choose.
func Check(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("AWS_ENDPOINT_URL is not a base URL; LocalStack's is http://127.0.0.1:4566, and unset it means the embedded AWS")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, real := range realDomains() {
		if host == real || strings.HasSuffix(host, "."+real) {
			return "", fmt.Errorf("AWS_ENDPOINT_URL is %s: %w; unset it to use the embedded AWS, set it to LocalStack (http://127.0.0.1:4566), or deploy to AWS with `cdk deploy`", u.Host, ErrRealAWS)
		}
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// realDomains are the DNS suffixes of the AWS partitions (partitions.json of the SDKs, dnsSuffix and dualStackDnsSuffix).
func realDomains() []string {
	return []string{"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu",
		"c2s.ic.gov", "sc2s.sgov.gov", "csp.hci.ic.gov", "cloud.adc-e.uk", "on.aws"}
}
