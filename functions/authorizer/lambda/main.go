// Command lambda runs the authorizer function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/authorizer"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := authorizer.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
