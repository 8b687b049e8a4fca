package signing

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"

	"sigillo/formats/validate"
	"sigillo/store"
)

// Transaction gives one transaction of holder. Kind: NotFound.
func (s *Service) Transaction(ctx context.Context, holder, id string) (Transaction, error) {
	t, items, err := s.load(ctx, holder, id)
	if err != nil {
		return Transaction{}, err
	}
	return s.presentTransaction(ctx, t, items)
}

// Transactions lists the latest 100 transactions of holder, newest first.
func (s *Service) Transactions(ctx context.Context, holder string) ([]Transaction, error) {
	var rows []store.Transaction
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.TransactionsOf(holder, 100)
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	out := make([]Transaction, 0, len(rows))
	for _, r := range rows {
		t, err := s.Transaction(ctx, holder, r.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (s *Service) presentTransaction(ctx context.Context, t store.Transaction, items []store.Item) (Transaction, error) {
	out := Transaction{ID: t.ID, State: State(t.State), Credential: t.Credential, Hash: t.Hash, Error: t.Error,
		Created: t.Created, Updated: t.Updated, Items: make([]Item, 0, len(items))}
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		cert, err := tx.Certificate(t.Certificate)
		if err != nil {
			return err
		}
		out.Signer = cert.Subject
		for _, it := range items {
			d, err := tx.Document(it.Document)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, presentItem(it, d.Name))
		}
		return nil
	})
	return out, fromStore(err)
}

func presentItem(it store.Item, name string) Item {
	var r validate.Report
	if len(it.Report) > 0 {
		_ = json.Unmarshal(it.Report, &r) // an unreadable report shows as no indication
	}
	return Item{Seq: it.Seq, Document: it.Document, Name: name, Form: Form(it.Form), Level: Level(it.Level),
		Digest: hex.EncodeToString(it.Digest), OutputName: it.OutputName, SHA256: hex.EncodeToString(it.OutputSHA256),
		Indication: string(r.Indication)}
}

// Output is a signed document ready to be sent.
type Output struct {
	Name      string
	MediaType string
	Size      int64
	File      *os.File // the caller closes it
}

// Output opens the signed document of one item. Kinds: NotFound, WrongState.
func (s *Service) Output(ctx context.Context, holder, id string, seq int) (*Output, error) {
	t, items, err := s.load(ctx, holder, id)
	if err != nil {
		return nil, err
	}
	if State(t.State) != Delivered {
		return nil, fail(WrongState, "the document is not signed yet", nil)
	}
	for _, it := range items {
		if it.Seq != seq {
			continue
		}
		f, err := os.Open(it.Output)
		if err != nil {
			return nil, fail(Internal, "the signed document is missing", err)
		}
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, fail(Internal, "the signed document is missing", err)
		}
		return &Output{Name: it.OutputName, MediaType: forms[Form(it.Form)].media, Size: st.Size(), File: f}, nil
	}
	return nil, fail(NotFound, "no such item", nil)
}

// Credentials lists the signing keys of holder with the state of their
// certificates.
func (s *Service) Credentials(ctx context.Context, holder string) ([]Credential, error) {
	var rows []store.Credential
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.CredentialsOf(holder)
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	out := make([]Credential, 0, len(rows))
	for _, r := range rows {
		out = append(out, s.presentCredential(ctx, holder, r))
	}
	return out, nil
}

// statuses is what a holder reads for each reason a credential can't be used.
var statuses = map[Kind]string{CertSuspended: "suspended", CertRevoked: "revoked", CertExpired: "expired"}

func (s *Service) presentCredential(ctx context.Context, holder string, r store.Credential) Credential {
	c := Credential{ID: r.ID, KeyType: r.KeyType, Serial: r.Certificate, Status: "valid"}
	u, err := s.valid(ctx, holder, r.ID)
	if err != nil {
		c.Status = statuses[KindOf(err)]
		if c.Status == "" {
			c.Status = "none"
		}
	}
	c.MaxItems, c.Automatic, c.Counter = u.record.MaxDigests, u.record.Automatic, u.record.Graphometric
	if u.certificate != nil {
		c.Subject, c.NotAfter = u.subject, u.certificate.NotAfter
	}
	return c
}
