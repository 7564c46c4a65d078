package scim

import (
	"encoding/json"
	"fmt"
)

// Group is a SCIM group (RFC 7643, section 4.2).
type Group struct {
	ID, ExternalID, DisplayName string
	Members                     []Reference
	// Extra is every other attribute and every extension schema, as in User.
	Extra map[string]any
	Meta  Meta
	// Unsettled are ids of users whose principals have not been told of a change yet; "*" stands for all members,
	// "*x" for those with an id greater than x. It is stored, never shown.
	Unsettled []string
}

// MarshalJSON gives the wire form.
func (g Group) MarshalJSON() ([]byte, error) { return json.Marshal(g.document()) }

// Project is as for User.
func (g Group) Project(attributes, excluded []string) ([]byte, error) {
	d, err := groupResource.project(g.document(), attributes, excluded)
	if err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

func (g Group) document() map[string]any {
	d := g.attributes()
	d["schemas"] = schemasOf(GroupSchema, g.Extra)
	d["id"] = g.ID
	d["meta"] = g.Meta.document("Group")
	return d
}

func (g Group) attributes() map[string]any {
	d := merged(g.Extra)
	put(d, "externalId", g.ExternalID)
	put(d, "displayName", g.DisplayName)
	if len(g.Members) > 0 {
		d["members"] = references(g.Members)
	}
	return d
}

// groupFrom builds a Group from a normalised document. A member given twice is one member.
func groupFrom(d map[string]any) (Group, error) {
	g := Group{Extra: merged(d)}
	g.ExternalID = take(g.Extra, "externalId")
	g.DisplayName = take(g.Extra, "displayName")
	list, _ := g.Extra["members"].([]any)
	delete(g.Extra, "members")
	if g.DisplayName == "" {
		return Group{}, failure(InvalidValue, "displayName is required").WithField("displayName")
	}
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		m, _ := item.(map[string]any)
		if err := textSubs("members", m, "value", "display", "type"); err != nil {
			return Group{}, err
		}
		r := Reference{Extra: merged(m)}
		r.Value, r.Display, r.Type = take(r.Extra, "value"), take(r.Extra, "display"), take(r.Extra, "type")
		if r.Value == "" {
			return Group{}, failure(InvalidValue, "a member needs a value")
		}
		if !seen[r.Value] {
			seen[r.Value] = true
			g.Members = append(g.Members, r)
		}
	}
	return g, nil
}

// Record is the lossless stored form of g, without Meta.Location.
func (g Group) Record() ([]byte, error) {
	return json.Marshal(record{ID: g.ID, Version: g.Meta.Version, Created: g.Meta.Created.UTC(),
		Modified: g.Meta.LastModified.UTC(), Unsettled: g.Unsettled, Attributes: g.attributes()})
}

// ParseGroupRecord reads what Group.Record wrote.
func ParseGroupRecord(b []byte) (Group, error) {
	r, err := readRecord(b, groupResource)
	if err != nil {
		return Group{}, err
	}
	g, err := groupFrom(r.Attributes)
	if err != nil {
		return Group{}, fmt.Errorf("scim: read a group record: %w", err)
	}
	g.ID, g.Unsettled = r.ID, r.Unsettled
	g.Meta = Meta{Created: r.Created, LastModified: r.Modified, Version: r.Version}
	return g, nil
}
