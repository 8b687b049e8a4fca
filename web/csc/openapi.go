package csc

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// document makes the OpenAPI 3.1 document of all methods from their types.
func (s *Server) document() map[string]any {
	schemas := map[string]any{}
	paths := map[string]any{}
	for _, m := range s.methods {
		paths[m.path()] = map[string]any{"post": m.operation(schemas)}
	}
	schemas["Error"] = schemaOf(reflect.TypeFor[Error](), schemas, false)
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Sigillo: CSC API 1.0.4.0 and 2.0.0.2", "version": "2.0.0.2",
			"description": "Remote signing for applications. Parameters that are not named here are passed over, null is as good as nothing, and a parameter given twice is refused."},
		"paths": paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{
			"bearer": map[string]any{"type": "http", "scheme": "bearer", "description": "Of OAuth 2 or auth/login"},
			"basic":  map[string]any{"type": "http", "scheme": "basic", "description": "Username, and password with a one-time password appended"},
		}},
	}
}

// operation describes one method.
func (m method) operation(schemas map[string]any) map[string]any {
	responses := map[string]any{}
	for status, t := range m.outs {
		r := map[string]any{"description": http.StatusText(status)}
		if t != nil {
			r["content"] = content(schemaOf(t, schemas, false))
		}
		responses[strconv.Itoa(status)] = r
	}
	statuses := append([]int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable}, m.errors...)
	op := map[string]any{
		"operationId": "v" + strconv.Itoa(m.v) + "-" + strings.ReplaceAll(m.name, "/", "-"),
		"summary":     m.summary,
		"tags":        []string{"v" + strconv.Itoa(m.v)},
		"requestBody": map[string]any{"required": needsBody(m.in), "content": content(schemaOf(m.in, schemas, true))},
		"responses":   responses,
	}
	switch {
	case m.scopes != nil:
		op["security"] = []any{map[string]any{"bearer": []string{}}}
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	case m.name == "auth/login":
		op["security"] = []any{map[string]any{"basic": []string{}}, map[string]any{}}
	}
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = map[string]any{"description": http.StatusText(status),
			"content": content(map[string]any{"$ref": "#/components/schemas/Error"})}
	}
	return op
}

// needsBody says whether a request without a body lacks something.
func needsBody(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("required") != "" {
			return true
		}
	}
	return false
}

func content(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// schemaOf gives the schema of a type; structs are named and referred to. In requests
// what is not required may be null, and more may be sent than is named.
func schemaOf(t reflect.Type, schemas map[string]any, request bool) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), schemas, request)
	case t == reflect.TypeFor[secret]():
		return map[string]any{"type": "string", "format": "password"}
	case t == reflect.TypeFor[blob]():
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if _, known := schemas[name]; !known {
			schemas[name] = nil // for types that contain themselves
			schemas[name] = structSchema(t, schemas, request)
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), schemas, request)}
	case t.Kind() == reflect.Int:
		return map[string]any{"type": "integer"}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "string"}
}

func structSchema(t reflect.Type, schemas map[string]any, request bool) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		p := schemaOf(f.Type, schemas, request)
		decorate(p, f)
		if f.Tag.Get("single") != "" {
			p = map[string]any{"anyOf": []any{p, map[string]any{"type": "string"}}}
		}
		switch {
		case f.Tag.Get("required") != "":
			required = append(required, name)
		case request:
			p = map[string]any{"anyOf": []any{p, map[string]any{"type": "null"}}}
		}
		properties[name] = p
	}
	out := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// decorate adds what the tags of a field say.
func decorate(p map[string]any, f reflect.StructField) {
	if doc := f.Tag.Get("doc"); doc != "" {
		p["description"] = doc
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		p["enum"] = strings.Split(enum, ",")
	}
	if minimum, err := strconv.Atoi(f.Tag.Get("minimum")); err == nil {
		p["minimum"] = minimum
	}
}
