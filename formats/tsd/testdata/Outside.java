import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.bc.BcDigestCalculatorProvider;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.cms.CMSTimeStampedData;
import org.bouncycastle.tsp.cms.CMSTimeStampedDataGenerator;
import org.bouncycastle.util.encoders.Hex;

/**
 * Time-stamped data by BouncyCastle. Commands come one a line on standard input,
 * tab-separated:
 *
 * <pre>
 * check FILE DOCUMENT          prints ok, name and media type, or what is wrong
 * make FILE DOCUMENT KIND      KIND is plain, described, protected or outside; prints
 *                              "stamp REQUEST" in hexadecimal when it needs a response,
 *                              which is the next line; then ok
 * </pre>
 */
public final class Outside {
    private static final BcDigestCalculatorProvider DIGESTS = new BcDigestCalculatorProvider();
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    public static void main(String[] args) throws Exception {
        for (String line = IN.readLine(); line != null; line = IN.readLine()) {
            String[] f = line.split("\t");
            String answer;
            try {
                byte[] document = Files.readAllBytes(Paths.get(f[2]));
                answer = f[0].equals("check") ? check(f[1], document) : make(f[1], document, f[3]);
            } catch (Exception e) {
                answer = e.toString().replace('\n', ' ');
            }
            System.out.println(answer);
            System.out.flush();
        }
    }

    private static String check(String file, byte[] document) throws Exception {
        CMSTimeStampedData data = new CMSTimeStampedData(Files.readAllBytes(Paths.get(file)));
        DigestCalculator first = data.getMessageImprintDigestCalculator(DIGESTS);
        first.getOutputStream().write(data.getContent() == null ? document : data.getContent());
        data.validate(DIGESTS, first.getDigest());
        return "ok " + data.getFileName() + " " + data.getMediaType() + " " + data.getTimeStampTokens().length;
    }

    private static TimeStampToken stamp(byte[] digest) throws Exception {
        TimeStampRequestGenerator requests = new TimeStampRequestGenerator();
        requests.setCertReq(true);
        TimeStampRequest request = requests.generate(TSPAlgorithms.SHA256, digest);
        System.out.println("stamp " + Hex.toHexString(request.getEncoded()));
        System.out.flush();
        TimeStampResponse response = new TimeStampResponse(Hex.decode(IN.readLine()));
        response.validate(request);
        return response.getTimeStampToken();
    }

    private static DigestCalculator digest() throws Exception {
        return DIGESTS.get(new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256));
    }

    private static String make(String file, byte[] document, String kind) throws Exception {
        CMSTimeStampedDataGenerator g = new CMSTimeStampedDataGenerator();
        if (!kind.equals("plain")) {
            g.setMetaData(!kind.equals("described"), "città.txt", "text/plain");
        }
        if (kind.equals("outside")) {
            g.setDataUri(new URI("file:documento.txt"));
        }
        DigestCalculator first = digest();
        g.initialiseMessageImprintDigestCalculator(first);
        first.getOutputStream().write(document);
        TimeStampToken token = stamp(first.getDigest());
        CMSTimeStampedData data = kind.equals("outside") ? g.generate(token) : g.generate(token, document);
        data = data.addTimeStamp(stamp(data.calculateNextHash(digest())));
        Files.write(Paths.get(file), data.getEncoded());
        return "ok";
    }
}
