package pki_test

import (
	"fmt"

	"sigillo/pki"
)

func ExampleCheckFiscalCode() {
	fmt.Println(pki.CheckFiscalCode("RSSMRA85T10A562S"))
	fmt.Println(pki.CheckFiscalCode("RSSMRA85T10A562T"))
	// Output:
	// <nil>
	// pki: the codice fiscale's last letter does not fit the rest; there is a typing mistake in it
}

func ExampleUseLimit_Text() {
	limit := pki.UseLimit{Kind: pki.RelationsWith, Party: "Comune di Prova"}
	fmt.Println(limit.Text())
	// Output: L'utilizzo del certificato è limitato ai rapporti con Comune di Prova. The certificate may be used only for relations with Comune di Prova.
}
