package tsa

// WithoutSelfCheck lets a key pass that signs nothing, for tests and figures of all
// the rest.
func (a *Authority) WithoutSelfCheck() {
	for _, units := range *a.series.Load() {
		for _, u := range units {
			u.verify = func(*template, *scratch, []byte) error { return nil }
		}
	}
}
