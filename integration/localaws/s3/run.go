package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Answer is what a call gives.
type Answer struct {
	Status int // 0 means 200
	Header map[string]string
	Body   []byte
}

// Run executes an authorised call.
func (s *Store) Run(r *Request) (Answer, error) {
	if r.Op == "CreateBucket" {
		if !s.Ensure(r.Bucket, Lock{Enabled: r.http.Header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true"}) {
			return Answer{}, &awserr.Error{Code: "BucketAlreadyOwnedByYou", Message: "Your previous request to create the named bucket succeeded and you already own it.", Status: 409}
		}
		return Answer{Header: map[string]string{"Location": "/" + r.Bucket}}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(r.Bucket)
	if err != nil {
		return Answer{}, err
	}
	switch r.Op {
	case "PutObject":
		return s.put(b, r)
	case "GetObject":
		return b.get(r)
	case "DeleteObject":
		return s.delete(b, r)
	}
	return b.answerList(r)
}

func (s *Store) put(b *bucket, r *Request) (Answer, error) {
	switch want := r.http.Header.Get("If-None-Match"); want {
	case "":
	case "*":
		if _, exists := b.newest(r.Key); exists {
			return Answer{}, &awserr.Error{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold", Status: 412}
		}
	default:
		return Answer{}, awserr.Unknown("s3:PutObject with If-None-Match other than *")
	}
	sent, err := r.checksum()
	if err != nil {
		return Answer{}, err
	}
	if b.lock.Enabled && !sent {
		return Answer{}, awserr.New("InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	v := version{Bucket: r.Bucket, Key: r.Key, ID: newID(), Body: bytes.Clone(r.body), SHA256: r.http.Header.Get("X-Amz-Checksum-Sha256"), Time: s.opt.Now().UTC()}
	if b.lock.Enabled && b.lock.Mode != "" {
		v.Mode, v.Until = b.lock.Mode, v.Time.Add(time.Duration(b.lock.Days)*24*time.Hour)
	}
	s.add(v)
	s.opt.Journal("version", v)
	return Answer{Header: v.header()}, nil
}

// checksum verifies the checksum of an upload; sent is false without one.
func (r *Request) checksum() (sent bool, err error) {
	for name, sum := range map[string]func([]byte) []byte{
		"X-Amz-Checksum-Sha256": func(b []byte) []byte { h := sha256.Sum256(b); return h[:] },
		"X-Amz-Checksum-Crc32": func(b []byte) []byte {
			n := crc32.ChecksumIEEE(b)
			return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		},
		"Content-Md5": func(b []byte) []byte { h := md5.Sum(b); return h[:] },
	} {
		if v := r.http.Header.Get(name); v != "" {
			if sent = true; v != base64.StdEncoding.EncodeToString(sum(r.body)) {
				return true, awserr.New("BadDigest", "The %s you specified did not match the calculated checksum.", name)
			}
		}
	}
	return sent, nil
}

func (v version) header() map[string]string {
	h := map[string]string{"X-Amz-Version-Id": v.ID, "Etag": fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(v.Body)))}
	if v.SHA256 != "" {
		h["X-Amz-Checksum-Sha256"] = v.SHA256
	}
	return h
}

func (b *bucket) get(r *Request) (Answer, error) {
	v, ok := b.newest(r.Key)
	if r.Version != "" {
		v, ok = b.version(r.Key, r.Version)
		ok = ok && !v.Marker
	}
	if !ok {
		return Answer{}, &awserr.Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: 404}
	}
	h := v.header()
	h["Last-Modified"] = v.Time.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	if v.Mode != "" {
		h["X-Amz-Object-Lock-Mode"], h["X-Amz-Object-Lock-Retain-Until-Date"] = v.Mode, v.Until.Format(time.RFC3339)
	}
	return Answer{Header: h, Body: v.Body}, nil
}

func (b *bucket) version(key, id string) (version, bool) {
	for _, v := range b.keys[key] {
		if v.ID == id {
			return v, true
		}
	}
	return version{}, false
}

// delete puts a marker in front of an object, or removes one version for good, unless it is locked.
func (s *Store) delete(b *bucket, r *Request) (Answer, error) {
	if r.Version == "" {
		v := version{Bucket: r.Bucket, Key: r.Key, ID: newID(), Marker: true, Time: s.opt.Now().UTC()}
		s.add(v)
		s.opt.Journal("version", v)
		return Answer{Status: 204, Header: map[string]string{"X-Amz-Delete-Marker": "true", "X-Amz-Version-Id": v.ID}}, nil
	}
	v, ok := b.version(r.Key, r.Version)
	if ok && v.Mode != "" && s.opt.Now().Before(v.Until) && (v.Mode == Compliance || !r.bypass()) {
		return Answer{}, &awserr.Error{Code: "AccessDenied", Message: "Access Denied because object protected by object lock.", Status: 403}
	}
	if ok {
		s.remove(r.Bucket, r.Key, r.Version)
		s.opt.Journal("removed", removed{r.Bucket, r.Key, r.Version})
	}
	return Answer{Status: 204}, nil
}

// listed is the answer to ListObjectsV2.
type listed struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []object
}

type object struct {
	Key          string
	LastModified time.Time
	Size         int
}

func (b *bucket) answerList(r *Request) (Answer, error) {
	q := r.http.URL.Query()
	out := listed{Name: r.Bucket, Prefix: q.Get("prefix"), MaxKeys: 1000}
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil && n > 0 && n < out.MaxKeys {
		out.MaxKeys = n
	}
	for _, v := range b.list(out.Prefix, max(q.Get("start-after"), q.Get("continuation-token"))) {
		if len(out.Contents) == out.MaxKeys {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[len(out.Contents)-1].Key
			break
		}
		out.Contents = append(out.Contents, object{v.Key, v.Time, len(v.Body)})
	}
	out.KeyCount = len(out.Contents)
	body, err := xml.Marshal(out)
	return Answer{Header: map[string]string{"Content-Type": "application/xml"}, Body: append([]byte(xml.Header), body...)}, err
}
