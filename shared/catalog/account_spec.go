package catalog

import "slices"

// callbackSpec is what the provider's answer to the browser carries beside code and state.
type callbackSpec struct {
	// Capture names metadata that stands in the answer's query. It went through a browser, so whoever sits there could have
	// changed it: the loader asks that each value is proved, or names one of a list of hosts.
	Capture map[string]callbackCapture `yaml:"capture"`
	Setup   *setupSpec                 `yaml:"setup"`
}

type callbackCapture struct {
	Param    string `yaml:"param"`
	Pattern  string `yaml:"pattern"`
	Required bool   `yaml:"required"`
}

// setupSpec is a page of the provider that comes before consent and answers without a code: an app is installed there.
type setupSpec struct {
	URL string `yaml:"url"`
	// Param tells what was done; Done are the values that go on to consent, Pending those that wait for somebody else.
	Param   string   `yaml:"param"`
	Done    []string `yaml:"done"`
	Pending []string `yaml:"pending"`
}

// stepSpec is one more request before an access token is usable, after the exchange and after each refresh.
type stepSpec struct {
	// On is exchange, refresh or, left out, both.
	On      []string          `yaml:"on"`
	Request stepRequestSpec   `yaml:"request"`
	Success []condition       `yaml:"success"`
	Map     stepMap           `yaml:"map"`
	Capture map[string]string `yaml:"capture"`
}

// stepRequestSpec holds templates over {token.access}, {token.refresh}, {client.id}, {client.secret} and {connection.name}.
type stepRequestSpec struct {
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Auth    CallAuth          `yaml:"auth"`
	Headers map[string]string `yaml:"headers"`
	Query   map[string]string `yaml:"query"`
	Body    map[string]string `yaml:"body"`
	Format  string            `yaml:"format"`
}

// stepMap are paths in the answer to a step; what is not named stays as it was.
type stepMap struct {
	AccessToken string `yaml:"access_token"`
	ExpiresIn   string `yaml:"expires_in"`
}

// postConnectSpec is a request after the exchange that says which of the account's places a connection is for.
type postConnectSpec struct {
	Request identityRequestSpec `yaml:"request"`
	// Items is where the list is; ID, Label and Detail are paths in an item.
	Items  string     `yaml:"items"`
	ID     string     `yaml:"id"`
	Label  string     `yaml:"label"`
	Detail string     `yaml:"detail"`
	Choose ChooseMode `yaml:"choose"`
	// Param is the captured metadata that ID must equal, for by_param.
	Param   string            `yaml:"param"`
	Capture map[string]string `yaml:"capture"`
}

// tokenSetSpec is a further access token of the same answer, refreshed by itself.
type tokenSetSpec struct {
	// Root is the object below which it is; Map are paths there, with the defaults of token.map.
	Root     string   `yaml:"root"`
	Required bool     `yaml:"required"`
	Map      tokenMap `yaml:"map"`
}

// manualSpec says how a person removes the access where the provider has no call for it.
type manualSpec struct {
	Text string `yaml:"text"`
	URL  string `yaml:"url"`
}

// captured reports that some answer of the provider, or the callback, may give the metadata name.
func (m *manifest) captured(name string) bool {
	if m.renewed(name) || m.Callback.Capture[name].Param != "" {
		return true
	}
	for _, p := range m.PostConnect {
		if p.Capture[name] != "" {
			return true
		}
	}
	return false
}

// renewed reports that answers of the token endpoint, or of the steps behind it, give the metadata name: a refresh may repeat it.
func (m *manifest) renewed(name string) bool {
	if m.Token.Capture[name] != "" {
		return true
	}
	for _, s := range m.Token.ExtraSteps {
		if s.Capture[name] != "" {
			return true
		}
	}
	return false
}

// knownMeta reports that a connection may hold the metadata name.
func (m *manifest) knownMeta(name string) bool { return m.captured(name) || m.public()[name] }

// vars are what addresses may hold: public before consent, back at the exchange, when the callback is known, and known once
// the account is connected.
func (m *manifest) vars() (public, back, known []string) {
	for name := range m.public() {
		public, known = append(public, name, ofConnection+name), append(known, ofConnection+name)
	}
	back = slices.Clone(public)
	for name := range m.Callback.Capture {
		back, known = append(back, ofConnection+name), append(known, ofConnection+name)
	}
	for name := range m.Token.Capture {
		known = append(known, ofConnection+name)
	}
	for _, step := range m.Token.ExtraSteps {
		for name := range step.Capture {
			known = append(known, ofConnection+name)
		}
	}
	for _, p := range m.PostConnect {
		for name := range p.Capture {
			known = append(known, ofConnection+name)
		}
	}
	return public, back, known
}

// hasSecret reports that the client proves itself with a secret, which a step may send.
func (m *manifest) hasSecret() bool {
	return !slices.Contains([]ClientAuth{ClientAuthNone, ClientAuthPrivateKey, ClientAuthTLS}, m.Auth.ClientAuth)
}
