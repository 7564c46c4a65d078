package kms

import (
	"encoding/json"
	"maps"
	"slices"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Request is one decoded KMS call.
type Request struct {
	op string
	q  params
}

type params struct {
	KeyID                    string `json:"KeyId"`
	SourceKeyID              string `json:"SourceKeyId"`
	DestinationKeyID         string `json:"DestinationKeyId"`
	TargetKeyID              string `json:"TargetKeyId"`
	AliasName, Policy        string
	KeySpec, KeyUsage        string
	CustomerMasterKeySpec    string
	Description              string
	NumberOfBytes            int
	PendingWindowInDays      int
	Plaintext                []byte
	CiphertextBlob           []byte
	Message                  []byte
	MessageType              string
	SigningAlgorithm         string
	EncryptionAlgorithm      string
	EncryptionContext        map[string]string
	SourceEncryptionContext  map[string]string
	DestinationEncryptionCtx map[string]string `json:"DestinationEncryptionContext"`
}

// Parse decodes the body of an operation.
func Parse(op string, body []byte) (*Request, error) {
	r := &Request{op: op}
	if err := json.Unmarshal(body, &r.q); err != nil {
		return nil, awserr.New("SerializationException", "%v", err)
	}
	return r, nil
}

// Access lists what IAM and the key policies must allow. A key that cannot be found is checked
// by its name, so an unprivileged caller does not learn whether it exists.
func (s *Store) Access(r *Request) []iam.Check {
	s.mu.RLock()
	defer s.mu.RUnlock()
	action := "kms:" + r.op
	switch r.op {
	case "CreateKey", "ListKeys", "ListAliases":
		return []iam.Check{{Action: action, Resource: "*"}}
	case "CreateAlias":
		return []iam.Check{{Action: action, Resource: s.arn(r.q.AliasName)}, s.check(action, r.q.TargetKeyID, nil)}
	case "Decrypt":
		return []iam.Check{s.check(action, s.sourceOf(r.q.KeyID, r.q.CiphertextBlob), r.q.EncryptionContext)}
	case "ReEncrypt":
		return []iam.Check{
			s.check("kms:ReEncryptFrom", s.sourceOf(r.q.SourceKeyID, r.q.CiphertextBlob), r.q.SourceEncryptionContext),
			s.check("kms:ReEncryptTo", r.q.DestinationKeyID, r.q.DestinationEncryptionCtx),
		}
	}
	return []iam.Check{s.check(action, r.q.KeyID, r.q.EncryptionContext)}
}

// sourceOf is the key that a ciphertext names, unless the caller names one.
func (s *Store) sourceOf(ref string, ciphertext []byte) string {
	if ref == "" && len(ciphertext) > headerSize {
		return idText([16]byte(ciphertext[1:17]))
	}
	return ref
}

func (s *Store) check(action, ref string, ec map[string]string) iam.Check {
	c := iam.Check{Action: action, Resource: s.arn("key/" + ref), Context: iam.Context{}, Rules: true}
	if k, err := s.find(ref); err == nil {
		c.Resource, c.Policy, c.CrossAccount = k.arn, k.policy, k.account != ""
	}
	for name, v := range ec {
		c.Context.Set("kms:EncryptionContext:"+name, v)
	}
	c.Context.Set("kms:EncryptionContextKeys", slices.Sorted(maps.Keys(ec))...)
	return c
}

// Run executes a request; the result marshals to the JSON answer.
func (s *Store) Run(r *Request) (any, error) {
	switch r.op {
	case "CreateKey", "CreateAlias", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "PutKeyPolicy", "EnableKeyRotation":
		return s.manage(r)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch r.op {
	case "DescribeKey":
		k, err := s.find(r.q.KeyID)
		if err != nil {
			return nil, err
		}
		return map[string]any{"KeyMetadata": k.metadata(s.opt.Account)}, nil
	case "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		return s.generate(r)
	case "Encrypt":
		return s.encrypt(r)
	case "Decrypt":
		return s.decrypt(r)
	case "ReEncrypt":
		return s.reEncrypt(r)
	case "Sign":
		return s.sign(r)
	case "GetPublicKey":
		return s.publicKey(r)
	}
	return nil, awserr.Unknown("kms:" + r.op)
}

// usable finds a key that is enabled and of the wanted spec.
func (s *Store) usable(ref, spec string) (*key, error) {
	k, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	return k, k.ready(spec)
}

func (k *key) ready(spec string) error {
	switch {
	case k.state == "Disabled":
		return awserr.New("DisabledException", "%s is disabled.", k.arn)
	case k.state != "Enabled":
		return awserr.New("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	case k.spec != spec:
		return awserr.New("InvalidKeyUsageException", "%s key usage is not valid for this operation.", k.arn)
	}
	return nil
}
