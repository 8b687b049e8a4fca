package vault

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"sigillo/hsm"
)

// part is an activation over some of the digests of another.
func part(a Activation, request string, digests ...int) Activation {
	all := a.Digests
	a.Request, a.Digests = request, nil
	for _, i := range digests {
		a.Digests = append(a.Digests, all[i])
	}
	return a
}

// TestPartialUse: each digest of the multiset is signed once, over any number of
// activations, and no request changes its answer.
func TestPartialUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a := h.authorisation("tx", 5)
	a.Digests[4] = a.Digests[0]
	s, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	all := h.activation(a, s)
	answers := map[string][][]byte{}
	for i, step := range []struct {
		request string
		digests []int
		kind    Kind
	}{
		{"one", []int{1}, ""},
		{"one", []int{1}, ""}, // again
		{"one", []int{2}, SpentSAD},
		{"two", []int{1}, SpentSAD},
		{"two", []int{2, 1}, SpentSAD}, // all or nothing
		{"two", []int{2, 0}, ""},
		{"two", []int{0, 2}, SpentSAD}, // another order is another request
		{"too often", []int{0, 4}, SpentSAD},
		{"thrice", []int{0, 0, 0}, BadSAD},
		{"twice", []int{4}, ""},
		{"over", []int{0}, SpentSAD},
		{"one", []int{1}, ""},
		{"last", []int{3}, ""},
		{"nothing left", []int{3}, SpentSAD},
		{"all", []int{0, 1, 2, 3, 4}, SpentSAD},
	} {
		act := part(all, step.request, step.digests...)
		sigs, err := r.c.Sign(t.Context(), act)
		if KindOf(err) != step.kind {
			t.Fatalf("step %d, %s: %v, want %q", i, step.request, err, step.kind)
		}
		if err != nil {
			continue
		}
		h.checkSignatures(act, sigs)
		if was := answers[step.request]; was != nil && !reflect.DeepEqual(was, sigs) {
			t.Errorf("step %d: %s got another answer", i, step.request)
		}
		answers[step.request] = sigs
		if i%4 == 0 {
			r.restart()
		}
	}
	if n := countSignatures(answers); n != 5 {
		t.Errorf("%d signatures of a SAD for 5", n)
	}
	if n := r.events(); n["signature.intent"] != 4 || n["signature.done"] != 4 {
		t.Errorf("journal: %v", n)
	}
}

func countSignatures(answers map[string][][]byte) (n int) {
	for _, sigs := range answers {
		n += len(sigs)
	}
	return n
}

// scramble has many clients use the SAD of all at once, under many names and in many
// pieces, until nothing is left. It returns what each request got.
func scramble(t *testing.T, c *Client, all Activation) map[string][][]byte {
	t.Helper()
	var mu sync.Mutex
	answers := map[string][][]byte{}
	var wg sync.WaitGroup
	n := len(all.Digests)
	for w := range 12 {
		wg.Go(func() {
			for try := range n {
				// Two clients share each name: the same request, sent twice.
				request := fmt.Sprintf("request-%d-%d", w/2, try)
				pieces := []int{(w/2 + try) % n}
				if try%3 == 0 {
					pieces = append(pieces, (w/2+try+5)%n)
				}
				sigs, err := c.Sign(t.Context(), part(all, request, pieces...))
				if err != nil {
					if k := KindOf(err); k != SpentSAD && k != BadSAD {
						t.Errorf("%s: %v", request, err)
					}
					continue
				}
				mu.Lock()
				if was := answers[request]; was != nil && !reflect.DeepEqual(was, sigs) {
					t.Errorf("%s got two answers", request)
				}
				answers[request] = sigs
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answers
}

// TestExactlyCount: however many use one SAD at once, exactly as many signatures come
// out as it is for.
func TestExactlyCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a := h.authorisation("tx", 12)
	a.Digests[3] = a.Digests[7] // one of them twice
	s, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	all := h.activation(a, s)
	answers := scramble(t, r.c, all)
	for i := range all.Digests { // what the scramble left
		request := fmt.Sprint("rest-", i)
		if sigs, err := r.c.Sign(t.Context(), part(all, request, i)); err == nil {
			answers[request] = sigs
		} else {
			want(t, err, SpentSAD)
		}
	}
	if n := countSignatures(answers); n != 12 {
		t.Errorf("%d signatures of a SAD for 12", n)
	}
}

// TestExactlyCountKilled: the same with kill -9 between any two steps, again and again.
func TestExactlyCountKilled(t *testing.T) {
	t.Parallel()
	for _, die := range []string{"intent", "signed", "done"} {
		t.Run(die, func(t *testing.T) {
			t.Parallel()
			r, starts := newProcessRig(t, die)
			h := r.newHolder("h", "p256")
			all := h.authorised("tx", 6)
			alive := filepath.Join(filepath.Dir(r.cfg.Socket), "alive")
			ctx, stop := context.WithCancel(t.Context())
			var killer sync.WaitGroup
			killer.Go(func() { // let it die again and again
				for kills := 0; ctx.Err() == nil && kills < 4; kills++ {
					time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
					os.WriteFile(alive, nil, 0o600)
				}
			})
			answers := scrambleKilled(t, r.c, all)
			stop()
			killer.Wait()
			os.Remove(alive)
			for i := range all.Digests {
				request := fmt.Sprint("rest-", i)
				if sigs, err := r.c.Sign(t.Context(), part(all, request, i)); err == nil {
					answers[request] = sigs
				} else {
					want(t, err, SpentSAD)
				}
			}
			if n := countSignatures(answers); n != 6 {
				t.Errorf("%d signatures of a SAD for 6", n)
			}
			if n := starts(); n < 2 {
				t.Errorf("the vault was started %d times: it did not die", n)
			}
		})
	}
}

// scrambleKilled is scramble against a vault that dies: each request is sent until it
// has an answer.
func scrambleKilled(t *testing.T, c *Client, all Activation) map[string][][]byte {
	var mu sync.Mutex
	answers := map[string][][]byte{}
	var wg sync.WaitGroup
	n := len(all.Digests)
	for w := range 3 {
		wg.Go(func() {
			for try := range n {
				request := fmt.Sprintf("request-%d-%d", w, try)
				act := part(all, request, (2*w+try)%n)
				for {
					sigs, err := c.Sign(t.Context(), act)
					if KindOf(err) == Unavailable && t.Context().Err() == nil {
						continue
					}
					if err == nil {
						mu.Lock()
						answers[request] = sigs
						mu.Unlock()
					} else if KindOf(err) != SpentSAD {
						t.Errorf("%s: %v", request, err)
					}
					break
				}
			}
		})
	}
	wg.Wait()
	return answers
}

// TestUsesRemoved: rows of a SAD's uses that are removed, or put in the place of
// others, are noticed, and nothing is signed.
func TestUsesRemoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql string
		again     Kind // what the second request is told, sent again
		more      Kind // and a new one, for a digest that was signed
	}{
		{"the last", "DELETE FROM spent WHERE request = 'two'", Tampered, Tampered},
		{"one between", "DELETE FROM spent WHERE request = 'one'", "", Tampered},
		{"all", "DELETE FROM spent WHERE jti NOT LIKE 'key:%'", Tampered, Tampered},
		{"the second as the first", "DELETE FROM spent WHERE seq = 1; UPDATE spent SET seq = 1 WHERE seq = 2", Tampered, Tampered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := r.newHolder("h", "p256")
			all := h.authorised("tx", 3)
			for i, request := range []string{"one", "two"} {
				if _, err := r.c.Sign(t.Context(), part(all, request, i)); err != nil {
					t.Fatal(err)
				}
			}
			editState(t, r, c.sql)
			_, err := r.c.Sign(t.Context(), part(all, "two", 1))
			want(t, err, c.again)
			_, err = r.c.Sign(t.Context(), part(all, "more", 0))
			want(t, err, c.more)
			if n := r.events(); n["signature.intent"] != 2 || n["sad.tampered"] != 1 {
				t.Errorf("journal: %v", n)
			}
		})
	}
}

// TestIntentBeforeSignature: the token may unwrap while the intent is written, but is
// asked for no signature before it is durable, and for none at all when it cannot be.
func TestIntentBeforeSignature(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 2)
	v, done := r.direct()
	defer done()
	durable, signed := false, 0
	v.fault = func(step string) {
		if step == "intent" {
			durable = r.events()["signature.intent"] == 2 // as another process sees it
		}
	}
	v.tok = watchedToken{v.tok, func() {
		signed++
		if !durable {
			t.Error("the token signs before the intent is durable")
		}
	}}
	row, stored, err := v.consume(t.Context(), &act, mustRead(t, v, act.SAD), func() {})
	if err != nil || stored != nil || row.Seq != 1 {
		t.Fatalf("%+v, %v, %v", row, stored, err)
	}
	if signed != 0 {
		t.Fatal("the intent alone signs")
	}
	// A key that was unwrapped and is dropped signs nothing.
	key, err := v.holdKey(t.Context(), &act, mustRead(t, v, act.SAD))
	if err != nil {
		t.Fatal(err)
	}
	key.unwrap()
	key.drop()
	if signed != 0 || KindOf(key.err) != Failed {
		t.Fatalf("%d signatures of a key that was dropped, %v", signed, key.err)
	}
	sigs, err := v.sign(t.Context(), &act)
	if err != nil || signed != 2 {
		t.Fatalf("%d signed, %v", signed, err)
	}
	h.checkSignatures(act, sigs)
}

// watchedToken calls before for each signature of a holder's key.
type watchedToken struct {
	token
	before func()
}

func (w watchedToken) UseWrapped(ctx ctx, master string, d [32]byte, k hsm.Wrapped, use func(crypto.Signer) error) error {
	return w.token.UseWrapped(ctx, master, d, k, func(key crypto.Signer) error { return use(watchedKey{key, w.before}) })
}

type watchedKey struct {
	crypto.Signer
	before func()
}

func (w watchedKey) Sign(r reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	w.before()
	return w.Signer.Sign(r, digest, o)
}

func mustRead(t *testing.T, v *server, token string) *claims {
	t.Helper()
	c, err := v.mint.read(token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTaken(t *testing.T) {
	t.Parallel()
	have := sorted([][]byte{{3}, {1}, {2}, {1}, {1}})
	k := newTaken(len(have))
	for i, c := range []struct {
		wanted [][]byte
		ok     bool
	}{
		{[][]byte{{1}, {3}}, true}, {[][]byte{{1}, {1}}, true}, {[][]byte{{2}}, true},
	} {
		if k.take(have, c.wanted) != c.ok {
			t.Errorf("step %d", i)
		}
	}
	if left := k.left(have); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	for _, bad := range [][][]byte{{{1}}, {{0}}, {{9}}, {{2}, {2}}, {{1}, {1}, {1}, {1}}} {
		k := newTaken(len(have))
		if len(bad) == 1 && bad[0][0] == 1 {
			k.take(have, [][]byte{{1}, {1}, {1}})
		}
		if k.take(have, bad) {
			t.Errorf("%v is taken", bad)
		}
	}
	if left := newTaken(5).left(have); !reflect.DeepEqual(left, have) || !bytes.Equal(left[0], []byte{1}) {
		t.Errorf("%v", left)
	}
}
