// Command lambda runs the revoke function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/revoke"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := revoke.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
