package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sigillo/store"
)

// directory is all accounts, and all credentials that are in force, by what a request
// may bring, with the certificates that were. It is never changed: a new one takes its place.
type directory struct {
	revision  int64
	accounts  map[string]*Account
	sorted    []*Account
	anonymous *Account // nil: there is none
	users     map[string]*credential
	bearers   map[[32]byte]*credential
	certs     map[[32]byte]*credential
	keys      map[[32]byte]*credential
	networks  networks
}

// credential is one way of being an account.
type credential struct {
	id      string
	account *Account
	expires time.Time
	revoked bool      // of a certificate or key: it is refused, not nobody's
	secret  *password // of kind password
}

// networks finds the account of an address: that of the narrowest network.
type networks struct {
	owners map[netip.Prefix]*Account
	v4, v6 []int // lengths that occur, the longest first
}

func (n *networks) add(p netip.Prefix, a *Account) {
	if n.owners == nil {
		n.owners = map[netip.Prefix]*Account{}
	}
	if n.owners[p] != nil {
		return // the first by ID; Create and Change refuse a second
	}
	n.owners[p] = a
	list := &n.v6
	if p.Addr().Is4() {
		list = &n.v4
	}
	if !slices.Contains(*list, p.Bits()) {
		*list = append(*list, p.Bits())
		slices.Sort(*list)
		slices.Reverse(*list)
	}
}

func (n *networks) find(addr netip.Addr) *Account {
	list := n.v6
	if addr.Is4() {
		list = n.v4
	}
	for _, bits := range list {
		p, err := addr.Prefix(bits)
		if err != nil {
			return nil
		}
		if a := n.owners[p]; a != nil {
			return a
		}
	}
	return nil
}

const revisionKey = "stamping/revision"

func (b *Book) revision(ctx context.Context) (n int64, err error) {
	err = b.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		n, err = revisionOf(tx)
		return err
	})
	if err != nil {
		return 0, stored(err, "the accounts cannot be read")
	}
	return n, nil
}

func revisionOf(tx *store.Tx) (int64, error) {
	v, err := tx.Setting(revisionKey)
	if store.KindOf(err) == store.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(v), 10, 64)
}

// rows is everything as it is stored.
type rows struct {
	revision    int64
	accounts    []store.StampAccount
	lots        []store.StampLot
	credentials []store.StampCredential
}

// read reads all in one snapshot.
func (r *rows) read(tx *store.Tx) (err error) {
	if r.revision, err = revisionOf(tx); err != nil {
		return err
	}
	for after, more := "", true; more; {
		list, err := tx.StampAccounts(after, store.MaxRows)
		if err != nil {
			return err
		}
		if more = len(list) > 0; more {
			r.accounts, after = append(r.accounts, list...), list[len(list)-1].ID
		}
	}
	for after, more := (store.StampLot{}), true; more; {
		list, err := tx.StampLots(after, store.MaxRows)
		if err != nil {
			return err
		}
		if more = len(list) > 0; more {
			r.lots, after = append(r.lots, list...), list[len(list)-1]
		}
	}
	for after, more := "", true; more; {
		list, err := tx.StampCredentials(after, store.MaxRows)
		if err != nil {
			return err
		}
		if more = len(list) > 0; more {
			r.credentials, after = append(r.credentials, list...), list[len(list)-1].ID
		}
	}
	return nil
}

// reload puts what is stored in the place of what was known; change is held.
func (b *Book) reload(ctx context.Context) error {
	var r rows
	if err := b.cfg.DB.Read(ctx, r.read); err != nil {
		return stored(err, "the accounts cannot be read")
	}
	d := &directory{
		revision: r.revision, accounts: map[string]*Account{}, users: map[string]*credential{},
		bearers: map[[32]byte]*credential{}, certs: map[[32]byte]*credential{}, keys: map[[32]byte]*credential{},
	}
	lots := map[string][]Lot{}
	for _, l := range r.lots {
		lots[l.Account] = append(lots[l.Account], Lot{
			ID: l.ID, Quantity: l.Quantity, Bought: l.Bought, Expires: l.Expires, Cancelled: l.Cancelled, Note: shown(l.Note),
		})
	}
	for _, row := range r.accounts {
		a, err := fromRow(row)
		if err != nil {
			return fail(Failed, err, "the account %s cannot be read from the database", row.ID)
		}
		m := b.meters[a.ID]
		if m == nil {
			m = &meter{id: a.ID, now: b.cfg.Now, usage: b.cfg.Usage, onLow: b.cfg.OnLow}
			b.meters[a.ID] = m
		}
		a.meter = m
		m.follow(a, lots[a.ID])
		d.add(a)
	}
	for _, c := range r.credentials {
		if err := d.addCredential(c); err != nil {
			return fail(Failed, err, "the credential %s cannot be read from the database", c.ID)
		}
	}
	b.current.Store(d)
	return nil
}

func (d *directory) add(a *Account) {
	d.accounts[a.ID] = a
	d.sorted = append(d.sorted, a)
	if a.ID == Anonymous && a.State != Closed {
		d.anonymous = a
	}
	if a.ByNetwork && a.State != Closed && a.ID != House && a.ID != Anonymous {
		for _, p := range a.Networks {
			d.networks.add(p, a)
		}
	}
}

func (d *directory) addCredential(row store.StampCredential) error {
	a := d.accounts[row.Account]
	revoked := !row.Revoked.IsZero()
	if kind := CredentialKind(row.Kind); a == nil || revoked && kind != Certificate && kind != Key {
		return nil
	}
	c := &credential{id: row.ID, account: a, expires: row.Expires, revoked: revoked}
	if row.Kind == string(Password) {
		c.secret = new(password)
		if err := json.Unmarshal(row.Verifier, c.secret); err != nil {
			return err
		}
		if err := c.secret.check(); err != nil {
			return err
		}
		d.users[row.Name] = c
		return nil
	}
	if len(row.Verifier) != 32 {
		return errors.New("its verifier is no SHA-256")
	}
	known := map[CredentialKind]map[[32]byte]*credential{Bearer: d.bearers, Certificate: d.certs, Key: d.keys}[CredentialKind(row.Kind)]
	if known == nil {
		return fmt.Errorf("it is of the unknown kind %q", row.Kind)
	}
	if sum := [32]byte(row.Verifier); known[sum] == nil || !revoked { // it may have been registered again
		known[sum] = c
	}
	return nil
}

func fromRow(row store.StampAccount) (*Account, error) {
	a := &Account{
		ID: row.ID, State: State(row.State), Created: row.Created, Changed: row.Changed,
		Terms: Terms{
			Name: shown(row.Name), ByNetwork: row.ByNetwork, Unlimited: row.Unlimited,
			Rate: float64(row.Rate) / 1000, Burst: row.Burst, Low: row.Low, Note: shown(row.Note),
		},
	}
	if err := json.Unmarshal([]byte(row.Policies), &a.Policies); err != nil {
		return nil, err
	}
	return a, json.Unmarshal([]byte(row.Networks), &a.Networks)
}

func toRow(id string, s State, t Terms, created, changed time.Time) (store.StampAccount, error) {
	row := store.StampAccount{
		ID: id, Name: t.Name, State: string(s), ByNetwork: t.ByNetwork, Unlimited: t.Unlimited,
		Rate: int64(t.Rate*1000 + 0.5), Burst: t.Burst, Low: t.Low, Note: t.Note, Created: created, Changed: changed,
	}
	policies, err := json.Marshal(t.Policies)
	if err != nil {
		return row, err
	}
	nets, err := json.Marshal(t.Networks)
	row.Policies, row.Networks = string(bytes.TrimSpace(policies)), string(nets)
	return row, err
}
