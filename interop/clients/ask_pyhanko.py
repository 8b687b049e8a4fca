"""Has a digest stamped with pyHanko's HTTPTimeStamper.

ask_pyhanko.py URL FILE ROOT ALGORITHM USER:PASSWORD|-

Prints "stamped" when pyHanko's own validation trusts the token, or "refused" and
what pyHanko says.
"""
import asyncio
import hashlib
import sys

from asn1crypto import pem, x509
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext


async def main(url, path, root, algorithm, account):
    user, _, password = account.partition(":")
    stamper = HTTPTimeStamper(url, auth=None if account == "-" else (user, password))
    with open(path, "rb") as f:
        data = f.read()
    digest = hashlib.new(algorithm, data).digest()
    try:
        token = await stamper.async_timestamp(digest, algorithm)
    except TimestampRequestError as e:
        print("refused", e)
        return
    with open(root, "rb") as f:
        trusted = x509.Certificate.load(pem.unarmor(f.read())[2])
    context = ValidationContext(trust_roots=[trusted], allow_fetching=False, revocation_mode="soft-fail")
    status = await validate_tst_signed_data(token["content"], context, lambda name: hashlib.new(name, data).digest())
    good = status["intact"] and status["valid"] and status["trust_problem_indic"] is None
    print("stamped" if good else "failed", status["timestamp"], "intact" if status["intact"] else "changed", status["trust_problem_indic"])


asyncio.run(main(*sys.argv[1:]))
