-- How the pages that the holder sees were made, with the hash of each image; and
-- the document that this one was converted from, '' for none.

-- +goose Up
ALTER TABLE documents ADD COLUMN account BLOB;
ALTER TABLE documents ADD COLUMN origin TEXT NOT NULL DEFAULT '';
