package kms

import (
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// metadata is the KeyMetadata of the API.
func (k *key) metadata(account string) map[string]any {
	usage := "ENCRYPT_DECRYPT"
	algorithms := "EncryptionAlgorithms"
	names := []string{Symmetric}
	if k.spec == P256 {
		usage, algorithms, names = "SIGN_VERIFY", "SigningAlgorithms", []string{"ECDSA_SHA_256"}
	}
	m := map[string]any{"KeyId": idText(k.id), "Arn": k.arn, "AWSAccountId": account, "Enabled": k.state == "Enabled", "KeyState": k.state,
		"KeyUsage": usage, "KeySpec": k.spec, "CustomerMasterKeySpec": k.spec, "KeyManager": "CUSTOMER", "Origin": "AWS_KMS",
		"MultiRegion": false, "Description": k.note, "CreationDate": float64(k.created.Unix()), algorithms: names}
	if k.state == "PendingDeletion" {
		m["DeletionDate"] = float64(k.deletion.Unix())
	}
	return m
}

// manage runs the operations that change keys.
func (s *Store) manage(r *Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.op == "CreateKey" {
		return s.createKey(r)
	}
	if r.op == "CreateAlias" {
		return s.createAlias(r)
	}
	k, err := s.find(r.q.KeyID)
	if err != nil {
		return nil, err
	}
	if k.state == "PendingDeletion" && r.op != "CancelKeyDeletion" {
		return nil, awserr.New("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	}
	out := map[string]any{}
	switch r.op {
	case "EnableKey":
		k.state = "Enabled"
	case "DisableKey":
		k.state = "Disabled"
	case "PutKeyPolicy":
		if err := k.setPolicy(r.q.Policy); err != nil {
			return nil, err
		}
	case "CancelKeyDeletion":
		k.state, k.deletion = "Disabled", time.Time{}
		out["KeyId"] = k.arn
	case "ScheduleKeyDeletion":
		if out, err = s.scheduleDeletion(k, r.q.PendingWindowInDays); err != nil {
			return nil, err
		}
	}
	s.save(k)
	return out, nil
}

func (s *Store) scheduleDeletion(k *key, days int) (map[string]any, error) {
	if days == 0 {
		days = 30
	}
	if days < 7 || days > 30 {
		return nil, awserr.Validation("PendingWindowInDays must be between 7 and 30")
	}
	k.state, k.deletion = "PendingDeletion", s.opt.Now().AddDate(0, 0, days)
	return map[string]any{"KeyId": k.arn, "DeletionDate": float64(k.deletion.Unix()), "KeyState": k.state, "PendingWindowInDays": days}, nil
}

func (s *Store) createKey(r *Request) (any, error) {
	spec := r.q.KeySpec
	if spec == "" {
		spec = r.q.CustomerMasterKeySpec
	}
	if spec == "" {
		spec = Symmetric
	}
	if (spec == P256) != (r.q.KeyUsage == "SIGN_VERIFY") {
		return nil, awserr.Validation("The KeyUsage %s is not compatible with KeySpec %s", r.q.KeyUsage, spec)
	}
	k, err := s.create(spec, r.q.Policy, r.q.Description)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": k.metadata(s.opt.Account)}, nil
}

func (s *Store) createAlias(r *Request) (any, error) {
	k, err := s.find(r.q.TargetKeyID)
	if err != nil {
		return nil, err
	}
	if _, ok := s.aliases[r.q.AliasName]; ok {
		return nil, awserr.New("AlreadyExistsException", "An alias with the name %s already exists", s.arn(r.q.AliasName))
	}
	s.aliases[r.q.AliasName] = k.id
	s.opt.Journal("alias", record{ID: k.id[:], Alias: r.q.AliasName})
	return map[string]any{}, nil
}
