"""Makes signatures with pyHanko, for others to judge.

Usage: make.py --pki FOLDER --tsa URL --pdf FILE --any FILE OUT [KEY...]

FOLDER holds root.pem, ca.pem, root.crl, ca.crl and, for each KEY, KEY.key and
KEY.pem. Each file is told on a tab-separated line:

    name, formats and levels as EU DSS tells them, path, content outside of it or -

and what could not be made has a dash for path and the reason after it. The
files whose level is a dash are not signed: they have an empty field to sign.
"""

import argparse
import asyncio
import logging
import os
import urllib.request

from asn1crypto import crl, tsp
from pyhanko.keys import load_cert_from_pemder, load_certs_from_pemder, load_private_key_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

HASHES = {"p384": "sha384", "p521": "sha512", "rsa3072": "sha512", "ed25519": "sha512"}


def main():
    parser = argparse.ArgumentParser()
    for name in ("--pki", "--tsa", "--pdf", "--any"):
        parser.add_argument(name, required=True)
    parser.add_argument("out")
    parser.add_argument("keys", nargs="+")
    logging.disable(logging.CRITICAL)  # what failed is told by the lines
    Maker(parser.parse_args()).all()


class Stamper(timestamps.TimeStamper):
    """Asks an authority over HTTP."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    async def async_request_tsa_response(self, req):
        headers = {"Content-Type": "application/timestamp-query"}
        with urllib.request.urlopen(urllib.request.Request(self.url, req.dump(), headers)) as answer:
            return tsp.TimeStampResp.load(answer.read())


class Maker:
    def __init__(self, args):
        self.args = args
        self.stamper = Stamper(args.tsa)

    def pki(self, name):
        return os.path.join(self.args.pki, name)

    def world(self):
        """What is needed to check a signature: used anew, for it keeps what it learns."""
        lists = []
        for name in ("root.crl", "ca.crl"):
            with open(self.pki(name), "rb") as f:
                lists.append(crl.CertificateList.load(f.read()))
        root, ca = (load_cert_from_pemder(self.pki(n)) for n in ("root.pem", "ca.pem"))
        return ValidationContext(trust_roots=[root], other_certs=[ca], crls=lists, allow_fetching=False, revocation_mode="hard-fail")

    def signer(self, name):
        chain = list(load_certs_from_pemder([self.pki(name + ".pem")]))
        return signers.SimpleSigner(
            signing_cert=chain[0],
            signing_key=load_private_key_from_pemder(self.pki(name + ".key"), None),
            cert_registry=SimpleCertificateStore.from_certs(chain),
            prefer_pss=name == "pss",
        )

    def all(self):
        for key in self.args.keys:
            for level in ("B", "T", "LT", "LTA"):
                self.pdf(f"PAdES B-{level} pyHanko {key}", level, key)
            self.cms(f"CAdES B-B pyHanko attached {key}", key, False)
        key = self.args.keys[0]
        self.cms(f"CAdES B-B pyHanko detached {key}", key, True)
        self.pdf(f"PAdES B-B pyHanko certifying {key}", "B", key, certify=True, docmdp_permissions=fields.MDPPerm.FILL_FORMS)
        self.pdf(f"PAdES B-B pyHanko reason {key}", "B", key, reason="Per accettazione", location="Forlì", name="Ada")
        box = fields.SigFieldSpec("Firma", box=(60, 60, 260, 120))
        self.empty("empty field", box)
        lock = fields.FieldMDPSpec(fields.FieldMDPAction.ALL)
        self.empty("empty field with lock", fields.SigFieldSpec("Firma", box=(60, 60, 260, 120), field_mdp_spec=lock, doc_mdp_update_value=fields.MDPPerm.NO_CHANGES))
        seed = fields.SigSeedValueSpec(reasons=["Per accettazione"], flags=fields.SigSeedValFlags.REASONS)
        self.empty("empty field with seed values", fields.SigFieldSpec("Firma", box=(60, 60, 260, 120), seed_value_dict=seed))

    def tell(self, name, levels, suffix, content, write):
        path = os.path.join(self.args.out, "".join(c if c.isalnum() else "-" for c in name) + suffix)
        try:
            with open(path, "wb") as f:
                write(f)
        except Exception as e:  # the others can be made all the same
            print(name, levels, "-", f"{type(e).__name__}: {e}".replace("\n", " "), sep="\t")
            return
        print(name, levels, path, content, sep="\t")

    def pdf(self, kind, level, key, **more):
        def write(out):
            with open(self.args.pdf, "rb") as f:
                meta = signers.PdfSignatureMetadata(
                    field_name="Firma",
                    md_algorithm=HASHES.get(key, "sha256"),
                    subfilter=fields.SigSeedSubFilter.PADES,
                    embed_validation_info=level in ("LT", "LTA"),
                    use_pades_lta=level == "LTA",
                    validation_context=self.world() if level in ("LT", "LTA") else None,
                    **more,
                )
                signers.sign_pdf(
                    IncrementalPdfFileWriter(f), meta, self.signer(key), timestamper=None if level == "B" else self.stamper, output=out
                )

        self.tell(kind, "PAdES-BASELINE-" + level, ".pdf", "-", write)

    def cms(self, name, key, detached):
        def write(out):
            with open(self.args.any, "rb") as f:
                data = f.read()
            message = asyncio.run(
                self.signer(key).async_sign_general_data(data, HASHES.get(key, "sha256"), detached=detached, use_cades=True)
            )
            out.write(message.dump())

        content = os.path.basename(self.args.any) if detached else "-"
        self.tell(name, "CAdES-BASELINE-B", ".p7s" if detached else ".p7m", content, write)

    def empty(self, name, spec):
        def write(out):
            with open(self.args.pdf, "rb") as f:
                writer = IncrementalPdfFileWriter(f)
                fields.append_signature_field(writer, spec)
                writer.write(out)

        self.tell(name, "-", ".pdf", "-", write)


main()
