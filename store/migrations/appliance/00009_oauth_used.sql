-- When an application last used what a holder has granted it, so that its holder can see
-- what is still in use.

-- +goose Up
ALTER TABLE oauth_grants ADD COLUMN used INTEGER NOT NULL DEFAULT 0; -- noted once a minute, 0: not yet
