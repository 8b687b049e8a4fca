import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cms.bc.BcECSignerInfoVerifierBuilder;
import org.bouncycastle.cms.DefaultCMSSignatureAlgorithmNameGenerator;
import org.bouncycastle.operator.DefaultDigestAlgorithmIdentifierFinder;
import org.bouncycastle.operator.DefaultSignatureAlgorithmIdentifierFinder;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.bc.BcDigestCalculatorProvider;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.ers.ERSArchiveTimeStamp;
import org.bouncycastle.tsp.ers.ERSArchiveTimeStampGenerator;
import org.bouncycastle.tsp.ers.ERSByteData;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;
import org.bouncycastle.tsp.ers.ERSEvidenceRecordGenerator;
import org.bouncycastle.util.encoders.Hex;

/**
 * Evidence records by BouncyCastle. Commands come one a line on standard input:
 *
 * <pre>
 * check FILE TEXT...     prints ok, or what is wrong
 * make DIR TEXT...       prints "stamp REQUEST" in hexadecimal whenever it needs a
 *                        response, which is the next line; then ok
 * </pre>
 *
 * Texts are documents; several with + between are a group.
 */
public final class Outside {
    private static final BcDigestCalculatorProvider DIGESTS = new BcDigestCalculatorProvider();
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    public static void main(String[] args) throws Exception {
        for (String line = IN.readLine(); line != null; line = IN.readLine()) {
            String[] f = line.split("\t");
            String answer = "ok";
            try {
                if (f[0].equals("check")) {
                    check(f[1], f[2]);
                } else {
                    make(f[1], f);
                }
            } catch (Exception e) {
                answer = e.toString().replace('\n', ' ');
            }
            System.out.println(answer);
            System.out.flush();
        }
    }

    private static ERSData data(String texts) {
        List<ERSData> all = new ArrayList<>();
        for (String t : texts.split("\\+")) {
            all.add(new ERSByteData(t.getBytes(StandardCharsets.UTF_8)));
        }
        return all.size() == 1 ? all.get(0) : new ERSDataGroup(all);
    }

    private static void check(String file, String texts) throws Exception {
        ERSEvidenceRecord record = new ERSEvidenceRecord(Files.readAllBytes(Paths.get(file)), DIGESTS);
        record.validatePresent(data(texts), new Date());
        record.validate(new BcECSignerInfoVerifierBuilder(new DefaultCMSSignatureAlgorithmNameGenerator(),
            new DefaultSignatureAlgorithmIdentifierFinder(), new DefaultDigestAlgorithmIdentifierFinder(), DIGESTS)
            .build(record.getSigningCertificate()));
    }

    private static DigestCalculator digest(boolean longer) throws Exception {
        return DIGESTS.get(new AlgorithmIdentifier(longer ? NISTObjectIdentifiers.id_sha512 : NISTObjectIdentifiers.id_sha256));
    }

    private static TimeStampResponse stamp(TimeStampRequest request) throws Exception {
        System.out.println("stamp " + Hex.toHexString(request.getEncoded()));
        System.out.flush();
        TimeStampResponse response = new TimeStampResponse(Hex.decode(IN.readLine()));
        response.validate(request);
        return response;
    }

    private static void make(String dir, String[] f) throws Exception {
        TimeStampRequestGenerator requests = new TimeStampRequestGenerator();
        requests.setCertReq(true);
        ERSArchiveTimeStampGenerator stamps = new ERSArchiveTimeStampGenerator(digest(false));
        for (int i = 2; i < f.length; i++) {
            stamps.addData(data(f[i]));
        }
        TimeStampResponse response = stamp(stamps.generateTimeStampRequest(requests, BigInteger.ONE));
        List<ERSArchiveTimeStamp> all = stamps.generateArchiveTimeStamps(response);
        ERSEvidenceRecordGenerator records = new ERSEvidenceRecordGenerator(DIGESTS);
        for (int i = 2; i < f.length; i++) {
            for (ERSArchiveTimeStamp one : all) {
                ERSEvidenceRecord r = records.generate(one);
                if (!r.isContaining(data(f[i]), new Date())) {
                    continue;
                }
                write(dir, i - 2, "new", r);
                r = r.renewTimeStamp(stamp(r.generateTimeStampRenewalRequest(requests, BigInteger.TWO)));
                write(dir, i - 2, "stamp", r);
                r = r.renewHash(digest(true), data(f[i]), stamp(r.generateHashRenewalRequest(digest(true), data(f[i]), requests, BigInteger.TEN)));
                write(dir, i - 2, "tree", r);
                break;
            }
        }
    }

    private static void write(String dir, int i, String step, ERSEvidenceRecord r) throws Exception {
        Files.write(Paths.get(dir, i + "-" + step + ".ers"), r.getEncoded());
    }
}
