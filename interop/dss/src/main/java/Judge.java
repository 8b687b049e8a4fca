import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Judges signed files with the European Commission's DSS and prints one
 * tab-separated line a file:
 *
 * <pre>path, format and level, indication, subindication, remarks</pre>
 *
 * Usage: Judge --trust ROOT.pem [--crl FILE.crl]... FILE...
 *
 * Only the given root is trusted, only the given lists tell revocation, and
 * nothing is fetched. One run judges many files, because starting DSS is what
 * costs.
 */
public final class Judge {
    /** DSS tells only its log why a signature is not of a baseline level. */
    private static final ByteArrayOutputStream LOG = new ByteArrayOutputStream();

    public static void main(String[] args) {
        PrintStream out = System.out;
        System.setErr(new PrintStream(LOG, true)); // before the first logger is made
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");

        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        List<DSSDocument> crls = new ArrayList<>();
        List<String> files = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--trust": trusted.addCertificate(DSSUtils.loadCertificate(new File(args[++i]))); break;
                case "--crl": crls.add(new FileDocument(args[++i])); break;
                default: files.add(args[i]);
            }
        }
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(trusted);
        verifier.setCrlSource(new ExternalResourcesCRLSource(crls.toArray(new DSSDocument[0])));
        verifier.setAIASource(null); // else it fetches issuers
        for (String file : files) {
            LOG.reset();
            String row;
            try {
                row = judge(file, verifier);
            } catch (Exception e) { // one bad file must not hide the verdicts on the others
                row = "-\tTOTAL_FAILED\t-\t" + line(e.toString());
            }
            out.println(file + "\t" + row);
        }
    }

    private static String judge(String file, CommonCertificateVerifier verifier) {
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
        validator.setCertificateVerifier(verifier);
        SimpleReport report = validator.validateDocument().getSimpleReport();
        if (report.getSignaturesCount() != 1) {
            return "-\tTOTAL_FAILED\t-\t" + report.getSignaturesCount() + " signatures";
        }
        String id = report.getFirstSignatureId();
        String remarks = Stream.of(report.getAdESValidationErrors(id), report.getAdESValidationWarnings(id))
                .flatMap(List::stream).map(Message::getValue).collect(Collectors.joining("; "));
        return String.join("\t", String.valueOf(report.getSignatureFormat(id)), String.valueOf(report.getIndication(id)),
                report.getSubIndication(id) == null ? "-" : report.getSubIndication(id).toString(), line(remarks + " " + LOG));
    }

    private static String line(String s) {
        s = s.replaceAll("\\s+", " ").trim();
        return s.isEmpty() ? "-" : s;
    }
}
