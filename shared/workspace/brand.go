package workspace

import (
	"context"

	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/webpage"
)

// Brand is how t presents itself on pages; the logo is read only where there is one.
func Brand(ctx context.Context, db *dynamo.DB, t dynamo.Tenant) (webpage.Brand, error) {
	b := webpage.Brand{Name: t.Name, Accent: t.Accent}
	if b.Name == "" {
		b.Name = string(t.ID)
	}
	if !t.HasLogo {
		return b, nil
	}
	var err error
	b.Logo, err = db.Logo(ctx, t.ID)
	return b, err
}
