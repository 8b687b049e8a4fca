package store

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate applies the migrations of s that the database does not have yet. Each
// is one transaction; the version table bears the schema's name, so that a file
// of the other schema is recognised and not mixed.
func migrate(ctx context.Context, db *sql.DB, s Schema) error {
	other := Vault
	switch s {
	case Appliance:
	case Vault:
		other = Appliance
	default:
		return errorf(Failed, "store: unknown schema %q", s)
	}
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = ?`, versionTable(other)).Scan(&n)
	if err != nil {
		return err
	}
	if n != 0 {
		return errorf(Failed, "store: this is the %s's database, not the %s's; check the configured path", other, s)
	}
	dir, err := fs.Sub(migrations, "migrations/"+string(s))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithTableName(versionTable(s)),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return errorf(Failed, "store: the database has version %d, this program knows %d; start the newer program", current, target)
	}
	if current == target {
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

func versionTable(s Schema) string { return string(s) + "_version" }
