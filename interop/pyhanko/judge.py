"""Judges signed files with pyHanko and prints one tab-separated line a file:

    path, what it found, indication, subindication, remarks

Usage: judge.py --trust ROOT.pem [--crl FILE.crl]... (FILE... | --serve)

Only the given root is trusted, only the given lists and what is in the file
tell revocation, and nothing is fetched. pyHanko judges by EN 319 102-1 but not
the profile, so what it found is the kind of signature and "+timestamp", never a
level; "+DSS" if the PDF has a document security store, "+DocTimeStamp" if it
has document time-stamps, each of which must be good too. With several
signatures in a file there are commas between what was found, and the verdict
is that on the worst.

With --serve it reads requests from standard input, one a line and
tab-separated, and answers each with its line at once:

    file, content outside of it or -, time (ignored), password or -
"""

import argparse
import asyncio
import hashlib
import logging
import sys

from asn1crypto import cms, crl
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
from pyhanko.sign.validation import ades, generic_cms
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trust", required=True)
    parser.add_argument("--crl", action="append", default=[])
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("files", nargs="*")
    return parser.parse_args()


def specification(args):
    logging.disable(logging.CRITICAL)  # what matters is in the results
    return SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build([load_cert_from_pemder(args.trust)]),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
            certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
        ),
        local_knowledge=LocalKnowledge(known_crls=[load_crl(p) for p in args.crl]),
    )


def main():
    args = arguments()
    spec = specification(args)
    for path in args.files:
        print(line(spec, path))
    if args.serve:
        for request in sys.stdin:
            path, *rest = request.rstrip("\n").split("\t")
            content, _, password = (rest + ["-"] * 3)[:3]
            print(line(spec, path, given(content), given(password)), flush=True)


def given(column):
    return None if column in ("", "-") else column


def line(spec, path, content=None, password=None):
    try:
        row = asyncio.run(judge(spec, path, content, password))
    except Exception as e:  # one bad file must not hide the verdicts on the others
        row = ("-", "TOTAL_FAILED", "-", f"{type(e).__name__}: {e}")
    return "\t".join([path, *(" ".join(str(c).split()) for c in row)])


def load_crl(path):
    with open(path, "rb") as f:
        return CRLContainer(crl.CertificateList.load(f.read(), strict=True))


async def judge(spec, path, content, password):
    with open(path, "rb") as f:
        if f.read(5) == b"%PDF-":
            return await judge_pdf(spec, f, password)
        f.seek(0)
        info = cms.ContentInfo.load(f.read(), strict=True)
    rows = []
    for signed in one_by_one(info["content"]):
        # With no digest given, pyHanko takes that of the content inside.
        digest = {"raw_digest": digest_of(content, signed)} if content else {}
        rows.append(await verdict("CMS", signed, spec, **digest))
    return worst(rows)


def one_by_one(signed):
    """pyHanko judges messages with one signer: each gets a message of its own."""
    if len(signed["signer_infos"]) == 1:
        return [signed]
    alone = []
    for signer in signed["signer_infos"]:
        copy = signed.copy()
        copy["signer_infos"] = [signer]
        alone.append(copy)
    return alone


def digest_of(content, signed):
    name = signed["signer_infos"][0]["digest_algorithm"]["algorithm"].native
    with open(content, "rb") as f:
        return hashlib.new(name, f.read()).digest()


async def judge_pdf(spec, f, password):
    reader = open_pdf(f, password)
    stamps = reader.embedded_timestamp_signatures
    everything = [*reader.embedded_regular_signatures, *stamps]
    if not everything:
        raise ValueError("0 signatures")
    last = max(everything, key=lambda s: s.signed_revision)
    store = "/DSS" in reader.root
    found = ("+DSS" if store else "") + ("+DocTimeStamp" if stamps else "")
    rows = []
    for s in reader.embedded_regular_signatures:
        kind = str(s.sig_object["/SubFilter"])[1:]
        digest = {"raw_digest": s.compute_digest()}
        s.compute_integrity_info()  # compares later revisions with the signed one
        rows.append(await verdict(kind, s.signed_data, spec, found, s if stamps else None, **digest))
    for s in stamps:
        digest = s.compute_digest()
        s.compute_integrity_info()
        row = summed_up("TIMESTAMP", await ades.ades_timestamp_validation(s.signed_data, spec, lambda _: digest))
        if row[1] != "TOTAL_PASSED" or not reader.embedded_regular_signatures:
            rows.append(row)
    row = worst(rows)
    for s in everything:
        bad = later(s, s is last)
        if bad and row[1] == "TOTAL_PASSED":
            return (row[0], "TOTAL_FAILED", "-", bad)
    return row


def open_pdf(f, password):
    """Opens a document, leniently only if strictly does not do: what was there before is not our fault."""
    for strict in (True, False):
        try:
            reader = PdfFileReader(f, strict=strict)
            if reader.encrypted:
                reader.decrypt(password or "")
            for s in reader.embedded_signatures:
                s.compute_integrity_info()
        except (PdfReadError, SignatureValidationError):
            if not strict:
                raise
        else:
            return reader
    raise AssertionError("unreachable")


def later(s, last):
    """Says what is wrong with what follows a signature, if anything is."""
    kept = s.summarise_integrity_info()
    if kept["coverage"] < SignatureCoverageLevel.ENTIRE_REVISION or kept["docmdp_ok"] is False:
        return f"{s.field_name} is followed by changes that are not permitted: {kept['diff_result']}"
    if last and kept["coverage"] != SignatureCoverageLevel.ENTIRE_FILE:
        diff = kept["diff_result"]
        if not isinstance(diff, DiffResult) or diff.modification_level.value > ModificationLevel.LTA_UPDATES.value:
            return "the last signature does not cover the whole file"
    return None


def worst(rows):
    names = ["TOTAL_PASSED", "INDETERMINATE", "TOTAL_FAILED"]
    row = max(rows, key=lambda r: names.index(r[1]))
    return (",".join(r[0] for r in rows), *row[1:])


async def verdict(kind, signed, spec, found="", embedded=None, **digest):
    signer = generic_cms.extract_signer_info(signed)
    # Without a stamp of its own pyHanko refuses a signature that only document
    # time-stamps prove: those are judged apart.
    stamps = list(generic_cms.extract_tst_data_iter(signer, signed=False))
    if embedded and stamps:
        result = await ades.ades_lta_validation(embedded, PdfSignatureValidationSpec(spec))
    else:
        validate = ades.ades_with_time_validation if stamps else ades.ades_basic_validation
        result = await validate(signed, spec, **digest)
    return summed_up(kind + ("+timestamp" if stamps else "") + found, result)


def summed_up(kind, result):
    sub, status = result.ades_subindic, result.api_status
    indication = sub.status.name
    if indication != "INDETERMINATE":
        indication = "TOTAL_" + indication
    remarks = result.failure_msg or (status.summary() if status else "-")
    return (kind, indication, "-" if indication == "TOTAL_PASSED" else sub.standard_name, remarks)


if __name__ == "__main__":
    main()
