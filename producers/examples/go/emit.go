// Publishes one usage event with franz-go: emit BOOTSTRAP TOPIC ACCOUNT ID
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap, topic, account, id := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		// murmur2 of the key, as in Kafka's own client; it is the default, and named because exactness rests on it.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.RequiredAcks(kgo.AllISRAcks()), // all in-sync replicas; idempotent by default
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	event, err := json.Marshal(map[string]any{
		"specversion": "1.0",
		"id":          id, // the action's own id: publishing it again is a duplicate
		"source":      "/examples/go",
		"type":        "sms.send",
		"subject":     account,
		"time":        time.Now().UTC().Format(time.RFC3339Nano), // of the action; keep it when you publish again
		"data":        map[string]any{"quantity": 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	record := &kgo.Record{
		Topic:   topic,
		Key:     []byte(account),
		Value:   event,
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
	}
	written, err := client.ProduceSync(context.Background(), record).First() // only now is the event safe
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(written.Partition)
}
