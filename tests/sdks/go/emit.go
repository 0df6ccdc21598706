// Prints, for each content mode, the headers and the value of the Kafka record that the SDK makes of one event.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
)

func main() {
	event := cloudevents.NewEvent()
	event.SetID("call-1")
	event.SetSource("/voice/eu-1")
	event.SetType("voice.outbound")
	event.SetSubject("acme")
	event.SetTime(time.Unix(1781956800, 123456789).UTC())
	must(event.SetData(cloudevents.ApplicationJSON, map[string]float64{"quantity": 5}))

	modes := map[string]context.Context{
		"binary":     binding.WithForceBinary(context.Background()),
		"structured": binding.WithForceStructured(context.Background()),
	}
	for mode, ctx := range modes {
		message := sarama.ProducerMessage{}
		must(kafka.WriteProducerMessage(ctx, binding.ToMessage(&event), &message))
		headers := [][2]string{}
		for _, header := range message.Headers {
			headers = append(headers, [2]string{string(header.Key), string(header.Value)})
		}
		value, err := message.Value.Encode()
		must(err)
		must(json.NewEncoder(os.Stdout).Encode(map[string]any{"mode": mode, "headers": headers, "value": string(value)}))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
