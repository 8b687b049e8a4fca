package main

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"path/filepath"

	"sigillo/formats/ers"
)

// recordKind is a way to make an evidence record over documents.
type recordKind struct {
	name      string
	documents int // of the record that is judged
	others    int // further records of the same tree
	renew     func(*craft, []*ers.Record, []ers.Document) ([]*ers.Record, error)
}

func recordKinds() []recordKind {
	twice := func(c *craft, records []*ers.Record, documents []ers.Document) ([]*ers.Record, error) {
		records, err := renewTree(c, records, documents)
		if err != nil {
			return nil, err
		}
		return renewStamp(c, records, documents)
	}
	return []recordKind{
		{name: "of a document", documents: 1},
		{name: "of a group of three", documents: 3},
		{name: "out of a tree of six", documents: 1, others: 5},
		{name: "of a group in a tree", documents: 4, others: 2},
		{name: "stamped anew", documents: 1, others: 2, renew: renewStamp},
		{name: "with a new tree", documents: 1, renew: renewTree},
		{name: "with a new tree, of a group", documents: 3, renew: renewTree},
		{name: "with a new tree, stamped anew", documents: 1, renew: twice},
	}
}

// evidenceRecords has evidence records judged.
func (r *run) evidenceRecords(ctx context.Context) error {
	dir := filepath.Join(r.dir, "records")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c := &craft{r.pki, r.services}
	var samples []sample
	for i, k := range recordKinds() {
		s, err := k.sample(c, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			r.matrix.broken(s.kind, "sigillo", fmt.Errorf("could not be made: %w", err))
			continue
		}
		samples = append(samples, s)
	}
	return r.judge(ctx, samples)
}

// sample makes the documents and the records of a tree; the first record is judged.
func (k recordKind) sample(c *craft, dir string) (sample, error) {
	s := sample{kind: "evidence record " + k.name, form: records, levels: "EVIDENCE", path: filepath.Join(dir, "evidence.ers")}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, err
	}
	var documents []ers.Document
	for i := range k.documents + k.others {
		path := filepath.Join(dir, fmt.Sprintf("document-%d.txt", i))
		text := fmt.Sprintf("document number %d, which is to be proven for long\n", i)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return s, err
		}
		documents = append(documents, ers.Document{Name: path, Digest: func(h crypto.Hash) ([]byte, error) {
			w := h.New()
			w.Write([]byte(text))
			return w.Sum(nil), nil
		}})
		if i < k.documents {
			s.contents = append(s.contents, path)
		}
	}
	s.document = s.contents[0]
	groups, err := groupsOf(documents, k.documents)
	if err != nil {
		return s, err
	}
	p, err := ers.Prepare(crypto.SHA256, groups)
	if err != nil {
		return s, err
	}
	made, err := c.records(p)
	if err == nil && k.renew != nil {
		made, err = k.renew(c, made, documents)
	}
	if err != nil {
		return s, err
	}
	return s, os.WriteFile(s.path, made[0].Marshal(), 0o600)
}

// groupsOf makes a group of the first n documents, and one of each other.
func groupsOf(documents []ers.Document, n int) ([]ers.Group, error) {
	var groups []ers.Group
	for i, d := range documents {
		sum, err := d.Digest(crypto.SHA256)
		if err != nil {
			return nil, err
		}
		if i == 0 || i >= n {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], sum)
	}
	return groups, nil
}

// records has what was prepared stamped.
func (c *craft) records(p *ers.Prepared) ([]*ers.Record, error) {
	token, err := c.services.token(p.HashAlgorithm(), p.Imprint(), nil)
	if err != nil {
		return nil, err
	}
	all, err := p.Assemble(token)
	if err != nil {
		return nil, err
	}
	var out []*ers.Record
	for _, der := range all {
		r, err := ers.Parse(der)
		if err != nil {
			return nil, err
		}
		if r, err = r.WithEvidence(c.pki.evidence()); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func renewStamp(c *craft, records []*ers.Record, _ []ers.Document) ([]*ers.Record, error) {
	p, err := ers.PrepareRenewal(records)
	if err != nil {
		return nil, err
	}
	return c.records(p)
}

// renewTree renews the first record alone, for whoever has its documents.
func renewTree(c *craft, records []*ers.Record, documents []ers.Document) ([]*ers.Record, error) {
	p, err := ers.PrepareHashTreeRenewal(ers.Renewal{Hash: crypto.SHA512}, records[:1], [][]ers.Document{documents})
	if err != nil {
		return nil, err
	}
	return c.records(p)
}
