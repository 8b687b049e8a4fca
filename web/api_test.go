package web

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

// TestMainJobByProgram walks the whole job through the REST interface.
func TestMainJobByProgram(t *testing.T) {
	t.Parallel()
	w := build(t)
	p := w.program()
	var doc signing.Document
	r := p.call("POST", "/documents?name=contratto%20di%20locazione.pdf", strings.NewReader("%PDF-1.7"))
	p.want(r, 201, &doc)
	if doc.Name != "contratto di locazione.pdf" || r.Header.Get("Location") != "/api/v1/documents/"+doc.ID {
		t.Errorf("%+v %s", doc, r.Header.Get("Location"))
	}
	var docs []signing.Document
	p.want(p.call("GET", "/documents", nil), 200, &docs)
	p.want(p.call("GET", "/documents/"+doc.ID, nil), 200, &doc)
	if len(docs) != 1 || docs[0].SHA256 != doc.SHA256 {
		t.Errorf("%+v", docs)
	}
	if r = p.call("GET", "/documents/"+doc.ID+"/pages/1/text", nil); r.StatusCode != 200 || !strings.HasPrefix(r.body, "Words of page 1") {
		t.Errorf("page text: %d %s", r.StatusCode, r.body)
	}
	if r = p.call("POST", "/documents/"+doc.ID+"/convert", nil); r.StatusCode != 422 || !strings.Contains(r.body, "unconvertible") {
		t.Errorf("convert: %d %s", r.StatusCode, r.body)
	}
	if r = p.call("GET", "/documents/"+doc.ID+"/pages/1", nil); r.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(r.body, "\x89PNG") {
		t.Errorf("page: %d %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	if r = p.call("GET", "/documents/"+doc.ID+"/difference/2", nil); r.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(r.body, "\x89PNG") {
		t.Errorf("picture of a difference: %d %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	p.want(p.call("GET", "/documents/"+doc.ID+"/difference/3", nil), 422, nil)
	var creds []signing.Credential
	p.want(p.call("GET", "/credentials", nil), 200, &creds)
	var tx signing.Transaction
	r = p.call("POST", "/transactions", signing.Request{Credential: creds[0].ID, Documents: []signing.Order{{Document: doc.ID, Form: signing.PAdES}}})
	p.want(r, 201, &tx)
	if len(tx.Items) != 1 || tx.Items[0].Digest == "" || tx.Items[0].Level != signing.BT || r.Header.Get("Location") != "/api/v1/transactions/"+tx.ID {
		t.Errorf("%+v", tx)
	}
	path := "/transactions/" + tx.ID
	if r = p.call("GET", path+"/items/0/content", nil); r.StatusCode != 409 {
		t.Errorf("content before signing: %d", r.StatusCode)
	}
	p.want(p.call("POST", path+"/sign", map[string]string{"password": "wrong", "otp": "000002"}), 403, nil)
	p.want(p.call("POST", path+"/sign", map[string]string{"password": testPassword, "otp": "000002"}), 200, &tx)
	if tx.State != signing.Delivered || tx.Items[0].Indication != "TOTAL_PASSED" {
		t.Errorf("%+v", tx)
	}
	for _, c := range w.rooms.wiped {
		if c != 0 {
			t.Fatal("password was not wiped")
		}
	}
	p.want(p.call("POST", path+"/sign", map[string]string{"password": testPassword, "otp": "000003"}), 409, nil)
	r = p.call("GET", path+"/items/0/content", nil)
	p.want(r, 200, nil)
	if r.body != "signed contratto di locazione.pdf" || r.Header.Get("Content-Length") != "33" ||
		!strings.HasPrefix(r.Header.Get("Content-Disposition"), `attachment; filename="contratto di locazione-signed.pdf"; filename*=UTF-8''contratto%20`) {
		t.Errorf("%q %v", r.body, r.Header)
	}
	var txs []signing.Transaction
	p.want(p.call("GET", "/transactions", nil), 200, &txs)
	p.want(p.call("GET", path, nil), 200, &tx)
	var cred signing.Credential
	p.want(p.call("POST", "/credentials/"+creds[0].ID+"/suspend", nil), 200, &cred)
	if cred.Status != "suspended" || len(txs) != 1 {
		t.Errorf("%+v %d", cred, len(txs))
	}
	p.want(p.call("POST", "/credentials/other/suspend", nil), 404, nil)
	p.want(p.call("DELETE", "/session", nil), 204, nil)
	if r = p.call("GET", "/documents", nil); r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("Www-Authenticate"), "Bearer") {
		t.Errorf("after sign-out: %d", r.StatusCode)
	}
	if log := w.log.String(); strings.Contains(log, testPassword) || strings.Contains(log, p.bearer) || strings.Contains(log, "locazione") {
		t.Error("the log holds a secret, or a query")
	}
}

func TestAPISession(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	w := build(t, func(c *Config) { c.Now = func() time.Time { return now } })
	p := &program{browser: w.browser()}
	var s Session
	p.want(p.call("POST", "/session", map[string]string{"username": testUser, "password": testPassword, "otp": "123 456"}), 200, &s)
	if !s.Expires.Equal(now.Add(8*time.Hour)) || s.Idle != 900 || len(s.Token) < 16 {
		t.Errorf("%+v", s)
	}
	// A cookie is no bearer token: nothing that a browser sends by itself counts.
	p.cookies[sessionCookie] = s.Token
	p.want(p.call("GET", "/documents", nil), 401, nil)
	for _, header := range []string{"Bearer", "Bearer ", "Basic " + s.Token, "Bearer " + s.Token + "x"} {
		if r := p.call("GET", "/documents", nil, "Authorization", header); r.StatusCode != 401 {
			t.Errorf("%q: %d", header, r.StatusCode)
		}
	}
}

// TestInvalidBodies: what doesn't fit the schema is named, and never repeated.
func TestInvalidBodies(t *testing.T) {
	t.Parallel()
	w := build(t)
	p := w.program()
	for name, c := range map[string]struct {
		path   string
		body   string
		status int
		where  string
	}{
		"not JSON":      {"/session", `{"password":"hunter2-secret`, 400, "body"},
		"missing":       {"/session", `{"username":"a","password":"hunter2-secret"}`, 422, "body"},
		"wrong type":    {"/session", `{"username":"a","password":42,"otp":"123456"}`, 422, "body.password"},
		"unknown field": {"/session", `{"username":"a","password":"hunter2-secret","otp":"123456","x":"hunter2-secret"}`, 422, "body.x"},
		"short OTP":     {"/session", `{"username":"a","password":"hunter2-secret","otp":"1"}`, 422, "body.otp"},
		"no documents":  {"/transactions", `{"credential":"c-1","documents":[]}`, 422, "body.documents"},
		"bad form":      {"/transactions", `{"credential":"c-1","documents":[{"document":"d","form":"pgp"}]}`, 422, "body.documents[0].form"},
		"empty":         {"/transactions", ``, 400, ""},
		"too large":     {"/transactions", `{"credential":"` + strings.Repeat("x", bodyLimit) + `"}`, 413, ""},
	} {
		r := p.do("POST", "/api/v1"+c.path, "application/json", strings.NewReader(c.body), "Authorization", "Bearer "+p.bearer)
		var got Problem
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatalf("%s: %v: %s", name, err, r.body)
		}
		if r.StatusCode != c.status || got.Status != c.status || got.Title == "" || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
		if c.where != "" && !slices.ContainsFunc(got.Fields, func(f ProblemField) bool { return f.Location == c.where }) {
			t.Errorf("%s: %s is not named in %s", name, c.where, r.body)
		}
		if strings.Contains(r.body+w.log.String(), "hunter2") {
			t.Errorf("%s: the password is repeated: %s", name, r.body)
		}
	}
}

var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

// TestOpenAPI: the document is well formed, its references lead somewhere, and
// it and the router tell of the same operations.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := build(t)
	r := w.browser().get(apiOpenAPI)
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || r.StatusCode != 200 {
		t.Fatal(r.StatusCode, err)
	}
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("openapi is %q", v)
	}
	checkReferences(t, doc, doc, "#")
	var described []string
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, v := range item.(map[string]any) {
			op := v.(map[string]any)
			described = append(described, strings.ToUpper(method)+" "+path)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q", method, path, id)
			}
			ids[id] = true
			checkOperation(t, method+" "+path, path, op)
			checkDoor(t, w, strings.ToUpper(method), path, op["security"] != nil)
		}
	}
	var routed []string
	for _, route := range w.srv.app.GetRoutes(true) {
		if !strings.HasPrefix(route.Path, apiBase+"/") || route.Method == fiber.MethodHead || route.Path == apiOpenAPI || route.Path == apiDocs {
			continue
		}
		name := route.Method + " " + regexp.MustCompile(`:([a-z]+)`).ReplaceAllString(route.Path, "{$1}")
		if !slices.Contains(routed, name) {
			routed = append(routed, name)
		}
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) || len(routed) < 13 {
		t.Errorf("document: %v\nrouter: %v", described, routed)
	}
}

func checkOperation(t *testing.T, name, path string, op map[string]any) {
	t.Helper()
	declared := map[string]bool{}
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		if p := p.(map[string]any); p["in"] == "path" {
			declared[p["name"].(string)] = true
			if p["required"] != true {
				t.Errorf("%s: path parameter %v is not required", name, p["name"])
			}
		}
	}
	for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
		if !declared[m[1]] {
			t.Errorf("%s: parameter %s is not declared", name, m[1])
		}
	}
	responses, _ := op["responses"].(map[string]any)
	good := 0
	for code, v := range responses {
		if strings.HasPrefix(code, "2") {
			good++
			continue
		}
		content, _ := v.(map[string]any)["content"].(map[string]any)
		if content["application/problem+json"] == nil {
			t.Errorf("%s: %s is no problem document: %v", name, code, v)
		}
	}
	if good != 1 || op["summary"] == "" {
		t.Errorf("%s: %d good responses", name, good)
	}
}

// checkDoor: an operation that asks for a token is closed without one.
func checkDoor(t *testing.T, w *wall, method, path string, private bool) {
	t.Helper()
	r := w.browser().do(method, pathParameter.ReplaceAllString(path, "1"), "application/json", strings.NewReader("{}"))
	if private != (r.StatusCode == http.StatusUnauthorized) {
		t.Errorf("%s %s: private %t, %d without a token", method, path, private, r.StatusCode)
	}
}

func checkReferences(t *testing.T, doc, node any, at string) {
	t.Helper()
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			target := doc
			for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := target.(map[string]any)
				target = m[step]
			}
			if target == nil {
				t.Errorf("%s: %s leads nowhere", at, ref)
			}
		}
		for k, v := range node {
			checkReferences(t, doc, v, at+"/"+k)
		}
	case []any:
		for _, v := range node {
			checkReferences(t, doc, v, at+"[]")
		}
	}
}

// TestDocsPage shows every operation and schema, without a foreign script.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	w := build(t)
	page := w.browser().get(apiDocs)
	for _, want := range []string{"createSession", "getSigned", "schema-Transaction", "/api/v1/documents/{id}/pages/{n}"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(page.body, "https://") {
		t.Error("something comes from elsewhere")
	}
}
