"""Signs a PDF twice with pyHanko over the CSC API, version 1.0.4.0.

Usage: csc.py --url URL --credential ID --tsa URL IN OUT-B OUT-T

Standard input has three lines: an access token of scope service, the PIN, the
one-time password. Both signatures, one of level B-B and one of B-T, are made under
one authorisation, whose SAD is bound to both hashes (SCAL 2): pyHanko waits until it
has the hashes of the batch, authorises them, and has them signed in one call.
"""

import argparse
import asyncio
import sys
import urllib.request

import aiohttp
from asn1crypto import tsp
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.sign.signers import csc_signer


class Stamper(timestamps.TimeStamper):
    """Asks an authority over HTTP."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    async def async_request_tsa_response(self, req):
        headers = {"Content-Type": "application/timestamp-query"}
        with urllib.request.urlopen(urllib.request.Request(self.url, req.dump(), headers)) as answer:
            return tsp.TimeStampResp.load(answer.read())


class Factors(csc_signer.CSCAuthorizationManager):
    """Authorises with the factors that the holder has typed."""

    def __init__(self, info, credential, session, pin, otp):
        super().__init__(info, credential)
        self.session, self.pin, self.otp = session, pin, otp

    async def authorize_signature(self, hash_b64s):
        request = self.format_csc_auth_request(pin=self.pin, otp=self.otp, hash_b64s=hash_b64s)
        url = self.csc_session_info.endpoint_url("credentials/authorize")
        async with self.session.post(url, headers=self.auth_headers, json=request) as answer:
            body = await answer.json()
            if answer.status != 200:
                raise SystemExit(f"credentials/authorize: {answer.status} {body}")
            return self.parse_csc_auth_response(body)


async def sign(args, token, pin, otp):
    async with aiohttp.ClientSession() as session:
        info = csc_signer.CSCServiceSessionInfo(args.url, args.credential, oauth_token=token)
        credential = await csc_signer.fetch_certs_in_csc_credential(session, info)
        if not credential.hash_pinning_required:
            raise SystemExit("the service does not say SCAL 2")
        signer = csc_signer.CSCSigner(
            session, Factors(info, credential, session, pin, otp), sign_timeout=120, batch_size=2, batch_autocommit=True)

        async def one(path, stamper):
            with open(args.pdf, "rb") as source, open(path, "wb") as out:
                meta = signers.PdfSignatureMetadata(
                    field_name="Firma", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES)
                await signers.PdfSigner(meta, signer, timestamper=stamper).async_sign_pdf(
                    IncrementalPdfFileWriter(source), output=out)

        await asyncio.gather(one(args.plain, None), one(args.stamped, Stamper(args.tsa)))


def main():
    parser = argparse.ArgumentParser()
    for name in ("--url", "--credential", "--tsa"):
        parser.add_argument(name, required=True)
    for name in ("pdf", "plain", "stamped"):
        parser.add_argument(name)
    token, pin, otp = sys.stdin.read().splitlines()
    asyncio.run(sign(parser.parse_args(), token, pin, otp))


if __name__ == "__main__":
    main()
