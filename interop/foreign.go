package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
)

// madeByDSS has EU DSS make every kind of signature that it can, and has our own
// validator judge them. EU DSS judges its own too: what it does not accept
// itself, nobody is asked about.
func (r *run) madeByDSS(ctx context.Context) error {
	if r.maker == nil {
		r.matrix.absent(sample{kind: "all kinds"}, "EU DSS")
		return nil
	}
	args := append(r.maker[1:len(r.maker):len(r.maker)], "--pdf", r.document("contratto.pdf"), "--xml", r.document("fattura.xml"), "--any", r.document("lettera.docx"))
	for _, t := range keyTypes {
		key, chain := r.files.key(t)
		args = append(args, "--signer", t, key, chain)
	}
	key, chain := r.files.key("tsa")
	args = append(args, "--tsa", key, chain, filepath.Join(r.dir, "dss"))
	samples, err := r.made(ctx, "EU DSS", append([]string{r.maker[0]}, args...))
	if err != nil {
		return err
	}
	if err := r.judge(ctx, samples); err != nil {
		return err
	}
	return r.raised(ctx, samples)
}

// made runs a maker and reads the lines that tell what it made.
func (r *run) made(ctx context.Context, maker string, command []string) ([]sample, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s could not make signatures: %w: %s", maker, err, log.Bytes())
	}
	var samples []sample
	for line := range strings.Lines(string(out)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(col) != 4 {
			return nil, fmt.Errorf("%s printed %q", maker, line)
		}
		if col[2] == "-" {
			r.matrix.broken(col[0], maker, fmt.Errorf("could not make it: %s", col[3]))
			continue
		}
		s := sample{kind: col[0], levels: col[1], path: col[2], foreign: maker}
		if s.levels != "-" {
			s.form = formOf(col[0])
		}
		s.document, s.wrapped = r.original(s), strings.Contains(col[0], "of a .p7m")
		s.key = col[0][strings.LastIndex(col[0], " ")+1:]
		if col[3] != "-" {
			s.contents = []string{r.document(col[3])}
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// raised has us bring what others made at level B-B up to B-LTA.
func (r *run) raised(ctx context.Context, samples []sample) error {
	c := &craft{r.pki, r.services}
	var higher []sample
	for _, s := range samples {
		variant := slices.Contains(keyTypes[1:], s.key)
		if variant || !strings.Contains(s.levels, "-BASELINE-B") || strings.Contains(s.kind, "time-stamp") {
			continue
		}
		up, err := s.raise(c)
		if err != nil {
			r.matrix.broken(up.kind, "sigillo", fmt.Errorf("could not be raised: %w", err))
			continue
		}
		higher = append(higher, up)
	}
	return r.judge(ctx, higher)
}

// raise brings one up. Counter-signatures stay as they are.
func (s sample) raise(c *craft) (sample, error) {
	up := s
	up.kind += ", raised to B-LTA"
	up.foreign = ""
	var levels []string
	for l := range strings.SplitSeq(s.levels, ",") {
		if !strings.HasPrefix(l, "counter:") {
			l = strings.TrimSuffix(l, "-B") + "-LTA"
		}
		levels = append(levels, l)
	}
	up.levels = strings.Join(levels, ",")
	signed, err := os.ReadFile(s.path)
	if err != nil {
		return up, err
	}
	var content []byte
	if len(s.contents) > 0 {
		if content, err = os.ReadFile(s.contents[0]); err != nil {
			return up, err
		}
	}
	if signed, err = c.raise(s.form, signed, ades.BB, ades.BLTA, content, []byte(s.password)); err != nil {
		return up, err
	}
	ext := filepath.Ext(s.path)
	up.path = strings.TrimSuffix(s.path, ext) + "-raised" + ext
	return up, os.WriteFile(up.path, signed, 0o600)
}

// madeByPyHanko has pyHanko sign, and us sign the empty fields that it makes.
func (r *run) madeByPyHanko(ctx context.Context) error {
	if r.hanko == nil {
		r.matrix.absent(sample{kind: "all kinds"}, "pyHanko")
		return nil
	}
	dir := filepath.Join(r.dir, "pyhanko")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	command := append(slices.Clone(r.hanko), "--pki", r.files.dir, "--tsa", r.services.base()+"/tsa", "--pdf", r.document("contratto.pdf"), "--any", r.document("lettera.docx"), dir)
	made, err := r.made(ctx, "pyHanko", append(command, "p256", "rsa2048", "pss", "ed25519"))
	if err != nil {
		return err
	}
	var signed []sample
	c := &craft{r.pki, r.services}
	for _, s := range made {
		if s.levels != "-" {
			signed = append(signed, s)
			continue
		}
		for _, l := range ends {
			k := kind{form: padesForm, packaging: "in an " + s.kind, document: s.path, suffix: ".pdf", levels: ends, keys: oneKey, make: makePades(func(o *pades.Options) {
				o.Field, o.Appearance, o.Reason = "Firma", &appearance.Appearance{Text: seen}, "Per accettazione"
			})}
			filled, err := k.sample(c, r, dir, "p256", l)
			if err != nil {
				r.matrix.broken(filled.kind, "sigillo", fmt.Errorf("could not be made: %w", err))
				continue
			}
			signed = append(signed, filled)
		}
	}
	if err := r.judge(ctx, signed); err != nil {
		return err
	}
	return r.raised(ctx, slices.DeleteFunc(signed, func(s sample) bool { return s.foreign == "" }))
}

// madeByOpenSSL has openssl sign as CAdES asks for, in DER and in streamed BER,
// and us add a signer.
func (r *run) madeByOpenSSL(ctx context.Context) error {
	dir := filepath.Join(r.dir, "openssl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	document := r.document("lettera.docx")
	var samples []sample
	make := func(kind, key string, more ...string) {
		k, chain := r.files.key(key)
		s := sample{kind: "CAdES B-B " + kind + " " + key, form: cadesForm, key: key, levels: baseline(cadesForm, ades.BB), document: document, foreign: "openssl",
			path: filepath.Join(dir, notWord.ReplaceAllString(kind+" "+key, "-")+".p7m")}
		args := append([]string{"cms", "-sign", "-cades", "-binary", "-in", document, "-signer", chain, "-inkey", k, "-certfile", r.files.ca, "-outform", "DER", "-out", s.path}, more...)
		if said, err := tool(ctx, "openssl", args...); err != nil || said != "" {
			r.matrix.broken(s.kind, "openssl", fmt.Errorf("could not make it: %v %s", err, said))
			return
		}
		if !slices.Contains(more, "-nodetach") {
			s.contents = []string{document}
		}
		samples = append(samples, s)
	}
	for _, key := range []string{"p256", "p384", "p521", "rsa2048", "rsa3072"} {
		make("attached", key, "-nodetach", "-md", "sha256")
	}
	make("attached", "pss", "-nodetach", "-md", "sha384", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest")
	make("attached, streamed", "p256", "-nodetach", "-stream", "-md", "sha512")
	make("attached, by key identifier", "p256", "-nodetach", "-keyid", "-md", "sha256")
	make("detached", "p256", "-md", "sha256")
	if err := r.judge(ctx, samples); err != nil {
		return err
	}
	return r.raised(ctx, samples)
}

// formOf reads the form from the name of a kind.
func formOf(kind string) form {
	switch {
	case strings.HasPrefix(kind, "ASiC") && strings.Contains(kind, "XAdES"):
		return asicXades
	case strings.HasPrefix(kind, "ASiC"):
		return asicCades
	}
	return form(kind[:len(cadesForm)])
}

// original finds what EU DSS was given to sign: the one whose octets, or whose
// base64, stand in the file.
func (r *run) original(s sample) string {
	switch s.form {
	case padesForm:
		return r.document("contratto.pdf")
	case xadesForm:
		return r.document("fattura.xml")
	case jadesForm:
		data, err := os.ReadFile(s.path)
		if err == nil && bytes.Contains(data, []byte("FatturaElettronica")) {
			return r.document("fattura.xml")
		}
	}
	return r.document("lettera.docx")
}
