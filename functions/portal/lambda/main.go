// Command lambda runs the portal function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/portal"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := portal.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
