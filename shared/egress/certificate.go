package egress

import (
	"crypto/tls"
	"net/http"
	"sync"

	"behalf.dev/behalf/shared/clientcert"
)

// maxIdentities is how many certificates have connections of their own at a time. A process that serves more drops them all
// and begins anew: what is under way goes on.
const maxIdentities = 32

// identities keeps connections by the certificate that they were made with: one that was opened with a client's certificate
// must never carry a request of somebody else.
type identities struct {
	plain http.RoundTripper
	with  func(cert tls.Certificate) http.RoundTripper

	mu   sync.Mutex
	made map[string]http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (i *identities) RoundTrip(r *http.Request) (*http.Response, error) {
	cert := clientcert.From(r.Context())
	if cert == nil {
		return i.plain.RoundTrip(r)
	}
	return i.of(cert).RoundTrip(r)
}

func (i *identities) of(cert *clientcert.Certificate) http.RoundTripper {
	i.mu.Lock()
	defer i.mu.Unlock()
	if rt, ok := i.made[cert.Fingerprint()]; ok {
		return rt
	}
	if len(i.made) >= maxIdentities || i.made == nil {
		i.made = map[string]http.RoundTripper{}
	}
	rt := i.with(cert.TLS())
	i.made[cert.Fingerprint()] = rt
	return rt
}
