import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.EncryptionAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.ToBeSigned;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.signature.AbstractSignatureParameters;
import eu.europa.esig.dss.signature.DocumentSignatureService;
import eu.europa.esig.dss.signature.MultipleDocumentsSignatureService;
import eu.europa.esig.dss.spi.x509.tsp.KeyEntityTSPSource;
import eu.europa.esig.dss.spi.x509.tsp.TSPSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.Signature;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** A key with its certificates. */
final class Signer {
    private static final BouncyCastleProvider BC = new BouncyCastleProvider();

    final String name;
    final List<CertificateToken> chain;
    private final PrivateKey key;

    Signer(String name, String key, String chain) throws IOException {
        this.name = name;
        this.chain = World.certificates(chain);
        String pem = Files.readString(Paths.get(key)).replaceAll("-----[A-Z ]+-----", "");
        this.key = BouncyCastleProvider.getPrivateKey(PrivateKeyInfo.getInstance(Base64.getMimeDecoder().decode(pem)));
    }

    /** A document in memory, which does not tell its path. */
    static DSSDocument document(String file) throws IOException {
        Path path = Paths.get(file);
        return new InMemoryDocument(Files.readAllBytes(path), path.getFileName().toString());
    }

    /** A time-stamping authority that has this key. */
    TSPSource tsp() {
        KeyEntityTSPSource source = new KeyEntityTSPSource(key, chain.get(0), chain);
        source.setTsaPolicy("1.3.6.1.4.1.99999.1");
        return source;
    }

    /** Fills in what all forms ask for. */
    <P extends AbstractSignatureParameters<?>> P fill(P p, SignatureLevel level, SignaturePackaging packaging, DigestAlgorithm digest) {
        p.setSignatureLevel(level);
        if (packaging != null) {
            p.setSignaturePackaging(packaging);
        }
        p.setSigningCertificate(chain.get(0));
        p.setCertificateChain(chain);
        if (name.equals("pss")) {
            p.setEncryptionAlgorithm(EncryptionAlgorithm.RSASSA_PSS);
        }
        p.setDigestAlgorithm(digest);
        p.bLevel().setSigningDate(Date.from(Instant.now().minusSeconds(2)));
        return p;
    }

    <P extends AbstractSignatureParameters<?>> DSSDocument sign(DocumentSignatureService<P, ?> service, DSSDocument document, P p)
            throws GeneralSecurityException {
        ToBeSigned data = service.getDataToSign(document, p);
        return service.signDocument(document, p, value(data, p.getSignatureAlgorithm()));
    }

    <P extends AbstractSignatureParameters<?>> DSSDocument sign(MultipleDocumentsSignatureService<P, ?> service, List<DSSDocument> documents, P p)
            throws GeneralSecurityException {
        ToBeSigned data = service.getDataToSign(documents, p);
        return service.signDocument(documents, p, value(data, p.getSignatureAlgorithm()));
    }

    SignatureValue value(ToBeSigned data, SignatureAlgorithm algorithm) throws GeneralSecurityException {
        Signature s = Signature.getInstance(algorithm.getJCEId(), BC);
        s.initSign(key);
        s.update(data.getBytes());
        return new SignatureValue(algorithm, s.sign());
    }
}
