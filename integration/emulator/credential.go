package emulator

import (
	"fmt"
	"net/http"
)

// Credential is a person making a key on the provider's settings page: what they
// paste into the form of the connector, by field. It works until RevokeGrant.
func (s *Server) Credential(provider, login string) (map[string]string, error) {
	p, err := s.providerOf(provider, login)
	if err != nil {
		return nil, err
	}
	d, ok := p.d.(keyed)
	if !ok {
		return nil, fmt.Errorf("%s: people make no keys there", provider)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := d.credential(p, *p.person(login))
	p.save()
	return out, err
}

// key records a grant without a client, and one access token of it that does not
// expire.
func (p *provider) key(who Person) string {
	return p.issue(p.settle(who, nil), askedSet{}, 0, false).access
}

// settle records that a person lets somebody in, without a client in between.
func (p *provider) settle(who Person, scopes []string) *grant {
	g := &grant{ID: p.mint().text(16), Login: who.Login, Scopes: scopes, CreatedAt: p.now()}
	p.grants[g.ID] = g
	return g
}

func (s *Server) httpCredential(r *http.Request) (any, error) {
	var in struct {
		Login string `json:"login"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	fields, err := s.Credential(r.PathValue("provider"), in.Login)
	return object{"fields": fields}, err
}
