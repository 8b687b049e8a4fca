package oauth_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"sigillo/signing"
	"sigillo/store"
)

// TestRequestsRefused: what is wrong with a request is told to the application, once it
// is known to be the application.
func TestRequestsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	many := strings.TrimSuffix(strings.Repeat(hash("a")+",", 1025), ",")
	none := []string{"credentialID", "-", "hashes", "-", "hashAlgorithmOID", "-", "numSignatures", "-"}
	rar := func(text string) url.Values {
		return ordered(append(none, "authorization_details", text)...)
	}
	good := `{"type":"credential","credentialID":"` + cred + `","hashAlgorithmOID":"2.16.840.1.101.3.4.2.1","documentDigests":[{"hash":"` + hash("a") + `"}]}`
	for name, c := range map[string]struct {
		q     url.Values
		error string
	}{
		"no response_type":         {asked("response_type", "-"), "invalid_request"},
		"implicit":                 {asked("response_type", "token"), "unsupported_response_type"},
		"fragment":                 {asked("response_mode", "fragment"), "invalid_request"},
		"no question":              {asked("prompt", "none"), "login_required"},
		"request object":           {asked("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"},
		"no challenge":             {asked("code_challenge", "-", "code_challenge_method", "-"), "invalid_request"},
		"method alone":             {asked("code_challenge", "-"), "invalid_request"},
		"plain":                    {asked("code_challenge_method", "plain", "code_challenge", verifier), "invalid_request"},
		"plain by default":         {asked("code_challenge_method", "-"), "invalid_request"},
		"plain of v1":              {asked("client_id", "v1", "code_challenge_method", "plain"), "invalid_request"},
		"method alone of v1":       {asked("client_id", "v1", "code_challenge", "-"), "invalid_request"},
		"challenge is no digest":   {asked("code_challenge", "abc"), "invalid_request"},
		"both scopes":              {asked("scope", "service credential"), "invalid_scope"},
		"both scopes, signing":     {ordered("scope", "credential service"), "invalid_scope"},
		"unknown scope":            {asked("scope", "admin"), "invalid_scope"},
		"service with details":     {asked("authorization_details", "["+good+"]"), "invalid_scope"},
		"long state":               {asked("state", strings.Repeat("x", 2049)), "invalid_request"},
		"no hashes":                {ordered("hashes", "-", "hashAlgorithmOID", "-", "numSignatures", "-"), "invalid_request"},
		"hash and hashes":          {ordered("hash", hash("c")), "invalid_request"},
		"not base64":               {ordered("hashes", "???", "numSignatures", "1"), "invalid_request"},
		"empty hash":               {ordered("hashes", hash("a")+","), "invalid_request"},
		"short hash":               {ordered("hashes", "AAAA", "numSignatures", "1"), "invalid_request"},
		"SHA-1":                    {ordered("hashes", "AAAAAAAAAAAAAAAAAAAAAAAAAAA", "hashAlgorithmOID", "1.3.14.3.2.26", "numSignatures", "1"), "invalid_request"},
		"SHA-1 of v1":              {ordered("hash", "AAAAAAAAAAAAAAAAAAAAAAAAAAA", "hashes", "-", "hashAlgorithmOID", "-", "numSignatures", "1"), "invalid_request"},
		"another algorithm":        {ordered("hashAlgorithmOID", "2.16.840.1.101.3.4.2.3"), "invalid_request"},
		"one signature more":       {ordered("numSignatures", "3"), "invalid_request"},
		"one signature fewer":      {ordered("numSignatures", "1"), "invalid_request"},
		"no number":                {ordered("numSignatures", "+2"), "invalid_request"},
		"no credential":            {ordered("credentialID", "-"), "invalid_request"},
		"credential and qualifier": {ordered("signatureQualifier", "eu_eidas_aes"), "invalid_request"},
		"unknown credential":       {ordered("credentialID", "credential-0"), "invalid_request"},
		"qualifier not ours":       {ordered("credentialID", "-", "signatureQualifier", "eu_eidas_qes"), "invalid_request"},
		"long description":         {ordered("description", strings.Repeat("é", 501)), "invalid_request"},
		"details are no JSON":      {rar("x"), "invalid_authorization_details"},
		"details are no array":     {rar(good), "invalid_authorization_details"},
		"two details":              {rar("[" + good + "," + good + "]"), "invalid_authorization_details"},
		"no details":               {rar("[]"), "invalid_authorization_details"},
		"more behind details":      {rar("[" + good + "] 1"), "invalid_authorization_details"},
		"unknown type":             {rar("[" + strings.Replace(good, `"credential"`, `"payment"`, 1) + "]"), "invalid_authorization_details"},
		"unknown field":            {rar("[" + strings.Replace(good, "{", `{"amount":1,`, 1) + "]"), "invalid_authorization_details"},
		"wrong type of a field":    {rar("[" + strings.Replace(good, `"`+cred+`"`, "1", 1) + "]"), "invalid_authorization_details"},
		"details without digests":  {rar(`[{"type":"credential","credentialID":"c","numSignatures":1}]`), "invalid_authorization_details"},
		"unknown hash type":        {rar("[" + strings.Replace(good, `"hash":`, `"hashType":"X","hash":`, 1) + "]"), "invalid_authorization_details"},
		"details and hashes":       {ordered("authorization_details", "["+good+"]"), "invalid_request"},
		"forged account token":     {asked("account_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."), "invalid_request"},
	} {
		if a := d.answer(d.visitor().get(c.q), callback); a.Get("error") != c.error || a.Get("error_description") == "" || a.Get("state") != c.q.Get("state") && name != "long state" {
			t.Errorf("%s: %v", name, a)
		}
	}
	// More than fits into an address is pushed.
	if got := d.read(d.call("/oauth2/pushed_authorize", "app", ordered("hashes", many, "numSignatures", "-"))); got.Error != "invalid_request" {
		t.Errorf("1025 hashes: %+v", got)
	}
	if got := d.read(d.call("/oauth2/pushed_authorize", "app", ordered("hashes", strings.TrimSuffix(many, ","+hash("a")), "numSignatures", "1024"))); got.URI == "" {
		t.Errorf("1024 hashes: %+v", got)
	}
}

// TestCodeOfFormerFactors: a code that was given for factors that are none any more gives
// nothing.
func TestCodeOfFormerFactors(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	code := d.code(asked())
	d.rooms.mu.Lock()
	d.rooms.changed = true
	d.rooms.mu.Unlock()
	if got := d.read(d.call("/oauth2/token", "app", exchange(code))); got.Error != "invalid_grant" || got.Access != "" {
		t.Errorf("%+v", got)
	}
	if left, err := d.srv.Grants(t.Context(), holderID); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

// TestRefreshWearsOut: an application that exchanges its refresh token without end does
// not fill the database.
func TestRefreshWearsOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	got := d.tokens("app", asked())
	left, err := d.srv.Grants(t.Context(), holderID)
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	if err := d.db.Write(t.Context(), func(tx *store.Tx) error {
		for n := range 5000 {
			err := tx.PutOAuthToken(store.OAuthToken{ID: []byte(strconv.Itoa(n)), Grant: left[0].ID, Kind: store.OAuthRefresh, Used: d.now(), Expires: left[0].Expires})
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r := d.read(d.call("/oauth2/token", "app", params(map[string]string{"grant_type": "refresh_token", "refresh_token": got.Refresh})))
	if r.Error != "invalid_grant" || !strings.Contains(r.Description, "ask the holder again") {
		t.Errorf("%+v", r)
	}
}

// TestNobodyToTell: as long as the application or its address is in doubt, nothing is
// sent anywhere.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	twice := asked()
	twice.Add("client_id", "other")
	if got := d.read(d.call("/oauth2/pushed_authorize", "app", ordered("description", "\xff"))); got.Error != "invalid_request" {
		t.Errorf("a description that is not UTF-8 is pushed: %+v", got)
	}
	pushed := d.read(d.call("/oauth2/pushed_authorize", "app", asked())).URI
	for name, q := range map[string]url.Values{
		"no client":                  asked("client_id", "-"),
		"unknown client":             asked("client_id", "nobody"),
		"long client":                asked("client_id", strings.Repeat("x", 5000)),
		"two clients":                twice,
		"no UTF-8":                   ordered("description", "\xff"),
		"another's address":          asked("redirect_uri", "https://other.example/cb"),
		"longer address":             asked("redirect_uri", callback+"x"),
		"address without its query":  asked("redirect_uri", "https://app.example/cb"),
		"host in other letters":      asked("redirect_uri", "https://APP.example/cb?tenant=1"),
		"with a port":                asked("redirect_uri", "https://app.example:443/cb?tenant=1"),
		"with dots":                  asked("redirect_uri", "https://app.example/x/../cb?tenant=1"),
		"user before the host":       asked("redirect_uri", "https://app.example@evil.example/cb?tenant=1"),
		"no address, one of two":     asked("client_id", "v1", "redirect_uri", "-"),
		"loopback, other path":       asked("client_id", "phone", "redirect_uri", "http://127.0.0.1:5000/other"),
		"loopback, other number":     asked("client_id", "phone", "redirect_uri", "http://127.0.0.2:5000/cb"),
		"loopback by name":           asked("client_id", "phone", "redirect_uri", "http://localhost:5000/cb"),
		"loopback, https":            asked("client_id", "phone", "redirect_uri", "https://127.0.0.1:5000/cb"),
		"loopback, user":             asked("client_id", "phone", "redirect_uri", "http://127.0.0.1@evil.example/cb"),
		"loopback, unregistered":     asked("redirect_uri", "http://127.0.0.1:5000/cb"),
		"request_uri of another":     {"client_id": {"other"}, "request_uri": {pushed}},
		"the same, with its address": {"client_id": {"v1"}, "request_uri": {pushed}}, // v1 has the address, too
		"request_uri never given":    {"client_id": {"app"}, "request_uri": {"urn:ietf:params:oauth:request_uri:x"}},
		"request_uri is an address":  {"client_id": {"app"}, "request_uri": {"https://app.example/request"}},
		"request_uri without client": {"request_uri": {pushed}},
	} {
		r := d.visitor().get(q)
		if r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" || !strings.Contains(r.body, "error-page") {
			t.Errorf("%s: %d to %q", name, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

// TestCodesRefused: a code is worth something once, for a minute, to whom it was given.
func TestCodesRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	weak := asked("client_id", "v1", "code_challenge", "-", "code_challenge_method", "-")
	for name, c := range map[string]struct {
		q      url.Values
		client string
		change []string
		wait   time.Duration
		error  string
	}{
		"no code":                {asked(), "app", []string{"code", "-"}, 0, "invalid_request"},
		"invented code":          {asked(), "app", []string{"code", hash("x")}, 0, "invalid_grant"},
		"stolen":                 {asked(), "other", nil, 0, "invalid_grant"},
		"stolen, public client":  {asked(), "phone", []string{"client_id", "phone"}, 0, "invalid_grant"},
		"stolen, signing":        {ordered(), "other", nil, 0, "invalid_grant"},
		"another address":        {asked(), "app", []string{"redirect_uri", "https://other.example/cb"}, 0, "invalid_grant"},
		"no address":             {asked(), "app", []string{"redirect_uri", "-"}, 0, "invalid_grant"},
		"address not asked with": {asked("redirect_uri", "-"), "app", []string{"redirect_uri", "https://other.example/cb"}, 0, "invalid_grant"},
		"no verifier":            {asked(), "app", []string{"code_verifier", "-"}, 0, "invalid_grant"},
		"wrong verifier":         {asked(), "app", []string{"code_verifier", oauth2.GenerateVerifier()}, 0, "invalid_grant"},
		"the challenge itself":   {asked(), "app", []string{"code_verifier", oauth2.S256ChallengeFromVerifier(verifier)}, 0, "invalid_grant"},
		"short verifier":         {asked("code_challenge", oauth2.S256ChallengeFromVerifier("x")), "app", []string{"code_verifier", "x"}, 0, "invalid_grant"},
		"challenge taken out":    {weak, "v1", nil, 0, "invalid_grant"}, // the application sends its verifier
		"v1 that proves":         {asked("client_id", "v1"), "v1", []string{"code_verifier", "-"}, 0, "invalid_grant"},
		"too late":               {asked(), "app", nil, time.Minute, "invalid_grant"},
		"another grant":          {asked(), "app", []string{"grant_type", "password"}, 0, "unsupported_grant_type"},
		"no grant":               {asked(), "app", []string{"grant_type", "-"}, 0, "invalid_request"},
	} {
		code, dropped := d.code(c.q), len(d.rooms.dropped)
		d.later(c.wait)
		r := d.call("/oauth2/token", c.client, exchange(code, c.change...))
		if got := d.read(r); r.StatusCode != http.StatusBadRequest || got.Error != c.error || got.Access != "" {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
		if c.q.Get("scope") == "credential" && len(d.rooms.dropped) != dropped+1 {
			t.Errorf("%s: the authorisation is still in force", name)
		}
		if c.error != "invalid_grant" || name == "invented code" {
			continue
		}
		// What was tried in vain is spent: who had it in his hands may try no further.
		right := exchange(code)
		if c.q.Get("code_challenge") == "" {
			right.Del("code_verifier")
		}
		if c.q.Get("redirect_uri") == "" {
			right.Del("redirect_uri")
		}
		if again := d.read(d.call("/oauth2/token", c.q.Get("client_id"), right)); again.Error != "invalid_grant" {
			t.Errorf("%s: still good afterwards: %+v", name, again)
		}
	}
}

// TestCodeReplay: a code that comes back ends what it gave.
func TestCodeReplay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, c := range map[string]struct {
		q     url.Values
		thief string
	}{"service": {asked(), "app"}, "service, by another": {asked(), "other"}, "credential": {ordered(), "app"}, "credential, by another": {ordered(), "other"}} {
		code := d.code(c.q)
		first := d.read(d.call("/oauth2/token", "app", exchange(code)))
		if d.opens(first.Access, "") == "" {
			t.Fatalf("%s: %+v", name, first)
		}
		if r := d.call("/oauth2/token", c.thief, exchange(code)); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: replayed: %d", name, r.StatusCode)
		}
		if d.opens(first.Access, "") != "" {
			t.Errorf("%s: the access token is still good", name)
		}
		if first.Refresh != "" && d.read(d.call("/oauth2/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})).Error != "invalid_grant" {
			t.Errorf("%s: the refresh token is still good", name)
		}
	}
	// Many at once: at most one has tokens, and they do not last.
	code := d.code(asked())
	var mu sync.Mutex
	var all []tokens
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got := d.read(d.call("/oauth2/token", "app", exchange(code)))
			mu.Lock()
			defer mu.Unlock()
			if got.Access != "" {
				all = append(all, got)
			}
		})
	}
	group.Wait()
	if len(all) > 1 || len(all) == 1 && d.opens(all[0].Access, "") != "" {
		t.Errorf("%d answers with tokens, or they are still good", len(all))
	}
}

// TestRefreshReplay: a refresh token that comes back ends all that it belongs to.
func TestRefreshReplay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	refresh := func(client, token string, more ...string) tokens {
		return d.read(d.call("/oauth2/token", client, params(map[string]string{"grant_type": "refresh_token", "refresh_token": token}, more...)))
	}
	first := d.tokens("app", asked())
	for name, got := range map[string]tokens{
		"another client's": refresh("other", first.Refresh), "public client's": refresh("phone", first.Refresh, "client_id", "phone"),
		"access token": refresh("app", first.Access), "none": refresh("app", "-"), "wider": refresh("app", first.Refresh, "scope", "credential"),
	} {
		if got.Error == "" || got.Access != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	second := refresh("app", first.Refresh)
	third := refresh("app", second.Refresh)
	if d.opens(third.Access, "") == "" {
		t.Fatalf("%+v", third)
	}
	if got := refresh("app", second.Refresh); got.Error != "invalid_grant" {
		t.Errorf("used twice: %+v", got)
	}
	if d.opens(third.Access, "") != "" || refresh("app", third.Refresh).Error != "invalid_grant" {
		t.Error("the family has survived")
	}
	// Many at once: one has tokens, and they do not last either.
	first = d.tokens("app", asked())
	var group sync.WaitGroup
	var mu sync.Mutex
	given := 0
	for range 8 {
		group.Go(func() {
			if got := refresh("app", first.Refresh); got.Access != "" {
				mu.Lock()
				given++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if given > 1 || d.opens(first.Access, "") != "" {
		t.Errorf("%d answers with tokens, or the family has survived", given)
	}
	// Everything ends.
	first = d.tokens("app", asked())
	if d.later(time.Hour); d.opens(first.Access, "") != "" {
		t.Error("an access token lasts longer than an hour")
	}
	if d.later(30 * 24 * time.Hour); refresh("app", first.Refresh).Error != "invalid_grant" {
		t.Error("a refresh token lasts longer than 30 days")
	}
	if order := d.tokens("app", ordered()); d.opens(order.Access, "") == "" {
		t.Error("an authorisation opens nothing")
	} else if d.later(5 * time.Minute); d.opens(order.Access, "") != "" {
		t.Error("an authorisation lasts longer than the signing core said")
	}
}

// TestPushedOnce: what was pushed is decided once.
func TestPushedOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	push := func() url.Values {
		return url.Values{"client_id": {"app"}, "request_uri": {d.read(d.call("/oauth2/pushed_authorize", "app", ordered())).URI}}
	}
	gone := func(name string, r reply) {
		t.Helper()
		if r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "oauth-stale") {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	q := push()
	v, w := d.visitor(), d.visitor()
	page, second := v.get(q), w.get(q)
	d.answer(v.decide(page), callback)
	gone("opened again", v.get(q))
	gone("sent again", v.decide(page))
	gone("sent by another", w.decide(second))

	q = push()
	page = v.get(q)
	d.answer(v.decide(page, "decision", "refuse"), callback)
	gone("consented to after it was refused", v.decide(page))

	q = push()
	page = v.get(q)
	d.later(10 * time.Minute)
	gone("too late", v.decide(page))

	// Two at once, each with good factors: one has a code, the other's authorisation is
	// taken back.
	q = push()
	page, second = v.get(q), w.get(q)
	orders, dropped := len(d.rooms.orders), len(d.rooms.dropped)
	var answers [2]reply
	var group sync.WaitGroup
	group.Go(func() { answers[0] = v.decide(page, "otp", "900001") })
	group.Go(func() { answers[1] = w.decide(second, "otp", "900002") })
	group.Wait()
	codes := strings.Count(answers[0].Header.Get("Location")+answers[1].Header.Get("Location"), "code=")
	if codes != 1 || len(d.rooms.orders)-orders-(len(d.rooms.dropped)-dropped) != 1 {
		t.Errorf("%d codes, %d orders, %d dropped", codes, len(d.rooms.orders)-orders, len(d.rooms.dropped)-dropped)
	}

	for name, c := range map[string]struct {
		client string
		q      url.Values
		error  string
	}{
		"nobody":              {"", ordered(), "invalid_client"},
		"secret of another":   {"other", ordered(), "invalid_client"},
		"another's client_id": {"app", ordered("client_id", "other"), "invalid_client"},
		"another's address":   {"app", ordered("redirect_uri", "https://other.example/cb"), "invalid_request"},
		"request_uri":         {"app", ordered("request_uri", "urn:x"), "invalid_request"},
		"both scopes":         {"app", ordered("scope", "service credential"), "invalid_scope"},
		"no challenge":        {"app", ordered("code_challenge", "-"), "invalid_request"},
	} {
		if got := d.read(d.call("/oauth2/pushed_authorize", c.client, c.q)); got.Error != c.error || got.URI != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestHolders: whoever is not the holder learns nothing, not even who is one.
func TestHolders(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := d.visitor()
	for _, q := range []url.Values{asked(), ordered()} {
		stranger := v.decide(v.get(q), "username", "nobody", "password", "x")
		known := v.decide(v.get(q), "password", "x")
		clean := strings.NewReplacer(`value="nobody"`, `value="ada"`)
		if stranger.StatusCode != http.StatusForbidden || known.StatusCode != http.StatusForbidden || clean.Replace(stranger.body) != known.body {
			t.Errorf("%d and %d, or their pages differ", stranger.StatusCode, known.StatusCode)
		}
		d.rooms.holder = "h-2" // the credential is somebody else's
		if r := v.decide(v.get(q), "password", "x"); r.StatusCode != http.StatusForbidden {
			t.Errorf("another's credential and a wrong password: %d", r.StatusCode)
		}
		if a := d.answer(v.decide(v.get(q)), callback); q.Get("scope") == "credential" && a.Get("error") != "access_denied" {
			t.Errorf("another's credential: %v", a)
		}
		d.rooms.holder = holderID
	}
	// A code that was used is used.
	page := v.get(asked())
	d.answer(v.decide(page, "otp", "123456"), callback)
	if r := v.decide(v.get(ordered()), "otp", "123456"); r.StatusCode != http.StatusForbidden || len(d.rooms.orders) != 0 {
		t.Errorf("the OTP of one consent has authorised another: %d", r.StatusCode)
	}
	// What only the core knows to be wrong with an order is told to the application.
	for _, kind := range []signing.Kind{signing.BadRequest, "too-many"} {
		d.rooms.fault = refuse(kind)
		if a := d.answer(v.decide(v.get(ordered())), callback); a.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", kind, a)
		}
	}
	d.rooms.fault = nil
	// Guessing from one address is slowed down.
	for range 31 {
		page = v.decide(v.get(asked()), "password", "x")
	}
	if page.StatusCode != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" {
		t.Errorf("the 31st guess: %d", page.StatusCode)
	}
	// A fault of ours is no guess, and does not end the request.
	d = newDesk(t)
	v = d.visitor()
	d.rooms.fault = refuse(signing.KeyUnavailable)
	for range 40 {
		page = v.decide(v.get(ordered()))
	}
	if page.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page.body, "<form") {
		t.Errorf("a fault of ours: %d", page.StatusCode)
	}
}
