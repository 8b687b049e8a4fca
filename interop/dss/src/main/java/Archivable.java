import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.stream.Collectors;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Judges with veraPDF whether files are the PDF/A that they say they are.
 * Usage: {@code java -cp judge.jar Archivable (FILE... | --serve)}, where it
 * reads paths from standard input. For each file it prints one tab-separated line:
 *
 * <pre>path, flavour such as 2b, PASSED or FAILED, -, rules broken</pre>
 */
public final class Archivable {
    public static void main(String[] args) throws IOException {
        PrintStream out = Judge.quietly();
        VeraGreenfieldFoundryProvider.initialise();
        for (String arg : args) {
            if (!arg.equals("--serve")) {
                out.println(arg + "\t" + judge(arg));
                continue;
            }
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String file = line.split("\t", 2)[0];
                out.println(file + "\t" + judge(file));
            }
        }
    }

    private static String judge(String file) {
        try (InputStream in = Files.newInputStream(Paths.get(file)); PDFAParser parser = Foundries.defaultInstance().createParser(in)) {
            PDFAFlavour flavour = parser.getFlavour();
            if (flavour == null || flavour == PDFAFlavour.NO_FLAVOUR) {
                return "-\tFAILED\t-\tit does not say that it is PDF/A";
            }
            try (PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
                ValidationResult result = validator.validate(parser);
                String broken = result.getTestAssertions().stream().filter(a -> a.getStatus() == TestAssertion.Status.FAILED)
                        .map(a -> a.getRuleId().getClause() + " " + a.getMessage()).distinct().limit(5).collect(Collectors.joining("; "));
                return String.join("\t", flavour.getId(), result.isCompliant() ? "PASSED" : "FAILED", "-", Judge.line(broken));
            }
        } catch (Exception e) { // one bad file must not hide the verdicts on the others
            return "-\tFAILED\t-\t" + Judge.line(e.toString());
        }
    }
}
