import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.spi.policy.SignaturePolicyProvider;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonCertificateSource;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.spi.x509.revocation.ocsp.ExternalResourcesOCSPSource;
import eu.europa.esig.dss.model.policy.ValidationPolicy;
import eu.europa.esig.dss.policy.ValidationPolicyXmlDefiner;
import eu.europa.esig.dss.validation.policy.ValidationPolicyLoader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What is known beside the signed files: anchors, certificates, revocation data, policies. */
final class World {
    private final CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
    private final CommonCertificateSource others = new CommonCertificateSource();
    private final List<DSSDocument> crls = new ArrayList<>();
    private final List<DSSDocument> answers = new ArrayList<>();
    private final Map<String, DSSDocument> policies = new HashMap<>();
    private static ValidationPolicy policy; // read once

    void option(String name, String value) throws IOException {
        switch (name) {
            case "--trust": certificates(value).forEach(trusted::addCertificate); break;
            case "--cert": certificates(value).forEach(others::addCertificate); break;
            case "--crl": crls.add(new FileDocument(value)); break;
            case "--ocsp": answers.add(new FileDocument(value)); break;
            case "--policy":
                int at = value.indexOf('=');
                policies.put(value.substring(0, at), new FileDocument(value.substring(at + 1)));
                break;
            default: throw new IllegalArgumentException("unknown option " + name);
        }
    }

    static List<CertificateToken> certificates(String file) throws IOException {
        List<CertificateToken> all = new ArrayList<>();
        try (InputStream in = Files.newInputStream(Paths.get(file))) {
            for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                all.add(new CertificateToken((X509Certificate) c));
            }
        } catch (CertificateException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
        return all;
    }

    /** Made new for each file, since revocation sources keep what they were asked. */
    CommonCertificateVerifier verifier() {
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(trusted);
        verifier.setAdjunctCertSources(others);
        verifier.setCrlSource(new ExternalResourcesCRLSource(crls.toArray(new DSSDocument[0])));
        if (!answers.isEmpty()) {
            verifier.setOcspSource(new ExternalResourcesOCSPSource(answers.toArray(new DSSDocument[0])));
        }
        verifier.setAIASource(null); // else it fetches issuers
        return verifier;
    }

    /**
     * The validation policy of DSS, with EdDSA let in: it is known to DSS, but not
     * in the lists of algorithms that its policy follows.
     */
    static synchronized ValidationPolicy policy() throws IOException {
        if (policy == null) {
            policy = readPolicy();
        }
        return policy;
    }

    private static ValidationPolicy readPolicy() throws IOException {
        try (InputStream in = ValidationPolicyXmlDefiner.class.getResourceAsStream("/policy/constraint.xml")) {
            String own = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            String with = own.replaceAll("<!--\\s*(<Algo[^>]*>EdDSA</Algo>)[^>]*-->", "$1");
            return ValidationPolicyLoader.fromValidationPolicy(new ByteArrayInputStream(with.getBytes(StandardCharsets.UTF_8))).create();
        }
    }

    SignaturePolicyProvider policies() {
        SignaturePolicyProvider provider = new SignaturePolicyProvider();
        provider.setSignaturePoliciesById(policies);
        provider.setDataLoader(null); // else it fetches policies
        return provider;
    }
}
