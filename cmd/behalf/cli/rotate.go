package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/secret"
)

type rotateFlags struct {
	url, tenant    string
	all, json      bool
	noReseal, only bool
	retireAfter    time.Duration
}

func (e environment) keysRotate() *cobra.Command {
	var f rotateFlags
	c := &cobra.Command{
		Use: "rotate", Short: "Renew the keys that tenants' secrets are sealed under", Args: noArgs,
		Long: `Makes new versions of a tenant's keys, seals again what is under older ones, and
deletes versions that nothing needs any more. Calls go on meanwhile. The deployment
does the same by itself, each 30 days; run this when you have a reason not to wait.

An older version stays for a while after everything was sealed again (15 days; see
--retire-after): copies wait in queues. The daily schedule deletes it then, or another
run with --reseal-only.

The API key is read from BEHALF_API_KEY and needs tenants:read and tenants:write. With
--all it must not be limited to a tenant; the deployment's own keys (_deployment, for
the deployment-wide OAuth clients) are rotated too.`,
		Example: `  export BEHALF_API_KEY=bhf_key_…
  behalf keys rotate --url https://behalf.example.com --tenant acme
  behalf keys rotate --url https://behalf.example.com --all --json
  behalf keys rotate --url http://127.0.0.1:8787 --tenant acme     # against behalf dev`,
	}
	c.Flags().StringVar(&f.url, "url", "", "base URL of the deployment")
	c.Flags().StringVar(&f.tenant, "tenant", "", "the tenant, or _deployment")
	c.Flags().BoolVar(&f.all, "all", false, "the deployment and every tenant")
	c.Flags().BoolVar(&f.noReseal, "no-reseal", false, "only make new versions; leave the rest to the daily schedule")
	c.Flags().BoolVar(&f.only, "reseal-only", false, "make no new versions; seal again and retire")
	c.Flags().DurationVar(&f.retireAfter, "retire-after", keyring.RetireAfter, "delete a version when its successor is this old; at least 1h")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON line per tenant, and nothing else")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := e.api(f.url, "tenants:read and tenants:write")
		if err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return err
		}
		return e.rotate(cmd.Context(), api, f)
	}
	return c
}

// api is a client for a deployment, with the API key of the environment. permissions are what the key needs.
func (e environment) api(url, permissions string) (*client.Client, error) {
	if url == "" {
		return nil, usage{errors.New("--url is missing: the base URL of the deployment, or the one that behalf dev prints")}
	}
	key := e.getenv("BEHALF_API_KEY")
	if key == "" {
		return nil, usage{fmt.Errorf("BEHALF_API_KEY is not set; put an API key with %s there", permissions)}
	}
	c, err := client.New(url, client.WithAPIKey(secret.FromString(key)), client.WithUserAgent("behalf-cli"))
	if err != nil {
		return nil, usage{err}
	}
	return c, nil
}

func (f rotateFlags) check() error {
	switch {
	case f.all == (f.tenant != ""):
		return usage{errors.New("say whose keys: --tenant acme, or --all")}
	case f.noReseal && f.only:
		return usage{errors.New("--no-reseal and --reseal-only leave nothing to do")}
	case f.retireAfter < keyring.MinRetireAfter:
		return usage{fmt.Errorf("--retire-after is at least %s: for so long something may still be sealed under the version before", keyring.MinRetireAfter)}
	}
	return nil
}

// owners are whose keys are meant.
func (f rotateFlags) owners(ctx context.Context, api *client.Client) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !f.all {
			yield(f.tenant, nil)
			return
		}
		if !yield(client.Deployment, nil) {
			return
		}
		for t, err := range api.AllTenants(ctx) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// rotated is what became of one tenant's keys.
type rotated struct {
	Tenant string `json:"tenant"`
	// Versions are the newest ones, by purpose.
	Versions   map[string]uint32   `json:"versions"`
	KMSKeyARN  string              `json:"kms_key_arn"`
	Resealed   int                 `json:"resealed"`
	Skipped    int                 `json:"skipped"`
	Unreadable int                 `json:"unreadable"`
	Retired    []client.RetiredKey `json:"retired"`
	Error      string              `json:"error,omitempty"`
}

// rotate takes one tenant after the other. What fails for one is reported, and does not keep the others waiting.
func (e environment) rotate(ctx context.Context, api *client.Client, f rotateFlags) error {
	failed := 0
	for t, err := range f.owners(ctx, api) {
		if err != nil {
			return fmt.Errorf("list the tenants: %w", err)
		}
		r, err := f.one(ctx, api, t)
		if err != nil {
			r.Error = err.Error()
			failed++
		}
		if err := e.tell(r, f); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("the keys of %d were not renewed; run it again, nothing is lost by that", failed)
	}
	return nil
}

func (f rotateFlags) one(ctx context.Context, api *client.Client, t string) (rotated, error) {
	r := rotated{Tenant: t, Versions: map[string]uint32{}, Retired: []client.RetiredKey{}}
	make := api.RotateTenantKeys
	if f.only {
		make = api.TenantKeys
	}
	keys, err := make(ctx, t)
	if err != nil {
		return r, err
	}
	r.KMSKeyARN = keys.KMSKeyARN
	for _, k := range keys.Keys {
		if k.Newest {
			r.Versions[k.Purpose] = k.Version
		}
	}
	if f.noReseal {
		return r, nil
	}
	for cursor := ""; ; {
		did, err := api.ResealTenantKeys(ctx, t, client.ResealRequest{Cursor: cursor, RetireAfterSeconds: int64(f.retireAfter.Seconds())})
		if err != nil {
			return r, err
		}
		r.Resealed, r.Skipped, r.Unreadable = r.Resealed+did.Resealed, r.Skipped+did.Skipped, r.Unreadable+did.Unreadable
		r.Retired = append(r.Retired, did.Retired...)
		if cursor = did.Cursor; cursor == "" {
			return r, nil
		}
	}
}

func (e environment) tell(r rotated, f rotateFlags) error {
	if f.json {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s\n", b)
		return err
	}
	if r.Error != "" {
		_, err := fmt.Fprintf(e.stdout, "%-24s failed: %s\n", r.Tenant, r.Error)
		return err
	}
	var versions, retired []string
	for _, p := range []string{"at", "rt", "cs"} {
		if v, ok := r.Versions[p]; ok {
			versions = append(versions, fmt.Sprintf("%s/%d", p, v))
		}
	}
	for _, k := range r.Retired {
		retired = append(retired, fmt.Sprintf("%s/%d", k.Purpose, k.Version))
	}
	line := fmt.Sprintf("%-24s newest %s", r.Tenant, strings.Join(versions, " "))
	if !f.noReseal {
		line += fmt.Sprintf(", %d records re-sealed", r.Resealed)
	}
	if r.Skipped > 0 {
		line += fmt.Sprintf(", %d busy (the next run takes them)", r.Skipped)
	}
	if r.Unreadable > 0 {
		line += fmt.Sprintf(", %d do not open (see the log of the keys function)", r.Unreadable)
	}
	if len(retired) > 0 {
		line += ", retired " + strings.Join(retired, " ")
	}
	_, err := fmt.Fprintln(e.stdout, line)
	return err
}
