package jades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// mechanisms of sigD (TS 119 182-1 §5.2.8.3).
const (
	byURIHash = "http://uri.etsi.org/19182/ObjectIdByURIHash"
	byURI     = "http://uri.etsi.org/19182/ObjectIdByURI"
)

// header is the protected header, in the order in which it is written.
type header struct {
	Alg     string         `json:"alg"`
	Cty     string         `json:"cty,omitempty"`      // §5.1.3
	X5tS256 string         `json:"x5t#S256,omitempty"` // §5.1.7
	X5c     []string       `json:"x5c,omitempty"`      // §5.1.8
	Typ     string         `json:"typ,omitempty"`      // RFC 7515 §4.1.9
	B64     *bool          `json:"b64,omitempty"`      // §5.1.10
	Iat     int64          `json:"iat"`                // §5.1.11
	X5tO    *digestValue   `json:"x5t#o,omitempty"`    // §5.2.2.2
	SrCms   []commitment   `json:"srCms,omitempty"`    // §5.2.3
	SigPl   *place         `json:"sigPl,omitempty"`    // §5.2.4
	SrAts   *attributes    `json:"srAts,omitempty"`    // §5.2.5
	AdoTst  *tstContainer  `json:"adoTst,omitempty"`   // §5.2.6
	SigPId  *policy        `json:"sigPId,omitempty"`   // §5.2.7
	SigD    *signatureData `json:"sigD,omitempty"`     // §5.2.8
	Crit    []string       `json:"crit,omitempty"`     // §5.1.9
}

type digestValue struct {
	DigAlg string `json:"digAlg"`
	DigVal string `json:"digVal"`
}

type objectID struct {
	ID string `json:"id"`
}

type commitment struct {
	CommID objectID `json:"commId"`
}

type place struct {
	Country    string `json:"addressCountry,omitempty"`
	Locality   string `json:"addressLocality,omitempty"`
	Region     string `json:"addressRegion,omitempty"`
	PostalCode string `json:"postalCode,omitempty"`
	Street     string `json:"streetAddress,omitempty"`
}

type attributes struct {
	Claimed []qArray `json:"claimed"`
}

type qArray struct {
	MediaType string   `json:"mediaType"`
	Encoding  string   `json:"encoding"`
	Vals      []string `json:"qVals"`
}

type pkiObject struct {
	Val string `json:"val"`
}

type tstContainer struct {
	Tokens []pkiObject `json:"tstTokens"`
}

type policy struct {
	ID     objectID            `json:"id"`
	DigAlg string              `json:"digAlg,omitempty"`
	DigVal string              `json:"digVal,omitempty"`
	Quals  []map[string]string `json:"sigPQuals,omitempty"`
}

type signatureData struct {
	Mechanism string   `json:"mId"`
	Pars      []string `json:"pars"`
	HashM     string   `json:"hashM"`
	HashV     []string `json:"hashV"`
	Ctys      []string `json:"ctys"`
}

// marshal writes JSON without the escapes that are meant for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, wrap(cms.BadOptions, err, "writing JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// newHeader writes all that the signer says, but for sigD and cty, which are about
// the document.
func newHeader(o Options, alg string, h crypto.Hash) (*header, error) {
	out := &header{Alg: alg, Typ: "jose+json", Iat: o.SigningTime.Unix()}
	if o.Serialization == Compact {
		out.Typ = "jose"
	}
	out.X5c = append(out.X5c, base64.StdEncoding.EncodeToString(o.Certificate.Raw))
	for _, c := range o.Chain {
		if c != nil && !c.Equal(o.Certificate) {
			out.X5c = append(out.X5c, base64.StdEncoding.EncodeToString(c.Raw))
		}
	}
	thumbprint := b64.EncodeToString(digestOf(h, o.Certificate.Raw))
	if h == crypto.SHA256 {
		out.X5tS256 = thumbprint
	} else {
		out.X5tO = &digestValue{digestName(h), thumbprint}
	}
	return out, out.addProperties(o.Properties)
}

func (h *header) addProperties(p ades.Properties) error {
	for _, c := range p.Commitments {
		uri := c.URI()
		if uri == "" && strings.Contains(string(c), ":") {
			uri = string(c) // a URI of the caller's own
		}
		if uri == "" {
			return fail(cms.BadOptions, "the commitment type %q is neither known nor a URI", c)
		}
		h.SrCms = append(h.SrCms, commitment{objectID{uri}})
	}
	if len(p.ClaimedRoles) > 0 {
		h.SrAts = &attributes{[]qArray{{"text/plain", "binary", p.ClaimedRoles}}}
	}
	if p.Place != nil && *p.Place != (ades.Place{}) {
		h.SigPl = &place{p.Place.Country, p.Place.City, p.Place.Province, p.Place.PostalCode, p.Place.Street}
	}
	if len(p.ContentStamps) > 0 {
		h.AdoTst = &tstContainer{}
	}
	for _, token := range p.ContentStamps {
		if _, err := cms.ParseToken(token); err != nil {
			return err
		}
		h.AdoTst.Tokens = append(h.AdoTst.Tokens, pkiObject{base64.StdEncoding.EncodeToString(token)})
	}
	return h.addPolicy(p.Policy)
}

func (h *header) addPolicy(p *ades.Policy) error {
	if p == nil {
		return nil
	}
	if len(p.OID) == 0 || digestName(p.Hash) == "" || len(p.Digest) != p.Hash.Size() {
		return fail(cms.BadOptions, "a signature policy needs its object identifier and the SHA-2 digest of its text")
	}
	h.SigPId = &policy{ID: objectID{"urn:oid:" + p.OID.String()}, DigAlg: digestName(p.Hash), DigVal: b64.EncodeToString(p.Digest)}
	if p.URI != "" {
		h.SigPId.Quals = []map[string]string{{"spURI": p.URI}}
	}
	return nil
}

// encode gives the protected header as it stands in the JWS.
func (h *header) encode() (string, error) {
	raw, err := marshal(h)
	return b64.EncodeToString(raw), err
}

// shortMediaType leaves "application/" out where RFC 7515 §4.1.10 wants it.
func shortMediaType(m string) string {
	if rest, ok := strings.CutPrefix(m, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return m
}

// longMediaType is the inverse of shortMediaType.
func longMediaType(m string) string {
	if m == "" || strings.Contains(m, "/") {
		return m
	}
	return "application/" + m
}

func digestOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// iatOnly is when TS 119 182-1 §6.3 stops to allow sigT in place of iat.
var iatOnly = time.Date(2025, 5, 15, 0, 0, 0, 0, time.UTC)
