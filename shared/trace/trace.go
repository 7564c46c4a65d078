// Package trace is the one place that knows AWS X-Ray.
//
// It records which step of a request took how long, for which tenant and tool. It never records a header, a body or a
// query string: the transport it wraps hands X-Ray a request without them. OpenTelemetry would replace this package and
// nothing else.
package trace

import (
	"context"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// Tracer starts spans. The zero value traces nothing, which is what tests and the local stack use.
type Tracer struct{ on bool }

// New returns a Tracer; on is true where an X-Ray daemon listens, in Lambda with active tracing.
func New(on bool) Tracer { return Tracer{on} }

// AWS makes the SDK clients built from cfg report their calls.
func (t Tracer) AWS(cfg *aws.Config) {
	if t.on {
		awsv2.AWSV2Instrumentor(&cfg.APIOptions)
	}
}

// Annotate adds indexed values to the current segment: ids and outcomes, never input.
func (t Tracer) Annotate(ctx context.Context, pairs map[string]string) {
	if !t.on {
		return
	}
	for k, v := range pairs {
		_ = xray.AddAnnotation(ctx, k, v) // no segment in ctx: nothing to annotate
	}
}

// Transport makes calls to providers visible as host and path pattern only.
func (t Tracer) Transport(next http.RoundTripper) http.RoundTripper {
	if !t.on {
		return next
	}
	return scrubbed{next}
}

type scrubbed struct{ next http.RoundTripper }

// RoundTrip records a subsegment named by the host; path and query may hold input, so X-Ray never sees them.
func (s scrubbed) RoundTrip(r *http.Request) (res *http.Response, err error) {
	cerr := xray.Capture(r.Context(), r.URL.Host, func(ctx context.Context) error {
		seg := xray.GetSegment(ctx)
		seg.Lock()
		seg.Namespace = "remote"
		seg.GetHTTP().GetRequest().Method = r.Method
		seg.GetHTTP().GetRequest().URL = (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}).String()
		seg.Unlock()
		res, err = s.next.RoundTrip(r.WithContext(ctx))
		if err == nil {
			seg.Lock()
			seg.GetHTTP().GetResponse().Status = res.StatusCode
			seg.Unlock()
		}
		return nil // the error's text may hold the URL
	})
	if err == nil {
		err = cerr
	}
	return res, err
}
