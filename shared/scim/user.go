package scim

import (
	"encoding/json"
	"fmt"
	"time"
)

// User is a SCIM user (RFC 7643, section 4.1). MarshalJSON gives the wire form; Record and ParseRecord the stored form.
type User struct {
	// ID is ours: opaque, unique in the tenant, never reused.
	ID string
	// ExternalID is the identity provider's id, compared exactly; empty when it sent none.
	ExternalID string
	// UserName is unique in the tenant when compared by UserNameKey.
	UserName    string
	Name        Name
	DisplayName string
	Emails      []Email
	// Active is false once the user was offboarded.
	Active bool
	Title  string
	Locale string
	// Groups is read only and derived from group membership; stores need not keep it.
	Groups []Reference
	// Extra is every other attribute and every extension schema (by URN), as decoded JSON with json.Number.
	Extra map[string]any
	Meta  Meta
	// Restoring marks an active user whose access may not have been given back yet. It is stored, never shown; the
	// next write repeats Lifecycle.Restore.
	Restoring bool
}

// Name is the name of a user. Extra holds the other sub-attributes.
type Name struct {
	Formatted, GivenName, FamilyName string
	Extra                            map[string]any
}

// Email is one address of a user. Extra holds the other sub-attributes.
type Email struct {
	Value, Type string
	Primary     bool
	Extra       map[string]any
}

// Reference points to another resource: a group of a user, or a member of a group.
type Reference struct {
	Value   string         // the id of the resource
	Display string         // its name, for people
	Type    string         // "User" or "Group"; empty when not said
	Extra   map[string]any // other sub-attributes, such as $ref
}

// Meta is what we say about a resource (RFC 7643, section 3.1). Times are UTC.
type Meta struct {
	Created, LastModified time.Time
	// Version counts the writes, from 1.
	Version int64
	// Location is the URI of the resource. The Service fills it in; stores need not keep it.
	Location string
}

// ETag is the version as a weak entity tag (RFC 7644, section 3.14).
func (m Meta) ETag() string { return fmt.Sprintf(`W/"%d"`, m.Version) }

func (m Meta) document(resourceType string) map[string]any {
	d := map[string]any{"resourceType": resourceType, "created": m.Created.UTC().Format(time.RFC3339Nano),
		"lastModified": m.LastModified.UTC().Format(time.RFC3339Nano), "version": m.ETag()}
	put(d, "location", m.Location)
	return d
}

// MarshalJSON gives the wire form, with meta, id and schemas.
func (u User) MarshalJSON() ([]byte, error) { return json.Marshal(u.document()) }

// document is the wire form of u as a map. It shares Extra with u: copy before changing.
func (u User) document() map[string]any {
	d := u.attributes()
	d["schemas"] = schemasOf(UserSchema, u.Extra)
	d["id"] = u.ID
	d["meta"] = u.Meta.document("User")
	if len(u.Groups) > 0 {
		d["groups"] = references(u.Groups)
	}
	return d
}

// attributes are the writable part of the document.
func (u User) attributes() map[string]any {
	d := merged(u.Extra)
	put(d, "externalId", u.ExternalID)
	put(d, "userName", u.UserName)
	put(d, "displayName", u.DisplayName)
	put(d, "title", u.Title)
	put(d, "locale", u.Locale)
	d["active"] = u.Active
	if n := u.Name.document(); len(n) > 0 {
		d["name"] = n
	}
	if len(u.Emails) > 0 {
		list := make([]any, len(u.Emails))
		for i, e := range u.Emails {
			list[i] = e.document()
		}
		d["emails"] = list
	}
	return d
}

func (n Name) document() map[string]any {
	d := merged(n.Extra)
	put(d, "formatted", n.Formatted)
	put(d, "givenName", n.GivenName)
	put(d, "familyName", n.FamilyName)
	return d
}

func (e Email) document() map[string]any {
	d := merged(e.Extra)
	put(d, "value", e.Value)
	put(d, "type", e.Type)
	if e.Primary {
		d["primary"] = true
	}
	return d
}

func references(refs []Reference) []any {
	list := make([]any, len(refs))
	for i, r := range refs {
		d := merged(r.Extra)
		put(d, "value", r.Value)
		put(d, "display", r.Display)
		put(d, "type", r.Type)
		list[i] = d
	}
	return list
}

// merged is a shallow copy of m that is never nil.
func merged(m map[string]any) map[string]any {
	d := make(map[string]any, len(m)+8)
	for k, v := range m {
		d[k] = v
	}
	return d
}

// put sets a string attribute; an empty one is unassigned (RFC 7643, section 2.5).
func put(d map[string]any, key, value string) {
	if value != "" {
		d[key] = value
	}
}
