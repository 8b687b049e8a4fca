import eu.europa.esig.dss.enumerations.CommitmentTypeEnum;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.model.BLevelParameters;
import eu.europa.esig.dss.model.SignerLocation;
import java.util.List;

/** What the makers of all forms have in common. */
final class Levels {
    static final List<String> ALL = List.of("B", "T", "LT", "LTA");

    private Levels() { }

    static SignatureLevel of(String form, String level) {
        return SignatureLevel.valueOf(form + "_BASELINE_" + level);
    }

    static String name(String form, String level) {
        return form + "-BASELINE-" + level;
    }

    /** What a signer may say beside the document. */
    static void properties(BLevelParameters b) {
        b.setCommitmentTypeIndications(List.of(CommitmentTypeEnum.ProofOfApproval, CommitmentTypeEnum.ProofOfOrigin));
        b.setClaimedSignerRoles(List.of("Legale rappresentante", "Socio"));
        SignerLocation place = new SignerLocation();
        place.setCountry("IT");
        place.setLocality("Forlì");
        place.setStateOrProvince("FC");
        place.setPostalCode("47121");
        place.setStreetAddress("Via Giosuè Carducci 1");
        b.setSignerLocation(place);
    }
}
