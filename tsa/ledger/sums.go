package ledger

// Totals returns the durable sums.
func (l *Ledger) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return totalsOf(l.durable.head.Seq, l.used)
}

func totalsOf(entries int64, used map[string]*account) Totals {
	t := Totals{Entries: entries, Accounts: make(map[string]Used, len(used))}
	for name, a := range used {
		u := Used{Stamps: a.stamps}
		if len(a.lots) > 0 {
			u.Lots = make(map[string]int64, len(a.lots))
			for lot, n := range a.lots {
				u.Lots[lot] = n
			}
		}
		t.Accounts[name] = u
	}
	return t
}

// Used returns how many stamps of an account are recorded.
func (l *Ledger) Used(account string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.used[account]; a != nil {
		return a.stamps
	}
	return 0
}

// UsedOfLot returns how many stamps of a lot are recorded.
func (l *Ledger) UsedOfLot(account, lot string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.used[account]; a != nil {
		return a.lots[lot]
	}
	return 0
}
