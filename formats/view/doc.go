// Package view turns a document into pictures of its pages, so that the holder
// sees what will be signed: what you see is what you sign (SIG-3).
//
// The pictures are made on the server, from the very bytes whose digest will be
// signed, by one known renderer, and the browser is given PNG images and
// nothing else. A document opened in the holder's own program could show
// something else there, run what it carries, or be another document. Documents
// are meant to come here after formats/inspect has found nothing in them that
// changes by itself; of a document that changes, even a faithful picture lies.
//
// PDF pages are drawn by poppler's pdftoppm, and coarsely by mupdf's mutool as
// well: PDF can be written so that two programs show two contracts, and then
// nobody can say what the holder signs. Such a document is refused (Differs).
// Where mutool is not installed there is no second opinion, and the Account of
// the view says that there was none. Office documents are converted to
// PDF by LibreOffice first; other programs may lay them out differently, and
// the web pages say so. Text, CSV, JSON, Markdown, XML and HTML are laid out
// here as text: markup is shown as it is written, and characters that would hide
// or turn around parts of a text are shown by their numbers. Images are decoded
// here.
//
// The programs are large and the documents are strangers', so each run, also of
// our own part (Main), is a process of its own in bubblewrap: no network, no other processes in
// sight, no files but the program's own and the one document, an empty
// environment, a bound on memory, processor time and output, and a wall clock
// after which the whole group is killed. Where bubblewrap cannot build that cage,
// as in a plain chroot and in many containers, a second one without namespaces
// stands in if the owner has given one (Renderer.Cage). Where that fails too,
// there are no views unless the operator has said otherwise (Renderer.AllowUnsandboxed).
package view
