package validate

import "io"

// readASiC reads the signatures of a container.
func (v *validation) readASiC(io.ReaderAt, int64) error {
	return fail(Unreadable, nil, "%s", errKind)
}
