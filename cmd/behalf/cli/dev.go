package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/integration/stack/endpoint"
	"behalf.dev/behalf/shared/awslambda"
)

type devFlags struct {
	port       int
	data       string
	connectors string
	logLevel   string
	json       bool
}

func (e environment) dev() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev", Short: "Run the whole stack on this machine and keep it running", Args: noArgs,
		Long: `Runs every function behind one port, on an embedded AWS account made from the
synthesised CDK templates, with emulators of the providers beside it. Ctrl-C ends it.

With AWS_ENDPOINT_URL set, the account is the one behind that URL (LocalStack).
With BEHALF_GITHUB_CLIENT_ID (…SLACK…, …SALESFORCE…) set, that connector talks to the
real provider instead of its emulator.`,
		Example: "  behalf dev\n  behalf dev --port 0 --json\n  behalf dev --data .behalf --connectors ./my-connectors",
	}
	c.Flags().IntVar(&f.port, "port", 8787, "port of 127.0.0.1; 0 picks a free one")
	c.Flags().StringVar(&f.data, "data", "", "directory that keeps state between runs (default: keep none)")
	c.Flags().StringVar(&f.connectors, "connectors", "", "directory with connector folders of your own")
	c.Flags().StringVar(&f.logLevel, "log", "warn", "what the functions log to standard error: debug, info, warn, error")
	c.Flags().BoolVar(&f.json, "json", false, "print one machine-readable line when ready, and nothing else")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return e.runDev(cmd, f) }
	return c
}

func (e environment) runDev(cmd *cobra.Command, f devFlags) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return usage{fmt.Errorf("--log is debug, info, warn or error, not %q", f.logLevel)}
	}
	if f.port < 0 || f.port > 65535 {
		return usage{fmt.Errorf("--port is 0 to 65535, not %d", f.port)}
	}
	log := slog.New(awslambda.WithFields(slog.NewJSONHandler(e.stderr, &slog.HandlerOptions{Level: level})))
	at, err := endpoint.Choose(e.getenv)
	if err != nil {
		return err
	}
	s, err := stack.Start(cmd.Context(), stack.Options{Port: f.port, Dir: f.data, Connectors: f.connectors, Log: log, Endpoint: at, Getenv: e.getenv})
	if err != nil {
		return err
	}
	if f.json {
		b, err := json.Marshal(map[string]string{"url": s.URL, "api_key": s.APIKey(), "emulator_url": s.EmulatorURL})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(e.stdout, "%s\n", b)
	} else {
		walkThrough(e.stdout, s, f)
	}
	<-cmd.Context().Done()
	if !f.json {
		_, _ = fmt.Fprintln(e.stdout, "\nStopping.")
	}
	return s.Close()
}

// walkThrough prints commands that work when pasted, top to bottom.
func walkThrough(w io.Writer, s *stack.Stack, f devFlags) {
	kept := "State is kept in memory only; --data DIR keeps it between runs."
	if f.data != "" {
		kept = "State is kept in " + f.data + "."
	}
	_, _ = fmt.Fprint(w, strings.NewReplacer("{url}", s.URL, "{key}", s.APIKey(), "{emulator}", s.EmulatorURL, "{kept}", kept).Replace(walk))
}

const walk = `Behalf is running.

  API        {url}        (OpenAPI: {url}/openapi.json)
  API key    {key}
  Emulators  {emulator}   (GitHub, Slack, Salesforce; people: alice, bob, carol, dave)
  {kept}

Paste these, top to bottom:

  # 1. a customer of yours, and the OAuth app that you registered at GitHub
  B={url} K="Authorization: Bearer {key}"
  curl -sX PUT $B/v1/tenants/acme -H "$K" -d '{"name":"Acme Corp"}'; echo
  curl -sX PUT $B/v1/connectors/github/client -H "$K" -d '{"client_id":"dev","client_secret":"dev-secret"}'; echo

  # 2. a link for Alice; open its URL in a browser, continue, sign in as alice, approve
  LINK=$(curl -sX POST $B/v1/connect-links -H "$K" -d '{"tenant":"acme","principal":"user_alice","connector":"github","return_url":"http://localhost:3000/connected"}')
  ID=$(printf %s "$LINK" | sed 's/.*"id":"\([^"]*\)".*/\1/'); URL=$(printf %s "$LINK" | sed 's/.*"url":"\([^"]*\)".*/\1/')
  echo "Open $URL"

  # ... or let curl play the browser
  J=$(mktemp); curl -s -c $J -o /dev/null "$URL"; AT=$(curl -s -b $J -o /dev/null -w '%{redirect_url}' -X POST "$URL")
  BACK=$(curl -s -o /dev/null -w '%{redirect_url}' -d login=alice -d decision=approve "$AT")
  curl -s -b $J -o /dev/null "$BACK"

  # 3. your back end confirms that its signed-in user is the one the link was made for
  curl -sX POST $B/v1/connect-links/$ID/confirm -H "$K" -d '{"principal":"user_alice"}'; echo

  # 4. an agent run acts for Alice: a session, its tools, a call
  S=$(curl -sX POST $B/v1/sessions -H "$K" -d '{"tenant":"acme","principal":"user_alice","agent":"triage"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s "$B/v1/tools?format=openai" -H "Authorization: Bearer $S"; echo
  curl -sX POST $B/v1/execute -H "Authorization: Bearer $S" -d '{"tool":"github_get_authenticated_user"}'; echo

  # 5. an editor or another MCP client logs in by itself: give it this address. The login page is the local stack's; say acme and user_alice
  echo "$B/mcp"

  # 6. who did what, by whose authority
  curl -s "$B/v1/tenants/acme/audit?limit=5" -H "$K"; echo

Ctrl-C stops.
`
