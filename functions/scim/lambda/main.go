// Command lambda runs the scim function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/scim"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := scim.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
