package web

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/formats/inspect"
	"sigillo/signing"
	"sigillo/store"
)

// rooms stands for the rooms below: documents in memory, a password, codes
// that work once. Only the edge is tested here; the real rooms are tested
// together elsewhere.
type rooms struct {
	mu        sync.Mutex
	dir       string
	documents []signing.Document
	txs       map[string]*signing.Transaction
	order     []string
	sessions  *auth.Sessions
	hall      *keys
	browser   string // what the last sign-in brought along
	usedOTP   map[string]bool
	suspended bool
	automatic bool             // the holder has a key of the automatic procedure besides
	fault     map[string]error // by method name: answered instead
	uploaded  int64            // bytes seen by the last upload
	wiped     []byte           // the password slice of the last Sign
	client    string
	locale    string // of the holder
}

const (
	testHolder   = "h-1"
	testUser     = "ada"
	testPassword = "corretto cavallo pila graffetta"
	testCred     = "c-1"
)

// The real room must fit the door.
var _ Signing = (*signing.Service)(nil)

func newRooms(t testing.TB) *rooms {
	hall := &keys{rows: map[string]auth.Session{}}
	return &rooms{dir: t.TempDir(), txs: map[string]*signing.Transaction{}, sessions: auth.NewSessions(hall, nil), hall: hall,
		usedOTP: map[string]bool{}, fault: map[string]error{}}
}

func (r *rooms) enter(method string) (func(), error) {
	r.mu.Lock()
	return r.mu.Unlock, r.fault[method]
}

func refuse(k signing.Kind) error { return &signing.Error{Kind: k, Msg: "said by the test"} }

func (r *rooms) SignIn(ctx context.Context, user string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error) {
	leave, err := r.enter("SignIn")
	defer leave()
	r.browser = e.Browser
	if err != nil {
		return auth.SignedIn{}, err
	}
	if err := r.factors(string(e.Password), e.OTP); err != nil || user != testUser {
		return auth.SignedIn{}, refuse(signing.WrongFactors)
	}
	token, err := r.sessions.Start(ctx, auth.Opening{Holder: testHolder, Methods: []string{"pwd", "otp"}, Visit: v})
	return auth.SignedIn{Token: token, Browser: "seen-" + user, BrowserExpires: time.Now().Add(time.Hour)}, err
}

func (r *rooms) factors(password, otp string) error {
	if password != testPassword || len(otp) != 6 {
		return refuse(signing.WrongFactors)
	}
	if r.usedOTP[otp] {
		return refuse(signing.ReusedOTP)
	}
	r.usedOTP[otp] = true
	return nil
}

func (r *rooms) Session(ctx context.Context, token string, v auth.Visit) (store.Holder, auth.Session, error) {
	leave, err := r.enter("Session")
	defer leave()
	if err != nil {
		return store.Holder{}, auth.Session{}, err
	}
	session, err := r.sessions.Check(ctx, token, v)
	if err != nil {
		return store.Holder{}, session, err
	}
	return store.Holder{ID: testHolder, Username: testUser, GivenName: "Ada", Surname: "Lovelace", Locale: r.locale}, session, nil
}

func (r *rooms) SignOut(ctx context.Context, token string) error {
	leave, err := r.enter("SignOut")
	defer leave()
	if err != nil {
		return err
	}
	return r.sessions.End(ctx, token)
}

func (r *rooms) Sessions(context.Context, string) ([]auth.Session, error) {
	leave, err := r.enter("Sessions")
	defer leave()
	if err != nil {
		return nil, err
	}
	return r.hall.list(), nil
}

func (r *rooms) EndSession(ctx context.Context, holder, ref string) error {
	leave, err := r.enter("EndSession")
	defer leave()
	if err != nil {
		return err
	}
	for _, s := range r.hall.list() {
		if s.Ref() == ref && s.Holder == holder {
			return r.hall.DeleteSession(ctx, s, auth.EndedByHolder)
		}
	}
	return refuse(signing.NotFound)
}

func (r *rooms) EndOtherSessions(ctx context.Context, _, ref string) (n int, err error) {
	leave, err := r.enter("EndOtherSessions")
	defer leave()
	for _, s := range r.hall.list() {
		if s.Ref() != ref && err == nil {
			err = r.hall.DeleteSession(ctx, s, auth.EndedByHolder)
			n++
		}
	}
	return n, err
}

// keys are the sessions of the rooms, in memory.
type keys struct {
	mu   sync.Mutex
	rows map[string]auth.Session
}

func (k *keys) PutSession(_ context.Context, s auth.Session) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows[string(s.ID)] = s
	return nil
}

func (k *keys) Session(_ context.Context, id []byte) (*auth.Session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.rows[string(id)]; ok {
		return &s, nil
	}
	return nil, nil
}

func (k *keys) TouchSession(context.Context, []byte, time.Time) error { return nil }

func (k *keys) DeleteSession(_ context.Context, s auth.Session, _ auth.Ending) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.rows, string(s.ID))
	return nil
}

// list gives the sessions, the youngest first.
func (k *keys) list() []auth.Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.SortedFunc(maps.Values(k.rows), func(a, b auth.Session) int { return b.Created.Compare(a.Created) })
}

func (r *rooms) SuspendOwn(_ context.Context, _, credential string) error {
	leave, err := r.enter("SuspendOwn")
	defer leave()
	if err != nil {
		return err
	}
	if credential != testCred {
		return refuse(signing.NotFound)
	}
	r.suspended = true
	return nil
}

func (r *rooms) Declare(_ context.Context, _ string, in signing.Declaration) (signing.Document, error) {
	leave, fault := r.enter("Declare")
	defer leave()
	if fault != nil {
		return signing.Document{}, fault
	}
	d := signing.Document{ID: fmt.Sprintf("d-%d", len(r.documents)+1), Name: in.Name, Format: "digest", SHA256: in.SHA256,
		Forms: []signing.Form{signing.CAdESDetached}, Report: inspect.Elsewhere(in.InspectedBy)}
	r.documents = append(r.documents, d)
	return d, nil
}

func (r *rooms) Upload(_ context.Context, _, name string, src io.Reader) (signing.Document, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, src)
	leave, fault := r.enter("Upload")
	defer leave()
	r.uploaded = n
	switch {
	case fault != nil:
		return signing.Document{}, fault
	case err != nil:
		return signing.Document{}, fmt.Errorf("upload: %w", err)
	case n == 0:
		return signing.Document{}, refuse(signing.Empty)
	}
	d := signing.Document{ID: fmt.Sprintf("d-%d", len(r.documents)+1), Name: name, Format: "pdf", Size: n,
		SHA256: hex.EncodeToString(sum.Sum(nil)), Pages: 3, Renderer: "poppler 22.12.0", Second: "mupdf 1.21.1", Forms: []signing.Form{signing.PAdES, signing.CAdES},
		Created: time.Date(2026, 11, 21, 14, 3, 12, 0, time.UTC),
		Report:  inspect.Report{Format: "pdf", MediaType: "application/pdf", Verdict: inspect.Allow}}
	switch {
	case strings.Contains(name, "macro"):
		d.Format, d.Forms = "docx", []signing.Form{signing.CAdES}
		d.Renderer, d.Second = "LibreOffice 7.4.7.2, poppler 22.12.0", ""
		d.Report.Verdict, d.Report.Omitted = inspect.Confirm, 3
		d.Report.Findings = []inspect.Finding{{Rule: "docx.fields", Severity: inspect.Confirm, Where: "word/document.xml",
			Quote: `DATE \@ "d MMMM yyyy"`, Text: inspect.Text{
				It: "Un campo DATE mostra ogni giorno una data diversa. Sostituiscilo con testo fisso.",
				En: "A DATE field shows a different date every day. Replace it with fixed text."}}}
	case strings.Contains(name, "due"):
		d.Forms, d.Pages, d.Report.Verdict, d.Difference = nil, 0, inspect.Refuse, true
		d.Report.Findings = []inspect.Finding{{Rule: "view.differs", Severity: inspect.Refuse, Where: "p. 2", Text: inspect.Text{
			It: "Due programmi mostrano il documento in modo diverso.", En: "Two programs show the document differently."}}}
	case strings.Contains(name, "campi"):
		d.Format, d.Forms, d.Pages, d.Report.Verdict, d.Convertible = "docx", nil, 0, inspect.Refuse, true
		d.Report.Findings = []inspect.Finding{{Rule: "field.dynamic", Severity: inspect.Refuse, Where: "word/document.xml", Quote: "DATE", Text: inspect.Text{
			It: "Un campo cambia da solo.", En: "A field changes by itself."}}}
	case strings.Contains(name, "script"):
		d.Forms, d.Pages, d.Report.Verdict = nil, 0, inspect.Refuse // its bytes are not kept
		d.Report.Findings = []inspect.Finding{{Rule: "pdf.javascript", Severity: inspect.Refuse, Where: "oggetto 12 0",
			Quote: "app.alert('<b>ciao</b>')", Text: inspect.Text{
				It: "Il documento contiene JavaScript che si esegue all'apertura.",
				En: "The document contains JavaScript that runs when it is opened."}}}
	}
	r.documents = append(r.documents, d)
	return d, nil
}

func (r *rooms) Document(_ context.Context, holder, id string) (signing.Document, error) {
	leave, err := r.enter("Document")
	defer leave()
	if err != nil {
		return signing.Document{}, err
	}
	for _, d := range r.documents {
		if d.ID == id && holder == testHolder {
			return d, nil
		}
	}
	return signing.Document{}, refuse(signing.NotFound)
}

func (r *rooms) Documents(context.Context, string) ([]signing.Document, error) {
	leave, err := r.enter("Documents")
	defer leave()
	var out []signing.Document
	for i := len(r.documents) - 1; i >= 0; i-- {
		out = append(out, r.documents[i])
	}
	return out, err
}

func (r *rooms) Page(_ context.Context, _, id string, n int) ([]byte, error) {
	leave, err := r.enter("Page")
	defer leave()
	if err != nil {
		return nil, err
	}
	if n > 3 {
		return nil, refuse(signing.NotFound)
	}
	return sheet(n), nil
}

func (r *rooms) PageText(_ context.Context, _, id string, n int) (string, error) {
	leave, err := r.enter("PageText")
	defer leave()
	if err == nil && n > 3 {
		err = refuse(signing.NotFound)
	}
	return fmt.Sprintf("Words of page %d of %s <b>&amp;", n, id), err
}

func (r *rooms) Difference(_ context.Context, _, _ string, which int) ([]byte, error) {
	leave, err := r.enter("Difference")
	defer leave()
	if err == nil && which > 2 {
		err = refuse(signing.NotFound)
	}
	return sheet(which), err
}

func (r *rooms) Convert(ctx context.Context, holder, id string) (signing.Document, error) {
	leave, err := r.enter("Convert")
	leave()
	if err != nil {
		return signing.Document{}, err
	}
	if d, err := r.Document(ctx, holder, id); err != nil || !d.Convertible {
		return d, refuse(signing.Unconvertible)
	}
	d, err := r.Upload(ctx, holder, "made.pdf", strings.NewReader("made"))
	d.Origin = id
	r.documents[len(r.documents)-1] = d
	return d, err
}

// sheet draws something that looks like a page of text.
func sheet(n int) []byte {
	img := image.NewGray(image.Rect(0, 0, 595, 842))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{255}), image.Point{}, draw.Src)
	for i := range 40 {
		right := 530 - (i*i*37+n*91)%140
		if i%9 == 8 {
			continue
		}
		draw.Draw(img, image.Rect(60, 70+i*17, right, 77+i*17), image.NewUniform(color.Gray{120}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

func (r *rooms) Credentials(context.Context, string) ([]signing.Credential, error) {
	leave, err := r.enter("Credentials")
	defer leave()
	c := signing.Credential{ID: testCred, KeyType: "p256", Subject: "CN=Ada Lovelace, serialNumber=TINIT-LVLDAA15T50Z114K, C=IT",
		Serial: "3fa01b77c2d94e10", Status: "valid", NotAfter: time.Date(2029, 11, 20, 0, 0, 0, 0, time.UTC), MaxItems: 100}
	if r.suspended {
		c.Status = "suspended"
	}
	out := []signing.Credential{c}
	if r.automatic {
		c.ID, c.Serial, c.Automatic, c.Status = testAutomatic, "51c0b277e1d94e22", true, "valid"
		out = append(out, c)
	}
	return out, err
}

func (r *rooms) Prepare(ctx context.Context, holder string, req signing.Request) (signing.Transaction, error) {
	var items []signing.Item
	for i, o := range req.Documents {
		d, err := r.Document(ctx, holder, o.Document)
		if err != nil {
			return signing.Transaction{}, err
		}
		if d.Report.Verdict == inspect.Confirm && !req.Confirmed {
			return signing.Transaction{}, refuse(signing.Unconfirmed)
		}
		digest := sha256.Sum256([]byte(d.SHA256 + string(o.Form)))
		items = append(items, signing.Item{Seq: i, Document: d.ID, Name: d.Name, Form: o.Form, Level: o.Level, Digest: hex.EncodeToString(digest[:])})
	}
	leave, err := r.enter("Prepare")
	defer leave()
	if err != nil {
		return signing.Transaction{}, err
	}
	if req.Credential != testCred {
		return signing.Transaction{}, refuse(signing.NotFound)
	}
	tx := signing.Transaction{ID: fmt.Sprintf("t-%d", len(r.txs)+1), State: signing.Prepared, Credential: testCred,
		Signer: "CN=Ada Lovelace, serialNumber=TINIT-LVLDAA15T50Z114K, C=IT", Hash: "SHA-256", Items: items,
		Created: time.Date(2026, 11, 21, 14, 4, 0, 0, time.UTC), Updated: time.Date(2026, 11, 21, 14, 4, 0, 0, time.UTC)}
	r.txs[tx.ID] = &tx
	r.order = append(r.order, tx.ID)
	return tx, nil
}

func (r *rooms) Sign(_ context.Context, _, id string, e signing.Evidence) (signing.Transaction, error) {
	leave, err := r.enter("Sign")
	defer leave()
	r.wiped, r.client = e.Password, e.Client
	if err != nil {
		return signing.Transaction{}, err
	}
	tx := r.txs[id]
	if tx == nil {
		return signing.Transaction{}, refuse(signing.NotFound)
	}
	if tx.State != signing.Prepared {
		return *tx, refuse(signing.WrongState)
	}
	if err := r.factors(string(e.Password), e.OTP); err != nil {
		return *tx, err
	}
	tx.State = signing.Delivered
	for i := range tx.Items {
		item := &tx.Items[i]
		item.OutputName, item.Indication = item.Name+".p7m", "TOTAL_PASSED"
		if item.Form == signing.PAdES {
			item.OutputName = strings.TrimSuffix(item.Name, ".pdf") + "-signed.pdf"
		}
		data := []byte("signed " + item.Name)
		sum := sha256.Sum256(data)
		item.SHA256 = hex.EncodeToString(sum[:])
		if err := os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("%s-%d", id, i)), data, 0o600); err != nil {
			return *tx, err
		}
	}
	return *tx, nil
}

func (r *rooms) Transaction(_ context.Context, _, id string) (signing.Transaction, error) {
	leave, err := r.enter("Transaction")
	defer leave()
	if err == nil && r.txs[id] == nil {
		err = refuse(signing.NotFound)
	}
	if err != nil {
		return signing.Transaction{}, err
	}
	return *r.txs[id], nil
}

func (r *rooms) Transactions(context.Context, string) ([]signing.Transaction, error) {
	leave, err := r.enter("Transactions")
	defer leave()
	var out []signing.Transaction
	for _, id := range r.order {
		out = append(out, *r.txs[id])
	}
	return out, err
}

func (r *rooms) Output(_ context.Context, _, id string, seq int) (*signing.Output, error) {
	leave, err := r.enter("Output")
	defer leave()
	if err != nil {
		return nil, err
	}
	tx := r.txs[id]
	if tx == nil || seq >= len(tx.Items) {
		return nil, refuse(signing.NotFound)
	}
	f, err := os.Open(filepath.Join(r.dir, fmt.Sprintf("%s-%d", id, seq)))
	if err != nil {
		return nil, refuse(signing.WrongState)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &signing.Output{Name: tx.Items[seq].OutputName, MediaType: "application/pdf", Size: st.Size(), File: f}, nil
}

// publisher stands for pki; it gives back what it was asked.
type publisher struct {
	crl, cert []byte
	sick      error
}

func newPublisher(t testing.TB, now time.Time) *publisher {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}, tmpl, key)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{crl: crl, cert: der}
}

func (p *publisher) OCSP(_ context.Context, ca string, req []byte) []byte {
	return append([]byte("ocsp:"+ca+":"), req...)
}

func (p *publisher) CRL(_ context.Context, ca string) ([]byte, error) {
	if ca != "issuing-ca" {
		return nil, refuse(signing.NotFound)
	}
	return p.crl, nil
}

func (p *publisher) Certificate(_ context.Context, ca string) ([]byte, error) {
	if ca != "issuing-ca" {
		return nil, refuse(signing.NotFound)
	}
	return p.cert, nil
}

func (p *publisher) Health(context.Context) error { return p.sick }
