package web

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

// describeResponse completes an operation that fiber serves: its one good
// answer, its errors, and its place in the document.
func describeResponse(api huma.API, op *huma.Operation, text, media string, schema *huma.Schema) {
	good := op.DefaultStatus
	if good == 0 {
		good = http.StatusOK
	}
	op.Responses = map[string]*huma.Response{strconv.Itoa(good): {Description: text,
		Content: map[string]*huma.MediaType{media: {Schema: schema}}}}
	problem := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeOf(Problem{}))
	for _, code := range op.Errors {
		op.Responses[strconv.Itoa(code)] = &huma.Response{Description: http.StatusText(code),
			Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	api.OpenAPI().AddOperation(op)
}

// longer is within for a handler of huma: the values of ctx, another deadline.
func (s *Server) longer(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	stop := context.AfterFunc(s.base, cancel)
	return out, func() { stop(); cancel() }
}

// reference is the OpenAPI document as the page of it shows it.
type reference struct {
	Operations []refOperation
	Schemas    []refSchema
}

type refOperation struct {
	ID, Method, Path, Summary, Description string
	Private, Customer                      bool // needs a session; an account for time-stamps
	Parameters                             []refField
	Bodies                                 []refBody
	Responses                              []refResponse
}

type refBody struct {
	Media, Schema string
	List          bool // of Schema
}

type refResponse struct {
	Status, Text string
	Bodies       []refBody
}

type refSchema struct {
	Name   string
	Fields []refField
}

type refField struct {
	Name, Type, Ref, Text string
	Required              bool
}

func newReference(doc *huma.OpenAPI) reference {
	var ref reference
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete} {
			if op != nil {
				ref.Operations = append(ref.Operations, newRefOperation(method, path, op))
			}
		}
	}
	slices.SortFunc(ref.Operations, func(a, b refOperation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	schemas := doc.Components.Schemas.Map()
	for name, schema := range schemas {
		out := refSchema{Name: name}
		for _, field := range slices.Sorted(maps.Keys(schema.Properties)) {
			out.Fields = append(out.Fields, newRefField(field, schema.Properties[field], slices.Contains(schema.Required, field)))
		}
		ref.Schemas = append(ref.Schemas, out)
	}
	slices.SortFunc(ref.Schemas, func(a, b refSchema) int { return strings.Compare(a.Name, b.Name) })
	return ref
}

func newRefOperation(method, path string, op *huma.Operation) refOperation {
	out := refOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description,
		Private: len(op.Security) > 0}
	for _, way := range op.Security {
		if _, ok := way[stampBasic]; ok {
			out.Customer = true
		}
	}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, newRefField(p.Name+" ("+p.In+")", p.Schema, p.Required))
		if p.Description != "" {
			out.Parameters[len(out.Parameters)-1].Text = p.Description
		}
	}
	if op.RequestBody != nil {
		out.Bodies = refBodies(op.RequestBody.Content)
	}
	for status, r := range op.Responses {
		out.Responses = append(out.Responses, refResponse{Status: status, Text: r.Description, Bodies: refBodies(r.Content)})
	}
	slices.SortFunc(out.Responses, func(a, b refResponse) int { return strings.Compare(a.Status, b.Status) })
	return out
}

func refBodies(content map[string]*huma.MediaType) []refBody {
	var out []refBody
	for media, m := range content {
		b := refBody{Media: media}
		if m.Schema != nil {
			b.Schema, b.List = refName(m.Schema), m.Schema.Items != nil
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b refBody) int { return strings.Compare(a.Media, b.Media) })
	return out
}

// refName is the component that a schema, or the items of a list, refer to.
func refName(s *huma.Schema) string {
	if s.Items != nil {
		s = s.Items
	}
	return strings.TrimPrefix(s.Ref, "#/components/schemas/")
}

func newRefField(name string, s *huma.Schema, required bool) refField {
	f := refField{Name: name, Required: required}
	if s == nil {
		return f
	}
	f.Ref, f.Text = refName(s), s.Description
	switch {
	case s.Items != nil && f.Ref != "":
		f.Type = "[" + f.Ref + "]"
	case f.Ref != "":
		f.Type = f.Ref
	case s.Items != nil:
		f.Type = "[" + s.Items.Type + "]"
	default:
		f.Type = s.Type
	}
	if s.Format != "" {
		f.Type += " (" + s.Format + ")"
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				values = append(values, text)
			}
		}
		f.Type += ": " + strings.Join(values, ", ")
	}
	return f
}
