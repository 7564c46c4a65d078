// Command lambda runs the refresh function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := refresh.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
