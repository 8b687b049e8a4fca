import sys

import cairo

surface = cairo.PDFSurface(sys.argv[1], 595, 842)
surface.restrict_to_version(cairo.PDFVersion.VERSION_1_4)
surface.set_metadata(cairo.PDFMetadata.TITLE, "Disegno")
for page in range(2):
    c = cairo.Context(surface)
    c.set_source_rgba(0.1, 0.2, 0.7, 0.5)
    c.arc(300, 400, 150, 0, 5)
    c.fill()
    c.move_to(72, 100)
    c.set_font_size(20)
    c.show_text("Pagina %d" % (page + 1))
    surface.show_page()
surface.finish()
