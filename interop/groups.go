package main

import "context"

// group is a part of the suite with a matrix of its own.
type group struct {
	name, title string
	run         func(*run, context.Context) error
}

// groups are run in this order.
var groups = []group{
	{"formats", "Made by Sigillo", (*run).madeByUs},
	{"dss", "Made by EU DSS", (*run).madeByDSS},
}

func groupNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}
