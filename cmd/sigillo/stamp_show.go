package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/legible"
	"sigillo/formats/m7m"
	"sigillo/formats/tsd"
)

// shown is what a file says about time-stamps, nothing of it checked. With --json
// each file is such an object, one a line; it only grows.
type shown struct {
	File      string       `json:"file"`
	Kind      string       `json:"kind"` // request, response, refusal, token, tsd, evidence-record, m7m
	Hash      string       `json:"hash,omitempty"`
	Imprint   string       `json:"imprint,omitempty"` // hexadecimal; of a request
	Policy    string       `json:"policy,omitempty"`
	Nonce     string       `json:"nonce,omitempty"` // decimal
	CertReq   bool         `json:"certReq,omitempty"`
	Refusal   string       `json:"refusal,omitempty"`
	Document  string       `json:"document,omitempty"` // name, or address outside of the file
	Size      int64        `json:"size,omitempty"`     // of the document in the file
	Protected bool         `json:"protected,omitempty"`
	Chains    []int        `json:"chains,omitempty"` // time-stamps in each chain of an evidence record
	Stamps    []shownStamp `json:"stamps,omitempty"`
}

type shownStamp struct {
	Time     time.Time `json:"time"`
	Accuracy string    `json:"accuracy,omitempty"`
	TSA      string    `json:"tsa,omitempty"`
	Serial   string    `json:"serial"` // decimal
	Policy   string    `json:"policy"`
	Hash     string    `json:"hash"`
	Imprint  string    `json:"imprint"`
	Nonce    string    `json:"nonce,omitempty"`
}

// runStampShow tells what files say; whether it is true is for `sigillo verify`.
func runStampShow(e env, args []string) int {
	fs := flags(e, "stamp show")
	asJSON := fs.Bool("json", false, say("un oggetto JSON per riga", "one JSON object a line"))
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() == 0 {
		return endStamp(e, badUsage("indicare i file da mostrare", "name the files to show"))
	}
	worst := exitGood
	for _, path := range fs.Args() {
		s, err := showFile(path)
		if err != nil {
			worst = max(worst, endStamp(e, &stampError{exitUnreadable, path + " non si può leggere", path + " cannot be read", err}))
			continue
		}
		s.File = path
		if *asJSON {
			err = printJSON(e.out, s)
		} else {
			_, err = fmt.Fprint(e.text(), s.text())
		}
		if err != nil {
			return failed(e, err)
		}
	}
	return worst
}

func showFile(path string) (s shown, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if d, err := tsd.Parse(f, size); tsd.KindOf(err) != cms.NotCMS {
		return showData(d, err)
	}
	if m, err := m7m.Parse(f, size); m7m.KindOf(err) != cms.NotCMS {
		if err != nil {
			return s, err
		}
		s = shown{Kind: "m7m", Document: m.Name, Size: m.Size}
		return s, s.add(m.Token)
	}
	return showSmall(f, size)
}

func showData(d *tsd.Data, err error) (s shown, _ error) {
	if err != nil {
		return s, err
	}
	s = shown{Kind: "tsd", Document: d.URI, Size: d.ContentSize()}
	if d.Meta != nil && d.Meta.FileName != "" {
		s.Document, s.Protected = d.Meta.FileName, d.Meta.Protected
	}
	if d.Record != nil {
		r, err := ers.Parse(d.Record)
		if err != nil {
			return s, err
		}
		return s, s.record(r)
	}
	for _, ev := range d.Evidence {
		if err := s.add(ev.Token); err != nil {
			return s, err
		}
	}
	return s, nil
}

// showSmall shows what is held in memory: requests, answers, tokens, records.
func showSmall(f *os.File, size int64) (s shown, err error) {
	b, err := readSmall(f.Name(), min(size, ers.MaxSize))
	if err != nil {
		return s, err
	}
	if r, err := ers.Parse(b); ers.KindOf(err) != cms.NotCMS && ers.KindOf(err) != cms.Malformed {
		if err != nil {
			return s, err
		}
		s.Kind = "evidence-record"
		return s, s.record(r)
	}
	if r, refusal := cms.ParseTimestampRequest(b); refusal == nil {
		s = shown{Kind: "request", Hash: r.Hash.String(), Imprint: hex.EncodeToString(r.Imprint), CertReq: r.CertReq}
		if len(r.Policy) > 0 {
			s.Policy = r.Policy.String()
		}
		if r.Nonce != nil {
			s.Nonce = r.Nonce.String()
		}
		return s, nil
	}
	if _, err := cms.ParseToken(b); err == nil {
		s.Kind = "token"
		return s, s.add(b)
	}
	resp, err := cms.ParseResponse(b)
	if err != nil {
		return s, err
	}
	if resp.Refusal != nil {
		return shown{Kind: "refusal", Refusal: legible.Line(resp.Refusal.Error())}, nil
	}
	s.Kind = "response"
	return s, s.add(resp.Token)
}

func (s *shown) record(r *ers.Record) error {
	for _, c := range r.Chains {
		s.Chains = append(s.Chains, len(c.Stamps))
	}
	for _, token := range r.Tokens() {
		if err := s.add(token); err != nil {
			return err
		}
	}
	return nil
}

func (s *shown) add(token []byte) error {
	t, err := cms.ParseToken(token)
	if err != nil {
		return err
	}
	one := shownStamp{Time: t.Info.GenTime.UTC(), Serial: t.Info.SerialNumber.String(), Policy: t.Info.Policy.String(),
		Hash: t.Info.Hash.String(), Imprint: hex.EncodeToString(t.Info.Imprint)}
	if t.Info.Accuracy > 0 {
		one.Accuracy = t.Info.Accuracy.String()
	}
	if t.Certificate != nil {
		one.TSA = legible.Line(cms.ReadableName(t.Certificate.RawSubject))
	}
	if t.Info.Nonce != nil {
		one.Nonce = t.Info.Nonce.String()
	}
	s.Stamps = append(s.Stamps, one)
	return nil
}

// text is for a person to read.
func (s shown) text() string {
	var b bytes.Buffer
	line := func(it, en string, value any) {
		if v := fmt.Sprint(value); v != "" && v != "0" && v != "false" && v != "[]" {
			fmt.Fprintf(&b, "  %s: %s\n", say(it, en), legible.Line(v))
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", legible.Line(s.File), s.Kind)
	line("documento", "document", s.Document)
	line("ottetti", "octets", s.Size)
	line("nome coperto dalla marca", "name under the time-stamp", s.Protected)
	line("impronta "+s.Hash, "imprint "+s.Hash, s.Imprint)
	line("politica", "policy", s.Policy)
	line("nonce", "nonce", s.Nonce)
	line("certificati richiesti", "certificates asked for", s.CertReq)
	line("rifiuto", "refusal", s.Refusal)
	line("marche per catena", "time-stamps in each chain", s.Chains)
	for _, t := range s.Stamps {
		line("data", "time", t.Time.Format(time.RFC3339Nano)+accuracy(t.Accuracy))
		line("autorità", "authority", t.TSA)
		line("numero di serie", "serial number", t.Serial)
		line("politica", "policy", t.Policy)
		line("impronta "+t.Hash, "imprint "+t.Hash, t.Imprint)
		line("nonce", "nonce", t.Nonce)
	}
	return b.String()
}

func accuracy(a string) string {
	if a == "" {
		return ""
	}
	return " ± " + a
}
