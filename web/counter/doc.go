// Package counter is the face of a counter: the pages of the operator, and the page of the
// tablet that the customer reads and signs on.
//
// The operator is a member of the staff, signed in as the staff is. The tablet is a browser
// that was registered once, by a code: from then on its cookie says which one it is, and the
// key in its browser signs what it captures. It shows what the room below says that it is to
// show, and waits for that to change; so the operator's page does. Neither page decides
// anything. What a pen wrote is encrypted in the tablet's browser for the vault: this package
// passes it on and could not read it.
//
// What the browser does is in web/assets/static: pen.js and stu.js are the drivers of pens,
// trace.js what they write into, seal.js the encryption, tablet.js and counter.js the pages.
package counter
