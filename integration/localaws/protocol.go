package localaws

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// protocol is how a service writes answers and errors.
type protocol byte

const (
	json10 protocol = iota
	json11
	sqsJSON
	rest
	query
	restXML
)

func (p protocol) contentType() string {
	switch p {
	case json11:
		return "application/x-amz-json-1.1"
	case rest:
		return "application/json"
	case query:
		return "text/xml"
	case restXML:
		return "application/xml"
	}
	return "application/x-amz-json-1.0"
}

func (p protocol) write(w http.ResponseWriter, c *call, out reply) {
	body := out.body
	if body == nil && out.value != nil {
		b, err := json.Marshal(out.value)
		if err != nil {
			p.fail(w, asError(fmt.Errorf("encode answer: %w", err)))
			return
		}
		body = b
	}
	for k, v := range out.header {
		w.Header().Set(k, v)
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	p.send(w, out.status, body)
}

func (p protocol) send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	if h["Content-Type"] = []string{p.contentType()}; status == http.StatusNoContent {
		delete(h, "Content-Type")
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Amzn-Requestid"] = []string{"local"}
	if p == json10 {
		h["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; nobody is left to tell
}

// fail writes an error in the dialect of the protocol.
func (p protocol) fail(w http.ResponseWriter, e *awserr.Error) {
	if p == query {
		var b strings.Builder
		b.WriteString(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>`)
		b.WriteString(e.Code + "</Code><Message>" + escape(e.Message) + "</Message></Error><RequestId>local</RequestId></ErrorResponse>")
		p.send(w, e.HTTPStatus(), []byte(b.String()))
		return
	}
	if p == restXML {
		code := e.Code
		if code == "AccessDeniedException" {
			code, e = "AccessDenied", &awserr.Error{Message: e.Message, Status: http.StatusForbidden}
		}
		p.send(w, e.HTTPStatus(), []byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>`+escape(e.Message)+`</Message><RequestId>local</RequestId></Error>`))
		return
	}
	out := map[string]any{"__type": e.Code, "message": e.Message}
	for k, v := range e.Fields {
		out[k] = v
	}
	switch p {
	case sqsJSON:
		w.Header().Set("X-Amzn-Query-Error", queryCode(e.Code)+";Sender")
	case rest:
		w.Header().Set("X-Amzn-Errortype", e.Code)
	}
	body, err := json.Marshal(out)
	if err != nil {
		body = []byte(`{"__type":"InternalFailure"}`)
	}
	p.send(w, e.HTTPStatus(), body)
}

// queryCode is the older spelling of SQS errors, which SDKs show to their callers.
func queryCode(code string) string {
	code = code[strings.LastIndexByte(code, '#')+1:]
	if code == "QueueDoesNotExist" {
		return "AWS.SimpleQueueService.NonExistentQueue"
	}
	return code
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder never fails
	return b.String()
}

func stsXML(op, inner string) []byte {
	return []byte(`<` + op + `Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><` + op + `Result>` + inner + `</` + op +
		`Result><ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></` + op + `Response>`)
}

func assumeRoleXML(s *iam.Assumed) []byte {
	id := s.ARN[strings.LastIndexByte(s.ARN, '/')+1:]
	return stsXML("AssumeRole", "<Credentials><AccessKeyId>"+s.AccessKey+"</AccessKeyId><SecretAccessKey>"+s.Secret+"</SecretAccessKey><SessionToken>"+s.Token+
		"</SessionToken><Expiration>"+s.Expires.UTC().Format(time.RFC3339)+"</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROALOCAL:"+escape(id)+
		"</AssumedRoleId><Arn>"+escape(s.ARN)+"</Arn></AssumedRoleUser><PackedPolicySize>1</PackedPolicySize>")
}

func callerIdentityXML(c *iam.Caller, account string) []byte {
	return stsXML("GetCallerIdentity", "<Arn>"+escape(c.Principal.SessionARN)+"</Arn><UserId>AROALOCAL</UserId><Account>"+account+"</Account>")
}
