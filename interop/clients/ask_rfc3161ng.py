"""Has a file stamped with the library rfc3161ng.

ask_rfc3161ng.py URL FILE OUT POLICY|- USER:PASSWORD|-

The library checks signatures of RSA keys only, and on a refusal it fails over
the missing token when it is to check it. So it checks nonce and imprint here,
and leaves the token in OUT for another program to check the signature. Prints
"stamped" and the time, or "refused" and what the library understood of it.
"""
import hashlib
import sys

import rfc3161ng
from pyasn1.codec.der import encoder


def main(url, path, out, policy, account):
    user, _, password = account.partition(":")
    stamper = rfc3161ng.RemoteTimestamper(
        url, hashname="sha256", include_tsa_certificate=True,
        username=None if account == "-" else user, password=password,
        tsa_policy_id=None if policy == "-" else policy)
    with open(path, "rb") as f:
        data = f.read()
    nonce = 0x5AFE0123456789
    try:
        answer = stamper(data=data, nonce=nonce, return_tsr=True)
    except rfc3161ng.TimestampingError as e:
        print("failed", e)
        return
    if int(answer.status["status"]) > 1:
        print("refused", int(answer.status["status"]), answer.status["failInfo"], answer.status["statusString"])
        return
    info = answer.time_stamp_token.tst_info
    if bytes(info.message_imprint.hashed_message) != hashlib.sha256(data).digest() or int(info["nonce"]) != nonce:
        print("failed: another imprint or nonce")
        return
    token = encoder.encode(answer.time_stamp_token)
    with open(out, "wb") as f:
        f.write(token)
    print("stamped", rfc3161ng.get_timestamp(token))


main(*sys.argv[1:])
