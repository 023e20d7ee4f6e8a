package scim

// Discovery says what this server can do (RFC 7644 §4). base is its address.

// Config is the service provider configuration (RFC 7643 §5).
func Config(base string) Document {
	able := func(yes bool) map[string]any { return map[string]any{"supported": yes} }
	return Document{
		"schemas":        []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":          able(true),
		"bulk":           map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":         map[string]any{"supported": true, "maxResults": MaxPage},
		"changePassword": able(false),
		"sort":           able(false),
		"etag":           able(true),
		"authenticationSchemes": []any{map[string]any{"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "A token of the role provisioner: kentongan token create NAME --role provisioner", "specUri": "https://www.rfc-editor.org/info/rfc6750"}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": base + "/ServiceProviderConfig"},
	}
}

// Types are the types of resources (RFC 7643 §6).
func Types(base string) []Document {
	var out []Document
	for _, k := range []Kind{User, Group} {
		s := k.core()
		extensions := []any{}
		for _, e := range k.extensions() {
			extensions = append(extensions, map[string]any{"schema": e.id, "required": false})
		}
		out = append(out, Document{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
			"id":      string(k), "name": string(k), "description": s.says, "endpoint": "/" + string(k) + "s", "schema": s.id, "schemaExtensions": extensions,
			"meta": map[string]any{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + string(k)},
		})
	}
	return out
}

// Schemas are what resources may hold (RFC 7643 §7).
func Schemas(base string) []Document {
	var out []Document
	for _, s := range []schema{userSchema, enterpriseSchema, groupSchema} {
		out = append(out, Document{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"},
			"id":      s.id, "name": s.name, "description": s.says, "attributes": describe(s.attributes),
			"meta": map[string]any{"resourceType": "Schema", "location": base + "/Schemas/" + s.id},
		})
	}
	return out
}

func describe(all []attribute) []any {
	out := []any{}
	for _, a := range all {
		if a.dropped {
			continue
		}
		d := map[string]any{"name": a.name, "type": a.typ, "multiValued": a.many, "description": a.says, "required": a.required,
			"caseExact": a.exact, "mutability": "readWrite", "returned": "default", "uniqueness": "none"}
		if a.readOnly {
			d["mutability"] = "readOnly"
		}
		if a.unique {
			d["uniqueness"] = "server"
		}
		if a.typ == "reference" {
			d["referenceTypes"] = []string{string(User)}
		}
		if len(a.types) > 0 {
			d["canonicalValues"] = a.types
		}
		if len(a.sub) > 0 {
			d["subAttributes"] = describe(a.sub)
		}
		out = append(out, d)
	}
	return out
}
