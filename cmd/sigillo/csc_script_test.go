package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigillo/auth/passkey/passkeytest"
	"sigillo/formats/cms"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
)

// scenario is one file of the suite being played.
type scenario struct {
	t      *testing.T
	h      *cscHouse
	c      *client
	holder string // ID
	vars   map[string]string
	bearer string
	raw    string // the header Authorization of the next request
	line   int
	status int
	body   []byte
	header http.Header
	last   func() // the last request once more
	number string // of the holder's phone
	key    *passkeytest.Authenticator
}

func (s *scenario) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("line %d: "+format, append([]any{s.line}, args...)...)
}

// run plays the lines; what begins with a blank or a closing bracket goes on with the
// line before.
func (s *scenario) run(text string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " ")
		s.line = i + 1
		for i+1 < len(lines) && lines[i+1] != "" && strings.ContainsRune(" \t}]", rune(lines[i+1][0])) {
			i++
			line += "\n" + lines[i]
		}
		if line != "" && line[0] != '#' {
			s.play(line)
		}
	}
}

var status = regexp.MustCompile(`^[1-5][0-9][0-9]$`)

func (s *scenario) play(line string) {
	word, rest, _ := strings.Cut(line, " ")
	if status.MatchString(word) {
		s.expect(word, rest)
		return
	}
	switch word {
	case "v1", "v2":
		method, body, _ := strings.Cut(rest, " ")
		s.ask(http.MethodPost, "/csc/"+word+"/"+method, body)
		return
	case "GET", "PUT":
		s.ask(word, rest, "")
		return
	case "authorization":
		s.raw = s.expand(rest)
		return
	case "bearer":
		s.bearer = s.expand(rest)
		return
	}
	s.command(word, strings.Fields(s.expand(rest)))
}

func (s *scenario) command(word string, args []string) {
	switch word {
	case "holder":
		most := 50
		if len(args) > 1 {
			most, _ = strconv.Atoi(args[1])
		}
		s.c = s.h.cscHolder(s.t, hsm.KeyType(args[0]), most)
		s.holder = s.h.holderID(s.t, s.c)
		s.vars["holder"] = s.holder
		s.vars["credential"], s.vars["username"], s.vars["password"] = s.c.holder.Credential, s.c.holder.Username, s.c.holder.Password
	case "service": // a token of scope service, as OAuth gives it
		s.bearer = s.h.gate.service(s.holder)
		s.vars["service"] = s.bearer
	case "application": // a token of an application that signs in for itself
		s.bearer = s.h.gate.service("")
	case "grant": // a token of scope credential for these hashes
		s.vars["grant"] = s.h.grant(s.t, s.c, s.holder, testOrder(s.c.holder.Credential, args...))
	case "authorise": // documents by name, or hashes of such: a token of scope credential in ${grant}
		o := testOrder(s.c.holder.Credential)
		o.Documents = true
		for _, name := range args {
			digest := testDigest(strings.TrimPrefix(name, "h"))
			if strings.Contains(name, ".") {
				sum := sha256.Sum256(s.document(name))
				digest = sum[:]
			}
			o.Digests = append(o.Digests, digest)
		}
		s.vars["grant"] = s.h.grant(s.t, s.c, s.holder, o)
	case "approve", "decline": // on our own page
		s.answer(word == "approve")
	case "suspend", "revoke":
		serial := s.certificate().SerialNumber.Text(16)
		change := s.h.PKI.Suspend
		if word == "revoke" {
			change = s.h.PKI.Revoke
		}
		if err := change(s.t.Context(), serial, map[string]int{"suspend": 6, "revoke": 1}[word], "test"); err != nil {
			s.fatalf("%s: %v", word, err)
		}
	case "signed": // SIGNATURE HASH [pss]
		s.signed(args)
	case "stamped": // TOKEN HASH
		s.stamped(args[0], args[1])
	case "header": // of the answer
		if got := s.header.Get(args[0]); !regexp.MustCompile(strings.Join(args[1:], " ")).MatchString(got) {
			s.fatalf("%s is %q", args[0], got)
		}
	case "journalled":
		if !s.h.journalled(s.t, args[0], args[1], args[2]) {
			s.fatalf("the journal has no %v", args)
		}
	case "again": // N times
		n, _ := strconv.Atoi(args[0])
		last := s.last
		for range n {
			last()
		}
	case "poll": // asks until it is done
		for range 100 {
			if s.ask(http.MethodPost, "/csc/v2/signatures/signPolling", `{"requestID":"`+args[0]+`"}`); s.status != http.StatusAccepted {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	default:
		if !s.factorCommand(word, args) {
			s.fatalf("unknown word %q", word)
		}
	}
}

var variable = regexp.MustCompile(`\$\{([a-zA-Z0-9_./-]+)\}`)

// expand puts the values of ${NAME} in.
func (s *scenario) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string { return s.value(m[2 : len(m)-1]) })
}

func (s *scenario) value(name string) string {
	if v, ok := s.vars[name]; ok {
		return v
	}
	digest, isDigest := map[string]func([]byte) string{"h": b64, "u": base64.RawURLEncoding.EncodeToString, "p": base64.URLEncoding.EncodeToString}[name[:1]]
	if isDigest && len(name) == 2 {
		return digest(testDigest(name[1:]))
	}
	switch name {
	case "otp":
		return s.c.mustOTP(s.t)
	case "wrongotp":
		return wrongOTP()
	case "basic", "wrongbasic":
		password := s.c.holder.Password + s.c.mustOTP(s.t)
		if name == "wrongbasic" {
			password = "no-" + s.c.holder.Password + "000000"
		}
		return b64([]byte(s.c.holder.Username + ":" + password))
	case "sha1":
		d := sha1.Sum([]byte("document"))
		return b64(d[:])
	case "sha384":
		d := sha512.Sum384([]byte("document"))
		return b64(d[:])
	case "sha512":
		d := sha512.Sum512([]byte("document"))
		return b64(d[:])
	case "pss256": // RSASSA-PSS-params with SHA-256, MGF1 with SHA-256, salt 32
		return "MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg"
	case "url":
		return s.h.url
	}
	if strings.Contains(name, ".") {
		return b64(s.document(name))
	}
	s.fatalf("no value for %s", name)
	return ""
}

// document reads a document of the test data.
func (s *scenario) document(name string) []byte {
	data, err := os.ReadFile(document(name))
	if err != nil {
		s.fatalf("%v", err)
	}
	return data
}

func (s *scenario) ask(method, path, body string) {
	raw := s.raw
	s.last = func() { s.raw = raw; s.ask(method, path, body) }
	req, err := http.NewRequest(method, s.h.url+path, strings.NewReader(s.expand(body)))
	if err != nil {
		s.fatalf("%v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case s.raw != "":
		req.Header.Set("Authorization", s.raw)
	case s.bearer != "":
		req.Header.Set("Authorization", "Bearer "+s.bearer)
	}
	s.raw = ""
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer res.Body.Close()
	s.status, s.header = res.StatusCode, res.Header
	if s.body, err = io.ReadAll(res.Body); err != nil {
		s.fatalf("%v", err)
	}
}

// expect holds the answer against a status and a part of its JSON.
func (s *scenario) expect(code, want string) {
	if strconv.Itoa(s.status) != code {
		s.fatalf("status %d, not %s: %s", s.status, code, s.body)
	}
	want = strings.TrimSpace(want)
	switch {
	case want == "":
		return
	case want == "nothing":
		if len(s.body) > 0 {
			s.fatalf("a body: %s", s.body)
		}
		return
	case want[0] != '{': // an error: code and description
		name, words, _ := strings.Cut(want, " ")
		data, _ := json.Marshal(map[string]string{"error": name, "error_description": words})
		want = string(data)
	}
	var w, got any
	if err := json.Unmarshal([]byte(s.expand(want)), &w); err != nil {
		s.fatalf("the expectation is no JSON: %v", err)
	}
	if err := json.Unmarshal(s.body, &got); err != nil {
		s.fatalf("the answer is no JSON: %v: %s", err, s.body)
	}
	s.match("", w, got)
}

// match: an object has at least these members, null is for one that is not there; a
// list is as long; "=NAME" keeps a string, "~EXPRESSION" matches it, "*" is anything.
func (s *scenario) match(at string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			s.fatalf("%s is no object: %s", at, s.body)
		}
		for name, v := range w {
			value, there := g[name]
			if there != (v != nil) {
				s.fatalf("%s.%s is there: %t: %s", at, name, there, s.body)
			}
			if there {
				s.match(at+"."+name, v, value)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			s.fatalf("%s has other elements: %s", at, s.body)
		}
		for i := range w {
			s.match(at+"["+strconv.Itoa(i)+"]", w[i], g[i])
		}
	case string:
		g, isText := got.(string)
		switch {
		case w == "*":
		case isText && strings.HasPrefix(w, "="):
			s.vars[w[1:]] = g
		case isText && strings.HasPrefix(w, "~") && regexp.MustCompile(w[1:]).MatchString(g):
		case g != w:
			s.fatalf("%s is %v, not %q: %s", at, got, w, s.body)
		}
	default:
		if !reflect.DeepEqual(want, got) {
			s.fatalf("%s is %v, not %v: %s", at, got, want, s.body)
		}
	}
}

// answer has the holder approve or decline what is waiting.
func (s *scenario) answer(yes bool) {
	list := s.h.Remote.Asked(s.t.Context(), s.holder)
	if len(list) != 1 {
		s.fatalf("%d requests wait", len(list))
	}
	err := s.h.Remote.Decline(s.t.Context(), "somebody", list[0].ID)
	if signing.KindOf(err) != signing.NotFound {
		s.fatalf("another holder answers: %v", err)
	}
	if yes {
		err = s.h.Remote.Approve(s.t.Context(), s.holder, list[0].ID,
			signing.Evidence{Password: []byte(s.c.holder.Password), OTP: s.c.mustOTP(s.t), Client: "the page"})
	} else {
		err = s.h.Remote.Decline(s.t.Context(), s.holder, list[0].ID)
	}
	if err != nil {
		s.fatalf("%v", err)
	}
	if err := s.h.Remote.Decline(s.t.Context(), s.holder, list[0].ID); signing.KindOf(err) != signing.WrongState {
		s.fatalf("answered twice: %v", err)
	}
}

func (s *scenario) certificate() *x509.Certificate {
	var row store.Certificate
	err := s.h.DB.Read(s.t.Context(), func(tx *store.Tx) error {
		c, err := tx.Credential(s.c.holder.Credential)
		if err == nil {
			row, err = tx.Certificate(c.Certificate)
		}
		return err
	})
	if err != nil {
		s.fatalf("%v", err)
	}
	cert, err := x509.ParseCertificate(row.DER)
	if err != nil {
		s.fatalf("%v", err)
	}
	return cert
}

// signed checks a signature with the public key of the holder's certificate.
func (s *scenario) signed(args []string) {
	signature, err := base64.StdEncoding.DecodeString(args[0])
	digest, err2 := base64.StdEncoding.DecodeString(args[1])
	if err != nil || err2 != nil {
		s.fatalf("no base64: %v %v", err, err2)
	}
	h := map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 64: crypto.SHA512}[len(digest)]
	good := false
	switch k := s.certificate().PublicKey.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, digest, signature)
	case *rsa.PublicKey:
		if good = rsa.VerifyPKCS1v15(k, h, digest, signature) == nil; len(args) > 2 {
			good = rsa.VerifyPSS(k, h, digest, signature, &rsa.PSSOptions{SaltLength: h.Size()}) == nil
		}
	}
	if !good {
		s.fatalf("the signature is not good")
	}
}

func (s *scenario) stamped(token, hash string) {
	der, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		s.fatalf("%v", err)
	}
	t, err := cms.ParseToken(der)
	if err != nil {
		s.fatalf("%v", err)
	}
	digest, _ := base64.StdEncoding.DecodeString(hash)
	if !bytes.Equal(t.Info.Imprint, digest) {
		s.fatalf("the token is over something else")
	}
	if t.Info.Nonce != nil {
		s.vars["nonce"] = t.Info.Nonce.Text(16)
	}
}
