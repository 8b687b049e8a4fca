// Package hsm drives one PKCS#11 token.
package hsm
