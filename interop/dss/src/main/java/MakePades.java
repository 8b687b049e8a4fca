import eu.europa.esig.dss.enumerations.CertificationPermission;
import eu.europa.esig.dss.enumerations.MimeTypeEnum;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.PAdESTimestampParameters;
import eu.europa.esig.dss.pades.SignatureFieldParameters;
import eu.europa.esig.dss.pades.SignatureImageParameters;
import eu.europa.esig.dss.pades.SignatureImageTextParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.function.Consumer;
import javax.imageio.ImageIO;

/** PAdES: invisible and visible, in new and existing fields, several, certifying, of encrypted documents. */
final class MakePades {
    private static final String FORM = "PAdES";
    private final Make.Job job;
    private final PAdESService service;

    MakePades(Make.Job job) {
        this.job = job;
        service = new PAdESService(job.world.verifier());
        service.setTspSource(job.tsa.tsp());
    }

    void all() {
        for (String level : Levels.ALL) {
            for (Signer s : job.signers) {
                make("invisible " + s.name, level, 1, () -> sign(job.pdf, s, level, p -> { }));
            }
            make("twice", level, 2, () -> sign(sign(job.pdf, job.first(), level, p -> { }), job.second(), level, p -> { }));
            make("visible text", level, 1, () -> sign(job.pdf, job.first(), level, p -> p.setImageParameters(text())));
        }
        make("visible image", "B", 1, () -> {
            SignatureImageParameters image = image();
            return sign(job.pdf, job.first(), "B", p -> p.setImageParameters(image));
        });
        for (CertificationPermission permission : CertificationPermission.values()) {
            make("certifying " + permission.getCode(), "B", 1, () -> sign(job.pdf, job.first(), "B", p -> p.setPermission(permission)));
        }
        make("certifying 2, then approved", "B", 2, () -> sign(sign(job.pdf, job.first(), "B",
                p -> p.setPermission(CertificationPermission.MINIMAL_CHANGES_PERMITTED)), job.second(), "B", p -> { }));
        make("in an existing field", "B", 1, this::existing);
        make("with VRI", "LTA", 1, () -> sign(job.pdf, job.first(), "LTA", p -> p.setIncludeVRIDictionary(true)));
        make("properties", "T", 1, () -> sign(job.pdf, job.first(), "T", p -> {
            Levels.properties(p.bLevel());
            p.bLevel().setCommitmentTypeIndications(null); // else no reason may be given
            p.setReason("Per accettazione: è così");
            p.setLocation("Forlì");
            p.setContactInfo("ada@example.it");
        }));
        if (job.locked != null) {
            make("encrypted", "LTA", 1, () -> sign(job.locked, job.first(), "LTA", p -> p.setPasswordProtection(job.password.toCharArray())));
        }
        Make.make(job, FORM + " time-stamp alone", "TIMESTAMP", ".pdf", "-", () -> service.timestamp(job.pdf, new PAdESTimestampParameters()));
    }

    private void make(String kind, String level, int signatures, Make.Maker maker) {
        String one = Levels.name(FORM, level);
        Make.make(job, FORM + " B-" + level + " " + kind, signatures == 1 ? one : one + "," + one, ".pdf", "-", maker);
    }

    private DSSDocument sign(DSSDocument document, Signer s, String level, Consumer<PAdESSignatureParameters> more) throws GeneralSecurityException {
        PAdESSignatureParameters p = s.fill(new PAdESSignatureParameters(), Levels.of(FORM, level), null, Make.digest(s));
        p.setContentSize(32768);
        more.accept(p);
        return s.sign(service, document, p);
    }

    private DSSDocument existing() throws GeneralSecurityException {
        SignatureFieldParameters field = new SignatureFieldParameters();
        field.setFieldId("Firma del cliente");
        field.setOriginX(50);
        field.setOriginY(600);
        field.setWidth(200);
        field.setHeight(60);
        DSSDocument document = service.addNewSignatureField(job.pdf, field);
        SignatureFieldParameters use = new SignatureFieldParameters();
        use.setFieldId("Firma del cliente");
        return sign(document, job.first(), "B", p -> p.getImageParameters().setFieldParameters(use));
    }

    private static SignatureImageParameters visible() {
        SignatureFieldParameters field = new SignatureFieldParameters();
        field.setOriginX(50);
        field.setOriginY(50);
        field.setWidth(200);
        field.setHeight(60);
        SignatureImageParameters image = new SignatureImageParameters();
        image.setFieldParameters(field);
        return image;
    }

    private static SignatureImageParameters text() {
        SignatureImageParameters image = visible();
        SignatureImageTextParameters text = new SignatureImageTextParameters();
        text.setText("Firmato da Ada Esempio");
        image.setTextParameters(text);
        return image;
    }

    private static SignatureImageParameters image() throws IOException {
        BufferedImage picture = new BufferedImage(120, 40, BufferedImage.TYPE_INT_ARGB);
        Graphics2D g = picture.createGraphics();
        g.setColor(Color.BLUE);
        g.drawOval(5, 5, 110, 30);
        g.dispose();
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(picture, "png", png);
        SignatureImageParameters image = visible();
        image.setImage(new InMemoryDocument(png.toByteArray(), "firma.png", MimeTypeEnum.PNG));
        return image;
    }
}
