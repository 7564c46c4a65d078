package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// How issuers' documents are read and their keys kept.
const (
	keysLife     = 10 * time.Minute // a key that an issuer withdraws is believed no longer than this
	refetchAfter = 30 * time.Second // a token with an unknown key id makes us look again, this often at most
	retryAfter   = 5 * time.Second  // an issuer that did not answer is left alone for so long
	fetchTimeout = 5 * time.Second
	maxDocument  = 256 << 10
	maxSets      = 1024
	minRSA       = 2048 // bits (RFC 7518, section 3.3)
	maxRSA       = 8192
)

// setKey holds the key sets of tenants apart, even of one issuer: nobody's tokens make another's keys be fetched.
type setKey struct {
	tenant tenant.ID
	uri    string
}

type keySet struct {
	keys    []jose.JSONWebKey
	fetched time.Time // zero when it never succeeded
	failed  time.Time
	err     error
}

type keySets struct {
	mu     sync.Mutex
	kept   map[setKey]keySet
	flight singleflight.Group
}

func (k *keySets) get(at setKey) keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[at]
}

// keep stores a set; a full cache is emptied, which costs one request for each issuer that comes back.
func (k *keySets) keep(at setKey, s keySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.kept[at]; !ok && len(k.kept) >= maxSets {
		clear(k.kept)
	}
	k.kept[at] = s
}

// find returns the keys of the set that may have signed a token with this header.
func (s keySet) find(h jose.Header) (out []jose.JSONWebKey) {
	for _, k := range s.keys {
		named := k.KeyID == h.KeyID || h.KeyID == "" && len(s.keys) == 1
		if named && fits(k, jose.SignatureAlgorithm(h.Algorithm)) {
			out = append(out, k)
		}
	}
	return out
}

// signers returns the keys that may have signed a token with this header. It asks the issuer when the kept set is old or
// lacks the key, which is how a rotation is noticed. fresh is false if it would have asked but did so a moment ago.
func (v *Issuers) signers(ctx context.Context, t tenant.ID, uri string, h jose.Header) (keys []jose.JSONWebKey, fresh bool, err error) {
	at := setKey{t, uri}
	set, now := v.keys.get(at), v.now()
	if age := now.Sub(set.fetched); !set.fetched.IsZero() && age < keysLife {
		if keys = set.find(h); len(keys) > 0 || age < refetchAfter {
			return keys, len(keys) > 0, nil
		}
	}
	if set.err != nil && now.Sub(set.failed) < retryAfter {
		return nil, false, set.err
	}
	got, err, _ := v.keys.flight.Do(string(t)+"\x00"+uri, func() (any, error) {
		keys, err := v.fetchKeys(context.WithoutCancel(ctx), "/subject_token", uri)
		if err != nil {
			set.failed, set.err = now, err
			v.keys.keep(at, set)
			return set, err
		}
		next := keySet{keys: keys, fetched: now}
		v.keys.keep(at, next)
		return next, nil
	})
	if err != nil {
		return nil, false, err
	}
	return got.(keySet).find(h), true, nil
}

// fetchKeys reads a key set (RFC 7517, section 5). Keys that cannot verify what we accept are left out, not refused:
// issuers publish encryption keys and newer algorithms beside them.
func (v *Issuers) fetchKeys(ctx context.Context, field, uri string) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := v.fetch(ctx, field, uri, &doc); err != nil {
		return nil, err
	}
	var out []jose.JSONWebKey
	for _, raw := range doc.Keys[:min(len(doc.Keys), 100)] {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && (k.Use == "" || k.Use == "sig") && slices.ContainsFunc(assertionAlgorithms(), func(a jose.SignatureAlgorithm) bool { return fits(k, a) }) {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, fault.Invalid(field, "the issuer publishes no key that signs by RS256, PS256 or ES256").With("reason", "no_keys")
	}
	return out, nil
}

// fits reports that k is a public key strong enough for the algorithm, and meant for it.
func fits(k jose.JSONWebKey, a jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(a) {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return (a == jose.RS256 || a == jose.PS256) && key.N.BitLen() >= minRSA && key.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return a == jose.ES256 && key.Curve == elliptic.P256()
	}
	return false
}

// fetch reads a small JSON document of an issuer.
func (v *Issuers) fetch(ctx context.Context, field, at string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fault.Invalid(field, "%s is no URL", clip(at))
	}
	req.Header.Set("Accept", "application/json")
	res, err := v.http.Do(req)
	if err != nil {
		return unreachable(field, at, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return unreachable(field, at, err)
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return unreachable(field, at, fmt.Errorf("status %d", res.StatusCode))
	case res.StatusCode != http.StatusOK:
		return fault.Invalid(field, "%s answers %d; check the issuer, or give jwks_uri if it publishes its keys elsewhere", clip(at), res.StatusCode).With("reason", "no_document")
	case len(body) > maxDocument:
		return fault.Invalid(field, "%s is larger than %d bytes", clip(at), maxDocument).With("reason", "no_document")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Invalid(field, "%s is not the JSON document that it should be", clip(at)).With("reason", "no_document").WithCause(err)
	}
	return nil
}

// unreachable tells an issuer that may answer later from one that we shall never call.
func unreachable(field, at string, err error) error {
	var refused *fault.Error
	if errors.As(err, &refused) && refused.Detail["reason"] == "egress_refused" {
		return fault.Invalid(field, "%s is not on the public Internet; Behalf calls nothing else", clip(at)).With("reason", "egress_refused").WithCause(err)
	}
	return fault.New(fault.ProviderError, "the issuer does not answer at %s; nothing was decided, try again", clip(at)).WithField(field).With("reason", "issuer_unavailable").WithRetryAfter(retryAfter).WithCause(err)
}
