package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/web/oauth"
)

// bound registers an application that is known by its TLS certificate, and gets it a
// token that is bound to it (RFC 8705).
func (r *robots) bound(name string, id *cmstest.Identity) robot {
	r.t.Helper()
	sum := sha256.Sum256(id.Certificate.Raw)
	_, err := oauth.NewRegistry(r.h.DB, nil).Add(r.t.Context(), oauth.Client{ID: name, Name: name, Method: oauth.SelfSignedTLS,
		Certificates: [][]byte{sum[:]}, ForItself: true}, "test")
	if err != nil {
		r.t.Fatal(err)
	}
	c := r.with(id)
	res, err := c.PostForm(r.base+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {name}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Access_token string }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Access_token == "" {
		r.t.Fatal(res.Status, err)
	}
	return robot{r, c, out.Access_token}
}

// TestDelegatedBatch: an application signs a batch without anybody there, and openssl
// accepts each signature under the key of the holder's certificate.
func TestDelegatedBatch(t *testing.T) {
	t.Parallel()
	r := newRobots(t)
	c := r.h.automatic(t, 0)
	mine := r.pki.Signer(t, "p256")
	d := r.give(c, mine, 20)
	app := r.bound("fatture", mine)
	if status, _ := app.by(r.with(nil)).call("credentials/info", map[string]any{"credentialID": d.Credential}, nil); status != http.StatusUnauthorized {
		t.Errorf("the token without its certificate: %d", status)
	}
	var info struct {
		Cert struct{ Certificates []string }
	}
	if status, say := app.call("credentials/info", map[string]any{"credentialID": d.Credential}, &info); status != 200 {
		t.Fatal(status, say)
	}
	dir := t.TempDir()
	der, _ := base64.StdEncoding.DecodeString(info.Cert.Certificates[0])
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	openssl := func(args ...string) string {
		out, err := exec.Command("openssl", args...).CombinedOutput()
		if err != nil {
			t.Errorf("openssl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	cert := write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if text := openssl("x509", "-in", cert, "-noout", "-text"); !bytes.Contains([]byte(text), []byte("unattended/automatic digital signature")) {
		t.Error("the certificate does not say that it is for the automatic procedure")
	}
	key := write("key.pem", []byte(openssl("x509", "-in", cert, "-noout", "-pubkey")))

	in, hashes := map[string]any{"credentialID": d.Credential, "numSignatures": 20, "hashAlgorithmOID": oidSHA256,
		"delegation": d.ID, "documentKind": "invoice"}, []string{}
	for i := range 20 {
		sum := sha256.Sum256(fmt.Appendf(nil, "invoice %d", i))
		hashes = append(hashes, base64.StdEncoding.EncodeToString(sum[:]))
	}
	in["hashes"] = hashes
	var sad struct{ SAD string }
	if status, say := app.call("credentials/authorize", in, &sad); status != 200 {
		t.Fatal(status, say)
	}
	var out struct{ Signatures []string }
	if status, say := app.sign(in, sad.SAD, &out); status != 200 || len(out.Signatures) != 20 {
		t.Fatal(status, say, len(out.Signatures))
	}
	for i, text := range out.Signatures {
		sig, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		openssl("dgst", "-sha256", "-verify", key, "-signature", write(fmt.Sprint("sig", i), sig), write(fmt.Sprint("doc", i), fmt.Appendf(nil, "invoice %d", i)))
	}
	more, _ := delegatedOrder(d.Credential, d.ID, "invoice", 1)
	if status, _ := app.call("credentials/authorize", more, nil); status != 400 {
		t.Errorf("a signature more than were delegated: %d", status)
	}
}

// TestDelegationOfOthers: what a delegation is not for, beside its bounds: credentials of
// others, credentials that are not automatic, a time that is over, a certificate that is
// suspended. And an automatic credential signs nothing in its holder's own hands.
func TestDelegationOfOthers(t *testing.T) {
	t.Parallel()
	r := newRobots(t)
	ada, ben, ordinary := r.h.automatic(t, 0), r.h.automatic(t, 1), r.h.holder(t, "p256")
	mine := r.pki.Signer(t, "p256")
	app := r.robot("fatture", mine)
	ours, theirs := r.give(ada, mine, 10), r.give(ben, mine, 10)

	try := func(name, credential, delegation string, want int) (map[string]any, string) {
		t.Helper()
		in, _ := delegatedOrder(credential, delegation, "invoice", 1)
		var sad struct{ SAD string }
		if status, say := app.call("credentials/authorize", in, &sad); status != want {
			t.Errorf("%s: %d %s, want %d", name, status, say, want)
		}
		return in, sad.SAD
	}
	try("another holder's delegation", ada.holder.Credential, theirs.ID, 400)
	try("a credential that is not automatic", ordinary.holder.Credential, ours.ID, 400)

	short := r.giveUntil(ada, mine, 10, time.Now().Add(2*time.Second))
	time.Sleep(time.Until(short.Expires) + 10*time.Millisecond)
	try("a delegation that is over", ada.holder.Credential, short.ID, 400)

	// Suspended between the authorisation and the signature.
	in, sad := try("before the suspension", ada.holder.Credential, ours.ID, 200)
	if err := r.h.SuspendOwn(t.Context(), r.h.holderID(t, ada), ada.holder.Credential); err != nil {
		t.Fatal(err)
	}
	if status, say := app.sign(in, sad, nil); status != 400 {
		t.Errorf("signed under a suspended certificate: %d %s", status, say)
	}
	try("a suspended certificate", ada.holder.Credential, ours.ID, 400)

	holder := r.h.holderID(t, ben)
	_, err := r.h.Remote.Authorise(t.Context(), holder, remote.Order{Credential: ben.holder.Credential, Hash: 5, Digests: [][]byte{make([]byte, 32)}, Application: "x"},
		signing.Evidence{Password: []byte(ben.holder.Password), OTP: ben.mustOTP(t), Client: "test"})
	if signing.KindOf(err) != signing.AutomaticOnly {
		t.Errorf("authorised by its holder: %v", err)
	}
	_, err = r.h.Signing.Prepare(t.Context(), holder, signing.Request{Credential: ben.holder.Credential, Documents: []signing.Order{{Document: "d"}}})
	if signing.KindOf(err) != signing.AutomaticOnly {
		t.Errorf("prepared by its holder: %v", err)
	}
}

// patient asks again while the service is busy.
func patient(ask func() (int, string)) (status int) {
	for range 100 {
		if status, _ = ask(); status != http.StatusServiceUnavailable {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return status
}

// TestDelegatedTogether: several applications use one delegation at the same time, and
// as many signatures come out as it is for.
func TestDelegatedTogether(t *testing.T) {
	t.Parallel()
	const count, applications, batch = 25, 4, 2
	r := newRobots(t)
	c := r.h.automatic(t, 0)
	mine := r.pki.Signer(t, "p256")
	d := r.give(c, mine, count)
	var signed atomic.Int64
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for i := range applications {
		app := r.robot(fmt.Sprint("app", i), mine)
		all.Go(func() {
			for n := batch; n > 0; {
				in, _ := delegatedOrder(d.Credential, d.ID, "invoice", n)
				var sad struct{ SAD string }
				if status := patient(func() (int, string) { return app.call("credentials/authorize", in, &sad) }); status != 200 {
					n-- // what is left may be fewer
					continue
				}
				// The same SAD is used twice at the same time: only one of the two signs.
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() {
						var out struct{ Signatures []string }
						if patient(func() (int, string) { return app.sign(in, sad.SAD, &out) }) != 200 {
							return
						}
						signed.Add(int64(len(out.Signatures)))
						mu.Lock()
						defer mu.Unlock()
						for _, s := range out.Signatures {
							seen[s] = true
						}
					})
				}
				both.Wait()
			}
		})
	}
	all.Wait()
	if signed.Load() != count || len(seen) != count {
		t.Errorf("%d signatures, %d different ones, came out of a delegation of %d", signed.Load(), len(seen), count)
	}
	list, err := r.h.Remote.Delegations(t.Context(), d.Holder)
	if err != nil || len(list) != 1 || list[0].Used != count || list[0].State != "used-up" {
		t.Errorf("%+v, %v", list, err)
	}
}
