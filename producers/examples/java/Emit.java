// Publishes one usage event with kafka-clients: java -cp kafka-clients.jar:... Emit.java BOOTSTRAP TOPIC ACCOUNT ID

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringSerializer;

public class Emit {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], topic = arguments[1], account = arguments[2], id = arguments[3];
        // No partitioner.class: the default is murmur2 of the key. Idempotence is the default, too.
        Map<String, Object> settings = Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
            ProducerConfig.ACKS_CONFIG, "all",
            ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class,
            ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class);
        // The id is the action's own: publishing it again is a duplicate. The time is the action's: keep it then.
        String event = """
            {"specversion": "1.0", "id": "%s", "source": "/examples/java", "type": "sms.send",
             "subject": "%s", "time": "%s", "data": {"quantity": 1}}""".formatted(id, account, Instant.now());
        RecordHeader mode =
            new RecordHeader("content-type", "application/cloudevents+json".getBytes(StandardCharsets.UTF_8));
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            var record = new ProducerRecord<>(topic, null, account, event, List.of(mode));
            System.out.println(producer.send(record).get().partition()); // only after get() is the event safe
        }
    }
}
