package front

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

func fail(k tsa.Kind, err error, format string, a ...any) *tsa.Error {
	return &tsa.Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: err}
}

// refuse answers with the reason why there is no stamp.
func (f *Front) refuse(ctx context.Context, account string, err error) []byte {
	return cms.MarshalRefusal(tsa.Refusal(f.note(ctx, account, err)))
}

// note counts a refusal, has faults of ours told in the log, and gives the error
// in the terms of the authority.
func (f *Front) note(ctx context.Context, account string, err error) *tsa.Error {
	e, why := explain(ctx, err)
	f.meter.refuse(why)
	if ours[why] && f.faults.ok(time.Now()) {
		f.cfg.Log.Error("a time-stamp could not be given", "kind", names[why], "account", account, "error", err)
	}
	return e
}

// The texts of refusals go to the customer: they say what to do, and nothing
// about the inside.
const (
	textExhausted = "transaction not permitted: no stamps left; more must be bought for this account"
	textRate      = "transaction not permitted: too many requests at once; slow down and send it again"
	textRecord    = "the time-stamp could not be recorded and was not issued; try again later"
	textLate      = "the time-stamp could not be made in time; try again later"
	textFault     = "the time-stamp could not be made; try again later"
)

// explain is the table from the errors of the rooms below to the authority's own
// kinds, which [tsa.Refusal] turns into a PKIFailureInfo, and to what is counted.
func explain(ctx context.Context, err error) (*tsa.Error, reason) {
	var below *tsa.Error
	var account *accounts.Error
	var record *ledger.Error
	switch {
	case errors.As(err, &account):
		switch account.Kind {
		case accounts.Exhausted:
			return fail(tsa.NotPermitted, err, textExhausted), exhausted
		case accounts.RateLimited:
			return fail(tsa.NotPermitted, err, textRate), rateLimited
		case accounts.LockedOut:
			return fail(tsa.NotPermitted, err, "transaction not permitted: %s", account.Msg), lockedOut
		case accounts.NotPermitted, accounts.Unknown, accounts.NotFound:
			return fail(tsa.NotPermitted, err, "transaction not permitted: %s", account.Msg), notPermitted
		}
		return fail(tsa.Unavailable, err, textFault), unavailable
	case errors.As(err, &record):
		return fail(tsa.Unavailable, err, textRecord), unrecordable
	case errors.As(err, &below):
		return below, reasonOf(below.Kind)
	case ctx.Err() != nil:
		return fail(tsa.Unavailable, err, textLate), late
	}
	return fail(tsa.Unavailable, err, textFault), unavailable
}

func reasonOf(k tsa.Kind) reason {
	switch k {
	case tsa.BadRequest:
		return badRequest
	case tsa.UnacceptedHash:
		return unacceptedHash
	case tsa.UnacceptedPolicy:
		return unacceptedPolicy
	case tsa.TimeNotAvailable:
		return timeNotAvailable
	case tsa.NotPermitted:
		return notPermitted
	case tsa.Stopped:
		return stopped
	}
	return unavailable
}
