package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

type link struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// connect walks each person through each provider's consent.
func (s *story) connect(ctx context.Context) error {
	for _, who := range cast() {
		for _, p := range providers() {
			if err := s.connectOne(ctx, who, p.connector); err != nil {
				return fmt.Errorf("%s at %s: %w", who.principal, p.connector, err)
			}
		}
		s.out.line("%s of %s consented as %s at all three", who.principal, who.tenant, who.login)
	}
	for _, p := range providers() {
		c, err := s.emu.Counters(ctx, p.connector)
		if err != nil {
			return err
		}
		if c.TokenExchanges != len(cast()) {
			return fmt.Errorf("%s saw %d code exchanges, want %d", p.connector, c.TokenExchanges, len(cast()))
		}
		s.saw(p.connector+"_exchanges", c.TokenExchanges, "%s saw %d code exchanges, each after the back end's confirmation", p.connector, c.TokenExchanges)
	}
	return nil
}

func (s *story) connectOne(ctx context.Context, who person, connector string) error {
	var l link
	err := s.admin.must(ctx, "POST", "/v1/connect-links", map[string]any{"tenant": who.tenant, "principal": who.principal, "connector": connector, "return_url": "http://127.0.0.1:3000/connected"}, &l)
	if err != nil {
		return err
	}
	back, err := s.consent(ctx, l.URL, who.login)
	if err != nil {
		return err
	}
	if back != l.ID {
		return errors.New("the browser came back without the link's id")
	}
	if err := s.nothingExchangedYet(ctx, who, connector); err != nil {
		return err
	}
	var done struct {
		Status       string `json:"status"`
		ConnectionID string `json:"connection_id"`
		Connection   struct {
			Account struct{ Login, Name string }
		} `json:"connection"`
	}
	if err := s.admin.must(ctx, "POST", "/v1/connect-links/"+l.ID+"/confirm", map[string]any{"principal": who.principal}, &done); err != nil {
		return err
	}
	if done.Status != "active" {
		return fmt.Errorf("the connection is %s after the confirmation", done.Status)
	}
	s.connections[who.principal+"/"+connector] = done.ConnectionID
	return nil
}

// consent is the person at the browser: our page, the provider's page, the way back. It returns the link id that the
// browser brings home.
func (s *story) consent(ctx context.Context, pageURL, login string) (string, error) {
	b, err := browser()
	if err != nil {
		return "", err
	}
	if _, err := visit(ctx, b, http.MethodGet, pageURL); err != nil {
		return "", err
	}
	toProvider, err := visit(ctx, b, http.MethodPost, pageURL)
	if err != nil {
		return "", err
	}
	if toProvider == nil {
		return "", errors.New("the connect page led nowhere")
	}
	toCallback, err := s.emu.Approve(ctx, toProvider.String(), login)
	if err != nil {
		return "", err
	}
	home, err := visit(ctx, b, http.MethodGet, toCallback.String())
	if err != nil {
		return "", err
	}
	if home == nil {
		return "", errors.New("the callback led nowhere")
	}
	return home.Query().Get("connect_link"), nil
}

// nothingExchangedYet asks the provider: the code must still be parked.
func (s *story) nothingExchangedYet(ctx context.Context, who person, connector string) error {
	c, err := s.emu.Counters(ctx, connector)
	if err != nil {
		return err
	}
	if n := c.ByPerson[who.login].TokenExchanges; n != 0 {
		return fmt.Errorf("%s saw %d exchanges before the confirmation", connector, n)
	}
	return nil
}
