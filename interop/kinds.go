package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigillo/formats/ades"
)

// kind is a way to sign: a form and a packaging, at some levels, with some keys.
type kind struct {
	form      form
	packaging string
	document  string // what is signed
	suffix    string // of the signed file
	beside    bool   // the document is not in the signed file
	levels    []ades.Level
	keys      []string
	// signatures are as many as there are in the file; 0 is one. The levels of
	// those that are not all of the level made are told by words.
	signatures int
	words      func(ades.Level) string
	wrapped    bool
	password   string
	// make signs doc at a level. It may make a lower one and raise it.
	make func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error)
}

var (
	allLevels = []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA}
	ends      = []ades.Level{ades.BB, ades.BLTA}
	onlyBB    = []ades.Level{ades.BB}
	oneKey    = []string{"p256"}
)

// claimed is the time that signers of this run claim.
func claimed() time.Time { return time.Now().Add(-2 * time.Second).Truncate(time.Second) }

// base is the level that a signature has when it is assembled; what is above it is raised.
func base(l ades.Level) ades.Level {
	if l.AtLeast(ades.BT) {
		return ades.BT
	}
	return ades.BB
}

// room is the place that a signature made at a level needs for its time-stamp.
func room(l ades.Level) int {
	if l.AtLeast(ades.BT) {
		return tokenSize
	}
	return 0
}

// properties are what a signer says beside the document, but for a content stamp.
func properties() ades.Properties {
	rules := sha256.Sum256([]byte("regole di firma"))
	return ades.Properties{
		Policy:       &ades.Policy{OID: []int{1, 3, 6, 1, 4, 1, 99999, 2}, Hash: crypto.SHA256, Digest: rules[:]},
		Commitments:  []ades.Commitment{ades.ProofOfApproval, ades.ProofOfOrigin},
		ClaimedRoles: []string{"Legale rappresentante", "Socio"},
		Place:        &ades.Place{Street: "Via Giosuè Carducci 1", City: "Forlì", Province: "FC", PostalCode: "47121", Country: "IT"},
	}
}

// withDigest is the same signer with another digest.
func (id *identity) withDigest(h crypto.Hash) *identity {
	other := *id
	other.hash = h
	return &other
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// madeByUs makes every kind of signature and has all judge them.
func (r *run) madeByUs(ctx context.Context) error {
	c := &craft{r.pki, r.services}
	dir := filepath.Join(r.dir, "ours")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var samples []sample
	for _, k := range kinds() {
		for _, l := range k.levels {
			for _, key := range k.keys {
				s, err := k.sample(c, r, dir, key, l)
				if err != nil {
					r.matrix.broken(s.kind, "sigillo", fmt.Errorf("could not be made: %w", err))
					continue
				}
				samples = append(samples, s)
			}
		}
	}
	if len(samples) == 0 {
		return errors.New("nothing could be made")
	}
	return r.judge(ctx, samples)
}

// sample makes one signature.
func (k kind) sample(c *craft, r *run, dir, key string, l ades.Level) (sample, error) {
	s := sample{kind: strings.Join([]string{string(k.form), string(l), k.packaging, key}, " "), form: k.form, key: key, wrapped: k.wrapped, password: k.password}
	s.document = r.document(k.document)
	if filepath.IsAbs(k.document) {
		s.document = k.document
	}
	if k.beside {
		s.contents = []string{s.document}
	}
	s.levels = strings.Repeat(","+baseline(k.form, l), max(k.signatures, 1))[1:]
	if k.words != nil {
		s.levels = k.words(l)
	}
	doc, err := os.ReadFile(s.document)
	if err != nil {
		return s, err
	}
	signed, err := k.make(c, doc, r.pki.signers[key], l)
	if err != nil {
		return s, err
	}
	s.path = filepath.Join(dir, notWord.ReplaceAllString(s.kind, "-")+k.suffix)
	return s, os.WriteFile(s.path, signed, 0o600)
}

// kinds are all that we make.
func kinds() []kind {
	var all []kind
	for _, some := range [][]kind{cadesKinds(), padesKinds(), xadesKinds(), jadesKinds(), asicKinds()} {
		all = append(all, some...)
	}
	return all
}

// digests makes kinds that differ from one in the digest only.
func digests(k kind, hashes ...crypto.Hash) []kind {
	var all []kind
	for _, h := range hashes {
		other := k
		other.packaging += " " + h.String()
		other.levels = onlyBB
		other.keys = []string{"p256", "rsa2048", "pss"}
		other.make = func(c *craft, doc []byte, id *identity, l ades.Level) ([]byte, error) {
			return k.make(c, doc, id.withDigest(h), l)
		}
		all = append(all, other)
	}
	return all
}
