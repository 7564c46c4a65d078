// Command lambda runs the keys function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/keys"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := keys.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
