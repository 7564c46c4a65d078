package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/trace"
)

// Deps is what a function is wired from.
type Deps struct {
	// AWS has the credentials of the function's own role.
	AWS    aws.Config
	Lookup env.Lookup
	Log    *slog.Logger
	Now    func() time.Time
	IDs    ident.Source
	Trace  trace.Tracer
	// Metrics takes metric lines (package metric): in Lambda the log; nil drops them.
	Metrics io.Writer
}

// Sleep waits d or until ctx ends.
func (d Deps) Sleep(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Jitter is a random number in [0,1).
func (d Deps) Jitter() float64 { return rand.Float64() }

// Main runs a function in Lambda. wire is called once per environment; its error stops the start, in the log.
func Main(wire func(Deps) (any, error)) {
	log := NewLogger(os.Getenv(env.LogLevel))
	UseMemory(os.LookupEnv)
	handler, err := start(log, wire)
	if err != nil {
		log.Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

func start(log *slog.Logger, wire func(Deps) (any, error)) (any, error) {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	tracer := trace.New(os.Getenv("AWS_XRAY_DAEMON_ADDRESS") != "")
	tracer.AWS(&cfg)
	return wire(Deps{AWS: cfg, Lookup: os.LookupEnv, Log: log, Now: time.Now, IDs: ident.NewSource(nil, nil), Trace: tracer, Metrics: os.Stdout})
}

// NewLogger logs JSON to standard output, which Lambda sends to CloudWatch. level is debug, info, warn or error.
func NewLogger(level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(WithFields(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: l})))
}

// RequestID is the Lambda request id in ctx, empty outside of an invocation.
func RequestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// decode reads an answer of another function.
func decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("decode the function's answer: %w", err)
	}
	return nil
}
