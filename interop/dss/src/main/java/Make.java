import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.model.DSSDocument;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Makes signatures of every kind with the European Commission's DSS, for others
 * to judge. Usage:
 *
 * <pre>
 * java -cp judge.jar Make [option]... OUT
 *
 *   --trust, --cert, --crl, --ocsp   as of Judge; what goes into the higher levels
 *   --signer NAME KEY CHAIN   a key (PKCS#8 PEM) and its certificates, signer's first; repeatable
 *   --tsa KEY CHAIN           those of a time-stamping unit
 *   --pdf, --xml, --any FILE  the documents to sign
 *   --password TEXT --locked FILE   an encrypted PDF
 *   --kinds PATTERN           only the kinds that match
 * </pre>
 *
 * The first signer makes all kinds; the others one of each form at each level.
 * A signer called pss signs with RSASSA-PSS. One tab-separated line tells each file:
 *
 * <pre>name, formats and levels as Judge tells them, path, contents outside of it with colons between, or -</pre>
 *
 * and what could not be made has a dash for path and the reason after it.
 */
public final class Make {
    /** What is to be signed, and by whom. */
    static final class Job {
        final World world = new World();
        final List<Signer> signers = new ArrayList<>();
        Signer tsa;
        DSSDocument pdf;
        DSSDocument locked;
        String password = "";
        DSSDocument xml;
        DSSDocument any;
        Path out;
        Pattern kinds = Pattern.compile("");
        PrintStream to;

        Signer first() {
            return signers.get(0);
        }

        Signer second() {
            return signers.get(signers.size() > 1 ? 1 : 0);
        }
    }

    /** Makes one file. */
    interface Maker {
        DSSDocument make() throws Exception;
    }

    public static void main(String[] args) throws IOException {
        Job job = new Job();
        job.to = Judge.quietly();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--signer":
                    job.signers.add(new Signer(args[i + 1], args[i + 2], args[i + 3]));
                    i += 3;
                    break;
                case "--tsa":
                    job.tsa = new Signer("tsa", args[i + 1], args[i + 2]);
                    i += 2;
                    break;
                case "--pdf": job.pdf = Signer.document(args[++i]); break;
                case "--locked": job.locked = Signer.document(args[++i]); break;
                case "--password": job.password = args[++i]; break;
                case "--xml": job.xml = Signer.document(args[++i]); break;
                case "--any": job.any = Signer.document(args[++i]); break;
                case "--kinds": job.kinds = Pattern.compile(args[++i]); break;
                default:
                    if (args[i].startsWith("--")) {
                        job.world.option(args[i], args[++i]);
                        break;
                    }
                    job.out = Paths.get(args[i]);
            }
        }
        Files.createDirectories(job.out);
        new MakeCades(job).all();
        new MakePades(job).all();
        new MakeXades(job).all();
        new MakeJades(job).all();
        new MakeAsicCades(job).all();
        new MakeAsicXades(job).all();
    }

    /** Makes a file if its kind is wanted, and tells it. */
    static void make(Job job, String name, String levels, String suffix, String contents, Maker maker) {
        if (!job.kinds.matcher(name).find()) {
            return;
        }
        Judge.LOG.reset();
        Path path = job.out.resolve(name.replaceAll("[^A-Za-z0-9]+", "-") + suffix);
        try {
            maker.make().save(path.toString());
            job.to.println(String.join("\t", name, levels, path.toString(), contents));
        } catch (Exception | Error e) { // the other kinds can be made all the same
            Throwable cause = e;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            job.to.println(String.join("\t", name, levels, "-", Judge.line(cause + " at " + cause.getStackTrace()[0] + " " + Judge.LOG)));
        }
    }

    /** The digest that suits a key, so that all of them are met. */
    static DigestAlgorithm digest(Signer s) {
        switch (s.name) {
            case "p384": return DigestAlgorithm.SHA384;
            case "p521": case "rsa3072": case "ed25519": return DigestAlgorithm.SHA512;
            default: return DigestAlgorithm.SHA256;
        }
    }
}
