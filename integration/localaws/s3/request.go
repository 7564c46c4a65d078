package s3

import (
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Request is one call.
type Request struct {
	Op, Bucket, Key, Version string
	http                     *http.Request
	body                     []byte
}

// Operation names the operation that method, path and query mean; "" for one that is not here. The bucket is in the path.
func Operation(r *http.Request) string {
	_, key := split(r)
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPut && key != "" && only(q, "x-id"):
		return "PutObject"
	case r.Method == http.MethodGet && key != "" && only(q, "x-id", "versionId"):
		return "GetObject"
	case r.Method == http.MethodDelete && key != "" && only(q, "x-id", "versionId"):
		return "DeleteObject"
	case r.Method == http.MethodGet && key == "" && q.Get("list-type") == "2" && only(q, "list-type", "prefix", "start-after", "continuation-token", "max-keys"):
		return "ListObjectsV2"
	case r.Method == http.MethodPut && key == "" && only(q, "x-id"):
		return "CreateBucket"
	}
	return ""
}

// only tells that a query has no other names: another one is another operation ("?retention", "?acl").
func only(q url.Values, names ...string) bool {
	for _, n := range names {
		q.Del(n)
	}
	return len(q) == 0
}

func split(r *http.Request) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket, key
}

// Parse reads a call. The error says what is missing or not supported.
func Parse(op string, h *http.Request, body []byte) (*Request, error) {
	if op == "" {
		return nil, awserr.Unknown("s3:" + h.Method + " " + h.URL.Path)
	}
	r := &Request{Op: op, http: h, body: body, Version: h.URL.Query().Get("versionId")}
	r.Bucket, r.Key = split(h)
	if h.Header.Get("X-Amz-Content-Sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
		return nil, awserr.Unknown("s3: uploads in chunks")
	}
	return r, nil
}

// Access is the permissions that a call needs, with the bucket's policy. By the Service Authorization Reference a condition key
// is present only if the request has the header.
func (s *Store) Access(r *Request) []iam.Check {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var policy *iam.Policy
	if b := s.buckets[r.Bucket]; b != nil {
		policy = b.policy
	}
	c := iam.Context{"s3:tlsversion": {"1.3"}}
	arn := "arn:aws:s3:::" + r.Bucket
	check := func(action, resource string) iam.Check {
		return iam.Check{Action: "s3:" + action, Resource: resource, Context: c, Policy: policy}
	}
	switch r.Op {
	case "PutObject":
		if v := r.http.Header.Get("If-None-Match"); v != "" {
			c.Set("s3:if-none-match", v)
		}
		return []iam.Check{check("PutObject", arn+"/"+r.Key)}
	case "ListObjectsV2":
		return []iam.Check{check("ListBucket", arn)}
	case "CreateBucket":
		return []iam.Check{check("CreateBucket", arn)}
	case "DeleteObject":
		if r.Version == "" {
			return []iam.Check{check("DeleteObject", arn+"/"+r.Key)}
		}
		checks := []iam.Check{check("DeleteObjectVersion", arn+"/"+r.Key)}
		if r.bypass() {
			checks = append(checks, check("BypassGovernanceRetention", arn+"/"+r.Key))
		}
		return checks
	}
	if r.Version != "" {
		return []iam.Check{check("GetObjectVersion", arn+"/"+r.Key)}
	}
	return []iam.Check{check("GetObject", arn+"/"+r.Key)}
}

func (r *Request) bypass() bool {
	return strings.EqualFold(r.http.Header.Get("X-Amz-Bypass-Governance-Retention"), "true")
}
