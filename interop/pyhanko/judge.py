"""Judges signed files with pyHanko and prints one tab-separated line a file:

    path, what it found, indication, subindication, remarks

Usage: judge.py --trust ROOT.pem [--crl FILE.crl]... FILE...

Only the given root is trusted, only the given lists tell revocation, and
nothing is fetched. pyHanko judges by EN 319 102-1 but not the profile, so what
it found is the kind of signature and "+timestamp", never a level.
"""

import argparse
import asyncio

from asn1crypto import cms, crl
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades, generic_cms
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trust", required=True)
    parser.add_argument("--crl", action="append", default=[])
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    spec = SignatureValidationSpec(
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
    for path in args.files:
        try:
            row = asyncio.run(judge(path, spec))
        except Exception as e:  # one bad file must not hide the verdicts on the others
            row = ("-", "TOTAL_FAILED", "-", f"{type(e).__name__}: {e}")
        print("\t".join([path, *(" ".join(str(c).split()) for c in row)]))


def load_crl(path):
    with open(path, "rb") as f:
        return CRLContainer(crl.CertificateList.load(f.read(), strict=True))


async def judge(path, spec):
    with open(path, "rb") as f:
        if f.read(5) == b"%PDF-":
            signatures = PdfFileReader(f).embedded_regular_signatures
            if len(signatures) != 1:
                raise ValueError(f"{len(signatures)} signatures")
            s = signatures[0]
            if s.evaluate_signature_coverage() != SignatureCoverageLevel.ENTIRE_FILE:
                raise ValueError("the signature does not cover the whole file")
            sub_filter = str(s.sig_object["/SubFilter"])[1:]
            return await verdict(sub_filter, s.signed_data, spec, raw_digest=s.compute_digest())
        f.seek(0)
        info = cms.ContentInfo.load(f.read(), strict=True)
    # With no digest given, pyHanko takes that of the content inside.
    return await verdict("CMS", info["content"], spec)


async def verdict(kind, signed, spec, **digest):
    signer = generic_cms.extract_signer_info(signed)
    stamps = list(generic_cms.extract_tst_data_iter(signer, signed=False))
    validate = ades.ades_with_time_validation if stamps else ades.ades_basic_validation
    result = await validate(signed, spec, **digest)
    sub, status = result.ades_subindic, result.api_status
    indication = sub.status.name
    if indication != "INDETERMINATE":
        indication = "TOTAL_" + indication
    remarks = result.failure_msg or (status.summary() if status else "-")
    return (
        kind + ("+timestamp" if stamps else ""),
        indication,
        "-" if indication == "TOTAL_PASSED" else sub.standard_name,
        remarks,
    )


main()
