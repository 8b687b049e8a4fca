"""Validates PDF files of level B-LTA with pyHanko, with nothing around it that
would cost time. Usage and answers are those of judge.py --serve.
"""

import asyncio
import sys

import judge
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec


async def validate(spec, path):
    with open(path, "rb") as f:
        signatures = PdfFileReader(f).embedded_regular_signatures
        rows = [judge.summed_up("PAdES", await ades.ades_lta_validation(s, spec)) for s in signatures]
    return judge.worst(rows)


def main():
    spec = PdfSignatureValidationSpec(judge.specification(judge.arguments()))
    for request in sys.stdin:
        path = request.split("\t")[0]
        print("\t".join([path, *(" ".join(str(c).split()) for c in asyncio.run(validate(spec, path)))]), flush=True)


main()
