package catalog

import "regexp"

// Field is one value that somebody gives to connect an account.
type Field struct {
	// Name is the member of an import and the name in the form.
	Name string
	// Label, Help and Example are what the connect page shows.
	Label, Help, Example string
	// Secret values are sealed and never shown again. The others become metadata of the connection.
	Secret    bool
	Kind      FieldKind
	MaxLength int // bytes
	Multiline bool
	Required  bool
	// Vouched values come from the application's back end only. See Connector.CheckVouched.
	Vouched bool

	pattern *regexp.Regexp
	capture map[string]string
}

// FieldKind is what a value must be.
type FieldKind string

// The kinds: one line of text unless the field is multiline; a private key as PEM (PKCS #8, PKCS #1 or SEC 1, not
// encrypted); one JSON object.
const (
	FieldText FieldKind = "text"
	FieldPEM  FieldKind = "pem"
	FieldJSON FieldKind = "json"
)

// maxField bounds any value in bytes: a connection and a link each keep them in one item of the store.
const maxField = 16 << 10

// minSecret is the shortest secret text in bytes. A shorter one is no credential, and could not be told from other text
// when answers are searched for it.
const minSecret = 8

// fieldSpec is an entry of fields.
type fieldSpec struct {
	Name      string    `yaml:"name"`
	Label     string    `yaml:"label"`
	Help      string    `yaml:"help"`
	Example   string    `yaml:"example"`
	Secret    bool      `yaml:"secret"`
	Kind      FieldKind `yaml:"kind"`
	Pattern   string    `yaml:"pattern"`
	MaxLength int       `yaml:"max_length"`
	Multiline bool      `yaml:"multiline"`
	Required  bool      `yaml:"required"`
	Vouched   bool      `yaml:"vouched"`
	// Capture takes metadata out of a JSON value: name and path.
	Capture map[string]string `yaml:"capture"`
}

func buildFields(specs []fieldSpec) []Field {
	out := make([]Field, 0, len(specs))
	for _, s := range specs {
		f := Field{Name: s.Name, Label: s.Label, Help: s.Help, Example: s.Example, Secret: s.Secret, Kind: s.Kind, MaxLength: s.MaxLength,
			Multiline: s.Multiline || s.Kind != FieldText, Required: s.Required, Vouched: s.Vouched, capture: s.Capture}
		if p, err := regexp.Compile(s.Pattern); err == nil && s.Pattern != "" {
			f.pattern = p
		}
		out = append(out, f)
	}
	return out
}

// Asked are the fields that are still to be filled in, in the manifest's order, when given are known.
func (c *Connector) Asked(given map[string]string) []Field {
	var out []Field
	for _, f := range c.Fields {
		if _, ok := given[f.Name]; !ok {
			out = append(out, f)
		}
	}
	return out
}

func (m *manifest) field(name string) (fieldSpec, bool) {
	for _, f := range m.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return fieldSpec{}, false
}

// public are the names of the metadata that the fields give.
func (m *manifest) public() map[string]bool {
	out := map[string]bool{}
	for _, f := range m.Fields {
		if !f.Secret {
			out[f.Name] = true
		}
		for name := range f.Capture {
			out[name] = true
		}
	}
	return out
}
