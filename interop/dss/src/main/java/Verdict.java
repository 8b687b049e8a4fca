import eu.europa.esig.dss.diagnostic.DiagnosticData;
import eu.europa.esig.dss.diagnostic.TimestampWrapper;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.simplereport.jaxb.XmlSignatureScope;
import eu.europa.esig.dss.simplereport.jaxb.XmlTimestamp;
import eu.europa.esig.dss.validation.reports.Reports;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What DSS reported about a file, as columns of a line. */
final class Verdict {
    private final SimpleReport simple;
    private final DiagnosticData data;
    private final List<String> levels = new ArrayList<>();
    private final List<String> signatures = new ArrayList<>();
    private final List<String> stamps = new ArrayList<>();
    private final List<String> remarks = new ArrayList<>();
    private Indication worst;
    private SubIndication why;

    Verdict(Reports reports) {
        simple = reports.getSimpleReport();
        data = reports.getDiagnosticData();
        simple.getSignatureIdList().forEach(this::signature);
        simple.getEvidenceRecordIdList().forEach(this::record);
        for (TimestampWrapper stamp : data.getTimestampList()) {
            stamp(stamp);
        }
    }

    String columns() {
        if (levels.isEmpty() && stamps.isEmpty()) {
            return "-\tTOTAL_FAILED\t-\t0 signatures\t-\t-";
        }
        String all = String.join("; ", remarks) + " " + Judge.LOG;
        return String.join("\t", levels.isEmpty() ? "TIMESTAMP" : String.join(",", levels), text(worst), text(why),
                Judge.line(all), list(signatures), list(stamps));
    }

    private void signature(String id) {
        count(simple.getIndication(id), simple.getSubIndication(id));
        remark(id);
        String counter = data.getSignatureById(id).isCounterSignature() ? "counter:" : "";
        levels.add(counter + simple.getSignatureFormat(id));
        signatures.add(counter + String.join("/", text(simple.getSignatureFormat(id)), text(simple.getIndication(id)),
                text(simple.getSubIndication(id)), time(simple.getBestSignatureTime(id)), scopes(simple.getSignatureScopes(id))));
    }

    /** An evidence record stands in the column of levels; its time-stamps are told with the others. */
    private void record(String id) {
        count(simple.getIndication(id), simple.getSubIndication(id));
        remark(id);
        levels.add("EVIDENCE");
    }

    /** A time-stamp counts as a verdict of its own only where nothing else is signed. */
    private void stamp(TimestampWrapper stamp) {
        String id = stamp.getId();
        Indication indication = simple.getIndication(id);
        SubIndication sub = simple.getSubIndication(id);
        List<XmlSignatureScope> scopes = List.of();
        for (String signature : simple.getSignatureIdList()) {
            for (XmlTimestamp of : simple.getSignatureTimestamps(signature)) {
                if (of.getId().equals(id)) {
                    indication = of.getIndication();
                    sub = of.getSubIndication();
                    scopes = of.getTimestampScope();
                }
            }
        }
        if (levels.isEmpty()) {
            count(indication, sub);
            scopes = simple.getSignatureScopes(id);
        }
        remark(id);
        stamps.add(String.join("/", text(stamp.getType()), text(indication), text(sub), time(stamp.getProductionTime()), scopes(scopes)));
    }

    private void remark(String id) {
        for (List<Message> messages : List.of(simple.getAdESValidationErrors(id), simple.getAdESValidationWarnings(id))) {
            messages.forEach(m -> remarks.add(m.getValue()));
        }
    }

    private void count(Indication indication, SubIndication sub) {
        if (worst == null || badness(indication) > badness(worst)) {
            worst = indication;
            why = sub;
        }
    }

    private static int badness(Indication i) {
        return i == Indication.TOTAL_PASSED || i == Indication.PASSED ? 0 : i == Indication.INDETERMINATE ? 1 : 2;
    }

    private static String scopes(List<XmlSignatureScope> scopes) {
        Set<String> all = new TreeSet<>();
        if (scopes != null) {
            scopes.forEach(s -> all.add(String.valueOf(s.getScope())));
        }
        return all.isEmpty() ? "-" : String.join("+", all);
    }

    private static String time(Date d) {
        return d == null ? "-" : d.toInstant().toString();
    }

    private static String list(List<String> all) {
        return all.isEmpty() ? "-" : String.join(",", all);
    }

    private static String text(Object o) {
        return o == null ? "-" : o.toString();
    }
}
