package store

import (
	"strings"
	"testing"
	"time"
)

func TestOAuthRows(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	later := t0.Add(time.Hour)
	roundTrip(t, db, OAuthClient{"app", []byte("{}"), t0}, (*Tx).PutOAuthClient, func(tx *Tx) (OAuthClient, error) { return tx.OAuthClient("app") })
	roundTrip(t, db, OAuthGrant{"g", "app", "h", []byte("c"), t0, later, t0}, (*Tx).PutOAuthGrant, func(tx *Tx) (OAuthGrant, error) { return tx.OAuthGrant("g") })
	roundTrip(t, db, OAuthToken{[]byte("t"), "g", OAuthRefresh, time.Time{}, later}, (*Tx).PutOAuthToken, func(tx *Tx) (OAuthToken, error) { return tx.OAuthToken([]byte("t")) })
	roundTrip(t, db, OAuthRequest{[]byte("r"), "app", []byte("a=1"), later},
		func(tx *Tx, r OAuthRequest) error { return tx.PutOAuthRequest(r, t0, 2) }, func(tx *Tx) (OAuthRequest, error) { return tx.OAuthRequest([]byte("r")) })

	write(t, db, func(tx *Tx) error { return tx.UseOAuthToken([]byte("t"), later) })
	write(t, db, func(tx *Tx) error { return tx.PutOAuthAssertion([]byte("a"), later) })
	for name, c := range map[string]struct {
		do   func(*Tx) error
		kind Kind
	}{
		"a refresh token twice":        {func(tx *Tx) error { return tx.UseOAuthToken([]byte("t"), later) }, NotFound},
		"an assertion twice":           {func(tx *Tx) error { return tx.PutOAuthAssertion([]byte("a"), later) }, Conflict},
		"a grant of an unknown client": {func(tx *Tx) error { return tx.PutOAuthGrant(OAuthGrant{ID: "g2", Client: "x"}) }, Conflict},
		"a token of an unknown grant":  {func(tx *Tx) error { return tx.PutOAuthToken(OAuthToken{ID: []byte("t2"), Grant: "x"}) }, Conflict},
		"more requests than may wait":  {func(tx *Tx) error { return tx.PutOAuthRequest(OAuthRequest{ID: []byte("r2"), Client: "app"}, t0, 1) }, Conflict},
		"more grants of its own than may be": {func(tx *Tx) error {
			if err := tx.PutOwnOAuthGrant(OAuthGrant{ID: "own", Client: "app", Expires: later}, t0, 1); err != nil {
				return err
			}
			return tx.PutOwnOAuthGrant(OAuthGrant{ID: "own2", Client: "app", Expires: later}, t0, 1)
		}, Conflict},
		"its own once one is over": {func(tx *Tx) error {
			if err := tx.PutOwnOAuthGrant(OAuthGrant{ID: "own", Client: "app", Expires: later}, t0, 1); err != nil {
				return err
			}
			if err := tx.PutOwnOAuthGrant(OAuthGrant{ID: "own2", Client: "app", Expires: later}, later, 1); err != nil {
				return err
			}
			return errorf(Full, "store: so that nothing of it stays")
		}, Full},
		"a request that is not there": {func(tx *Tx) error { return tx.DeleteOAuthRequest([]byte("x")) }, NotFound},
		"a client that is not there":  {func(tx *Tx) error { return tx.DeleteOAuthClient("x") }, NotFound},
		"a grant that is not there":   {func(tx *Tx) error { return tx.DeleteOAuthGrant("x") }, NotFound},
		"room once a request is over": {func(tx *Tx) error {
			return tx.PutOAuthRequest(OAuthRequest{ID: []byte("r3"), Client: "app", Expires: later.Add(1)}, later, 1)
		}, ""},
		"an access token is not used up": {func(tx *Tx) error {
			if err := tx.PutOAuthToken(OAuthToken{ID: []byte("t3"), Grant: "g", Kind: OAuthAccess, Expires: later}); err != nil {
				return err
			}
			return tx.UseOAuthToken([]byte("t3"), later)
		}, NotFound},
	} {
		if got := KindOf(db.Write(t.Context(), c.do)); got != c.kind {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, holder := range []string{"h", "", "x"} { // what an application has for itself is nobody's
		read(t, db, func(tx *Tx) error {
			all, err := tx.OAuthGrantsOf(holder)
			if (len(all) == 1) != (holder == "h") {
				t.Errorf("of %q: %v", holder, all)
			}
			return err
		})
	}
	for holder, want := range map[string]int64{"": 0, "x": 0, "h2": 1} {
		write(t, db, func(tx *Tx) error {
			if err := tx.PutOAuthGrant(OAuthGrant{ID: "of " + holder, Client: "app", Holder: strings.TrimPrefix(holder, "x"), Expires: later}); err != nil {
				return err
			}
			n, err := tx.DeleteOAuthGrantsOf(holder)
			if n != want {
				t.Errorf("%d grants of %q ended", n, holder)
			}
			return err
		})
	}
	// What is over goes, with what belongs to it; what is not over stays.
	write(t, db, func(tx *Tx) error { return tx.DeleteExpiredOAuth(later.Add(-1)) })
	read(t, db, func(tx *Tx) error { _, err := tx.OAuthToken([]byte("t")); return err })
	write(t, db, func(tx *Tx) error { return tx.DeleteExpiredOAuth(later) })
	read(t, db, func(tx *Tx) error {
		_, err := tx.OAuthGrant("g")
		wantKind(t, err, NotFound)
		_, err = tx.OAuthToken([]byte("t"))
		wantKind(t, err, NotFound)
		_, err = tx.OAuthClient("app")
		return err
	})
	write(t, db, func(tx *Tx) error { return tx.PutOAuthGrant(OAuthGrant{ID: "g3", Client: "app", Expires: later}) })
	write(t, db, func(tx *Tx) error { return tx.DeleteOAuthClient("app") })
	read(t, db, func(tx *Tx) error {
		_, err := tx.OAuthGrant("g3")
		wantKind(t, err, NotFound)
		return nil
	})
}
