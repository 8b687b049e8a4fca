package vault

// A SAD is as a rule over data to be signed (DTBS/R). One with claims.Documents is over
// documents: an application that leaves the making of signatures to the service has
// only these when its holder authorises. What is signed is then made by the service of
// each document, and the vault cannot tell whether it was: a service that is taken over
// can have something else signed in the place of an authorised document, once for each
// and while the SAD is good, as it can when it prepares what its own holders
// authorise. It cannot have more signed than that.

// authorised are the digests of the SAD that an activation consumes, one for each
// signature.
func (a *Activation) authorised() [][]byte {
	if len(a.Documents) > 0 {
		return a.Documents
	}
	return a.Digests
}

// ofKind refuses digests of documents for a SAD over data to be signed, and the
// other way round.
func (a *Activation) ofKind(sad *claims) error {
	if sad.Documents != (len(a.Documents) > 0) || sad.Documents && len(a.Documents) != len(a.Digests) {
		return fail(BadSAD, "the activation data is for digests of another kind; authorise again")
	}
	return nil
}

// names is what is signed of what, for the binding of a use: two activations that
// differ in either are two.
func (a *Activation) names(m message) message {
	if len(a.Documents) > 0 {
		m = m.list(a.Documents)
	}
	return m.list(a.Digests)
}
