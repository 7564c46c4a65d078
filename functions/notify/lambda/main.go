// Command lambda runs the notify function in AWS Lambda.
package main

import (
	"behalf.dev/behalf/functions/notify"
	"behalf.dev/behalf/shared/awslambda"
)

func main() {
	awslambda.Main(func(d awslambda.Deps) (any, error) {
		f, err := notify.New(d)
		if err != nil {
			return nil, err
		}
		return f.Handle, nil
	})
}
