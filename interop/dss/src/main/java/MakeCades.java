import eu.europa.esig.dss.cades.CAdESSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESCounterSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESService;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.security.GeneralSecurityException;
import java.util.List;

/** CAdES: enveloping and detached, several signers, counter-signatures. */
final class MakeCades {
    private static final String FORM = "CAdES";
    private final Make.Job job;
    private final CAdESService service;

    MakeCades(Make.Job job) {
        this.job = job;
        service = new CAdESService(job.world.verifier());
        service.setTspSource(job.tsa.tsp());
    }

    void all() {
        for (String level : Levels.ALL) {
            for (Signer s : job.signers) {
                make("enveloping " + s.name, level, Levels.name(FORM, level), () -> sign(job.any, s, level, SignaturePackaging.ENVELOPING));
            }
            Make.make(job, FORM + " B-" + level + " detached", Levels.name(FORM, level), ".p7s", job.any.getName(),
                    () -> sign(job.any, job.first(), level, SignaturePackaging.DETACHED));
            String both = Levels.name(FORM, level) + "," + Levels.name(FORM, level);
            make("parallel", level, both, () -> sign(sign(job.any, job.first(), level, SignaturePackaging.ENVELOPING), job.second(), level, SignaturePackaging.ENVELOPING));
            make("of a .p7m", level, Levels.name(FORM, level), () -> sign(sign(job.any, job.first(), "B", SignaturePackaging.ENVELOPING), job.second(), level, SignaturePackaging.ENVELOPING, false));
        }
        make("counter-signature", "B", "CAdES-BASELINE-B,counter:CAdES-BASELINE-B", this::counter);
        make("properties", "T", "CAdES-BASELINE-T", this::properties);
    }

    private void make(String kind, String level, String levels, Make.Maker maker) {
        Make.make(job, FORM + " B-" + level + " " + kind, levels, ".p7m", "-", maker);
    }

    private DSSDocument sign(DSSDocument document, Signer s, String level, SignaturePackaging packaging) throws GeneralSecurityException {
        return sign(document, s, level, packaging, true);
    }

    private DSSDocument sign(DSSDocument document, Signer s, String level, SignaturePackaging packaging, boolean parallel) throws GeneralSecurityException {
        CAdESSignatureParameters p = s.fill(new CAdESSignatureParameters(), Levels.of(FORM, level), packaging, Make.digest(s));
        p.setParallelSignature(parallel);
        return s.sign(service, document, p);
    }

    private DSSDocument counter() throws GeneralSecurityException {
        DSSDocument signed = sign(job.any, job.first(), "B", SignaturePackaging.ENVELOPING);
        String id = SignedDocumentValidator.fromDocument(signed).getSignatures().get(0).getId();
        Signer s = job.second();
        CAdESCounterSignatureParameters p = s.fill(new CAdESCounterSignatureParameters(), Levels.of(FORM, "B"), null, Make.digest(s));
        p.setSignatureIdToCounterSign(id);
        return service.counterSignSignature(signed, p, s.value(service.getDataToBeCounterSigned(signed, p), p.getSignatureAlgorithm()));
    }

    private DSSDocument properties() throws GeneralSecurityException {
        Signer s = job.first();
        CAdESSignatureParameters p = s.fill(new CAdESSignatureParameters(), Levels.of(FORM, "T"), SignaturePackaging.ENVELOPING, Make.digest(s));
        Levels.properties(p.bLevel());
        p.setContentTimestamps(List.of(service.getContentTimestamp(job.any, p)));
        return s.sign(service, job.any, p);
    }
}
