package scim

import (
	"context"
	"strings"

	"behalf.dev/behalf/shared/tenant"
)

// Lookup names the attribute of an exact look-up.
type Lookup string

// The attributes that are unique in a tenant.
const (
	ByUserName   Lookup = "userName"   // compared by UserNameKey
	ByExternalID Lookup = "externalId" // compared byte by byte
)

// Store keeps the users of all tenants; scimtest.RunStore checks an implementation. No call may see or touch another
// tenant's users. Reads are strongly consistent: an offboarding that was written must be met by the next read.
type Store interface {
	UserReader
	UserWriter
}

// UserReader finds users. A user that does not exist is Missing.
type UserReader interface {
	GetUser(ctx context.Context, t tenant.ID, id string) (User, error)
	// FindUser gives the one user with this userName or externalId.
	FindUser(ctx context.Context, t tenant.ID, by Lookup, value string) (User, error)
	// ListUsers gives at most limit users in ascending order of id, from the start for an empty cursor.
	ListUsers(ctx context.Context, t tenant.ID, cursor string, limit int) (UserPage, error)
}

// UserWriter changes users. Uniqueness is enforced in the same transaction as the write, for UserNameKey(UserName)
// and for a non-empty ExternalID; a violation is Taken(attribute) and changes nothing.
type UserWriter interface {
	CreateUser(ctx context.Context, t tenant.ID, u User) error
	// ReplaceUser writes changed if the stored version is still old.Meta.Version, else Stale; Missing if it is gone.
	// The sentinels of values that changed move in the same transaction.
	ReplaceUser(ctx context.Context, t tenant.ID, old, changed User) error
	// DeleteUser removes old and frees its unique values, on the conditions of ReplaceUser.
	DeleteUser(ctx context.Context, t tenant.ID, old User) error
}

// UserPage is a part of a list. Next is the cursor of the following part, empty at the end.
type UserPage struct {
	Users []User
	Next  string
}

// UserNameKey is the form in which userNames are compared: it is not case exact (RFC 7643, section 4.1.1).
func UserNameKey(userName string) string { return strings.ToLower(userName) }
