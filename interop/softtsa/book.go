package main

import (
	"context"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/tsa/accounts"
)

// customer is the account that has bought stamps; its user is called the same.
const customer = "cliente"

// openBook opens the accounts and, the first time, makes two: one for callers
// without credentials, and a customer with a lot of stamps and a password.
func openBook(ctx context.Context, db *store.DB, usage accounts.Usage, password string, lot int64) (*accounts.Book, error) {
	book, err := accounts.Open(ctx, accounts.Config{DB: db, Usage: usage,
		Journal: func(tx *store.Tx, now time.Time, c accounts.Change) error {
			return audit.Append(tx, now, audit.Event{Actor: c.Actor, Event: c.Event, Subject: c.Subject, Detail: c.Detail})
		}})
	if err != nil {
		return nil, err
	}
	if _, err := book.Account(accounts.Anonymous); err == nil {
		return book, nil
	}
	const actor = "softtsa"
	if password != "" {
		if err := book.Create(ctx, actor, customer, accounts.Terms{Name: "Cliente di prova"}); err != nil {
			return nil, err
		}
		if _, err := book.Buy(ctx, actor, customer, accounts.Lot{Quantity: lot}); err != nil {
			return nil, err
		}
		if _, _, err := book.SetPassword(ctx, actor, customer, customer, []byte(password), time.Time{}); err != nil {
			return nil, err
		}
	}
	return book, book.Admit(ctx, actor, true)
}
