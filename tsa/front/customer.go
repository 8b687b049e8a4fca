package front

import (
	"context"
	"io"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// Statement is what the owner of an account asks most: what is left.
type Statement struct {
	Account   string // its identifier
	Name      string
	Used      int64 // tokens in the ledger, all time
	Left      int64 // 0 for an unlimited account
	Unlimited bool
	Policies  []tsa.Policy // that it may have
}

// Statement tells a caller about his account. Errors are those of the accounts:
// Unknown, NotPermitted, RateLimited.
func (f *Front) Statement(ctx context.Context, caller accounts.Caller) (Statement, error) {
	a, err := f.owner(ctx, caller)
	if err != nil {
		return Statement{}, err
	}
	return f.statement(a), nil
}

// StatementOf is [Front.Statement] for another room that has found out itself who
// asks.
func (f *Front) StatementOf(account string) (Statement, error) {
	a, err := f.cfg.Book.Account(account)
	if err != nil {
		return Statement{}, err
	}
	return f.statement(a), nil
}

func (f *Front) statement(a *accounts.Account) Statement {
	s := Statement{Account: a.ID, Name: a.Name, Used: f.cfg.Ledger.Used(a.ID), Left: a.Left()}
	if s.Left == accounts.Unlimited {
		s.Left, s.Unlimited = 0, true
	}
	for i := range f.policies {
		if mayUse(a, &f.policies[i]) {
			s.Policies = append(s.Policies, f.policies[i].Policy)
		}
	}
	return s
}

// owner identifies a caller who wants to see what an account has. Nobody owns the
// anonymous account: what one of its callers had stamped is no business of the
// others.
func (f *Front) owner(ctx context.Context, caller accounts.Caller) (*accounts.Account, error) {
	a, err := f.cfg.Book.Identify(ctx, caller)
	if err != nil {
		return nil, err
	}
	if a.ID == accounts.Anonymous {
		return nil, &accounts.Error{Kind: accounts.Unknown, Msg: "an account is shown to its owner only; send its credentials"}
	}
	return a, nil
}

// Tokens looks into the archive of the caller's own account: whatever account the
// query names, it is this one that is searched.
func (f *Front) Tokens(ctx context.Context, caller accounts.Caller, q ledger.Query) ([]ledger.Entry, error) {
	a, err := f.owner(ctx, caller)
	if err != nil {
		return nil, err
	}
	q.Account = a.ID
	return f.cfg.Ledger.Lookup(ctx, q)
}

// ExportTokens writes what [Front.Tokens] finds in another format, not limited in
// number unless the query says so. begin is called once, when a megabyte is there to
// write, or all: the caller is known and may, the query makes sense, what it
// selects fits the format and can be read. An error after that leaves a part
// behind, which whoever began has to make known as one.
func (f *Front) ExportTokens(ctx context.Context, caller accounts.Caller, q ledger.Query, format ledger.Format, begin func() io.Writer) error {
	a, err := f.owner(ctx, caller)
	if err != nil {
		return err
	}
	q.Account = a.ID
	out := &begun{begin: begin}
	if _, err = f.cfg.Ledger.Export(ctx, out, q, format); err == nil && out.w == nil {
		err = out.start()
	}
	return err
}

// heldBack is how much of an export is made before the first octet goes out: what fails
// within it is answered with the reason, and not with a part of the export. It is some
// four thousand lines.
const heldBack = 1 << 20

// begun is a writer that is begun when there is more than it holds back.
type begun struct {
	begin func() io.Writer
	held  []byte
	w     io.Writer
}

func (l *begun) start() error {
	l.w = l.begin()
	_, err := l.w.Write(l.held)
	l.held = nil
	return err
}

func (l *begun) Write(p []byte) (int, error) {
	if l.w == nil && len(l.held)+len(p) <= heldBack {
		l.held = append(l.held, p...)
		return len(p), nil
	}
	if l.w == nil {
		if err := l.start(); err != nil {
			return 0, err
		}
	}
	return l.w.Write(p)
}

// Token gives one token of the caller's own account as it was delivered. An error
// is of accounts or of ledger, NotFound among them.
func (f *Front) Token(ctx context.Context, caller accounts.Caller, unit string, serial int64) (ledger.Entry, []byte, error) {
	a, err := f.owner(ctx, caller)
	if err != nil {
		return ledger.Entry{}, nil, err
	}
	found, err := f.cfg.Ledger.Lookup(ctx, ledger.Query{Account: a.ID, Unit: unit, Serial: serial, Limit: 1})
	if err != nil {
		return ledger.Entry{}, nil, err
	}
	if len(found) == 0 || serial < 1 {
		return ledger.Entry{}, nil, &ledger.Error{Kind: ledger.NotFound, Msg: "this account has no such token"}
	}
	token, err := f.cfg.Ledger.Token(found[0])
	return found[0], token, err
}

// Response gives the TimeStampResp in which a token was delivered.
func Response(token []byte) []byte { return cms.MarshalResponse(token) }
