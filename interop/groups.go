package main

import "context"

// group is a part of the suite with a matrix of its own.
type group struct {
	name, title string
	run         func(*run, context.Context) error
}

// groups are run in this order.
var groups = []group{
	{"service", "Signed by the service", (*run).service},
	{"formats", "Made by Sigillo", (*run).madeByUs},
	{"pdfs", "PDFs of other programs, signed by Sigillo", (*run).realWorld},
	{"dss", "Made by EU DSS", (*run).madeByDSS},
	{"pyhanko", "Made by pyHanko", (*run).madeByPyHanko},
	{"openssl", "Made by OpenSSL", (*run).madeByOpenSSL},
	{"evidence", "Evidence records made by Sigillo", (*run).evidenceRecords},
	{"stamping", "Stamped by the service for others", (*run).stamping},
}

func groupNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}
