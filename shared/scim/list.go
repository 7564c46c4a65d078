package scim

import (
	"context"
	"encoding/json"

	filter "github.com/scim2/filter-parser/v2"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

const (
	// DefaultCount is how many resources a list holds when the request does not say.
	DefaultCount = 100
	// MaxCount is the most that one list holds; a greater count is lowered to it (RFC 7644, section 3.4.2.4).
	MaxCount = 500
	pageSize = 200
)

// ListRequest is a query (RFC 7644, section 3.4.2).
type ListRequest struct {
	Filter     string
	StartIndex int  // from 1; less counts as 1
	Count      *int // nil is DefaultCount; 0 or less asks for totalResults alone
	// Attributes and ExcludedAttributes are as for Project.
	Attributes, ExcludedAttributes []string
}

// ListResponse is the answer (RFC 7644, section 3.4.2). Each resource is a JSON object.
type ListResponse struct {
	TotalResults, StartIndex, ItemsPerPage int
	Resources                              []json.RawMessage
}

// MarshalJSON gives the ListResponse message. Resources is there even when empty: Okta reads it unasked.
func (l ListResponse) MarshalJSON() ([]byte, error) {
	resources := l.Resources
	if resources == nil {
		resources = []json.RawMessage{}
	}
	return json.Marshal(map[string]any{"schemas": []string{ListResponseSchema}, "totalResults": l.TotalResults,
		"startIndex": l.StartIndex, "itemsPerPage": l.ItemsPerPage, "Resources": resources})
}

// List finds users. A filter that fixes id, userName or externalId by eq, alone or as a term of an "and", costs one
// read; any other reads all users, and is a tooMany failure when there are more than the walk limit: a list that
// silently leaves users out would hide who still has access. Listed users carry no groups.
func (s *Service) List(ctx context.Context, t tenant.ID, req ListRequest) (ListResponse, error) {
	x, err := parseFilter(req.Filter)
	if err != nil {
		return ListResponse{}, err
	}
	l := newLister(userResource, x, req, s.walkLimit)
	if attr, value, ok := exact(x); ok {
		u, err := s.lookUp(ctx, t, attr, value)
		if err == nil {
			err = l.add(s.located(u).document())
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return ListResponse{}, err
		}
		return l.response, nil
	}
	for cursor := ""; ; {
		page, err := s.store.ListUsers(ctx, t, cursor, pageSize)
		if err != nil {
			return ListResponse{}, err
		}
		for _, u := range page.Users {
			if err := l.add(s.located(u).document()); err != nil {
				return ListResponse{}, err
			}
		}
		if cursor = page.Next; cursor == "" {
			return l.response, nil
		}
	}
}

func (s *Service) lookUp(ctx context.Context, t tenant.ID, attr, value string) (User, error) {
	if attr == "id" {
		return s.store.GetUser(ctx, t, value)
	}
	return s.store.FindUser(ctx, t, Lookup(attr), value)
}

// exact finds a term that at most one user can satisfy. The whole filter is still evaluated on what it leads to.
func exact(x filter.Expression) (attr, value string, ok bool) {
	switch x := x.(type) {
	case *filter.LogicalExpression:
		if x.Operator != filter.AND {
			return "", "", false
		}
		if attr, value, ok = exact(x.Left); ok {
			return attr, value, true
		}
		return exact(x.Right)
	case *filter.AttributeExpression:
		p := x.AttributePath
		if x.Operator != filter.EQ || p.SubAttribute != nil || p.URIPrefix != nil && !equalFold(*p.URIPrefix, UserSchema) {
			return "", "", false
		}
		value, ok = x.CompareValue.(string)
		if !ok || value == "" {
			return "", "", false
		}
		for _, a := range []string{"id", string(ByUserName), string(ByExternalID)} {
			if equalFold(p.AttributeName, a) {
				return a, value, true
			}
		}
	}
	return "", "", false
}

// lister collects one page of matches while counting all of them.
type lister struct {
	r        resource
	x        filter.Expression
	req      ListRequest
	count    int
	read     int
	limit    int
	response ListResponse
}

func newLister(r resource, x filter.Expression, req ListRequest, limit int) *lister {
	l := &lister{r: r, x: x, req: req, count: DefaultCount, limit: limit}
	if req.Count != nil {
		l.count = min(max(*req.Count, 0), MaxCount)
	}
	l.response.StartIndex = max(req.StartIndex, 1)
	return l
}

func (l *lister) add(d map[string]any) error {
	if l.read++; l.read > l.limit {
		return failure(TooMany, "this query would read more than %d resources; filter by userName, externalId or id", l.limit)
	}
	if !l.r.evaluate(l.x, d) {
		return nil
	}
	l.response.TotalResults++
	if l.response.TotalResults < l.response.StartIndex || l.response.ItemsPerPage >= l.count {
		return nil
	}
	shown, err := l.r.project(d, l.req.Attributes, l.req.ExcludedAttributes)
	if err != nil {
		return err
	}
	b, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	l.response.Resources = append(l.response.Resources, b)
	l.response.ItemsPerPage++
	return nil
}
