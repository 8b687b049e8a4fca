package validate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"io"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cades"
	"sigillo/formats/jades"
	"sigillo/formats/pades"
	"sigillo/formats/validate/policy"
	"sigillo/formats/xades"
)

// raising is what raises a signed file.
type raising interface {
	Imprints() [][]byte
	Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error
}

type archiver func(doc io.ReaderAt, size int64, e ades.Extension) (raising, error)

var archivers = map[string]archiver{
	"CAdES":        func(d io.ReaderAt, n int64, e ades.Extension) (raising, error) { return cades.PrepareArchive(d, n, e) },
	"PAdES":        func(d io.ReaderAt, n int64, e ades.Extension) (raising, error) { return pades.PrepareArchive(d, n, e) },
	"XAdES":        func(d io.ReaderAt, n int64, e ades.Extension) (raising, error) { return xades.PrepareArchive(d, n, e) },
	"ASiC-S/CAdES": asicArchive, "ASiC-E/CAdES": asicArchive, "ASiC-E/XAdES": asicArchive,
	"JAdES": func(d io.ReaderAt, n int64, e ades.Extension) (raising, error) { return jades.PrepareArchive(d, n, e) },
}

var addEvidence = map[string]func(w io.Writer, d io.ReaderAt, n int64, e ades.Extension) error{
	"CAdES": cades.AddEvidence, "PAdES": pades.AddEvidence, "JAdES": jades.AddEvidence, "XAdES": xades.AddEvidence,
}

func asicArchive(d io.ReaderAt, n int64, e ades.Extension) (raising, error) {
	return asic.PrepareArchive(d, n, e)
}

func init() {
	for _, f := range []string{"ASiC-S/CAdES", "ASiC-E/CAdES", "ASiC-E/XAdES"} {
		addEvidence[f] = asic.AddEvidence
	}
}

// raised puts evidence into a file and, with a tsu, an archive time-stamp.
func raised(t testing.TB, form string, file []byte, e ades.Evidence, tsu *party, at time.Time) []byte {
	t.Helper()
	x := ades.Extension{Evidence: e, Hash: crypto.SHA256, TokenSize: tokenSize}
	var out bytes.Buffer
	if tsu == nil {
		if err := addEvidence[form](&out, bytes.NewReader(file), int64(len(file)), x); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	s, err := archivers[form](bytes.NewReader(file), int64(len(file)), x)
	if err != nil {
		t.Fatal(err)
	}
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, token(t, tsu, imprint, at))
	}
	if err := s.Assemble(&out, bytes.NewReader(file), int64(len(file)), tokens); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// life is a public key infrastructure whose members end at different times: the
// signer and the first unit after two years, the second unit after four, the
// issuing authority after five, the third unit and the root later.
type life struct {
	root, sub, tsaCA, holder, tsu1, tsu2, tsu3 *party
}

func until(t time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotAfter = t }
}

func newLife() *life {
	stampUntil := func(at time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { stamping(c); c.NotAfter = at }
	}
	strong := func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) }
	l := &life{root: issue(nil, strong(), "Root", ca)}
	l.sub = issue(l.root, newKey(), "Issuing CA", func(c *x509.Certificate) { ca(c); c.NotAfter = year(5) })
	l.tsaCA = issue(l.root, strong(), "TSA CA", ca)
	l.holder = issue(l.sub, newKey(), "Ada Prova", until(year(2)))
	l.tsu1 = issue(l.tsaCA, newKey(), "TSU 1", stampUntil(year(2)))
	l.tsu2 = issue(l.tsaCA, newKey(), "TSU 2", stampUntil(year(4)))
	l.tsu3 = issue(l.tsaCA, strong(), "TSU 3", stampUntil(year(14)))
	return l
}

// lists are those of all three authorities at a time, good for 30 days.
func (l *life) lists(at time.Time, entries ...entry) [][]byte {
	next := at.AddDate(0, 0, 30)
	by := map[*party][]entry{}
	for _, e := range entries {
		for _, a := range []*party{l.root, l.sub, l.tsaCA} {
			if bytes.Equal(e.of.cert.RawIssuer, a.cert.RawSubject) {
				by[a] = append(by[a], e)
			}
		}
	}
	return [][]byte{list(l.root, at, next, nil, by[l.root]...), list(l.tsaCA, at, next, nil, by[l.tsaCA]...), list(l.sub, at, next, nil, by[l.sub]...)}
}

func (l *life) evidence(at time.Time) ades.Evidence {
	return ades.Evidence{Certificates: []*x509.Certificate{l.root.cert, l.sub.cert, l.tsaCA.cert}, CRLs: l.lists(at)}
}

// The times of a life: archived an hour after signing, renewed before the second
// unit's end.
var (
	archivedAt = signedAt.Add(time.Hour)
	renewedAt  = year(3).AddDate(0, 6, 0)
)

// lifeCase validates a file at a time, with fresh lists that have entries.
type lifeCase struct {
	name    string
	state   string // BB, BT, BLT, BLTA, renewed
	at      time.Time
	entries func(*life) []entry
	policy  string
	want    Indication
	sub     SubIndication
	level   ades.Level
	code    string // of a reason
}

func revokedAt(of func(*life) *party, at time.Time, reason int) func(*life) []entry {
	return func(l *life) []entry { return []entry{{of(l), at, reason}} }
}

// ecdsaEnds is a policy in which ECDSA with P-256 ends on a day.
func ecdsaEnds(day string) string {
	const rule = "[[signature]]\nscheme = \"ecdsa\"\nbits = 256\n"
	return strings.Replace(string(policy.Text()), rule, rule+"until = "+day+"\n"+strings.Replace(rule, "256", "384", 1), 1)
}

// proofs is a policy that wants proof of everything.
var proofs = strings.Replace(string(policy.Text()), `expired-signer = "accept"`, `expired-signer = "prove"`, 1)

func holder(l *life) *party { return l.holder }
func tsu1(l *life) *party   { return l.tsu1 }
func tsu2(l *life) *party   { return l.tsu2 }
func sub(l *life) *party    { return l.sub }

var lifeCases = []lifeCase{
	{"young", "BB", year(1), nil, "", TotalPassed, "", ades.BB, "valid"},
	{"young, stamped", "BT", year(1), nil, "", TotalPassed, "", ades.BT, "valid"},
	{"young, with evidence", "BLT", year(1), nil, "", TotalPassed, "", ades.BLT, "valid"},
	{"young, archived", "BLTA", year(1), nil, "", TotalPassed, "", ades.BLTA, "valid"},
	{"expired", "BB", year(3), nil, "", Indeterminate, OutOfBoundsNoPOE, ades.BB, "expired"},
	{"signer and unit expired", "BT", year(3), nil, "", Indeterminate, OutOfBoundsNoPOE, ades.BT, "timestamp-expired"},
	{"signer and unit expired, with evidence", "BLT", year(3), nil, "", Indeterminate, OutOfBoundsNotRevoked, ades.BLT, "timestamp-expired"},
	{"signer and unit expired, archived", "BLTA", year(3), nil, "", TotalPassed, "", ades.BLTA, "expired-later"},
	{"archived, but not renewed", "BLTA", year(6), nil, "", Indeterminate, OutOfBoundsNoPOE, ades.BLTA, "timestamp-expired"},
	{"renewed", "renewed", year(4).AddDate(0, 1, 0), nil, "", TotalPassed, "", ades.BLTA, "expired-later"},
	{"renewed, all authorities of the signer expired", "renewed", year(10), nil, "", TotalPassed, "", ades.BLTA, "expired-later"},

	{"revoked before", "BT", year(1), revokedAt(holder, signedAt, 1), "", Indeterminate, RevokedNoPOE, ades.BT, "revoked"},
	{"revoked after", "BT", year(1), revokedAt(holder, stampedAt.Add(time.Second), 1), "", TotalPassed, "", ades.BT, "revoked-later"},
	{"revoked after, unstamped", "BB", year(1), revokedAt(holder, stampedAt.Add(time.Second), 1), "", Indeterminate, RevokedNoPOE, ades.BB, "revoked"},
	{"revoked after, archived", "BLTA", year(3), revokedAt(holder, signedAt.AddDate(0, 1, 0), 1), "", TotalPassed, "", ades.BLTA, "revoked-later"},
	{"revoked before, archived", "BLTA", year(3), revokedAt(holder, signedAt, 1), "", Indeterminate, RevokedNoPOE, ades.BLTA, "revoked"},
	{"on hold before", "BT", year(1), revokedAt(holder, signedAt, onHold), "", Indeterminate, TryLater, ades.BT, "suspended"},
	{"on hold after", "BT", year(1), revokedAt(holder, archivedAt, onHold), "", TotalPassed, "", ades.BT, "suspended-later"},

	{"unit revoked", "BT", year(1), revokedAt(tsu1, archivedAt.Add(time.Hour), 1), "", Indeterminate, RevokedNoPOE, ades.BT, "timestamp-revoked"},
	{"unit revoked after the archive time-stamp", "BLTA", year(1), revokedAt(tsu1, archivedAt.Add(time.Hour), 1), "", TotalPassed, "", ades.BLTA, "valid"},
	{"unit revoked before the archive time-stamp", "BLTA", year(1), revokedAt(tsu1, stampedAt.Add(time.Minute), 1), "", Indeterminate, RevokedNoPOE, ades.BLTA, "timestamp-revoked"},
	{"archive unit revoked, not renewed", "BLTA", year(3), revokedAt(tsu2, year(1), 1), "", Indeterminate, OutOfBoundsNotRevoked, ades.BLTA, "timestamp-revoked"},
	{"archive unit revoked after renewal", "renewed", year(6), revokedAt(tsu2, renewedAt.AddDate(0, 1, 0), 1), "", TotalPassed, "", ades.BLTA, "expired-later"},

	{"authority expired", "long BLT", year(6), nil, "", TotalPassed, "", ades.BLT, "expired-later"},
	{"authority expired, lists not archived", "long BLT", year(6), nil, proofs, Indeterminate, RevocationOutOfBoundsNoPOE, ades.BLT, "revocation-signer-expired"},
	{"authority expired, lists archived", "long BLTA", year(6), nil, proofs, TotalPassed, "", ades.BLTA, "expired-later"},

	{"authority revoked", "BT", year(1), revokedAt(sub, archivedAt.Add(time.Hour), 2), "", Indeterminate, RevokedCANoPOE, ades.BT, "revoked"},
	{"authority out of service", "BT", year(1), revokedAt(sub, archivedAt.Add(time.Hour), 5), "", TotalPassed, "", ades.BT, "revoked-later"},
	{"authority out of service before", "BT", year(1), revokedAt(sub, stampedAt, 5), "", Indeterminate, RevokedCANoPOE, ades.BT, "revoked"},
	{"authority revoked after the archive time-stamp", "BLTA", year(1), revokedAt(sub, archivedAt.Add(time.Hour), 2), "", TotalPassed, "", ades.BLTA, "valid-then"},
	{"authority revoked before the archive time-stamp", "BLTA", year(1), revokedAt(sub, stampedAt.Add(time.Minute), 2), "", Indeterminate, RevokedCANoPOE, ades.BLTA, "revoked"},

	{"algorithm aged", "BT", year(1), nil, ecdsaEnds("2027-06-01"), Indeterminate, CryptoConstraintsFailureNoPOE, ades.BT, "weak-algorithm"},
	{"algorithm aged, archived with the same", "BLTA", year(1), nil, ecdsaEnds("2027-06-01"), Indeterminate, CryptoConstraintsFailureNoPOE, ades.BLTA, "weak-algorithm"},
	{"algorithm aged after renewal", "renewed", year(6), nil, ecdsaEnds("2030-12-01"), TotalPassed, "", ades.BLTA, "expired-later"},
	{"algorithm aged before renewal", "renewed", year(6), nil, ecdsaEnds("2030-01-01"), Indeterminate, OutOfBoundsNoPOE, ades.BLTA, "weak-algorithm"},
	{"algorithm aged, unstamped", "BB", year(4), nil, ecdsaEnds("2030-01-01"), Indeterminate, OutOfBoundsNoPOE, ades.BB, "weak-algorithm"},
}

func TestLives(t *testing.T) {
	t.Parallel()
	l := newLife()
	for form := range archivers {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			files := l.files(t, form)
			for _, c := range lifeCases {
				t.Run(c.name, func(t *testing.T) { l.run(t, c, files[c.state]) })
			}
		})
	}
}

// files signs a document and raises it step by step.
func (l *life) files(t testing.TB, form string) map[string][]byte {
	doc := document(t, form)
	bt := sign(t, form, doc, l.holder, l.tsu1, stampedAt)
	long := sign(t, form, doc, l.holder, l.tsu3, stampedAt)
	blta := raised(t, form, bt, l.evidence(publishedAt), l.tsu2, archivedAt)
	return map[string][]byte{
		"BB": sign(t, form, doc, l.holder, nil, time.Time{}), "BT": bt,
		"BLT":       raised(t, form, bt, l.evidence(publishedAt), nil, time.Time{}),
		"long BLT":  raised(t, form, long, l.evidence(publishedAt), nil, time.Time{}),
		"long BLTA": raised(t, form, long, l.evidence(publishedAt), l.tsu3, archivedAt),
		"BLTA":      blta, "renewed": raised(t, form, blta, l.evidence(renewedAt.Add(-time.Hour)), l.tsu3, renewedAt),
	}
}

func (l *life) run(t *testing.T, c lifeCase, file []byte) {
	var entries []entry
	if c.entries != nil {
		entries = c.entries(l)
	}
	o := Options{Anchors: []*x509.Certificate{l.root.cert}, Time: c.at, CRLs: l.lists(c.at.Add(-time.Hour), entries...)}
	if c.policy != "" {
		o.Policy = must(policy.Parse([]byte(c.policy)))
	}
	r := validate(t, file, o)
	if c.at.After(year(2)) && c.state == "BB" && r.Signatures[0].SubIndication == OutOfBoundsNotRevoked {
		t.Fatal("a list that is later than the certificate says nothing")
	}
	s := expect(t, r, c.want, c.sub)
	if s.Level != string(c.level) {
		t.Errorf("level %s, want %s", s.Level, c.level)
	}
	if !hasCode(s, c.code) {
		t.Errorf("no reason %q in\n%s", c.code, r.Text("en"))
	}
}
