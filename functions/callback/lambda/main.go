// Command lambda runs the callback function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/callback"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := callback.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
