package localaws

import (
	"fmt"

	"behalf.dev/behalf/integration/localaws/cfn"
	"behalf.dev/behalf/integration/localaws/s3"
)

// bucket makes a bucket with versions, and Object Lock if the template says so.
func (d *deployer) bucket(r *cfn.Resource) error {
	var p struct {
		ObjectLockEnabled       bool
		ObjectLockConfiguration struct {
			Rule struct {
				DefaultRetention struct {
					Mode string
					Days int
				}
			}
		}
		VersioningConfiguration struct{ Status string }
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	if p.VersioningConfiguration.Status != "Enabled" {
		return fmt.Errorf("buckets without versions are not emulated")
	}
	name, err := d.name(r)
	if err != nil {
		return err
	}
	keep := p.ObjectLockConfiguration.Rule.DefaultRetention
	d.a.s3.Ensure(name, s3.Lock{Enabled: p.ObjectLockEnabled, Mode: keep.Mode, Days: keep.Days})
	return nil
}

func (d *deployer) bucketPolicy(r *cfn.Resource) error {
	var p struct {
		Bucket         string
		PolicyDocument any
	}
	if err := d.set.Decode(r, &p); err != nil {
		return err
	}
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	return d.a.s3.SetPolicy(p.Bucket, doc)
}
