package catalog_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/shared/catalog"
)

// plain is a provider that follows RFC 6749: what every manifest must state, and nothing else.
const plain = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {known: {items: {description: Read items, effect: read}, admin: {description: All, effect: write, implies: [items]}}}
expires: {mode: field}
rotation: {class: static}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

const plainTools = `- name: plain_get_item
  title: Get an item
  effect: read
  description: Get one item by shelf and id. Use it when both are known. Returns the item.
  scopes: {all_of: [items]}
  input:
    required: [shelf, id]
    properties:
      shelf: {type: string, description: Shelf.}
      id: {type: integer, description: Number.}
      q: {type: string, description: Filter., maxLength: 5}
      order: {type: string, enum: [up, down], default: up, description: Order.}
  request: {method: GET, url: "{web}/api/shelves/{shelf}/items/{id}", query: {q: "{q}", order: "{order}"}}
  response: {select: item}
- name: plain_put_item
  title: Put an item
  effect: write
  idempotency_header: Idempotency-Key
  description: Put one item on a shelf, once per item. Returns nothing but an empty object.
  scopes: {any_of: [items, admin]}
  input:
    required: [shelf]
    properties:
      shelf: {type: string, description: Shelf.}
      note: {type: string, description: Note.}
      tags: {type: array, items: {type: string}, description: Tags.}
      data: {type: object, free_form: true, description: Anything.}
  request:
    method: POST
    url: "{web}/api/shelves/{shelf}.json"
    headers: {X-Kind: item}
    body: {format: form, fields: {note: "{note}", tags: "{tags}", v: 2, data: "{data}"}}
`

func tree(manifest, tools string) fstest.MapFS {
	t := fstest.MapFS{"plain/connector.yaml": {Data: []byte(manifest)}}
	if tools != "" {
		t["plain/tools.yaml"] = &fstest.MapFile{Data: []byte(tools)}
	}
	return t
}

func mustLoad(t testing.TB, manifest, tools string, opts ...catalog.Option) *catalog.Connector {
	t.Helper()
	c, err := catalog.Load(tree(manifest, tools), opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(); err != nil {
		t.Fatal(err)
	}
	return c.Connectors()[0]
}

func mustTool(t testing.TB, name string) *catalog.Tool {
	t.Helper()
	tools, err := mustLoad(t, plain, plainTools).Tools()
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools {
		if tool.Name == name {
			return tool
		}
	}
	t.Fatalf("no tool %s", name)
	return nil
}

// edit replaces text that must be there.
func edit(t *testing.T, s, old, with string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("fixture does not hold %q", old)
	}
	return strings.Replace(s, old, with, 1)
}
