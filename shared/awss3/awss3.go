package awss3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// ErrDiffers says that an object exists with other content than the one to be kept.
var ErrDiffers = errors.New("the bucket holds another object under this name")

// Bucket is one S3 bucket.
type Bucket struct {
	client *s3.Client
	name   string
}

// New returns the bucket called name. With an endpoint of its own (LocalStack) the bucket is named in the path, since such an
// endpoint seldom has a host name for each bucket.
func New(cfg aws.Config, name string) *Bucket {
	return &Bucket{s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil }), name}
}

// writes is how often a write is tried that met another one of the same object.
const writes = 3

// Keep stores JSON text under key unless it is there already. ErrDiffers: something else is. The SHA-256 of the content goes with the
// request, because a bucket with Object Lock takes no upload without a checksum (S3 API reference, PutObject), and S3 keeps it
// beside the object.
func (b *Bucket) Keep(ctx context.Context, key string, content []byte) error {
	sum := sha256.Sum256(content)
	var err error
	for range writes {
		_, err = b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(content), IfNoneMatch: aws.String("*"),
			ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])), ContentType: aws.String("application/json")})
		if err == nil {
			return nil
		}
		switch code(err) {
		case "ConditionalRequestConflict": // another write of it was under way (409); which of them won shows next time
		case "PreconditionFailed":
			return b.same(ctx, key, content)
		default:
			return fmt.Errorf("write %s: %w", key, err)
		}
	}
	return fmt.Errorf("write %s: %w", key, err)
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func (b *Bucket) same(ctx context.Context, key string, content []byte) error {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return fmt.Errorf("read %s, which exists: %w", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	stored, err := io.ReadAll(io.LimitReader(out.Body, int64(len(content))+1))
	if err != nil {
		return fmt.Errorf("read %s, which exists: %w", key, err)
	}
	if !bytes.Equal(stored, content) {
		return fmt.Errorf("%s: %w", key, ErrDiffers)
	}
	return nil
}
