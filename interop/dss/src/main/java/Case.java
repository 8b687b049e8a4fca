import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.pades.validation.PDFDocumentValidator;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

/** One file to judge and what goes with it. */
final class Case {
    String file;
    final List<String> contents = new ArrayList<>();
    Date at;
    String password;

    /** Reads a line of a request. */
    static Case parse(String line) {
        String[] col = line.split("\t", -1);
        Case c = new Case();
        c.file = col[0];
        if (given(col, 1)) {
            c.contents.addAll(List.of(col[1].split(":")));
        }
        if (given(col, 2)) {
            c.at = time(col[2]);
        }
        if (given(col, 3)) {
            c.password = col[3];
        }
        return c;
    }

    private static boolean given(String[] col, int i) {
        return col.length > i && !col[i].isEmpty() && !col[i].equals("-");
    }

    static Date time(String text) {
        return Date.from(Instant.parse(text));
    }

    String judge(World world) throws IOException {
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
        validator.setCertificateVerifier(world.verifier());
        validator.setSignaturePolicyProvider(world.policies());
        if (!contents.isEmpty()) {
            List<DSSDocument> all = new ArrayList<>();
            contents.forEach(c -> all.add(new FileDocument(c)));
            validator.setDetachedContents(all);
        }
        if (at != null) {
            validator.setValidationTime(at);
        }
        if (password != null) {
            ((PDFDocumentValidator) validator).setPasswordProtection(password.toCharArray());
        }
        return new Verdict(validator.validateDocument(World.policy())).columns();
    }
}
