package csc

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
)

type infoInput struct {
	Lang string `json:"lang" doc:"Preferred language (RFC 5646)"`
}

type infoOutput struct {
	Specs       string   `json:"specs" required:"true"`
	Name        string   `json:"name" required:"true"`
	Logo        string   `json:"logo" required:"true"`
	Region      string   `json:"region" required:"true"`
	Lang        string   `json:"lang" required:"true"`
	Description string   `json:"description" required:"true"`
	AuthType    []string `json:"authType" required:"true"`
	OAuth2      string   `json:"oauth2,omitempty"`
	Methods     []string `json:"methods" required:"true"`
}

// infoOutput2 is that of v2, with what 2.2 adds.
type infoOutput2 struct {
	Specs             string           `json:"specs" required:"true"`
	Name              string           `json:"name" required:"true"`
	Logo              string           `json:"logo" required:"true"`
	Region            string           `json:"region" required:"true"`
	Lang              string           `json:"lang" required:"true"`
	Description       string           `json:"description" required:"true"`
	AuthType          []string         `json:"authType" required:"true"`
	OAuth2            string           `json:"oauth2,omitempty"`
	OAuth2Issuer      string           `json:"oauth2Issuer,omitempty"`
	SupportsRAR       bool             `json:"supportsRar" doc:"2.2"`
	HashTypes         []string         `json:"supportedHashTypes" doc:"2.2" required:"true"`
	Asynchronous      bool             `json:"asynchronousOperationMode"`
	Methods           []string         `json:"methods" required:"true"`
	ValidationInfo    bool             `json:"validationInfo"`
	SignAlgorithms    signAlgorithms   `json:"signAlgorithms" required:"true"`
	SignatureFormats  signatureFormats `json:"signature_formats" required:"true"`
	ConformanceLevels []string         `json:"conformance_levels" required:"true"`
}

type signAlgorithms struct {
	Algos []string `json:"algos" required:"true"`
}

type signatureFormats struct {
	Formats            []string   `json:"formats" required:"true"`
	EnvelopeProperties [][]string `json:"envelope_properties" required:"true"`
}

var descriptions = map[string]string{
	"it": "Firma remota: le chiavi dei titolari sono in un HSM e firmano solo ciò che il titolare autorizza.",
	"en": "Remote signatures: the holders' keys are in an HSM and sign only what their holder authorises.",
}

// language is the one of ours that a client prefers; English, unless it is Italian.
func language(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if primary == "it" {
		return "it"
	}
	return "en"
}

// authTypes lists how an application gets a token.
func (s *Server) authTypes() []string {
	types := []string{}
	if s.cfg.Login != nil {
		types = append(types, "basic")
	}
	if s.cfg.Gate != nil {
		types = append(types, "oauth2code")
		if s.cfg.OAuth.Client {
			types = append(types, "oauth2client")
		}
	}
	return types
}

// offered lists the methods of a version, those of OAuth too.
func (s *Server) offered(v int) []string {
	var out []string
	for _, m := range s.methods {
		if m.v == v && m.name != "info" {
			out = append(out, m.name)
		}
	}
	if s.cfg.Gate != nil {
		out = append(out, "oauth2/authorize", "oauth2/token", "oauth2/revoke")
		if v == 2 {
			out = append(out, "oauth2/pushed_authorize")
		}
	}
	slices.Sort(out)
	return append([]string{"info"}, out...)
}

func (k *call) info(in *infoInput) (any, error) {
	lang := language(in.Lang)
	out := infoOutput{Specs: "1.0.4.0", Name: k.cfg.Name, Logo: k.cfg.BaseURL + "/csc/logo.png", Region: k.cfg.Region, Lang: lang,
		Description: descriptions[lang], AuthType: k.authTypes(), Methods: k.offered(k.v)}
	if k.cfg.Gate != nil {
		out.OAuth2 = k.cfg.OAuth.Base
	}
	return out, nil
}

func (k *call) info2(in *infoInput) (any, error) {
	lang := language(in.Lang)
	out := infoOutput2{Specs: "2.0.0.0", Name: k.cfg.Name, Logo: k.cfg.BaseURL + "/csc/logo.png", Region: k.cfg.Region, Lang: lang,
		Description: descriptions[lang], AuthType: k.authTypes(), SupportsRAR: k.cfg.OAuth.RAR, HashTypes: []string{"DTBSR"},
		Asynchronous: true, Methods: k.offered(k.v), SignAlgorithms: signAlgorithms{slices.Concat(ecAlgorithms, rsaAlgorithms)},
		SignatureFormats: signatureFormats{[]string{}, [][]string{}}, ConformanceLevels: []string{}}
	if _, there := k.methods["/csc/v2/signatures/signDoc"]; there {
		out.HashTypes, out.ValidationInfo = append(out.HashTypes, "SDR"), true
		out.SignatureFormats, out.ConformanceLevels = signatureFormats{formatNames, envelopeNames}, levelNames
	}
	if k.cfg.Gate != nil {
		if out.OAuth2Issuer = k.cfg.OAuth.Issuer; out.OAuth2Issuer == "" {
			out.OAuth2 = k.cfg.OAuth.Base
		}
	}
	return out, nil
}

// drawLogo draws a seal: PNG, 128 by 128.
func drawLogo() ([]byte, error) {
	const size, middle = 128, 64
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			dx, dy := x-middle, y-middle
			switch d := dx*dx + dy*dy; {
			case d > 62*62:
			case d > 54*54 || d < 22*22, d < 46*46 && d > 42*42:
				img.Set(x, y, color.NRGBA{0, 0x66, 0xcc, 0xff})
			default:
				img.Set(x, y, color.NRGBA{0xff, 0xff, 0xff, 0xff})
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}
