package appliance

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/auth/clientcert"
	"sigillo/pki/fetch"
	"sigillo/signing"
	"sigillo/store"
)

// Cards lets holders sign in with the certificate of a card, such as CNS and CIE.
// Whoever has a card signs in; to sign, password and second factor are asked for as
// always.
//
// Cards have a listener of their own. TLS asks for a certificate before it is known
// which page is wanted, and a browser then asks the person at it: on the listener of
// all pages it would do so on every connection of whoever has a certificate. There is
// nothing on this one but the page that signs in.
type Cards struct {
	// Listen is the address and port of it, such as "0.0.0.0:8444". Empty: nobody signs
	// in with a card. It needs tls_certificate: TLS has to end here, and a proxy in
	// front has to pass it on as it is.
	Listen string `toml:"listen,omitempty"`
	// URL is how browsers reach it: the host of base_url with its own port, such as
	// "https://sign.example.org:8444".
	URL string `toml:"url,omitempty"`
	// Authorities are those whose certificates are believed: a PEM file or a folder of
	// such, relative to this folder. Browsers offer certificates of these only.
	Authorities string `toml:"authorities,omitempty"`
	// Policies are identifiers of which a certificate must have one. Empty: any.
	Policies []string `toml:"policies,omitempty"`
	// SoftFail lets a certificate through when nothing fresh can be found out about its
	// revocation. By default it is refused then; lists that were fetched before count
	// as long as they are good.
	SoftFail bool `toml:"soft_fail,omitempty"`
}

func (c Cards) check(secure bool) error {
	u, err := url.Parse(c.URL)
	_, _, addr := net.SplitHostPort(c.Listen)
	switch {
	case c.Listen == "" && c.URL == "" && c.Authorities == "":
		return nil
	case c.Listen == "" || c.Authorities == "":
		return errors.New("appliance: cards need listen, url and authorities")
	case !secure:
		return errors.New("appliance: cards.listen needs tls_certificate and tls_key")
	case addr != nil:
		return errors.New("appliance: cards.listen is host:port")
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/":
		return errors.New("appliance: cards.url is an https address without a path")
	}
	_, err = c.policies()
	return err
}

func (c Cards) policies() (out []x509.OID, err error) {
	for _, p := range c.Policies {
		oid, err := x509.ParseOID(p)
		if err != nil {
			return nil, fmt.Errorf("appliance: cards.policies: %q is not an object identifier", p)
		}
		out = append(out, oid)
	}
	return out, nil
}

// cardTimeout is how long an authority has for one answer about revocation.
const cardTimeout = 8 * time.Second

// openCards reads the authorities of cards, if there are to be any.
func (a *Appliance) openCards() error {
	c := a.Config.Cards
	if c.Listen == "" || a.opt.Unattended {
		return nil
	}
	if !filepath.IsAbs(c.Authorities) {
		c.Authorities = filepath.Join(a.Layout.Dir, c.Authorities)
	}
	authorities, err := clientcert.Load(c.Authorities)
	if err != nil {
		return fmt.Errorf("appliance: cards.authorities: %w", err)
	}
	policies, err := c.policies()
	if err != nil {
		return err
	}
	a.CardAuthorities = authorities
	a.cards, err = clientcert.New(clientcert.Config{Authorities: authorities, Policies: policies, SoftFail: c.SoftFail,
		Fetch: fetch.New(cardTimeout, a.opt.Now), Now: a.opt.Now})
	return err
}

// CardHolder tells whose card it is whose certificates a TLS client has sent. Errors
// are of package clientcert, or Busy of signing.
func (a *Appliance) CardHolder(ctx context.Context, chain []*x509.Certificate) (store.Holder, clientcert.Identity, error) {
	id, err := a.cards.Verify(ctx, chain)
	if err != nil {
		return store.Holder{}, id, err
	}
	var list []store.Holder
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.HoldersByFiscalCode(id.FiscalCode, 2)
		return err
	})
	switch {
	case err != nil:
		return store.Holder{}, id, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	case len(list) != 1 || len(list[0].Factors) == 0:
		return store.Holder{}, id, &clientcert.Error{Kind: clientcert.Unknown, Msg: "nobody, or more than one holder, is registered with this card's codice fiscale"}
	}
	return list[0], id, nil
}

// SignInWithCard opens a session of the holder whose card it is. Each try is
// journalled.
func (a *Appliance) SignInWithCard(ctx context.Context, chain []*x509.Certificate, v auth.Visit) (auth.SignedIn, error) {
	h, id, err := a.CardHolder(ctx, chain)
	if err != nil {
		if a.strangers.tell(a.opt.Now()) {
			a.note(ctx, audit.Event{Actor: "unknown", Event: "holder.card-refused", Subject: h.ID, Detail: map[string]string{
				"client": v.Client, "certificate": id.SHA256, "kind": string(clientcert.KindOf(err))}})
		}
		return auth.SignedIn{}, err
	}
	f, err := factorsOf(h)
	if err != nil {
		return auth.SignedIn{}, err
	}
	detail := map[string]string{"client": v.Client, "certificate": id.SHA256, "serial": id.Serial}
	if id.Unverified {
		detail["revocation"] = "not known"
	}
	err = a.journal.Append(ctx, audit.Event{Actor: h.ID, Event: "holder.card-recognised", Subject: h.ID, Detail: detail})
	if err != nil {
		return auth.SignedIn{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	token, err := a.sessions.Start(ctx, auth.Opening{Holder: h.ID, Methods: []string{"sc"}, Epoch: epochOf(f), Visit: v})
	return auth.SignedIn{Token: token}, passing(err)
}
