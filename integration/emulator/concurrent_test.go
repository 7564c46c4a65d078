package emulator_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/integration/emulator"
)

// inBubble runs a server without a network, so that synctest owns the clock.
type inBubble struct {
	*testing.T
	srv *emulator.Server
}

func bubble(t *testing.T) inBubble {
	t.Helper()
	app := []emulator.ClientRegistration{{ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{callback}}}
	srv, err := emulator.New(emulator.Options{BaseURL: "http://emulator.test", Clients: map[string][]emulator.ClientRegistration{
		"github": app, "slack": app, "salesforce": app}})
	if err != nil {
		t.Fatal(err)
	}
	return inBubble{t, srv}
}

func (b inBubble) post(ctx context.Context, path string, form url.Values) answer {
	req := httptest.NewRequestWithContext(ctx, "POST", "http://emulator.test"+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	rec := httptest.NewRecorder()
	b.srv.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

func (b inBubble) withApp(pairs ...string) url.Values {
	form := url.Values{"client_id": {clientID}, "client_secret": {clientSecret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// refreshToken signs in and returns the refresh token.
func (b inBubble) refreshToken(authorize, token, login string) string {
	b.Helper()
	q := "?response_type=code&scope=repo,refresh_token&redirect_uri=" + url.QueryEscape(callback) + "&client_id=" + clientID
	to := b.post(b.Context(), authorize+q, url.Values{"login": {login}, "decision": {"approve"}})
	u, err := url.Parse(to.header.Get("Location"))
	if err != nil {
		b.Fatal(err)
	}
	got := b.post(b.Context(), token, b.withApp("grant_type", "authorization_code", "code", u.Query().Get("code"), "redirect_uri", callback))
	if got.at("refresh_token") == "<nil>" {
		b.Fatalf("no refresh token: %s", got.text)
	}
	return got.at("refresh_token")
}

const (
	sfAuthorize = "/salesforce/services/oauth2/authorize"
	sfToken     = "/salesforce/services/oauth2/token"
	ghAuthorize = "/github/login/oauth/authorize"
	ghToken     = "/github/login/oauth/access_token"
)

// race sends n refreshes at the same moment.
func (b inBubble) race(n int, path, token string) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = b.post(b.Context(), path, b.withApp("grant_type", "refresh_token", "refresh_token", token))
		})
	}
	wg.Wait()
	return answers
}

func TestSalesforce_ParallelRefresh_OthersAreRefusedWhileOneIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t)
		token := b.refreshToken(sfAuthorize, sfToken, "alice")
		if _, err := b.srv.ChangeSettings("salesforce", emulator.SettingsChange{TokenDelayMS: new(300)}); err != nil {
			t.Fatal(err)
		}
		won := 0
		for _, a := range b.race(100, sfToken, token) {
			if a.status == 200 {
				won++
			} else if a.status != 400 || a.at("error_description") != "token request is already being processed" {
				t.Errorf("loser: %d %s", a.status, a.text)
			}
		}
		n, err := b.srv.Counters("salesforce")
		if err != nil || won != 1 || n.Refreshes != 1 || n.RefreshRequests != 100 || n.MaxConcurrentRefreshes < 2 || n.RefreshReuses != 0 {
			t.Errorf("won %d, counters %+v (%v)", won, n, err)
		}
		// Nothing is left in flight: the next refresh goes through.
		if a := b.race(1, sfToken, token)[0]; a.status != 200 {
			t.Errorf("afterwards: %d %s", a.status, a.text)
		}
	})
}

func TestGitHub_ParallelRefresh_OneWinsTheRestAreReuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t)
		token := b.refreshToken(ghAuthorize, ghToken, "alice")
		if _, err := b.srv.ChangeSettings("github", emulator.SettingsChange{TokenDelayMS: new(300)}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		won := 0
		for _, a := range b.race(100, ghToken, token) {
			if a.at("access_token") != "<nil>" {
				won++
			} else if a.at("error") != "bad_refresh_token" {
				t.Errorf("loser: %s", a.text)
			}
		}
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("took %v: the delay must not hold the lock", took)
		}
		n, err := b.srv.Counters("github")
		if err != nil || won != 1 || n.Refreshes != 1 || n.RefreshReuses != 99 || n.ByPerson["alice"].MaxConcurrentRefreshes != 100 {
			t.Errorf("won %d, counters %+v (%v)", won, n, err)
		}
	})
}

func TestFault_Slow_WaitsAndIsProcessedThoughTheClientHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bubble(t)
		token := b.refreshToken(ghAuthorize, ghToken, "bob")
		if _, err := b.srv.ChangeSettings("github", emulator.SettingsChange{FailNext: &[]emulator.Fault{
			{Kind: emulator.KindRefresh, Mode: emulator.ModeSlow, DelayMS: 5000, Login: "bob"}}}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		b.post(ctx, ghToken, b.withApp("grant_type", "refresh_token", "refresh_token", token))
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		if n, _ := b.srv.Counters("github"); n.Refreshes != 1 {
			t.Errorf("refreshes = %d: a provider rotates though the client left", n.Refreshes)
		}
	})
}

func TestServer_HundredGoroutines_MixedTraffic(t *testing.T) {
	t.Parallel()
	r := start(t)
	people := []string{"alice", "bob", "carol", "dave"}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			login, provider := people[i%4], []string{"github", "slack", "salesforce"}[i%3]
			tok := r.refreshableToken(provider, login)
			if tok == "" {
				return
			}
			if a, err := r.refresh(provider, tok); err != nil || a.status != http.StatusOK {
				r.Errorf("%s %s: %d %v", provider, login, a.status, err)
			}
			if _, err := r.admin.Tokens(r.Context(), provider); err != nil {
				r.Error(err)
			}
			if _, err := r.admin.Calls(r.Context(), provider, i); err != nil {
				r.Error(err)
			}
			if _, err := r.srv.ChangeSettings(provider, emulator.SettingsChange{MaxGrants: new(0)}); err != nil {
				r.Error(err)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, provider := range []string{"github", "slack", "salesforce"} {
		n, _ := r.srv.Counters(provider)
		total += n.Refreshes
	}
	if total != 100 {
		t.Errorf("refreshes = %d, want 100", total)
	}
}

// refreshableToken is signIn for goroutines: it reports and returns "".
func (r *rig) refreshableToken(provider, login string) string {
	cfg := r.config(provider, "refresh_token")
	to, err := r.admin.Approve(r.Context(), cfg.AuthCodeURL("x"), login)
	if err != nil {
		r.Error(err)
		return ""
	}
	tok, err := cfg.Exchange(r.web(), to.Query().Get("code"))
	if err != nil {
		r.Error(err)
		return ""
	}
	return tok.RefreshToken
}
