package localaws

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Permissive serves the account as LocalStack does without a licence: any credentials do, and any role can be assumed, also one that does
// not exist (github.com/localstack/localstack/issues/8313).
func (a *AWS) Permissive() http.Handler {
	key, sec := a.OperatorCredentials()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope := "/"
		if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
			_, scope, _ = strings.Cut(rest, "/")
		}
		if err := r.ParseForm(); err == nil && r.PostForm.Get("Action") == "AssumeRole" {
			_, _ = w.Write([]byte(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>` + key + `</AccessKeyId><SecretAccessKey>` + sec +
				`</SecretAccessKey><SessionToken>any</SessionToken><Expiration>` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`))
			return
		}
		if len(r.PostForm) > 0 { // ParseForm read it; bodies in JSON it leaves alone
			r.Body = io.NopCloser(strings.NewReader(r.PostForm.Encode()))
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+scope)
		r.Header.Del("X-Amz-Security-Token")
		a.ServeHTTP(w, r)
	})
}
