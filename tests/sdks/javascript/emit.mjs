// Prints, for each content mode, the headers and the value of the Kafka record that the SDK makes of one event.
import { CloudEvent, Kafka } from "cloudevents";

const attributes = {
  id: "call-1",
  source: "/voice/eu-1",
  type: "voice.outbound",
  subject: "acme",
  time: "2026-06-20T12:00:00.123Z",
  datacontenttype: "application/json",
};
const event = new CloudEvent({ ...attributes, data: { quantity: 5 } });
const bytes = new CloudEvent({ ...attributes, data: new Uint8Array(Buffer.from('{"quantity": 5}')) });

function print(mode, message) {
  const value = typeof message.value === "string" ? message.value : JSON.stringify(message.value);
  console.log(JSON.stringify({ mode, headers: Object.entries(message.headers), value }));
}

print("binary", Kafka.binary(event));
print("structured", Kafka.structured(event));
print("structured, bytes", Kafka.structured(bytes));
