package ledger

type indexer struct{ l *Ledger }

func newIndexer(l *Ledger) (*indexer, error) { return &indexer{l}, nil }
func (x *indexer) run()                      {}
func (x *indexer) wake()                     {}
func (x *indexer) stop()                     {}
