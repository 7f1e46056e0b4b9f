import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends each line of its input once: a partition, a tab, a value. Arguments: topic, settings. */
public class Sender {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        for (int index = 1; index < arguments.length; index++) {
            String[] setting = arguments[index].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        AtomicInteger failures = new AtomicInteger();
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, text, text)) {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = lines.readLine()) != null; ) {
                String[] record = line.split("\t", 2);
                int partition = Integer.parseInt(record[0]);
                producer.send(
                        new ProducerRecord<>(arguments[0], partition, null, record[1]),
                        (metadata, error) -> {
                            if (error != null) {
                                failures.incrementAndGet();
                            }
                        });
            }
            producer.flush();
        }
        System.exit(failures.get() == 0 ? 0 : 1);
    }
}
