package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/functions/admin"
	"behalf.dev/behalf/functions/audit"
	"behalf.dev/behalf/functions/authorizer"
	"behalf.dev/behalf/functions/callback"
	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/functions/keys"
	"behalf.dev/behalf/functions/notify"
	"behalf.dev/behalf/functions/portal"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/functions/revoke"
	"behalf.dev/behalf/functions/scim"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
)

// wiring makes each function, by the name of its folder, exactly as its lambda/main.go does.
func wiring() map[string]func(awslambda.Deps) (any, error) {
	return map[string]func(awslambda.Deps) (any, error){
		"authorizer": func(d awslambda.Deps) (any, error) { return handler(authorizer.New(d)) },
		"admin":      func(d awslambda.Deps) (any, error) { return handler(admin.New(d)) },
		"callback":   func(d awslambda.Deps) (any, error) { return handler(callback.New(d)) },
		"portal":     func(d awslambda.Deps) (any, error) { return handler(portal.New(d)) },
		"execute":    func(d awslambda.Deps) (any, error) { return handler(execute.New(d)) },
		"refresh":    func(d awslambda.Deps) (any, error) { return handler(refresh.New(d)) },
		"keys":       func(d awslambda.Deps) (any, error) { return handler(keys.New(d)) },
		"revoke":     func(d awslambda.Deps) (any, error) { return handler(revoke.New(d)) },
		"scim":       func(d awslambda.Deps) (any, error) { return handler(scim.New(d)) },
		"notify":     func(d awslambda.Deps) (any, error) { return handler(notify.New(d)) },
		"audit":      func(d awslambda.Deps) (any, error) { return handler(audit.New(d)) },
	}
}

// handler takes the Handle method of a function, whose event type differs from function to function.
func handler[E, R any, F interface {
	Handle(ctx context.Context, event E) (R, error)
}](f F, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return f.Handle, nil
}

// Deployed is a function for Options.Launch.
type Deployed struct {
	// Name is the folder under functions/ ("admin"); ARN what it is invoked by.
	Name, ARN string
	// Timeout is that of the template.
	Timeout time.Duration
	// Environment is the whole environment that Lambda would give it: configuration, region, credentials of its role, and
	// AWS_ENDPOINT_URL. It holds credentials: not to be logged.
	Environment map[string]string
}

// install makes every function of the deployment, with its own role's credentials and environment, and hands it to the
// account as the code of that function. extra are variables that only a local stack sets.
func (s *Stack) install(ctx context.Context, extra map[string]string) error {
	wire := wiring()
	for _, fn := range s.deployed {
		name := strings.TrimPrefix(fn.Name, prefix)
		make, ok := wire[name]
		if !ok {
			return fmt.Errorf("the templates deploy a function %q that this program does not have", name)
		}
		delete(wire, name)
		d := Deployed{Name: name, ARN: fn.ARN, Timeout: fn.Timeout, Environment: maps.Clone(fn.Environment)}
		maps.Copy(d.Environment, extra)
		invoke, err := s.code(ctx, d, s.account.Config(fn.RoleARN), make)
		if err != nil {
			return fmt.Errorf("start function %s: %w", name, err)
		}
		s.account.HandleFunction(fn.ARN, invoke)
		s.functions[name] = invoke
	}
	for name := range wire {
		return fmt.Errorf("the templates deploy no function %q", name)
	}
	return nil
}

// code is what runs a function: this process, or whatever Launch starts.
func (s *Stack) code(ctx context.Context, d Deployed, cfg aws.Config, make func(awslambda.Deps) (any, error)) (invoker, error) {
	if s.opt.Launch != nil {
		h, err := s.launch(ctx, d, cfg)
		if err != nil || h != nil {
			return h, err
		}
	}
	h, err := make(awslambda.Deps{AWS: cfg, Lookup: env.FromMap(d.Environment), Log: s.opt.Log.With("function", d.Name), Now: s.opt.Now, IDs: s.ids, Metrics: s.opt.Metrics})
	if err != nil {
		return nil, err
	}
	if f, ok := h.(func(context.Context, events.APIGatewayProxyRequest) (any, error)); ok {
		s.streamers[d.Name] = s.streamer(d, f)
	}
	return s.lambda(d.ARN, h), nil
}

// streamer is InvokeWithResponseStream of a function in this process.
func (s *Stack) streamer(d Deployed, f func(context.Context, events.APIGatewayProxyRequest) (any, error)) streamer {
	return func(ctx context.Context, e events.APIGatewayProxyRequest) (io.ReadCloser, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout) // a function has its own time, as in Lambda
		ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: s.ids.New("req"), InvokedFunctionArn: d.ARN})
		out, err := f(ctx, e)
		if err != nil {
			cancel()
			return nil, err
		}
		body, ok := out.(io.ReadCloser)
		if !ok {
			cancel()
			return nil, fmt.Errorf("%s answered a route that streams with %T", d.Name, out)
		}
		return ending{body, cancel}, nil
	}
}

// ending ends the invocation with its answer.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements io.Closer.
func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// launch has a function run elsewhere.
func (s *Stack) launch(ctx context.Context, d Deployed, cfg aws.Config) (invoker, error) {
	if s.opt.Endpoint == "" {
		return nil, errors.New("functions outside of this process need an Endpoint")
	}
	c, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("find credentials: %w", err)
	}
	d.Environment = maps.Clone(d.Environment)
	maps.Copy(d.Environment, map[string]string{"AWS_ENDPOINT_URL": s.opt.Endpoint, "AWS_REGION": cfg.Region, "AWS_DEFAULT_REGION": cfg.Region,
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_SESSION_TOKEN": c.SessionToken})
	return s.opt.Launch(ctx, d)
}

// lambda makes an invoker of a handler, with the context that Lambda gives it. Each call gets a lambda.Handler of its own:
// one handler answers from a pool of buffers, and Lambda never runs two calls of one environment at once, but we do.
func (s *Stack) lambda(arn string, h any) invoker {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: s.ids.New("req"), InvokedFunctionArn: arn})
		return lambda.NewHandler(h).Invoke(ctx, payload)
	}
}
