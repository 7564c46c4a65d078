// Command lambda runs the canary function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/canary"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := canary.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
