package main

import (
	"context"

	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
)

// open lets everybody in, as one account without a limit.
type open struct{ account *accounts.Account }

func (o open) Identify(context.Context, accounts.Caller) (*accounts.Account, error) {
	return o.account, nil
}

func (o open) Account(string) (*accounts.Account, error) { return o.account, nil }

func (o open) Take(a *accounts.Account) (accounts.Ticket, error) {
	return accounts.Ticket{Account: a.ID}, nil
}

// anybody makes the accounts: one for callers without credentials.
func anybody(context.Context, *store.DB, accounts.Usage) (front.Book, error) {
	return open{&accounts.Account{ID: accounts.Anonymous, Name: "anybody"}}, nil
}
