package xoauth2_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/metric/metrictest"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/xoauth2"
)

// Every way to make a token counts, by what came of it; only those that ask a token endpoint count as requests to one.
func TestMeasured_EachGrant_CountsLikeARefresh(t *testing.T) {
	t.Parallel()
	rsaPEM := pemOf(t, rsaKey(t))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := connection.Client{ID: "1234", Secret: secret.FromString("hush-0123"), PrivateKey: secret.FromString(rsaPEM)}
	cc := strings.NewReplacer("AUTH", "client_secret_basic", "FORMAT", "form").Replace(ownClient)
	for name, x := range map[string]struct {
		manifest string
		values   map[string]string
		status   int
		answer   string
		outcome  string
		mints    float64
		requests float64
	}{
		"client credentials":          {cc, map[string]string{"id": "c", "key": "s/ecret-0123"}, 200, minted, "ok", 1, 1},
		"client credentials, refused": {cc, map[string]string{"id": "c", "key": "s/ecret-0123"}, 400, `{"error":"invalid_grant"}`, "dead", 1, 1},
		"JWT bearer":                  {bearerJWT, map[string]string{"mail": "a@b.example", "key": rsaPEM}, 200, minted, "ok", 1, 1},
		"JWT bearer, down":            {bearerJWT, map[string]string{"mail": "a@b.example", "key": rsaPEM}, 503, "", "transient", 1, 1},
		"installation token":          {appJWT, map[string]string{"installation": "7"}, 201, `{"token":"ghs_1","expires_at":"2099-01-01T00:00:00Z"}`, "ok", 1, 1},
		"key pair":                    {bareJWT, map[string]string{"user": "jane", "key": pemOf(t, ec)}, 200, `{"id":"u1"}`, "ok", 1, 0},
		"refresh":                     {strings.Replace(signedClient, "private_key_jwt", "client_secret_basic", 1), nil, 200, minted, "ok", 0, 1},
	} {
		c, _ := serve(t, x.manifest, x.status, x.answer)
		kept, meta := secret.FromString("rt"), map[string]string(nil)
		if x.values != nil {
			kept, meta = seed(t, c, x.values)
		}
		var log bytes.Buffer
		meter := metric.New(&log, "test", time.Now)
		_, err := xoauth2.Measured{Endpoint: endpoint(), Meter: meter, Now: time.Now}.Refresh(t.Context(), c, client, kept, meta)
		if (err == nil) != (x.outcome == string(catalog.OutcomeOK)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := meter.Flush(); err != nil {
			t.Fatal(err)
		}
		points, err := metrictest.Read(log.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		by := "Connector=plain,Outcome=" + x.outcome + ",Stage=test"
		if got := metrictest.Sum(points, metric.TokenMints, by); got != x.mints {
			t.Errorf("%s: %v mints, want %v", name, got, x.mints)
		}
		if got := metrictest.Sum(points, metric.TokenRequests, by); got != x.requests {
			t.Errorf("%s: %v requests, want %v", name, got, x.requests)
		}
	}
}
