// A filter that drops small orders, and a transform that sends the bare data with the topic in a header.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

var minimum float64

// Once per instance, with the `config` of the binding: {"minimum": 100}.
func initialize(config []byte) error {
	var given struct{ Minimum float64 }
	if json.Unmarshal(config, &given) != nil {
		return errors.New("`minimum` must be a number")
	}
	minimum = given.Minimum
	return nil
}

// The reason to drop the event; empty to deliver it.
func filter(event Event, to Endpoint) string {
	// Looked up in the gateway: nothing is parsed here.
	if total, ok := event.Number("/total"); ok && total >= minimum {
		return ""
	}
	return fmt.Sprintf("the total is below %g", minimum)
}

func transform(event Event, to Endpoint) Request {
	logDebug(event.ID() + " goes to " + to.ID())
	return Request{Body: event.Data(), Header: "x-topic", Value: event.Topic()}
}

// A library, not a program.
func main() {}
