package scim

import (
	"slices"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// maxExpressionBytes bounds paths and filters: the parser is recursive, and no identity provider comes near.
const maxExpressionBytes = 4096

// target is a parsed PATCH path: attr of the core schema or of an extension, the elements that where selects, and a
// sub-attribute. An empty attr is the whole extension.
type target struct {
	schema string
	attr   attribute
	where  filter.Expression
	sub    string
	loose  bool // attr is in no table: its list may hold plain values
}

// target parses a path (RFC 7644, figure 7). d is the document it will be applied to: the extensions that it holds
// settle where a URN ends. It returns an invalidPath failure.
func (r resource) target(path string, d map[string]any) (target, error) {
	path = strings.TrimSpace(path)
	if path == "" || len(path) > maxExpressionBytes {
		return target{}, failure(InvalidPath, "a path is 1 to %d bytes", maxExpressionBytes)
	}
	schema, rest := r.splitURN(path, d)
	if rest == "" {
		return target{schema: schema}, nil
	}
	p, err := filter.ParsePathNumber([]byte(rest))
	if err != nil || p.AttributePath.URIPrefix != nil {
		return target{}, failure(InvalidPath, "the path %q is not valid", path).WithCause(err)
	}
	tg := target{schema: schema, attr: r.attribute(schema, p.AttributePath.AttributeName), sub: p.SubAttributeName()}
	if p.ValueExpression != nil {
		if tg.where, err = checked(p.ValueExpression); err != nil {
			return target{}, failure(InvalidPath, "the filter in the path %q is not valid", path).WithCause(err)
		}
	}
	if s := p.AttributePath.SubAttributeName(); s != "" {
		if tg.where != nil { // a.b[...] has no meaning in SCIM
			return target{}, failure(InvalidPath, "the path %q is not valid", path)
		}
		tg.sub = s
	}
	if tg.sub != "" {
		tg.sub = canonicalSub(tg.sub)
	}
	return tg, nil
}

// splitURN takes the schema off a path. The parser's own URN rule is not used: it knows neither the '-' and '_' of
// vendors' URNs ("urn:okta:onprem_app:1.0:user:x") nor where a URN without an attribute ends. The core schema is "".
func (r resource) splitURN(path string, d map[string]any) (schema, rest string) {
	head := path
	if i := strings.IndexAny(path, "[\""); i >= 0 {
		head = path[:i] // colons inside a filter are not ours
	}
	if !strings.Contains(head, ":") {
		return "", path
	}
	known := []string{r.schema, EnterpriseUserSchema}
	for _, k := range sortedKeys(d) {
		if isURN(k) {
			known = append(known, k)
		}
	}
	slices.SortStableFunc(known, func(a, b string) int { return len(b) - len(a) }) // the longest URN wins
	for _, k := range known {
		if len(path) < len(k) || !equalFold(path[:len(k)], k) {
			continue
		}
		rest := path[len(k):]
		// After the URN comes ':' (RFC) or '.' (PingDirectory writes dots), or nothing.
		if rest == "" || rest[0] == ':' || rest[0] == '.' {
			if k == r.schema {
				k = ""
			}
			return k, strings.TrimLeft(rest, ":.")
		}
	}
	i := strings.LastIndex(head, ":")
	if last := head[i+1:]; equalFold(last, r.name) { // "urn:…:2.0:User": an extension named as a whole
		return path, ""
	}
	return path[:i], path[i+1:]
}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }
