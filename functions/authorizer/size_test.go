package authorizer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// signer signs with a key of its own.
type signer struct{ *ecdsa.PrivateKey }

func (s signer) SignDigest(_ context.Context, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, s.PrivateKey, digest)
}

func (s signer) PublicKey(context.Context) (*ecdsa.PublicKey, string, error) {
	return &s.PrivateKey.PublicKey, strings.Repeat("k", 36), nil
}

const method = "arn:aws:execute-api:ap-southeast-2:111122223333:abcdefghij/production/POST/v1/execute"

// widest is a session on behalf of a user with the most that a token holds.
func widest(t *testing.T) authn.Session {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	id := "sess_" + strings.Repeat("0", 34)
	s := authn.Session{ID: id, Scope: tenant.Scope{Tenant: tenant.ID(strings.Repeat("t", 63)), Principal: tenant.Org}, OnBehalfOf: tenant.Principal(strings.Repeat("\"", tenant.MaxPrincipalBytes)),
		Agent: strings.Repeat("a", 100), Run: strings.Repeat("r", 100), Parents: []string{id, id, id}, Actors: []string{strings.Repeat("a", 100), strings.Repeat("a", 100), strings.Repeat("a", 100)}, Issued: now, Expires: now.Add(time.Hour)}
	for {
		more := s
		more.Tools = append(more.Tools, fmt.Sprintf("connector%03d_with_a_tool_of_a_long_name", len(s.Tools)))
		if _, err := authn.Mint(t.Context(), signer{key}, "https://behalf.example.com", more, now); err != nil {
			return s
		}
		s = more
	}
}

// credentials as STS vends them, with a token of n bytes.
func credentials(n int) aws.Credentials {
	return aws.Credentials{AccessKeyID: "ASIA" + strings.Repeat("A", 16), SecretAccessKey: strings.Repeat("s", 40), SessionToken: strings.Repeat("T", n)}
}

func contextOf(t *testing.T, s authn.Session, token int) map[string]any {
	t.Helper()
	values, err := apigw.SessionContext(s, credentials(token))
	if err != nil {
		t.Fatal(err)
	}
	apigw.BehalfContext(values, credentials(token))
	return values
}

// TestAnswer_WidestSessionOnBehalfOfAUser_Fits measures the largest answer there is: a full token, two sets of credentials, and STS
// tokens of 4 KiB, which is several times what STS has been seen to give.
func TestAnswer_WidestSessionOnBehalfOfAUser_Fits(t *testing.T) {
	t.Parallel()
	s := widest(t)
	for _, token := range []int{1 << 10, 4 << 10} {
		a := (&Function{routes: patterns()}).answer("Allow", method, apigw.Session, contextOf(t, s, token))
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tools, STS tokens of %d bytes: an answer of %d bytes", len(s.Tools), token, len(b))
		if err := fits(a); err != nil || len(b) > maxAnswer*3/5 {
			t.Errorf("%d bytes: %v", len(b), err)
		}
		for name, v := range a.Context { // API Gateway takes no other values, and no lists or maps
			if _, ok := v.(string); !ok {
				t.Errorf("%s is a %T", name, v)
			}
		}
		for _, r := range a.PolicyDocument.Statement[0].Resource { // API Gateway: 512 characters a resource
			if len(r) > 512 {
				t.Errorf("%s has %d characters", r, len(r))
			}
		}
	}
}

func TestAnswer_TooLarge_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	err := fits((&Function{routes: patterns()}).answer("Allow", method, apigw.Session, contextOf(t, widest(t), 16<<10)))
	if !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "fewer connectors and tools") {
		t.Errorf("%v", err)
	}
}
