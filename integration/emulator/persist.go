package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kept is what survives a restart: hashes, no secrets.
type kept struct {
	Clients []*client `json:"clients"`
	Grants  []*grant  `json:"grants"`
	Tokens  []*token  `json:"tokens"`
}

func (p *provider) keepPath() string {
	return filepath.Join(p.srv.opts.Dir, p.name()+".json")
}

// restore loads what an earlier server kept; nothing kept is fine.
func (p *provider) restore() error {
	if p.srv.opts.Dir == "" {
		return nil
	}
	data, err := os.ReadFile(p.keepPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read kept grants: %w", err)
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("parse %s: %w", p.keepPath(), err)
	}
	for _, c := range k.Clients {
		p.clients[c.ID] = c
	}
	for _, g := range k.Grants {
		if p.person(g.Login) == nil {
			return fmt.Errorf("parse %s: grant of %w %q", p.keepPath(), ErrUnknownPerson, g.Login)
		}
		p.grants[g.ID] = g
	}
	for _, t := range k.Tokens {
		if p.grants[t.GrantID] == nil {
			return fmt.Errorf("parse %s: token without grant", p.keepPath())
		}
		p.tokens[t.Hash] = t
	}
	return nil
}

// save writes clients and grants through a temporary file. A failure is logged
// and reported by Close: an emulated provider goes on without its disk. Call it
// with the lock held.
func (p *provider) save() {
	if p.srv.opts.Dir == "" || p.retired {
		return
	}
	if err := p.write(); err != nil {
		p.srv.opts.Logger.Error("emulator cannot keep grants", "provider", p.name(), "error", err)
		if p.saveErr == nil {
			p.saveErr = err
		}
	}
}

func (p *provider) write() error {
	k := kept{
		Clients: slices.SortedFunc(maps.Values(p.clients), func(a, b *client) int { return strings.Compare(a.ID, b.ID) }),
		Grants:  slices.SortedFunc(maps.Values(p.grants), func(a, b *grant) int { return strings.Compare(a.ID, b.ID) }),
		Tokens:  slices.SortedFunc(maps.Values(p.tokens), func(a, b *token) int { return strings.Compare(a.Hash, b.Hash) }),
	}
	data, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode grants of %s: %w", p.name(), err)
	}
	if err := os.MkdirAll(p.srv.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", p.srv.opts.Dir, err)
	}
	tmp := p.keepPath() + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("keep grants of %s: %w", p.name(), err)
	}
	if err := os.Rename(tmp, p.keepPath()); err != nil {
		return fmt.Errorf("keep grants of %s: %w", p.name(), err)
	}
	return nil
}

// close saves once more and returns the failures so far.
func (p *provider) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.save()
	return p.saveErr
}

// retire stops a replaced provider from writing and hands its clients over.
func (p *provider) retire() map[string]*client {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	return maps.Clone(p.clients)
}

// adopt takes the clients of a replaced provider.
func (p *provider) adopt(clients map[string]*client) {
	maps.Copy(p.clients, clients)
}
