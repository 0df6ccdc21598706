import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.core.message.Encoding;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Prints, for each content mode, the headers and the value of the Kafka record that the SDK makes of one event. */
public class Emit {
  public static void main(String[] arguments) throws Exception {
    CloudEvent event = CloudEventBuilder.v1()
        .withId("call-1")
        .withSource(URI.create("/voice/eu-1"))
        .withType("voice.outbound")
        .withSubject("acme")
        .withTime(OffsetDateTime.parse("2026-06-20T12:00:00.123456789Z"))
        .withData("application/json", "{\"quantity\": 5.0}".getBytes(StandardCharsets.UTF_8))
        .build();
    print("default", event, Map.of());
    print("structured", event, Map.of(
        CloudEventSerializer.ENCODING_CONFIG, Encoding.STRUCTURED,
        CloudEventSerializer.EVENT_FORMAT_CONFIG, JsonFormat.CONTENT_TYPE));
  }

  private static void print(String mode, CloudEvent event, Map<String, ?> settings) throws Exception {
    CloudEventSerializer serializer = new CloudEventSerializer();
    serializer.configure(settings, false);
    RecordHeaders headers = new RecordHeaders();
    byte[] value = serializer.serialize("usage.events", headers, event);
    List<List<String>> texts = new ArrayList<>();
    headers.forEach(each -> texts.add(List.of(each.key(), new String(each.value(), StandardCharsets.UTF_8))));
    Map<String, Object> record = new HashMap<>();
    record.put("mode", mode);
    record.put("headers", texts);
    record.put("value", new String(value, StandardCharsets.UTF_8));
    System.out.println(new ObjectMapper().writeValueAsString(record));
  }
}
