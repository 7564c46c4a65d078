package stack

import (
	"behalf.dev/behalf/shared/catalog"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// bootstrap makes the first API key, as the operator of a real deployment does with `behalf keys create`. With a data
// directory the key stays the same between runs, as long as the account still has it: an endpoint may forget.
func (s *Stack) bootstrap(ctx context.Context) error {
	db := dynamo.New(dynamodb.NewFromConfig(s.operatorConfig()), dynamo.Names{Directory: prefix + "directory"}, s.opt.Now)
	if kept, err := s.keptKey(ctx, db); err != nil || kept != "" {
		s.apiKey = kept
		return err
	}
	k, text := authn.NewKey(s.ids, authn.APIKey, tenant.Deployment, "local stack", []string{"*"}, s.opt.Now())
	if err := db.PutKeyRecord(ctx, k); err != nil {
		return fmt.Errorf("make the first API key: %w", err)
	}
	s.apiKey = string(text.Reveal(reveal.Key{}))
	if f := s.dir("api-key"); f != "" {
		if err := os.WriteFile(f, []byte(s.apiKey+"\n"), 0o600); err != nil {
			return fmt.Errorf("keep the API key: %w", err)
		}
	}
	return nil
}

// keptKey is the key of the data directory, empty when there is none or the account does not know it.
func (s *Stack) keptKey(ctx context.Context, db *dynamo.DB) (string, error) {
	f := s.dir("api-key")
	if f == "" {
		return "", nil
	}
	b, err := os.ReadFile(f)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	ref, err := authn.ParseKey(secret.FromString(key))
	if err != nil {
		return "", fmt.Errorf("%s does not hold an API key; delete the data directory to start over", f)
	}
	if _, err := db.KeyRecord(ctx, ref); fault.Is(err, fault.Unauthenticated) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("look the API key up: %w", err)
	}
	return key, nil
}

// registerClient makes the emulator know whatever OAuth client was just registered with Behalf, so that local use needs
// no second step. The real providers are told on their own developer pages.
func (s *Stack) registerClient(r *http.Request, body []byte, res events.APIGatewayProxyResponse) {
	if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/client") || res.StatusCode != http.StatusOK {
		return
	}
	var in struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Key    string `json:"private_key"`
	}
	var out struct {
		Connector   string `json:"connector"`
		RedirectURI string `json:"redirect_uri"`
	}
	if json.Unmarshal(body, &in) != nil || json.Unmarshal([]byte(res.Body), &out) != nil {
		return
	}
	err := s.Emulator.RegisterClient(out.Connector, emulator.ClientRegistration{ClientID: in.ID, ClientSecret: in.Secret, RedirectURIs: []string{out.RedirectURI}, PublicKey: publicHalf(in.Key)})
	if err != nil && !errors.Is(err, emulator.ErrUnknownProvider) {
		s.opt.Log.Warn("the emulator does not take this client", "connector", out.Connector, "error", err)
	}
}

// publicHalf is the public key of a private one, as PEM; empty when there is none.
func publicHalf(private string) string {
	key, err := catalog.ParsePrivateKey([]byte(private))
	if err != nil {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
