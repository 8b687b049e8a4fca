import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Judges signed files with the European Commission's DSS. Usage:
 *
 * <pre>
 * Judge [option]... [option of a file]... FILE...
 * Judge [option]... --serve
 *
 *   --trust FILE     certificates trusted without a path above them, PEM or DER
 *   --cert FILE      further certificates, not trusted
 *   --crl FILE       a revocation list
 *   --ocsp FILE      an OCSP answer
 *   --policy ID=FILE the text of a signature policy, by its identifier
 *
 *   of the next file:
 *   --detached FILE  signed content outside of it; repeatable
 *   --at TIME        the time to judge at, such as 2026-01-31T12:00:00Z; else now
 *   --password TEXT  opens an encrypted PDF
 * </pre>
 *
 * For each file it prints one tab-separated line:
 *
 * <pre>path, formats and levels, indication, subindication, remarks, signatures, time-stamps</pre>
 *
 * The second column has the format and level of each signature, with commas
 * between; the third and fourth are of the worst of them. The sixth has, for
 * each signature, {@code level/indication/subindication/best time/scope}, with
 * {@code counter:} before that of a counter-signature; the seventh, for each
 * time-stamp, {@code kind/indication/subindication/time/scope}. A dash is
 * "none". A file without a signature that is, or has, time-stamps alone is told
 * as {@code TIMESTAMP} and by their indication, an evidence record as
 * {@code EVIDENCE} and by its own.
 *
 * With {@code --serve} it reads requests from standard input, one a line and
 * tab-separated, and answers each with its line at once:
 *
 * <pre>file, content or -, time or -, password or -</pre>
 *
 * where several contents have colons between them. One run judges many files,
 * because starting DSS is what costs. Nothing is fetched.
 */
public final class Judge {
    /** DSS tells only its log why a signature is not of a baseline level. */
    static final ByteArrayOutputStream LOG = new ByteArrayOutputStream();

    public static void main(String[] args) throws IOException {
        PrintStream out = quietly();
        World world = new World();
        List<Case> cases = new ArrayList<>();
        Case next = new Case();
        boolean serve = false;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--serve": serve = true; break;
                case "--detached": next.contents.add(args[++i]); break;
                case "--at": next.at = Case.time(args[++i]); break;
                case "--password": next.password = args[++i]; break;
                default:
                    if (args[i].startsWith("--")) {
                        world.option(args[i], args[++i]);
                        break;
                    }
                    next.file = args[i];
                    cases.add(next);
                    next = new Case();
            }
        }
        for (Case c : cases) {
            out.println(judge(c, world));
        }
        if (serve) {
            serve(out, world);
        }
    }

    /** Takes the log in, before the first logger is made, and gives what to print to. */
    static PrintStream quietly() {
        System.setErr(new PrintStream(LOG, true));
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        return new PrintStream(System.out, true, StandardCharsets.UTF_8);
    }

    private static void serve(PrintStream out, World world) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (!line.isEmpty()) {
                out.println(judge(Case.parse(line), world));
            }
        }
    }

    private static String judge(Case c, World world) {
        LOG.reset();
        try {
            return c.file + "\t" + c.judge(world);
        } catch (Exception | StackOverflowError | OutOfMemoryError e) { // one bad file must not hide the verdicts on the others
            return c.file + "\t-\tTOTAL_FAILED\t-\t" + line(e.toString()) + "\t-\t-";
        }
    }

    /** Text that fits into a column. */
    static String line(String s) {
        s = s.replaceAll("\\s+", " ").trim();
        return s.isEmpty() ? "-" : s;
    }
}
