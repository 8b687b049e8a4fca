package tsa_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// timeStampReq is the request as encoding/asn1 reads it (RFC 3161 §2.4.1).
type timeStampReq struct {
	Version        *big.Int
	MessageImprint struct {
		HashAlgorithm pkix.AlgorithmIdentifier
		HashedMessage []byte
	}
	ReqPolicy  asn1.ObjectIdentifier `asn1:"optional"`
	Nonce      *big.Int              `asn1:"optional"`
	CertReq    bool                  `asn1:"optional"`
	Extensions []pkix.Extension      `asn1:"optional,tag:0"`
}

// accepted are the digests of each policy, as policies() has them.
var accepted = map[string][]crypto.Hash{
	policy.String():          {crypto.SHA256, crypto.SHA384, crypto.SHA512},
	policyOld.String():       {crypto.SHA1, crypto.SHA256},
	policySHA3.String():      {crypto.SHA256, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512},
	policyQualified.String(): {crypto.SHA256, crypto.SHA384, crypto.SHA512},
}

// valid judges a request without any code of the authority: encoding/asn1 reads it,
// and writing it again must give the same octets, since DER has one way.
func valid(der []byte) bool {
	var r timeStampReq
	rest, err := asn1.Unmarshal(der, &r)
	if err != nil || len(rest) > 0 || r.Extensions != nil || r.Version.Cmp(big.NewInt(1)) != 0 {
		return false
	}
	again, err := asn1.Marshal(r)
	if err != nil || !bytes.Equal(again, der) {
		return false
	}
	if p := r.MessageImprint.HashAlgorithm.Parameters.FullBytes; p != nil && !bytes.Equal(p, asn1.NullBytes) {
		return false
	}
	if r.Nonce != nil {
		if b, err := asn1.Marshal(r.Nonce); err != nil || len(b) > len(num(string(make([]byte, cms.MaxNonce)))) {
			return false
		}
	}
	if r.ReqPolicy == nil {
		r.ReqPolicy = policy
	}
	return slices.ContainsFunc(accepted[r.ReqPolicy.String()], func(h crypto.Hash) bool {
		return cms.HashOID(h).Equal(r.MessageImprint.HashAlgorithm.Algorithm) && len(r.MessageImprint.HashedMessage) == h.Size()
	})
}

// nothing is a key that signs nothing and takes no time.
type nothing struct{ crypto.Signer }

var noValue = make([]byte, 71)

func (nothing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return noValue, nil }

func withoutKey(t testing.TB, c tsa.Counter) *tsa.Authority {
	t.Helper()
	id := cmstest.New(t).TSU(t, "p256")
	a := newAuthority(t, wall{}, c)
	cfg := unitConfig(id, "tsu", 1)
	cfg.Signer = nothing{id.Key}
	add(t, a, cfg)
	a.WithoutSelfCheck()
	return a
}

// judge holds the answer against the independent check, both ways, and reports
// whether there was a token.
func judge(t testing.TB, a *tsa.Authority, req []byte) bool {
	s, err := a.Stamp(context.Background(), req)
	if want := valid(req); (err == nil) != want {
		t.Errorf("%x: valid is %v, the answer %v", req, want, err)
		return false
	}
	if err != nil {
		if r := tsa.Refusal(err); r.Text == "" || r.FailureInfo == cms.TimeNotAvailable ||
			r.FailureInfo == cms.SystemFailure && !bytes.Contains(req, []byte(oid(policyEmpty))) {
			t.Errorf("%x: refused as %+v", req, r)
		}
		return false
	}
	v, _ := cms.ReadRequest(req)
	if !bytes.Contains(s.Token, v.MessageImprint) || !bytes.Contains(s.Token, v.Nonce) || v.CertReq != (s.Certs[0] < s.Certs[1]) {
		t.Errorf("%x: the token does not repeat the request", req)
	}
	return true
}

// Mutations of valid requests are granted exactly when they are valid requests
// themselves by the independent check. SIGILLO_MUTATIONS sets how many.
func TestMutations(t *testing.T) {
	t.Parallel()
	n := 40_000
	if text := os.Getenv("SIGILLO_MUTATIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SIGILLO_MUTATIONS: %v", err)
		}
	}
	a := withoutKey(t, &counters{})
	var seeds [][]byte
	for _, c := range granted {
		if !judge(t, a, []byte(c.req)) {
			t.Fatalf("%s is not granted", c.name)
		}
		seeds = append(seeds, []byte(c.req))
	}
	for _, c := range refused {
		if c.want != "systemFailure" && judge(t, a, []byte(c.req)) {
			t.Fatalf("%s is granted", c.name)
		}
	}
	seed := uint64(time.Now().UnixNano())
	var mu sync.Mutex
	tokens, changed := 0, 0
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			mine, altered := 0, 0
			for range n / workers {
				from := seeds[r.IntN(len(seeds))]
				req := mutate(r, from, seeds)
				if !bytes.Equal(req, from) {
					altered++
				}
				if judge(t, a, req) {
					mine++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			tokens, changed = tokens+mine, changed+altered
		})
	}
	wg.Wait()
	t.Logf("seed %d: %d requests, %d of them not as they were, %d granted", seed, n/workers*workers, changed, tokens)
	if changed < n/2 || tokens < n/100 || tokens > n/2 {
		t.Errorf("the mutations do not test: of %d requests %d were altered and %d granted", n, changed, tokens)
	}
}

// mutate alters a request in one to three ways, by octets or by elements; in the
// second way lengths are right again, so that the change itself is judged.
func mutate(r *rand.Rand, req []byte, seeds [][]byte) []byte {
	b := bytes.Clone(req)
	for range 1 + r.IntN(3) {
		if r.IntN(2) == 0 {
			b = mutateOctets(r, b, seeds)
		} else if tree, rest := grow(b, 4); tree != nil && len(rest) == 0 {
			mutateTree(r, tree)
			b = tree.bytes(r)
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

func mutateOctets(r *rand.Rand, b []byte, seeds [][]byte) []byte {
	if len(b) == 0 {
		return b
	}
	i := r.IntN(len(b))
	j := i + r.IntN(len(b)-i)
	switch r.IntN(8) {
	case 0:
		b[i] ^= 1 << r.IntN(8)
	case 1:
		b[i] = byte(r.Uint32())
	case 2:
		b[i] += byte(1 - 2*r.IntN(2))
	case 3:
		b = slices.Insert(b, i, byte(r.Uint32()))
	case 4:
		b = slices.Delete(b, i, min(j, i+4))
	case 5:
		b = b[:i]
	case 6:
		b = append(b, b[i:min(j, i+8)]...)
	case 7: // the beginning of one and the end of another
		other := seeds[r.IntN(len(seeds))]
		b = append(b[:i], other[min(i, len(other)):]...)
	}
	return b
}

// node is an element with its contents: other elements, or octets.
type node struct {
	tag      byte
	children []*node
	content  []byte
}

// grow reads an element with short and long lengths; nil when it is none.
func grow(b []byte, depth int) (n *node, rest []byte) {
	if len(b) < 2 {
		return nil, b
	}
	head, size := 2, int(b[1])
	if size > 0x80 {
		octets := size & 0x7f
		if octets > 2 || len(b) < 2+octets {
			return nil, b
		}
		size = 0
		for _, c := range b[2 : 2+octets] {
			size = size<<8 | int(c)
		}
		head += octets
	}
	if len(b) < head+size {
		return nil, b
	}
	n = &node{tag: b[0], content: bytes.Clone(b[head : head+size])}
	if n.tag&0x20 != 0 && depth > 0 {
		var children []*node
		inner := n.content
		for len(inner) > 0 {
			var child *node
			if child, inner = grow(inner, depth-1); child == nil {
				return n, b[head+size:]
			}
			children = append(children, child)
		}
		n.children, n.content = children, nil
	}
	return n, b[head+size:]
}

// bytes writes the element: now and then with a length that DER does not know.
func (n *node) bytes(r *rand.Rand) []byte {
	content := n.content
	for _, c := range n.children {
		content = append(content, c.bytes(r)...)
	}
	switch size := len(content); {
	case r.IntN(60) == 0:
		return append([]byte{n.tag, 0x82, byte(size >> 8), byte(size)}, content...)
	case r.IntN(60) == 0:
		return append(append([]byte{n.tag, 0x80}, content...), 0, 0)
	}
	return []byte(el(n.tag, string(content)))
}

func (n *node) all() []*node {
	out := []*node{n}
	for _, c := range n.children {
		out = append(out, c.all()...)
	}
	return out
}

func (n *node) clone() *node {
	out := &node{tag: n.tag, content: bytes.Clone(n.content)}
	for _, c := range n.children {
		out.children = append(out.children, c.clone())
	}
	return out
}

var tags = []byte{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x30, 0x31, 0x80, 0xa0, 0xa1, 0x1f, 0x00}

func mutateTree(r *rand.Rand, tree *node) {
	nodes := tree.all()
	n := nodes[r.IntN(len(nodes))]
	switch r.IntN(9) {
	case 0:
		n.tag = tags[r.IntN(len(tags))]
	case 1, 2:
		if len(n.content) > 0 {
			n.content[r.IntN(len(n.content))] = byte(r.Uint32())
		}
	case 3:
		n.content = append(n.content, byte(r.Uint32()))
	case 4:
		n.content = append([]byte{byte(r.Uint32())}, n.content...)
	case 5:
		if len(n.children) > 0 {
			i := r.IntN(len(n.children))
			n.children = slices.Delete(n.children, i, i+1)
		} else if len(n.content) > 0 {
			n.content = n.content[:len(n.content)-1]
		}
	case 6: // an element of the request in another place too
		if n.tag&0x20 != 0 {
			n.children = slices.Insert(n.children, r.IntN(len(n.children)+1), nodes[r.IntN(len(nodes))].clone())
		}
	case 7:
		if len(n.children) > 1 {
			i, j := r.IntN(len(n.children)), r.IntN(len(n.children))
			n.children[i], n.children[j] = n.children[j], n.children[i]
		}
	case 8:
		inner := *n
		n.tag, n.children, n.content = tags[r.IntN(len(tags))], []*node{&inner}, nil
	}
}

// FuzzRespond: there is always an answer that can be read, and a token only for
// what the independent check calls a request.
func FuzzRespond(f *testing.F) {
	a := withoutKey(f, &counters{})
	for _, c := range allCases() {
		f.Add([]byte(c.req))
	}
	f.Fuzz(func(t *testing.T, req []byte) {
		r, err := cms.ParseResponse(a.Respond(context.Background(), req))
		if err != nil {
			t.Fatalf("%x: %v", req, err)
		}
		if (r.Refusal == nil) != valid(req) && !bytes.Contains(req, []byte(oid(policyEmpty))) {
			t.Fatalf("%x: got %v", req, r.Refusal)
		}
		if r.Refusal == nil {
			if _, err := cms.ParseToken(r.Token); err != nil && cms.KindOf(err) != cms.Malformed {
				t.Fatalf("%x: %v", req, err)
			}
		}
	})
}
