// Command lambda runs the admin function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/admin"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := admin.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
