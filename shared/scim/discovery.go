package scim

import "encoding/json"

const (
	schemaSchema       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	resourceTypeSchema = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	configSchema       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
)

// ServiceProviderConfig is the document of RFC 7643, section 5. base is the SCIM root ("https://host/scim/v2").
func ServiceProviderConfig(base string) []byte {
	off := map[string]any{"supported": false}
	return encode(map[string]any{
		"schemas": []string{configSchema}, "patch": map[string]any{"supported": true},
		"bulk":           map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":         map[string]any{"supported": true, "maxResults": MaxCount},
		"changePassword": off, "sort": off, "etag": map[string]any{"supported": true},
		"authenticationSchemes": []any{map[string]any{"type": "oauthbearertoken", "name": "Bearer token",
			"description": "A bearer token of one tenant, made with POST /v1/tenants/{tenant}/scim-tokens", "primary": true}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": base + "/ServiceProviderConfig"},
	})
}

// ResourceTypes is the list of RFC 7643, section 6, as a ListResponse.
func ResourceTypes(base string) []byte { return listOf(resourceTypes(base)) }

// ResourceType is one entry of ResourceTypes by its name ("User"); false when there is none.
func ResourceType(base, name string) ([]byte, bool) { return entry(resourceTypes(base), name) }

// Schemas is the list of RFC 7643, section 7, as a ListResponse. Entra reads it to offer attributes for mapping.
func Schemas(base string) []byte { return listOf(schemas(base)) }

// SchemaByURN is one entry of Schemas by its URN; false when there is none.
func SchemaByURN(base, urn string) ([]byte, bool) { return entry(schemas(base), urn) }

func resourceTypes(base string) []map[string]any {
	kind := func(r resource, description string) map[string]any {
		return map[string]any{"schemas": []string{resourceTypeSchema}, "id": r.name, "name": r.name,
			"endpoint": "/" + r.endpoint, "description": description, "schema": r.schema,
			"meta": map[string]any{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + r.name}}
	}
	user := kind(userResource, "A person of the tenant")
	user["schemaExtensions"] = []any{map[string]any{"schema": EnterpriseUserSchema, "required": false}}
	return []map[string]any{user, kind(groupResource, "A group of users")}
}

func schemas(base string) []map[string]any {
	doc := func(urn, name, description string, attributes []any) map[string]any {
		return map[string]any{"schemas": []string{schemaSchema}, "id": urn, "name": name, "description": description,
			"attributes": attributes, "meta": map[string]any{"resourceType": "Schema", "location": base + "/Schemas/" + urn}}
	}
	return []map[string]any{
		doc(UserSchema, "User", "A person of the tenant", describe(userResource.attributes)),
		doc(EnterpriseUserSchema, "EnterpriseUser", "What an employer adds", describe(enterpriseAttributes)),
		doc(GroupSchema, "Group", "A group of users", describe(groupResource.attributes)),
	}
}

// describe renders the attribute tables that PATCH and filters work with, so that the published schema cannot differ.
func describe(attributes []attribute) []any {
	var out []any
	for _, a := range attributes {
		switch a.name {
		case "id", "meta", "schemas", "password": // common attributes are in no schema; passwords are not kept
			continue
		}
		d := describeOne(a.name, a.kind)
		if a.readOnly {
			d["mutability"] = "readOnly"
		}
		switch a.name {
		case "userName":
			d["required"], d["uniqueness"] = true, "server"
		case "externalId":
			d["caseExact"], d["uniqueness"] = true, "server"
		}
		if a.kind == complexOne || a.kind == complexMany {
			var subs []any
			for _, sub := range subsOf(a.name) {
				subs = append(subs, describeOne(sub, kindOfSub(sub)))
			}
			d["subAttributes"] = subs
		}
		out = append(out, d)
	}
	return out
}

func describeOne(name string, k kind) map[string]any {
	d := map[string]any{"name": name, "type": "string", "multiValued": k == complexMany, "description": name,
		"required": false, "mutability": "readWrite", "returned": "default"}
	switch k {
	case boolean:
		d["type"] = "boolean"
	case complexOne, complexMany:
		d["type"] = "complex"
	default:
		d["caseExact"], d["uniqueness"] = false, "none"
	}
	return d
}

func kindOfSub(name string) kind {
	if name == "primary" {
		return boolean
	}
	return text
}

func subsOf(attr string) []string {
	switch attr {
	case "name":
		return []string{"formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"}
	case "manager":
		return []string{"value", "$ref", "displayName"}
	case "groups", "members":
		return []string{"value", "$ref", "display", "type"}
	case "addresses":
		return []string{"formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"}
	}
	return []string{"value", "display", "type", "primary"}
}

func listOf(docs []map[string]any) []byte {
	return encode(map[string]any{"schemas": []string{ListResponseSchema}, "totalResults": len(docs), "startIndex": 1,
		"itemsPerPage": len(docs), "Resources": docs})
}

func entry(docs []map[string]any, id string) ([]byte, bool) {
	for _, d := range docs {
		if equalFold(d["id"].(string), id) {
			return encode(d), true
		}
	}
	return nil, false
}

// encode renders documents made of strings, numbers and booleans; that cannot fail.
func encode(d map[string]any) []byte {
	b, _ := json.Marshal(d)
	return b
}
