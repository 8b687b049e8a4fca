"""Runs the scanners of Python in one process that stays. A line of standard input
is a scanner and a file; the answer is the processor time in seconds, without that
of starting Python, or "error" and what it is."""
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the scanners print


def scanners():
    found = {}
    try:
        from oletools import oleid, olevba

        def vba(path):
            parser = olevba.VBA_Parser(path)
            if parser.detect_vba_macros():
                parser.analyze_macros()
            parser.close()

        found["olevba"] = vba
        found["oleid"] = lambda path: oleid.OleID(path).check()
    except ImportError as e:
        print(e, file=sys.stderr)
    try:
        from pdfid import pdfid

        found["pdfid"] = pdfid.PDFiD
    except ImportError as e:
        print(e, file=sys.stderr)
    return found


found = scanners()
print(" ".join(found), file=answers)
for line in sys.stdin:
    name, path = line.rstrip("\n").split(" ", 1)
    try:
        began = time.process_time()
        found[name](path)
        print(time.process_time() - began, file=answers)
    except Exception as e:
        print("error", repr(e).replace("\n", " "), file=answers)
