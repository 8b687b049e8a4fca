package web

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

// Names of the ways in which the owner of an account says who he is.
const (
	stampBasic  = "stamp-basic"
	stampBearer = "stamp-bearer"
)

// apiStamps describes what the owners of accounts of the time-stamping authority
// can ask. fiber serves these operations: their credentials are those of /tsa.
func (s *Server) apiStamps(api huma.API) {
	account := customerOperation("getStampAccount", accountPath, "How many time-stamps an account has left")
	describeResponse(api, &account, "The account", fiber.MIMEApplicationJSON, huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeOf(StampAccount{})))

	list := customerOperation("listStampTokens", tokensPath, "Time-stamps that an account was given", http.StatusBadRequest)
	list.Description = "Conditions are all to be met; one that is not known is refused. With format=csv the whole list comes as CSV, with format=zip the tokens themselves."
	text := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	list.Parameters = []*huma.Param{
		text("digest", "The imprint, in hexadecimal"),
		text("serial", "Serial number, decimal or with 0x"),
		text("unit", "Name of the time-stamping unit"),
		text("from", "Earliest time: RFC 3339, or a day (UTC)"),
		text("to", "End of the time, itself not included; a day is included whole"),
		text("after", "Only tokens with a greater seq, to go on with a list; with newest=1 a smaller one"),
		text("newest", "1: the newest first; not with csv and zip"),
		text("limit", "At most so many: up to 1000 as json (100 when left out), up to 100000 as zip"),
		text("format", "json (when left out), csv or zip"),
	}
	describeResponse(api, &list, "The tokens", fiber.MIMEApplicationJSON, huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeOf(StampTokens{})))

	token := customerOperation("getStampToken", tokensPath+"/{unit}/{file}", "One time-stamp as it was delivered", http.StatusNotFound)
	token.Parameters = []*huma.Param{
		{Name: "unit", In: "path", Required: true, Description: "Name of the time-stamping unit", Schema: &huma.Schema{Type: huma.TypeString}},
		{Name: "file", In: "path", Required: true, Description: "Serial number, decimal, and .tst for the token or .tsr for the answer that granted it",
			Schema: &huma.Schema{Type: huma.TypeString}},
	}
	describeResponse(api, &token, "The token", mediaStampToken, &huma.Schema{Type: huma.TypeString, Format: "binary"})
}

func customerOperation(id, path, summary string, errors ...int) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
		Security: []map[string][]string{{stampBasic: {}}, {stampBearer: {}}},
		Errors: append(errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests,
			http.StatusServiceUnavailable, http.StatusInternalServerError)}
}
