package emulator

import (
	"fmt"
	"net/url"
	"slices"
)

// ClientRegistration is an OAuth app to accept.
type ClientRegistration struct {
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	RedirectURIs []string `json:"redirect_uris"`
	// Name is shown on the authorization page; empty: the client id.
	Name string `json:"name,omitempty"`
	// Scopes are granted when a request names none, as a GitHub App's fixed
	// permissions are.
	Scopes []string `json:"scopes,omitempty"`
	// PublicKey, as PEM (PKIX), is what an app has in place of a secret when it
	// signs. It asks for no consent, so it needs no redirect URI.
	PublicKey string `json:"public_key,omitempty"`
}

// CallReport is a part of the log. Dropped says how many of the oldest lines
// were given up to bound memory.
type CallReport struct {
	Calls   []Call `json:"calls"`
	Last    int    `json:"last"` // highest sequence number so far
	Dropped int    `json:"dropped"`
}

// ProviderInfo describes an emulated provider to a demo.
type ProviderInfo struct {
	Name         string   `json:"name"`
	Title        string   `json:"title"`
	AuthorizeURL string   `json:"authorize_path"` // empty: people make keys there
	People       []Person `json:"people"`
}

// RegisterClient adds or replaces an OAuth app at a provider. It fails for an
// unknown provider, an empty id or secret, or a redirect URI that is not
// absolute or has a fragment.
func (s *Server) RegisterClient(provider string, reg ClientRegistration) error {
	p, err := s.provider(provider)
	if err != nil {
		return err
	}
	return p.register(reg)
}

func (p *provider) register(reg ClientRegistration) error {
	if reg.ClientID == "" || reg.PublicKey == "" && (reg.ClientSecret == "" || len(reg.RedirectURIs) == 0) {
		return fmt.Errorf("register client: client_id, client_secret and redirect_uris are required")
	}
	for _, raw := range reg.RedirectURIs {
		u, err := url.Parse(raw)
		if err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" {
			return fmt.Errorf("register client: redirect_uri must be absolute and without fragment")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[reg.ClientID] = &client{ID: reg.ClientID, SecretHash: hashOf(reg.ClientSecret), Name: reg.Name,
		RedirectURIs: slices.Clone(reg.RedirectURIs), Scopes: slices.Clone(reg.Scopes), PublicKey: reg.PublicKey}
	p.save()
	return nil
}

// Calls returns the log lines of a provider with a sequence number above since.
func (s *Server) Calls(provider string, since int) (CallReport, error) {
	p, err := s.provider(provider)
	if err != nil {
		return CallReport{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return CallReport{Calls: append([]Call{}, p.log.since(since)...), Last: p.log.last, Dropped: p.log.dropped}, nil
}

// Counters returns the totals of a provider.
func (s *Server) Counters(provider string) (CounterReport, error) {
	p, err := s.provider(provider)
	if err != nil {
		return CounterReport{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := CounterReport{Counters: p.count.total, ByPerson: map[string]Counters{}}
	for login, n := range p.count.byPerson {
		out.ByPerson[login] = *n
	}
	return out, nil
}

// Tokens returns every grant of a provider with its tokens as fingerprints,
// sorted by login and age.
func (s *Server) Tokens(provider string) ([]GrantView, error) {
	p, err := s.provider(provider)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.views(), nil
}

// Settings returns the switches in force and the faults still waiting.
func (s *Server) Settings(provider string) (SettingsReport, error) {
	return s.ChangeSettings(provider, SettingsChange{})
}

// ChangeSettings applies a change, all of it or none, and returns the result.
// The error names the field that is wrong.
func (s *Server) ChangeSettings(provider string, ch SettingsChange) (SettingsReport, error) {
	p, err := s.provider(provider)
	if err != nil {
		return SettingsReport{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	set, err := ch.apply(p.set)
	if err != nil {
		return SettingsReport{}, fmt.Errorf("change settings: %w", err)
	}
	faults := p.faults
	if ch.FailNext != nil {
		faults = nil
		for _, f := range *ch.FailNext {
			if f, err = f.normal(); err != nil {
				return SettingsReport{}, fmt.Errorf("change settings: %w", err)
			}
			faults = append(faults, f)
		}
	}
	p.set, p.faults = set, faults
	return SettingsReport{Settings: set, FailNext: append([]Fault{}, faults...)}, nil
}

// Expire ends the lifetime of a person's live access tokens now and returns how
// many there were.
func (s *Server) Expire(provider, login string) (int, error) {
	p, err := s.providerOf(provider, login)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, t := range p.tokens {
		g := p.grants[t.GrantID]
		if t.Kind == kindAccess && g.Login == login && p.standing(t) == stateLive {
			t.ExpiresAt = p.now()
			n++
		}
	}
	p.save()
	return n, nil
}

// RevokeGrant is the person removing the app in the provider's own settings: all
// their grants die. It returns how many were live.
func (s *Server) RevokeGrant(provider, login string) (int, error) {
	p, err := s.providerOf(provider, login)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.endGrantsOf(login, "", "revoked_by_person")
	p.save()
	return n, nil
}

// Providers lists what is emulated, sorted by name.
func (s *Server) Providers() []ProviderInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []ProviderInfo
	for _, p := range s.providers {
		info := ProviderInfo{Name: p.name(), Title: p.tr.title, People: slices.Clone(p.tr.people)}
		if p.tr.authorizePath != "" {
			info.AuthorizeURL = "/" + p.name() + p.tr.authorizePath
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b ProviderInfo) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// providerOf finds a provider at which the person exists.
func (s *Server) providerOf(provider, login string) (*provider, error) {
	p, err := s.provider(provider)
	if err != nil {
		return nil, err
	}
	if p.person(login) == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownPerson, login)
	}
	return p, nil
}
