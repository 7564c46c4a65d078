package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// keys are the keys that the functions use. Their policies leave the decision to IAM, where it is made per tenant.
type keys struct{ vault, session awskms.Key }

// newKeys makes the keys stack. The keys are kept when the stack goes, unless the stage is thrown away: without the vault
// key nothing that was sealed can be opened again.
func newKeys(scope constructs.Construct, o Options) (awscdk.Stack, keys) {
	stack := newStack(scope, o, "keys", "Behalf: keys")
	return stack, keys{
		vault: awskms.NewKey(stack, jsii.String("VaultKey"), &awskms.KeyProps{
			Alias:             jsii.String("alias/behalf-" + o.Stage + "-vault"),
			Description:       jsii.String("Behalf: wraps the tenant keys"),
			EnableKeyRotation: jsii.Bool(true),
			RemovalPolicy:     o.removal(),
		}),
		session: awskms.NewKey(stack, jsii.String("SessionKey"), &awskms.KeyProps{
			Alias:         jsii.String("alias/behalf-" + o.Stage + "-session"),
			Description:   jsii.String("Behalf: signs session tokens (ES256)"),
			KeySpec:       awskms.KeySpec_ECC_NIST_P256,
			KeyUsage:      awskms.KeyUsage_SIGN_VERIFY,
			RemovalPolicy: o.removal(),
		}),
	}
}
