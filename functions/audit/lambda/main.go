// Command lambda runs the audit function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/audit"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := audit.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
