import eu.europa.esig.dss.enumerations.JWSSerializationType;
import eu.europa.esig.dss.enumerations.SigDMechanism;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.jades.JAdESSignatureParameters;
import eu.europa.esig.dss.jades.signature.JAdESCounterSignatureParameters;
import eu.europa.esig.dss.jades.signature.JAdESService;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import java.security.GeneralSecurityException;
import java.util.function.Consumer;

/** JAdES: compact, flattened and JSON, enveloping and detached. */
final class MakeJades {
    private static final String FORM = "JAdES";
    private final Make.Job job;
    private final JAdESService service;

    MakeJades(Make.Job job) {
        this.job = job;
        service = new JAdESService(job.world.verifier());
        service.setTspSource(job.tsa.tsp());
    }

    void all() {
        JWSSerializationType json = JWSSerializationType.JSON_SERIALIZATION;
        JWSSerializationType flat = JWSSerializationType.FLATTENED_JSON_SERIALIZATION;
        JWSSerializationType compact = JWSSerializationType.COMPACT_SERIALIZATION;
        for (Signer s : job.signers) {
            make("compact " + s.name, "B", "-", () -> sign(job.any, s, "B", SignaturePackaging.ENVELOPING, compact, p -> { }));
        }
        for (String level : Levels.ALL) {
            for (Signer s : job.signers) {
                make("JSON " + s.name, level, "-", () -> sign(job.any, s, level, SignaturePackaging.ENVELOPING, json, p -> { }));
            }
            make("flattened", level, "-", () -> sign(job.any, job.first(), level, SignaturePackaging.ENVELOPING, flat, p -> { }));
            make("JSON detached", level, job.any.getName(), () -> sign(job.any, job.first(), level, SignaturePackaging.DETACHED, json,
                    p -> p.setSigDMechanism(SigDMechanism.OBJECT_ID_BY_URI_HASH)));
        }
        make("compact detached", "B", job.any.getName(), () -> sign(job.any, job.first(), "B", SignaturePackaging.DETACHED, compact,
                p -> p.setSigDMechanism(SigDMechanism.NO_SIG_D)));
        make("JSON detached by URI", "T", job.any.getName(), () -> sign(job.any, job.first(), "T", SignaturePackaging.DETACHED, json,
                p -> p.setSigDMechanism(SigDMechanism.OBJECT_ID_BY_URI)));
        make("JSON payload unencoded", "LTA", "-", () -> sign(job.xml, job.first(), "LTA", SignaturePackaging.ENVELOPING, json,
                p -> p.setBase64UrlEncodedPayload(false)));
        make("JSON etsiU clear", "LT", "-", () -> sign(job.any, job.first(), "LT", SignaturePackaging.ENVELOPING, json,
                p -> p.setBase64UrlEncodedEtsiUComponents(false)));
        make("JSON properties", "T", "-", () -> sign(job.any, job.first(), "T", SignaturePackaging.ENVELOPING, json, p -> Levels.properties(p.bLevel())));
        Make.make(job, FORM + " B-LTA JSON parallel", "JAdES-BASELINE-LTA,JAdES-BASELINE-LTA", ".json", "-",
                () -> sign(sign(job.any, job.first(), "LTA", SignaturePackaging.ENVELOPING, json, p -> { }), job.second(), "LTA", SignaturePackaging.ENVELOPING, json, p -> { }));
        Make.make(job, FORM + " B-B counter-signature", "JAdES-BASELINE-B,counter:JAdES-BASELINE-B", ".json", "-", this::counter);
    }

    private void make(String kind, String level, String contents, Make.Maker maker) {
        Make.make(job, FORM + " B-" + level + " " + kind, Levels.name(FORM, level), ".json", contents, maker);
    }

    private DSSDocument sign(DSSDocument document, Signer s, String level, SignaturePackaging packaging, JWSSerializationType type,
            Consumer<JAdESSignatureParameters> more) throws GeneralSecurityException {
        JAdESSignatureParameters p = s.fill(new JAdESSignatureParameters(), Levels.of(FORM, level), packaging, Make.digest(s));
        p.setJwsSerializationType(type);
        more.accept(p);
        return s.sign(service, document, p);
    }

    private DSSDocument counter() throws GeneralSecurityException {
        DSSDocument signed = sign(job.any, job.first(), "B", SignaturePackaging.ENVELOPING, JWSSerializationType.JSON_SERIALIZATION, p -> { });
        String id = SignedDocumentValidator.fromDocument(signed).getSignatures().get(0).getId();
        Signer s = job.second();
        JAdESCounterSignatureParameters p = s.fill(new JAdESCounterSignatureParameters(), Levels.of(FORM, "B"), null, Make.digest(s));
        p.setJwsSerializationType(JWSSerializationType.FLATTENED_JSON_SERIALIZATION);
        p.setSignatureIdToCounterSign(id);
        return service.counterSignSignature(signed, p, s.value(service.getDataToBeCounterSigned(signed, p), p.getSignatureAlgorithm()));
    }
}
