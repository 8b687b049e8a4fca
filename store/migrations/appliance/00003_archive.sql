-- Tokens are in the record of time-stamps, which is the archive.

-- +goose Up
DROP TABLE tokens;
