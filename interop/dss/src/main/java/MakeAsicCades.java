import eu.europa.esig.dss.asic.cades.ASiCWithCAdESSignatureParameters;
import eu.europa.esig.dss.asic.cades.ASiCWithCAdESTimestampParameters;
import eu.europa.esig.dss.asic.cades.signature.ASiCWithCAdESService;
import eu.europa.esig.dss.enumerations.ASiCContainerType;
import eu.europa.esig.dss.model.DSSDocument;
import java.security.GeneralSecurityException;
import java.util.List;

/** ASiC containers with CAdES signatures, or with a time-stamp alone. */
final class MakeAsicCades {
    private final Make.Job job;
    private final ASiCWithCAdESService service;

    MakeAsicCades(Make.Job job) {
        this.job = job;
        service = new ASiCWithCAdESService(job.world.verifier());
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
        stamp("ASiC-S", ".asics", List.of(job.any), ASiCContainerType.ASiC_S);
        stamp("ASiC-E", ".asice", List.of(job.any, job.pdf), ASiCContainerType.ASiC_E);
    }

    private void make(String container, String level, String kind, int signatures, String suffix, Make.Maker maker) {
        String one = Levels.name("CAdES", level);
        Make.make(job, container + " CAdES B-" + level + " " + kind, signatures == 1 ? one : one + "," + one, suffix, "-", maker);
    }

    private void stamp(String container, String suffix, List<DSSDocument> documents, ASiCContainerType type) {
        Make.make(job, container + " time-stamp alone", "TIMESTAMP", suffix, "-", () -> {
            ASiCWithCAdESTimestampParameters p = new ASiCWithCAdESTimestampParameters();
            p.aSiC().setContainerType(type);
            return service.timestamp(documents, p);
        });
    }

    private DSSDocument sign(List<DSSDocument> documents, Signer s, String level, ASiCContainerType type) throws GeneralSecurityException {
        ASiCWithCAdESSignatureParameters p = s.fill(new ASiCWithCAdESSignatureParameters(), Levels.of("CAdES", level), null, Make.digest(s));
        p.aSiC().setContainerType(type);
        return s.sign(service, documents, p);
    }
}
