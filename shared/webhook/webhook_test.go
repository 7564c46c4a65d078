package webhook_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"behalf.dev/behalf/shared/webhook"
)

var (
	at   = time.Unix(1_795_348_800, 0)
	body = []byte(`{"type":"connection.connected","data":{}}`)
)

func newSecret(t *testing.T, fill byte) string {
	t.Helper()
	s, err := webhook.NewSecret(bytes.NewReader(bytes.Repeat([]byte{fill}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signedBy(t *testing.T, when time.Time, secrets ...string) http.Header {
	t.Helper()
	h := http.Header{}
	if err := webhook.Sign(h, "evt_1", when, body, secrets...); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSign_KnownVector_IsThatOfTheSpecification(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	// The expected value is the one that the specification's own libraries are tested with.
	err := webhook.Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil || h.Get(webhook.HeaderSignature) != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || h.Get(webhook.HeaderTimestamp) != "1614265330" {
		t.Errorf("%v, %v", h, err)
	}
}

func TestStandardLibrary_AndOurs_AcceptEachOther(t *testing.T) {
	t.Parallel()
	secret := newSecret(t, 7)
	theirs, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	h := signedBy(t, now, newSecret(t, 8), secret)
	if err := theirs.Verify(body, h); err != nil {
		t.Errorf("theirs refuses ours: %v", err)
	}
	h.Set(webhook.HeaderID, "evt_2")
	if theirs.Verify(body, h) == nil {
		t.Error("theirs accepts another id")
	}
	signature, err := theirs.Sign("evt_3", now, body)
	if err != nil {
		t.Fatal(err)
	}
	back := http.Header{}
	back.Set("webhook-id", "evt_3")
	back.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	back.Set("webhook-signature", signature)
	if err := webhook.Verify(back, body, now, secret); err != nil {
		t.Errorf("ours refuses theirs: %v", err)
	}
}

func TestVerify_WhileASecretIsReplaced_EitherOneDoes(t *testing.T) {
	t.Parallel()
	old, next, foreign := newSecret(t, 1), newSecret(t, 2), newSecret(t, 3)
	h := signedBy(t, at, next, old)
	for name, secrets := range map[string][]string{"old": {old}, "new": {next}, "both": {foreign, old}} {
		if err := webhook.Verify(h, body, at, secrets...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := webhook.Verify(h, body, at, foreign); !errors.Is(err, webhook.ErrSignature) {
		t.Errorf("foreign secret: %v", err)
	}
}

func TestVerify_EachTamper_IsRefused(t *testing.T) {
	t.Parallel()
	secret := newSecret(t, 1)
	cases := map[string]struct {
		change func(h http.Header) []byte
		now    time.Time
		want   error
	}{
		"body":      {func(http.Header) []byte { return append([]byte(" "), body...) }, at, webhook.ErrSignature},
		"id":        {func(h http.Header) []byte { h.Set(webhook.HeaderID, "evt_2"); return body }, at, webhook.ErrSignature},
		"timestamp": {func(h http.Header) []byte { h.Set(webhook.HeaderTimestamp, "1795348801"); return body }, at, webhook.ErrSignature},
		"signature": {func(h http.Header) []byte { h.Set(webhook.HeaderSignature, "v1,AAAA"); return body }, at, webhook.ErrSignature},
		"other version": {func(h http.Header) []byte {
			h.Set(webhook.HeaderSignature, "v2"+h.Get(webhook.HeaderSignature)[2:])
			return body
		}, at, webhook.ErrSignature},
		"no id":              {func(h http.Header) []byte { h.Del(webhook.HeaderID); return body }, at, webhook.ErrHeaders},
		"no timestamp":       {func(h http.Header) []byte { h.Del(webhook.HeaderTimestamp); return body }, at, webhook.ErrHeaders},
		"no signature":       {func(h http.Header) []byte { h.Del(webhook.HeaderSignature); return body }, at, webhook.ErrHeaders},
		"timestamp no digit": {func(h http.Header) []byte { h.Set(webhook.HeaderTimestamp, "now"); return body }, at, webhook.ErrHeaders},
		"two ids":            {func(h http.Header) []byte { h.Add(webhook.HeaderID, "evt_1"); return body }, at, webhook.ErrHeaders},
		"replayed later":     {func(http.Header) []byte { return body }, at.Add(webhook.Tolerance + time.Second), webhook.ErrTimestamp},
		"from the future":    {func(http.Header) []byte { return body }, at.Add(-webhook.Tolerance - time.Second), webhook.ErrTimestamp},
		// Without the rule against full stops, "evt_1.1" at 5 could be shown as "evt_1" at "1.5…".
		"id with full stop": {func(h http.Header) []byte {
			h.Set(webhook.HeaderID, "evt_1."+h.Get(webhook.HeaderTimestamp))
			return body
		}, at, webhook.ErrHeaders},
	}
	for name, c := range cases {
		h := signedBy(t, at, secret)
		b := c.change(h)
		if err := webhook.Verify(h, b, c.now, secret); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSecrets_Malformed_AreRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "whsec_", "whsec_***", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)), base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		err := webhook.Verify(signedBy(t, at, newSecret(t, 1)), body, at, s)
		if err == nil || len(s) > 10 && strings.Contains(err.Error(), s[6:]) {
			t.Errorf("%q: %v", s, err)
		}
		if webhook.Sign(http.Header{}, "evt_1", at, body, s) == nil {
			t.Errorf("%q signs", s)
		}
	}
	if webhook.Sign(http.Header{}, "evt.1", at, body, newSecret(t, 1)) == nil || webhook.Sign(http.Header{}, "evt_1", at, body) == nil {
		t.Error("signed with a bad id or without a secret")
	}
}
