import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.DSSException;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.TimestampBinary;
import eu.europa.esig.dss.service.SecureRandomNonceSource;
import eu.europa.esig.dss.service.http.commons.TimestampDataLoader;
import eu.europa.esig.dss.service.tsp.OnlineTSPSource;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.PrintStream;
import java.net.URI;
import java.util.List;

/**
 * Has a file stamped with the client of DSS and the token validated by DSS. Usage:
 *
 * <pre>java -cp judge.jar Stamp URL FILE POLICY|- USER:PASSWORD|- ALGORITHM [--trust FILE] [--crl FILE]...</pre>
 *
 * Prints "stamped" and the time, or "refused" and what DSS says of it.
 */
public final class Stamp {
    public static void main(String[] args) throws Exception {
        PrintStream to = Judge.quietly();
        World world = new World();
        for (int i = 5; i < args.length; i += 2) {
            world.option(args[i], args[i + 1]);
        }
        OnlineTSPSource source = new OnlineTSPSource(args[0]);
        TimestampDataLoader loader = new TimestampDataLoader();
        if (!args[3].equals("-")) {
            URI at = URI.create(args[0]);
            String[] account = args[3].split(":", 2);
            // Else it sends them only when it is asked to, which an authority
            // that stamps for anybody has no reason to do.
            loader.setPreemptiveAuthentication(true);
            loader.addAuthentication(at.getHost(), at.getPort(), at.getScheme(), account[0], account[1].toCharArray());
        }
        source.setDataLoader(loader);
        source.setNonceSource(new SecureRandomNonceSource());
        if (!args[2].equals("-")) {
            source.setPolicyOid(args[2]);
        }
        DSSDocument document = new FileDocument(args[1]);
        DigestAlgorithm algorithm = DigestAlgorithm.valueOf(args[4]);
        TimestampBinary token;
        try {
            token = source.getTimeStampResponse(algorithm, document.getDigestValue(algorithm));
        } catch (DSSException e) {
            to.println("refused " + Judge.line(e.getMessage()));
            return;
        }
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new InMemoryDocument(token.getBytes()));
        validator.setDetachedContents(List.of(document));
        validator.setCertificateVerifier(world.verifier());
        SimpleReport report = validator.validateDocument(World.policy()).getSimpleReport();
        String id = report.getFirstTimestampId();
        Indication indication = report.getIndication(id);
        to.println((indication == Indication.PASSED ? "stamped " : "failed " + indication + " " + report.getSubIndication(id) + " ")
                + report.getProductionTime(id));
    }
}
