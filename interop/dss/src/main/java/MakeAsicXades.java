import eu.europa.esig.dss.asic.xades.ASiCWithXAdESSignatureParameters;
import eu.europa.esig.dss.asic.xades.signature.ASiCWithXAdESService;
import eu.europa.esig.dss.enumerations.ASiCContainerType;
import eu.europa.esig.dss.model.DSSDocument;
import java.security.GeneralSecurityException;
import java.util.List;

/** ASiC containers with XAdES signatures. */
final class MakeAsicXades {
    private final Make.Job job;
    private final ASiCWithXAdESService service;

    MakeAsicXades(Make.Job job) {
        this.job = job;
        service = new ASiCWithXAdESService(job.world.verifier());
        service.setTspSource(job.tsa.tsp());
    }

    void all() {
        for (String level : Levels.ALL) {
            for (Signer s : job.signers) {
                make("ASiC-S", level, s.name, 1, ".asics", () -> sign(List.of(job.any), s, level, ASiCContainerType.ASiC_S));
                make("ASiC-E", level, s.name, 1, ".asice", () -> sign(List.of(job.any, job.pdf), s, level, ASiCContainerType.ASiC_E));
            }
            make("ASiC-E", level, "parallel", 2, ".asice", () -> sign(List.of(sign(List.of(job.any, job.pdf), job.first(), level, ASiCContainerType.ASiC_E)),
                    job.second(), level, ASiCContainerType.ASiC_E));
        }
        make("ASiC-S", "B", "parallel", 2, ".asics", () -> sign(List.of(sign(List.of(job.any), job.first(), "B", ASiCContainerType.ASiC_S)),
                job.second(), "B", ASiCContainerType.ASiC_S));
        make("ASiC-S", "B", "several documents", 1, ".asics", () -> sign(List.of(job.any, job.pdf), job.first(), "B", ASiCContainerType.ASiC_S));
    }

    private void make(String container, String level, String kind, int signatures, String suffix, Make.Maker maker) {
        String one = Levels.name("XAdES", level);
        Make.make(job, container + " XAdES B-" + level + " " + kind, signatures == 1 ? one : one + "," + one, suffix, "-", maker);
    }

    private DSSDocument sign(List<DSSDocument> documents, Signer s, String level, ASiCContainerType type) throws GeneralSecurityException {
        ASiCWithXAdESSignatureParameters p = s.fill(new ASiCWithXAdESSignatureParameters(), Levels.of("XAdES", level), null, Make.digest(s));
        p.aSiC().setContainerType(type);
        return s.sign(service, documents, p);
    }
}
