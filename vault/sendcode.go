package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

const (
	sentDigits = 6
	sentTries  = 3
	// Codes are not sent faster than one a minute, nor more than ten in 24 hours: they
	// cost money, and somebody's phone rings.
	resendAfter  = time.Minute
	sentPerDay   = 10
	couriers     = 4 // texts on their way at the same time
	courierLimit = 30 * time.Second
	// A holder who is known is told when the courier fails, if it does so soon: the
	// answer keeps a connection waiting.
	outcomeWait = 4 * time.Second
)

var errNoCourier = fail(NotAllowed, "no codes are sent to phones here: no courier is configured")

// sentCode is the code that was sent last and not used yet. There is one at a time for
// strangers, one for the holder's own browsers and one for applications: strangers who
// ask, or guess, do not spoil the holder's.
type sentCode struct {
	Device  string `json:"device"`
	Op      string `json:"op"`      // what it is good for
	Content []byte `json:"content"` // and nothing else
	MAC     []byte `json:"mac"`
	Until   int64  `json:"until"` // ms
	Tries   int    `json:"tries"` // left
}

// forApplications is the place of the code that is bound to an application and a
// credential, and not to digests.
const forApplications = 2

// side tells the other two apart.
func side(known bool) int {
	if known {
		return 1
	}
	return 0
}

// sendings counts what was sent.
type sendings struct {
	Since int64 `json:"since,omitempty"` // ms; begin of the 24 hours
	Count int   `json:"count,omitempty"`
	Last  int64 `json:"last,omitempty"` // ms
}

// wait returns how long no code may be sent.
func (b *sendings) wait(now time.Time) time.Duration {
	until := time.UnixMilli(b.Last).Add(resendAfter)
	if day := time.UnixMilli(b.Since).Add(24 * time.Hour); b.Count >= sentPerDay && day.After(until) {
		until = day
	}
	return max(0, until.Sub(now))
}

func (b *sendings) add(now time.Time) {
	if now.Sub(time.UnixMilli(b.Since)) >= 24*time.Hour {
		b.Since, b.Count = millis(now), 0
	}
	b.Count++
	b.Last = millis(now)
}

func (v *server) sentMAC(holder, device, code string, until int64) []byte {
	return newMessage("sigillo sent code v1").text(holder).text(device).num(until).text(code).mac(&v.rowKey)
}

// deliveries are the texts on their way. They do not keep a request waiting, and end
// with the vault.
type deliveries struct {
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	wg     sync.WaitGroup

	notices, telling chan struct{} // see notice
	repeat           time.Duration
}

func newDeliveries() *deliveries {
	d := &deliveries{slots: make(chan struct{}, couriers), notices: make(chan struct{}, maxNotices), telling: make(chan struct{}, telling), repeat: noticeRepeat}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// end waits for those on their way, which are told to hurry.
func (d *deliveries) end() {
	d.cancel()
	d.wg.Wait()
}

// start runs do beside the requests; false when too many run.
func (d *deliveries) start(do func(ctx context.Context)) bool {
	select {
	case d.slots <- struct{}{}:
	default:
		return false
	}
	d.wg.Go(func() {
		defer func() { <-d.slots }()
		ctx, cancel := context.WithTimeout(d.ctx, courierLimit)
		defer cancel()
		do(ctx)
	})
	return true
}

// sendCode has a code sent. A stranger is answered before anything is looked at that
// depends on the holder's state: neither answer nor time say whether there is a phone.
// One who is known waits for the courier a little, without the place that others want.
func (v *server) sendCode(ctx context.Context, q *challengeRequest) (any, error) {
	if v.cfg.Courier == nil {
		return nil, errNoCourier
	}
	if q.Code == nil {
		return nil, fail(BadRequest, "the request does not say where to send the code")
	}
	a, err := asking(q)
	if err != nil {
		return nil, err
	}
	now := v.now().UTC()
	answer := &CodeSent{Expires: now.Add(ChallengeLife).Truncate(time.Second), Resend: now.Add(resendAfter).Truncate(time.Second)}
	if err := v.ownFactors(ctx, &a.factors); err != nil {
		if a.factors.Version == 0 && a.factors.Holder == "" && KindOf(err) == Tampered {
			err = nil
		}
		return answer, v.noteRefusal(ctx, &a.factors, use{op: opSendCode}, err)
	}
	known := false
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		s, err := v.holder(tx, a.factors.Holder)
		known = s != nil && v.knownBrowser(s, a.browser)
		return err
	})
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	slot := side(known)
	if a.open { // an application that the service let in for this holder: no stranger
		slot = forApplications
	}
	if slot == side(false) {
		started := v.outgoing.start(func(ctx context.Context) {
			deliver, err := v.send(ctx, a, q.Code, side(false))
			if err != nil {
				v.log.Info("no code was sent", "kind", KindOf(err))
				return
			}
			_ = deliver(ctx) // which has said so in log and journal
		})
		if !started {
			return nil, &Error{Kind: Busy, Msg: "too many codes are on their way; try again", RetryAfter: 5 * time.Second}
		}
		return answer, nil
	}
	deliver, err := v.send(ctx, a, q.Code, slot)
	if err != nil {
		return nil, err
	}
	outcome := make(chan error, 1)
	if !v.outgoing.start(func(ctx context.Context) { outcome <- deliver(ctx) }) {
		return nil, &Error{Kind: Busy, Msg: "too many codes are on their way; try again", RetryAfter: resendAfter}
	}
	return later(func(ctx context.Context) (any, error) {
		select {
		case err := <-outcome:
			return answer, err
		case <-time.After(outcomeWait): // it may still arrive
		case <-ctx.Done():
		}
		return answer, nil
	}), nil
}

// send makes a code; deliver then has the courier deliver it.
//
//  1. Durable: the code, as a MAC, in the place of the former; that it is sent; the
//     journal.
//  2. The courier has it. What becomes of it there is in the log and the journal.
func (v *server) send(ctx context.Context, a *asked, q *CodeRequest, slot int) (deliver func(context.Context) error, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return nil, because(err, "no random numbers")
	}
	code := fmt.Sprintf("%0*d", sentDigits, n)
	var to *Device
	err = v.alter(ctx, &a.factors, func(tx *store.Tx, s *holderState) error { // 1
		now := v.now()
		budget := &s.Sendings[slot]
		if to = s.phone(a, q.Device); to == nil {
			return fail(NotAllowed, "the holder has no such phone")
		}
		if wait := budget.wait(now); wait > 0 {
			return &Error{Kind: Locked, Msg: "a code was sent already; wait and try again", RetryAfter: wait}
		}
		budget.add(now)
		until := millis(now.Add(ChallengeLife))
		s.Sent[slot] = &sentCode{Device: to.ID, Op: a.op, Content: a.content, Until: until, Tries: sentTries,
			MAC: v.sentMAC(s.Holder, to.ID, code, until)}
		return because(audit.Append(tx, now, v.codeEvent("code.sent", s.Holder, to, a)), "the journal cannot be written")
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { // 2
		err := v.cfg.Courier.Send(ctx, to.To, codeText(a, code, q.Language))
		if err == nil {
			return nil
		}
		v.log.Error("a code could not be sent", "err", err)
		if err := v.journal(ctx, v.codeEvent("code.undelivered", a.factors.Holder, to, a)); err != nil {
			v.log.Error("that a code could not be sent was not journalled", "err", err)
		}
		return &Error{Kind: Undelivered, Msg: "the code could not be sent to the phone; use another way, or try again later", RetryAfter: resendAfter, Err: err}
	}, nil
}

func (v *server) codeEvent(name, holder string, to *Device, a *asked) audit.Event {
	ev := audit.Event{Actor: holder, Event: name, Subject: holder, Detail: map[string]string{
		"device": to.ID, "to": masked(to.To), "operation": a.op}}
	if a.open {
		ev.Detail["application"], ev.Detail["credential"] = a.application, a.credential
	}
	return ev
}

// phone finds the phone a code is to be sent to: the one that is named, or the first
// that counts; to be confirmed, the one that is.
func (s *holderState) phone(a *asked, id string) *Device {
	for _, d := range a.factors.devices() {
		if d.Kind != Phone || id != "" && d.ID != id {
			continue
		}
		if a.op == opConfirmDevice && d.ID == a.device || a.op != opConfirmDevice && s.counts(d.ID) {
			return &d
		}
	}
	return nil
}

// matchSent compares the code with the one that was sent for this request, and with the
// one that was sent for the application that makes it.
func (p *presented) matchSent(s *holderState, u use, now time.Time, m *found) {
	for _, slot := range p.slots(s) {
		c, content := s.Sent[slot], u.content
		if slot == forApplications {
			content = u.open
		}
		if c == nil || c.Op != u.op || !hmac.Equal(c.Content, content) || c.Tries <= 0 || millis(now) >= c.Until || !s.counts(c.Device) {
			continue
		}
		if hmac.Equal(c.MAC, p.sent(c.Device, c.Until)) {
			m.hits = append(m.hits, hit{device: c.Device, method: amrSMS, slot: slot})
		}
	}
}

// slots are the places of the codes that p is a try at.
func (p *presented) slots(s *holderState) []int {
	list := []int{side(p.known)}
	if c := s.Sent[forApplications]; c != nil && p.open != nil && hmac.Equal(c.Content, p.open) {
		list = append(list, forApplications)
	}
	return list
}

// missed counts a wrong code as a try at the one that was sent.
func (s *holderState) missed(p *presented) {
	if p.strong() {
		return
	}
	for _, slot := range p.slots(s) {
		c := &s.Sent[slot]
		if *c == nil {
			continue
		}
		if (*c).Tries--; (*c).Tries <= 0 {
			*c = nil
		}
	}
}

// tell lets a holder know, over the phones that count, that the factors were changed: a
// service that was taken over, and used a code for that which was typed for something
// else, cannot keep it quiet. It waits for nothing.
func (v *server) tell(ctx context.Context, f *Factors, op string) {
	if v.cfg.Courier == nil {
		return
	}
	var phones []Device
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		s, err := v.holder(tx, f.Holder)
		for _, d := range f.devices() {
			if err == nil && s != nil && d.Kind == Phone && s.counts(d.ID) {
				phones = append(phones, d)
			}
		}
		return err
	})
	for _, d := range phones {
		failed := func(err error) {
			v.log.Error("a notice of a change could not be sent", "err", err)
			err = v.journal(ctx, audit.Event{Actor: f.Holder, Event: "notice.undelivered", Subject: f.Holder, Detail: map[string]string{
				"device": d.ID, "to": masked(d.To), "operation": op}})
			if err != nil {
				v.log.Error("that a notice could not be sent was not journalled", "err", err)
			}
		}
		if !v.outgoing.notice(func(ctx context.Context) error { return v.cfg.Courier.Send(ctx, d.To, noticeText(op)) }, failed) {
			failed(fail(Busy, "too many notices wait"))
		}
	}
	if err != nil {
		v.log.Error("a notice of a change was not sent", "err", err)
	}
}

// noticeText is in both languages: the vault does not know the holder's.
func noticeText(op string) string {
	return fmt.Sprintf("Sigillo: %s. Se non sei stato tu, chiedi subito la sospensione. / %s. If it was not you, have your certificate suspended at once.",
		noticesIT[op], noticesEN[op])
}

var noticesIT = map[string]string{
	opAddDevice: "è stato aggiunto un dispositivo", opRemoveDevice: "è stato rimosso un dispositivo",
	opRecoveryCodes: "sono stati creati nuovi codici di recupero", opChangePassword: "la password è stata cambiata",
	opDelegate: "è stata data una delega a firmare in automatico",
}

var noticesEN = map[string]string{
	opAddDevice: "a device was added", opRemoveDevice: "a device was removed",
	opRecoveryCodes: "new recovery codes were made", opChangePassword: "the password was changed",
	opDelegate: "an application was allowed to sign in your name",
}

var (
	telephone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // E.164
	mailbox   = regexp.MustCompile(`^[^@\s<>"(),:;\\\[\]]{1,64}@[A-Za-z0-9.-]{1,190}$`)
)

// checkAddress says whether a code can be sent there.
func checkAddress(to string) error {
	if len(to) > maxName || !telephone.MatchString(to) && !mailbox.MatchString(to) {
		return fail(BadRequest, "a phone is named by its number with the country's, like +39333123456, or by an e-mail address")
	}
	return nil
}

// masked hides all but the end of an address.
func masked(to string) string {
	const shown = 4
	if len(to) <= shown {
		return ""
	}
	return "…" + to[len(to)-shown:]
}

// codeText is what the holder reads. It says what the code is for, in words that the
// service did not choose: whoever has taken that over cannot have a code for a
// signature typed as one for a sign-in unnoticed.
func codeText(a *asked, code, language string) string {
	italian := strings.HasPrefix(strings.ToLower(language), "it")
	if a.open {
		return openText(a, code, italian)
	}
	what, text := purposesEN[a.op], "Sigillo: %s is your code to %s. It is good for 5 minutes. Tell it to nobody."
	many := fmt.Sprintf("sign %d documents", a.count)
	if italian {
		what, text = purposesIT[a.op], "Sigillo: %s è il codice per %s. Vale 5 minuti. Non comunicarlo a nessuno."
		many = fmt.Sprintf("firmare %d documenti", a.count)
	}
	if a.op == opAuthorise && a.count != 1 {
		what = many
	}
	return fmt.Sprintf(text, code, what)
}

var purposesEN = map[string]string{
	opAuthenticate: "sign in", opAuthorise: "sign 1 document", opCreateCredential: "make a new signing key",
	opDelegate: "let signatures be made in your name without you", opAddDevice: "add a device", opRemoveDevice: "remove a device",
	opRecoveryCodes: "make recovery codes", opChangePassword: "change your password", opConfirmDevice: "confirm this phone",
	opOpenCapture: "confirm that you are there with the customer who signs", opFinishEnrolment: "confirm, as the second person, that a signature is enrolled",
	opRegisterTablet: "register a signature tablet", opRollBackProfile: "put back a signature's profile",
}

var purposesIT = map[string]string{
	opAuthenticate: "accedere", opAuthorise: "firmare 1 documento", opCreateCredential: "creare una nuova chiave di firma",
	opDelegate: "far apporre firme a tuo nome senza di te", opAddDevice: "aggiungere un dispositivo", opRemoveDevice: "rimuovere un dispositivo",
	opRecoveryCodes: "creare i codici di recupero", opChangePassword: "cambiare la password", opConfirmDevice: "confermare questo telefono",
	opOpenCapture: "confermare che sei presente con il cliente che firma", opFinishEnrolment: "confermare, come seconda persona, la registrazione di una firma",
	opRegisterTablet: "registrare una tavoletta di firma", opRollBackProfile: "ripristinare il profilo di una firma",
}
