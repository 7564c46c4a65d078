package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// record is the stored form: the writable attributes plus what we add. Its field names are a storage format; do not
// change them without reading the old ones.
type record struct {
	ID         string         `json:"id"`
	Version    int64          `json:"version"`
	Created    time.Time      `json:"created"`
	Modified   time.Time      `json:"modified"`
	Restoring  bool           `json:"restoring,omitempty"`
	Unsettled  []string       `json:"unsettled,omitempty"`
	Attributes map[string]any `json:"attributes"`
}

// Record is the lossless stored form of u, without Groups and Meta.Location, which are derived.
func (u User) Record() ([]byte, error) {
	return json.Marshal(record{ID: u.ID, Version: u.Meta.Version, Created: u.Meta.Created.UTC(),
		Modified: u.Meta.LastModified.UTC(), Restoring: u.Restoring, Attributes: u.attributes()})
}

// ParseRecord reads what Record wrote.
func ParseRecord(b []byte) (User, error) {
	r, err := readRecord(b, userResource)
	if err != nil {
		return User{}, err
	}
	// A stored record always says whether it is active; if one does not, it grants nothing.
	u, err := userFrom(r.Attributes, false)
	if err != nil {
		return User{}, fmt.Errorf("scim: read a user record: %w", err)
	}
	u.ID, u.Restoring = r.ID, r.Restoring
	u.Meta = Meta{Created: r.Created, LastModified: r.Modified, Version: r.Version}
	return u, nil
}

func readRecord(b []byte, kind resource) (record, error) {
	d, err := decodeRecord(b)
	if err != nil {
		return record{}, fmt.Errorf("scim: read a %s record: %w", kind.name, err)
	}
	if d.Attributes, err = kind.normalise(d.Attributes); err != nil {
		return record{}, fmt.Errorf("scim: read a %s record: %w", kind.name, err)
	}
	return d, nil
}

func decodeRecord(b []byte) (record, error) {
	var r record
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		return record{}, err
	}
	return r, nil
}
