// Publishes one usage event with kafkajs: node emit.mjs BOOTSTRAP TOPIC ACCOUNT ID
import { Kafka, Partitioners, logLevel } from "kafkajs";

const [bootstrap, topic, account, id] = process.argv.slice(2);
const kafka = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.ERROR });

// murmur2 of the key, as in Kafka's own client. LegacyPartitioner would put the account elsewhere.
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });

const event = {
  specversion: "1.0",
  id, // the action's own id: publishing it again is a duplicate
  source: "/examples/node",
  type: "sms.send",
  subject: account,
  time: new Date().toISOString(), // of the action; keep it when you publish again
  data: { quantity: 1 },
};

await producer.connect();
const [written] = await producer.send({
  topic,
  acks: -1, // all in-sync replicas; only now is the event safe
  messages: [
    { key: account, value: JSON.stringify(event), headers: { "content-type": "application/cloudevents+json" } },
  ],
});
await producer.disconnect();
console.log(written.partition);
