import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;

/**
 * Has a file stamped with BouncyCastle, whose requests have no parameters in the
 * identifier of the digest algorithm. Run from source:
 *
 * <pre>java -cp bcpkix.jar:bcprov.jar:bcutil.jar BouncyCastle.java URL FILE ROOT POLICY|- USER:PASSWORD|-</pre>
 *
 * Prints "stamped" after checking answer, signature and certificate path, or
 * "refused", PKIStatus, PKIFailureInfo and text.
 */
public final class BouncyCastle {
    public static void main(String[] a) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(Paths.get(a[1])));
        TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
        generator.setCertReq(true);
        if (!a[3].equals("-")) {
            generator.setReqPolicy(new ASN1ObjectIdentifier(a[3]));
        }
        TimeStampRequest request = generator.generate(TSPAlgorithms.SHA256, digest, new BigInteger(64, new SecureRandom()));

        HttpURLConnection http = (HttpURLConnection) new URL(a[0]).openConnection();
        http.setDoOutput(true);
        http.setRequestProperty("Content-Type", "application/timestamp-query");
        if (!a[4].equals("-")) {
            http.setRequestProperty("Authorization", "Basic " + Base64.getEncoder().encodeToString(a[4].getBytes(StandardCharsets.UTF_8)));
        }
        try (OutputStream out = http.getOutputStream()) {
            out.write(request.getEncoded());
        }
        TimeStampResponse response;
        try (InputStream in = http.getInputStream()) {
            response = new TimeStampResponse(in);
        }
        response.validate(request);
        TimeStampToken token = response.getTimeStampToken();
        if (token == null) {
            System.out.println("refused " + response.getStatus() + " " + response.getFailInfo().intValue() + " " + response.getStatusString());
            return;
        }
        List<X509Certificate> chain = new ArrayList<>();
        JcaX509CertificateConverter convert = new JcaX509CertificateConverter();
        for (Object c : token.getCertificates().getMatches(token.getSID())) {
            X509CertificateHolder signer = (X509CertificateHolder) c;
            token.validate(new JcaSimpleSignerInfoVerifierBuilder().build(signer));
            chain.add(convert.getCertificate(signer));
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate root;
        try (InputStream in = Files.newInputStream(Paths.get(a[2]))) {
            root = (X509Certificate) factory.generateCertificate(in);
        }
        for (Object c : token.getCertificates().getMatches(null)) {
            X509Certificate authority = convert.getCertificate((X509CertificateHolder) c);
            if (!chain.contains(authority) && !authority.equals(root)) {
                chain.add(authority);
            }
        }
        CertPath path = factory.generateCertPath(chain);
        PKIXParameters trust = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        trust.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX").validate(path, trust);
        System.out.println("stamped " + token.getTimeStampInfo().getSerialNumber() + " " + token.getTimeStampInfo().getGenTime());
    }
}
