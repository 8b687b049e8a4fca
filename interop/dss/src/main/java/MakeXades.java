import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.xades.XAdESSignatureParameters;
import eu.europa.esig.dss.xades.signature.ManifestBuilder;
import eu.europa.esig.dss.xades.signature.XAdESCounterSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESService;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.function.Consumer;

/** XAdES: in all packagings, several signatures, counter-signatures. */
final class MakeXades {
    private static final String FORM = "XAdES";
    private static final String C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    private final Make.Job job;
    private final XAdESService service;

    MakeXades(Make.Job job) {
        this.job = job;
        service = new XAdESService(job.world.verifier());
        service.setTspSource(job.tsa.tsp());
    }

    void all() {
        for (String level : Levels.ALL) {
            for (Signer s : job.signers) {
                make("enveloped " + s.name, level, () -> sign(job.xml, s, level, SignaturePackaging.ENVELOPED, p -> { }));
            }
            make("enveloping", level, () -> sign(job.xml, job.first(), level, SignaturePackaging.ENVELOPING, p -> { }));
            make("internally detached", level, () -> sign(identified(job.xml), job.first(), level, SignaturePackaging.INTERNALLY_DETACHED, p -> { }));
            Make.make(job, FORM + " B-" + level + " detached", Levels.name(FORM, level), ".xml", job.any.getName(),
                    () -> sign(job.any, job.first(), level, SignaturePackaging.DETACHED, p -> { }));
            make("enveloping, XML inside", level, () -> sign(job.xml, job.first(), level, SignaturePackaging.ENVELOPING, p -> p.setEmbedXML(true)));
            make("inclusive C14N", level, () -> sign(job.xml, job.first(), level, SignaturePackaging.ENVELOPED, p -> {
                p.setSignedInfoCanonicalizationMethod(C14N);
                p.setSignedPropertiesCanonicalizationMethod(C14N);
            }));
        }
        Make.make(job, FORM + " B-B indented", Levels.name(FORM, "B"), ".xml", job.any.getName(),
                () -> sign(job.any, job.first(), "B", SignaturePackaging.DETACHED, p -> p.setPrettyPrint(true)));
        Make.make(job, FORM + " B-B manifest", Levels.name(FORM, "B"), ".xml", job.any.getName(), () -> {
            List<DSSDocument> documents = List.of(job.any);
            return sign(new ManifestBuilder(DigestAlgorithm.SHA256, documents).build(), job.first(), "B", SignaturePackaging.ENVELOPING, p -> {
                p.setManifestSignature(true);
                p.setDetachedContents(documents);
            });
        });
        make("key signed", "B", () -> sign(job.xml, job.first(), "B", SignaturePackaging.ENVELOPED, p -> p.setSignKeyInfo(true)));
        make("properties", "T", this::properties);
        Make.make(job, FORM + " B-B counter-signature", "XAdES-BASELINE-B,counter:XAdES-BASELINE-B", ".xml", "-", this::counter);
    }

    private void make(String kind, String level, Make.Maker maker) {
        Make.make(job, FORM + " B-" + level + " " + kind, Levels.name(FORM, level), ".xml", "-", maker);
    }

    private DSSDocument sign(DSSDocument document, Signer s, String level, SignaturePackaging packaging, Consumer<XAdESSignatureParameters> more) throws GeneralSecurityException {
        XAdESSignatureParameters p = s.fill(new XAdESSignatureParameters(), Levels.of(FORM, level), packaging, Make.digest(s));
        more.accept(p);
        return s.sign(service, document, p);
    }

    /** The document with an Id on its root. */
    private static DSSDocument identified(DSSDocument document) throws IOException {
        try (InputStream in = document.openStream()) {
            String xml = new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceFirst("(<[A-Za-z][^\\s>]*)", "$1 Id=\"documento\"");
            return new InMemoryDocument(xml.getBytes(StandardCharsets.UTF_8), document.getName());
        }
    }

    private DSSDocument properties() throws GeneralSecurityException {
        Signer s = job.first();
        XAdESSignatureParameters p = s.fill(new XAdESSignatureParameters(), Levels.of(FORM, "T"), SignaturePackaging.ENVELOPED, Make.digest(s));
        Levels.properties(p.bLevel());
        p.setContentTimestamps(List.of(service.getContentTimestamp(job.xml, p)));
        return s.sign(service, job.xml, p);
    }

    private DSSDocument counter() throws GeneralSecurityException {
        DSSDocument signed = sign(job.xml, job.first(), "B", SignaturePackaging.ENVELOPED, p -> { });
        String id = SignedDocumentValidator.fromDocument(signed).getSignatures().get(0).getId();
        Signer s = job.second();
        XAdESCounterSignatureParameters p = s.fill(new XAdESCounterSignatureParameters(), Levels.of(FORM, "B"), null, Make.digest(s));
        p.setSignatureIdToCounterSign(id);
        return service.counterSignSignature(signed, p, s.value(service.getDataToBeCounterSigned(signed, p), p.getSignatureAlgorithm()));
    }
}
