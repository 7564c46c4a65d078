// Command lambda runs the execute function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := execute.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
