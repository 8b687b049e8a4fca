package certpath

// pkitsTests are the tests of NIST's Public Key Interoperability Test Suite,
// sections 4.1 to 4.16: number, end entity, what comes of it, and the initial
// settings where they are not the default (p: initial policies, by the number
// of the NIST test policy). What comes of it is ok, or the first fault of the
// best path, or no-path.
//
// Where we depart from the suite, by decision: 4.1.4 and 4.1.5 are valid there
// but signed with DSA, which ETSI TS 119 312 does not know and we do not verify;
// 4.1.6 is invalid there too.
const pkitsTests = `
4.1.1 ValidCertificatePathTest1 ok
4.1.2 InvalidCASignatureTest2 no-path
4.1.3 InvalidEESignatureTest3 no-path
4.1.4 ValidDSASignaturesTest4 no-path
4.1.5 ValidDSAParameterInheritanceTest5 unreadable
4.1.6 InvalidDSASignatureTest6 no-path
4.2.1 InvalidCAnotBeforeDateTest1 not-yet-valid
4.2.2 InvalidEEnotBeforeDateTest2 not-yet-valid
4.2.3 Validpre2000UTCnotBeforeDateTest3 ok
4.2.4 ValidGeneralizedTimenotBeforeDateTest4 ok
4.2.5 InvalidCAnotAfterDateTest5 expired
4.2.6 InvalidEEnotAfterDateTest6 expired
4.2.7 Invalidpre2000UTCEEnotAfterDateTest7 expired
4.2.8 ValidGeneralizedTimenotAfterDateTest8 ok
4.3.1 InvalidNameChainingTest1 no-path
4.3.2 InvalidNameChainingOrderTest2 no-path
4.3.3 ValidNameChainingWhitespaceTest3 ok
4.3.4 ValidNameChainingWhitespaceTest4 ok
4.3.5 ValidNameChainingCapitalizationTest5 ok
4.3.6 ValidNameUIDsTest6 ok
4.3.7 ValidRFC3280MandatoryAttributeTypesTest7 ok
4.3.8 ValidRFC3280OptionalAttributeTypesTest8 ok
4.3.9 ValidUTF8StringEncodedNamesTest9 ok
4.3.10 ValidRolloverfromPrintableStringtoUTF8StringTest10 ok
4.3.11 ValidUTF8StringCaseInsensitiveMatchTest11 ok
4.4.1 InvalidMissingCRLTest1 no-status
4.4.2 InvalidRevokedCATest2 revoked
4.4.3 InvalidRevokedEETest3 revoked
4.4.4 InvalidBadCRLSignatureTest4 no-status
4.4.5 InvalidBadCRLIssuerNameTest5 no-status
4.4.6 InvalidWrongCRLTest6 no-status
4.4.7 ValidTwoCRLsTest7 ok
4.4.8 InvalidUnknownCRLEntryExtensionTest8 no-status
4.4.9 InvalidUnknownCRLExtensionTest9 revoked
4.4.10 InvalidUnknownCRLExtensionTest10 no-status
4.4.11 InvalidOldCRLnextUpdateTest11 no-status
4.4.12 Invalidpre2000CRLnextUpdateTest12 no-status
4.4.13 ValidGeneralizedTimeCRLnextUpdateTest13 ok
4.4.14 ValidNegativeSerialNumberTest14 ok
4.4.15 InvalidNegativeSerialNumberTest15 revoked
4.4.16 ValidLongSerialNumberTest16 ok
4.4.17 ValidLongSerialNumberTest17 ok
4.4.18 InvalidLongSerialNumberTest18 revoked
4.4.19 ValidSeparateCertificateandCRLKeysTest19 ok
4.4.20 InvalidSeparateCertificateandCRLKeysTest20 revoked
4.4.21 InvalidSeparateCertificateandCRLKeysTest21 no-status
4.5.1 ValidBasicSelfIssuedOldWithNewTest1 ok
4.5.2 InvalidBasicSelfIssuedOldWithNewTest2 revoked
4.5.3 ValidBasicSelfIssuedNewWithOldTest3 ok
4.5.4 ValidBasicSelfIssuedNewWithOldTest4 ok
4.5.5 InvalidBasicSelfIssuedNewWithOldTest5 revoked
4.5.6 ValidBasicSelfIssuedCRLSigningKeyTest6 ok
4.5.7 InvalidBasicSelfIssuedCRLSigningKeyTest7 revoked
4.5.8 InvalidBasicSelfIssuedCRLSigningKeyTest8 not-ca
4.6.1 InvalidMissingbasicConstraintsTest1 not-ca
4.6.2 InvalidcAFalseTest2 not-ca
4.6.3 InvalidcAFalseTest3 not-ca
4.6.4 ValidbasicConstraintsNotCriticalTest4 ok
4.6.5 InvalidpathLenConstraintTest5 path-length
4.6.6 InvalidpathLenConstraintTest6 path-length
4.6.7 ValidpathLenConstraintTest7 ok
4.6.8 ValidpathLenConstraintTest8 ok
4.6.9 InvalidpathLenConstraintTest9 path-length
4.6.10 InvalidpathLenConstraintTest10 path-length
4.6.11 InvalidpathLenConstraintTest11 path-length
4.6.12 InvalidpathLenConstraintTest12 path-length
4.6.13 ValidpathLenConstraintTest13 ok
4.6.14 ValidpathLenConstraintTest14 ok
4.6.15 ValidSelfIssuedpathLenConstraintTest15 ok
4.6.16 InvalidSelfIssuedpathLenConstraintTest16 path-length
4.6.17 ValidSelfIssuedpathLenConstraintTest17 ok
4.7.1 InvalidkeyUsageCriticalkeyCertSignFalseTest1 key-usage
4.7.2 InvalidkeyUsageNotCriticalkeyCertSignFalseTest2 key-usage
4.7.3 ValidkeyUsageNotCriticalTest3 ok
4.7.4 InvalidkeyUsageCriticalcRLSignFalseTest4 no-status
4.7.5 InvalidkeyUsageNotCriticalcRLSignFalseTest5 no-status
4.8.1.1 ValidCertificatePathTest1 ok explicit
4.8.1.2 ValidCertificatePathTest1 ok p=1 explicit
4.8.1.3 ValidCertificatePathTest1 no-policy p=2 explicit
4.8.1.4 ValidCertificatePathTest1 ok p=1,2 explicit
4.8.2.1 AllCertificatesNoPoliciesTest2 ok
4.8.2.2 AllCertificatesNoPoliciesTest2 no-policy explicit
4.8.3.1 DifferentPoliciesTest3 ok
4.8.3.2 DifferentPoliciesTest3 no-policy explicit
4.8.3.3 DifferentPoliciesTest3 no-policy p=1,2 explicit
4.8.4 DifferentPoliciesTest4 no-policy
4.8.5 DifferentPoliciesTest5 no-policy
4.8.6.1 OverlappingPoliciesTest6 ok
4.8.6.2 OverlappingPoliciesTest6 ok p=1
4.8.6.3 OverlappingPoliciesTest6 no-policy p=2
4.8.7 DifferentPoliciesTest7 no-policy
4.8.8 DifferentPoliciesTest8 no-policy
4.8.9 DifferentPoliciesTest9 no-policy
4.8.10.1 AllCertificatesSamePoliciesTest10 ok
4.8.10.2 AllCertificatesSamePoliciesTest10 ok p=1
4.8.10.3 AllCertificatesSamePoliciesTest10 ok p=2
4.8.11.1 AllCertificatesanyPolicyTest11 ok
4.8.11.2 AllCertificatesanyPolicyTest11 ok p=1
4.8.12 DifferentPoliciesTest12 no-policy
4.8.13.1 AllCertificatesSamePoliciesTest13 ok p=1
4.8.13.2 AllCertificatesSamePoliciesTest13 ok p=2
4.8.13.3 AllCertificatesSamePoliciesTest13 ok p=3
4.8.14.1 AnyPolicyTest14 ok p=1
4.8.14.2 AnyPolicyTest14 no-policy p=2
4.8.15 UserNoticeQualifierTest15 ok
4.8.16 UserNoticeQualifierTest16 ok
4.8.17 UserNoticeQualifierTest17 ok
4.8.18.1 UserNoticeQualifierTest18 ok p=1
4.8.18.2 UserNoticeQualifierTest18 ok p=2
4.8.19 UserNoticeQualifierTest19 ok
4.8.20 CPSPointerQualifierTest20 ok p=1 explicit
4.9.1 ValidrequireExplicitPolicyTest1 ok
4.9.2 ValidrequireExplicitPolicyTest2 ok
4.9.3 InvalidrequireExplicitPolicyTest3 no-policy
4.9.4 ValidrequireExplicitPolicyTest4 ok
4.9.5 InvalidrequireExplicitPolicyTest5 no-policy
4.9.6 ValidSelfIssuedrequireExplicitPolicyTest6 ok
4.9.7 InvalidSelfIssuedrequireExplicitPolicyTest7 no-policy
4.9.8 InvalidSelfIssuedrequireExplicitPolicyTest8 no-policy
4.10.1.1 ValidPolicyMappingTest1 ok p=1
4.10.1.2 ValidPolicyMappingTest1 no-policy p=2
4.10.1.3 ValidPolicyMappingTest1 no-policy nomap
4.10.2.1 InvalidPolicyMappingTest2 no-policy
4.10.2.2 InvalidPolicyMappingTest2 no-policy nomap
4.10.3.1 ValidPolicyMappingTest3 no-policy p=1
4.10.3.2 ValidPolicyMappingTest3 ok p=2
4.10.4 InvalidPolicyMappingTest4 no-policy
4.10.5.1 ValidPolicyMappingTest5 ok p=1
4.10.5.2 ValidPolicyMappingTest5 no-policy p=6
4.10.6.1 ValidPolicyMappingTest6 ok p=1
4.10.6.2 ValidPolicyMappingTest6 no-policy p=6
4.10.7 InvalidMappingFromanyPolicyTest7 no-policy
4.10.8 InvalidMappingToanyPolicyTest8 no-policy
4.10.9 ValidPolicyMappingTest9 ok
4.10.10 InvalidPolicyMappingTest10 no-policy
4.10.11 ValidPolicyMappingTest11 ok
4.10.12.1 ValidPolicyMappingTest12 ok p=1
4.10.12.2 ValidPolicyMappingTest12 ok p=2
4.10.13.1 ValidPolicyMappingTest13 ok
4.10.13.2 ValidPolicyMappingTest13 ok p=1,2
4.10.13.3 ValidPolicyMappingTest13 no-policy p=2
4.10.14 ValidPolicyMappingTest14 ok
4.11.1 InvalidinhibitPolicyMappingTest1 no-policy
4.11.2 ValidinhibitPolicyMappingTest2 ok
4.11.3 InvalidinhibitPolicyMappingTest3 no-policy
4.11.4 ValidinhibitPolicyMappingTest4 ok
4.11.5 InvalidinhibitPolicyMappingTest5 no-policy
4.11.6 InvalidinhibitPolicyMappingTest6 no-policy
4.11.7 ValidSelfIssuedinhibitPolicyMappingTest7 ok
4.11.8 InvalidSelfIssuedinhibitPolicyMappingTest8 no-policy
4.11.9 InvalidSelfIssuedinhibitPolicyMappingTest9 no-policy
4.11.10 InvalidSelfIssuedinhibitPolicyMappingTest10 no-policy
4.11.11 InvalidSelfIssuedinhibitPolicyMappingTest11 no-policy
4.12.1 InvalidinhibitAnyPolicyTest1 no-policy
4.12.2 ValidinhibitAnyPolicyTest2 ok
4.12.3.1 inhibitAnyPolicyTest3 ok
4.12.3.2 inhibitAnyPolicyTest3 no-policy noany
4.12.4 InvalidinhibitAnyPolicyTest4 no-policy
4.12.5 InvalidinhibitAnyPolicyTest5 no-policy
4.12.6 InvalidinhibitAnyPolicyTest6 no-policy
4.12.7 ValidSelfIssuedinhibitAnyPolicyTest7 ok
4.12.8 InvalidSelfIssuedinhibitAnyPolicyTest8 no-policy
4.12.9 ValidSelfIssuedinhibitAnyPolicyTest9 ok
4.12.10 InvalidSelfIssuedinhibitAnyPolicyTest10 no-policy
4.13.1 ValidDNnameConstraintsTest1 ok
4.13.2 InvalidDNnameConstraintsTest2 name-constraints
4.13.3 InvalidDNnameConstraintsTest3 name-constraints
4.13.4 ValidDNnameConstraintsTest4 ok
4.13.5 ValidDNnameConstraintsTest5 ok
4.13.6 ValidDNnameConstraintsTest6 ok
4.13.7 InvalidDNnameConstraintsTest7 name-constraints
4.13.8 InvalidDNnameConstraintsTest8 name-constraints
4.13.9 InvalidDNnameConstraintsTest9 name-constraints
4.13.10 InvalidDNnameConstraintsTest10 name-constraints
4.13.11 ValidDNnameConstraintsTest11 ok
4.13.12 InvalidDNnameConstraintsTest12 name-constraints
4.13.13 InvalidDNnameConstraintsTest13 name-constraints
4.13.14 ValidDNnameConstraintsTest14 ok
4.13.15 InvalidDNnameConstraintsTest15 name-constraints
4.13.16 InvalidDNnameConstraintsTest16 name-constraints
4.13.17 InvalidDNnameConstraintsTest17 name-constraints
4.13.18 ValidDNnameConstraintsTest18 ok
4.13.19 ValidDNnameConstraintsTest19 ok
4.13.20 InvalidDNnameConstraintsTest20 name-constraints
4.13.21 ValidRFC822nameConstraintsTest21 ok
4.13.22 InvalidRFC822nameConstraintsTest22 name-constraints
4.13.23 ValidRFC822nameConstraintsTest23 ok
4.13.24 InvalidRFC822nameConstraintsTest24 name-constraints
4.13.25 ValidRFC822nameConstraintsTest25 ok
4.13.26 InvalidRFC822nameConstraintsTest26 name-constraints
4.13.27 ValidDNandRFC822nameConstraintsTest27 ok
4.13.28 InvalidDNandRFC822nameConstraintsTest28 name-constraints
4.13.29 InvalidDNandRFC822nameConstraintsTest29 name-constraints
4.13.30 ValidDNSnameConstraintsTest30 ok
4.13.31 InvalidDNSnameConstraintsTest31 name-constraints
4.13.32 ValidDNSnameConstraintsTest32 ok
4.13.33 InvalidDNSnameConstraintsTest33 name-constraints
4.13.34 ValidURInameConstraintsTest34 ok
4.13.35 InvalidURInameConstraintsTest35 name-constraints
4.13.36 ValidURInameConstraintsTest36 ok
4.13.37 InvalidURInameConstraintsTest37 name-constraints
4.13.38 InvalidDNSnameConstraintsTest38 name-constraints
4.14.1 ValiddistributionPointTest1 ok
4.14.2 InvaliddistributionPointTest2 revoked
4.14.3 InvaliddistributionPointTest3 no-status
4.14.4 ValiddistributionPointTest4 ok
4.14.5 ValiddistributionPointTest5 ok
4.14.6 InvaliddistributionPointTest6 revoked
4.14.7 ValiddistributionPointTest7 ok
4.14.8 InvaliddistributionPointTest8 no-status
4.14.9 InvaliddistributionPointTest9 no-status
4.14.10 ValidNoissuingDistributionPointTest10 ok
4.14.11 InvalidonlyContainsUserCertsTest11 no-status
4.14.12 InvalidonlyContainsCACertsTest12 no-status
4.14.13 ValidonlyContainsCACertsTest13 ok
4.14.14 InvalidonlyContainsAttributeCertsTest14 no-status
4.14.15 InvalidonlySomeReasonsTest15 revoked
4.14.16 InvalidonlySomeReasonsTest16 on-hold
4.14.17 InvalidonlySomeReasonsTest17 no-status
4.14.18 ValidonlySomeReasonsTest18 ok
4.14.19 ValidonlySomeReasonsTest19 ok
4.14.20 InvalidonlySomeReasonsTest20 revoked
4.14.21 InvalidonlySomeReasonsTest21 revoked
4.14.22 ValidIDPwithindirectCRLTest22 ok
4.14.23 InvalidIDPwithindirectCRLTest23 revoked
4.14.24 ValidIDPwithindirectCRLTest24 ok
4.14.25 ValidIDPwithindirectCRLTest25 ok
4.14.26 InvalidIDPwithindirectCRLTest26 no-status
4.14.27 InvalidcRLIssuerTest27 no-status
4.14.28 ValidcRLIssuerTest28 ok
4.14.29 ValidcRLIssuerTest29 ok
4.14.30 ValidcRLIssuerTest30 ok
4.14.31 InvalidcRLIssuerTest31 revoked
4.14.32 InvalidcRLIssuerTest32 revoked
4.14.33 ValidcRLIssuerTest33 ok
4.14.34 InvalidcRLIssuerTest34 revoked
4.14.35 InvalidcRLIssuerTest35 no-status
4.15.1 InvaliddeltaCRLIndicatorNoBaseTest1 no-status
4.15.2 ValiddeltaCRLTest2 ok
4.15.3 InvaliddeltaCRLTest3 revoked
4.15.4 InvaliddeltaCRLTest4 revoked
4.15.5 ValiddeltaCRLTest5 ok
4.15.6 InvaliddeltaCRLTest6 revoked
4.15.7 ValiddeltaCRLTest7 ok
4.15.8 ValiddeltaCRLTest8 ok
4.15.9 InvaliddeltaCRLTest9 revoked
4.15.10 InvaliddeltaCRLTest10 no-status
4.16.1 ValidUnknownNotCriticalCertificateExtensionTest1 ok
4.16.2 InvalidUnknownCriticalCertificateExtensionTest2 unknown-extension
`
