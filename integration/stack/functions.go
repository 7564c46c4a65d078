package stack

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/functions/admin"
	"behalf.dev/behalf/functions/audit"
	"behalf.dev/behalf/functions/authorizer"
	"behalf.dev/behalf/functions/callback"
	"behalf.dev/behalf/functions/execute"
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
		"execute":    func(d awslambda.Deps) (any, error) { return handler(execute.New(d)) },
		"refresh":    func(d awslambda.Deps) (any, error) { return handler(refresh.New(d)) },
		"revoke":     func(d awslambda.Deps) (any, error) { return handler(revoke.New(d)) },
		"scim":       func(d awslambda.Deps) (any, error) { return handler(scim.New(d)) },
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

// install wires every function of the deployment with its own role's credentials and environment, and hands it to the
// account as the code of that function. extra are variables that only a local stack sets.
func (s *Stack) install(extra map[string]string) error {
	wire := wiring()
	for _, fn := range s.deployment.Functions {
		name := strings.TrimPrefix(fn.Name, "behalf-local-")
		make, ok := wire[name]
		if !ok {
			return fmt.Errorf("the templates deploy a function %q that this program does not have", name)
		}
		vars := maps.Clone(fn.Environment)
		maps.Copy(vars, extra)
		h, err := make(awslambda.Deps{AWS: s.roleConfig(fn.RoleARN), Lookup: env.FromMap(vars), Log: s.opt.Log.With("function", name), Now: s.opt.Now, IDs: s.ids})
		if err != nil {
			return fmt.Errorf("wire function %s: %w", name, err)
		}
		invoke := s.lambda(fn.ARN, h)
		s.account.HandleFunction(fn.ARN, invoke)
		s.functions[name] = invoke
		delete(wire, name)
	}
	for name := range wire {
		return fmt.Errorf("the templates deploy no function %q", name)
	}
	return nil
}

// lambda makes an invoker of a handler, with the context that Lambda gives it.
func (s *Stack) lambda(arn string, h any) invoker {
	lh := lambda.NewHandler(h)
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: s.ids.New("req"), InvokedFunctionArn: arn})
		return lh.Invoke(ctx, payload)
	}
}

// roleConfig is the AWS configuration that a function finds in Lambda: its own role's credentials.
func (s *Stack) roleConfig(roleARN string) aws.Config {
	key, sec, token := s.account.RoleCredentials(roleARN)
	return s.config(credentials.NewStaticCredentialsProvider(key, sec, token))
}

// operatorConfig is that of the person who owns the account.
func (s *Stack) operatorConfig() aws.Config {
	key, sec := s.account.OperatorCredentials()
	return s.config(credentials.NewStaticCredentialsProvider(key, sec, ""))
}

func (s *Stack) config(creds aws.CredentialsProvider) aws.Config {
	return aws.Config{Region: region, Credentials: creds, HTTPClient: s.account.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal")}
}
