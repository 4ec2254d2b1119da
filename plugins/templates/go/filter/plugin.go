// A plugin that drops events whose total is below a minimum.
package main

import (
	"errors"
	"fmt"
)

// The `config` of the binding: {"minimum": 100}.
var config struct {
	Minimum *float64 `json:"minimum"`
}

// Once per instance: compile and parse here.
func configure(text []byte) error {
	if err := readConfig(text, &config); err != nil {
		return err
	}
	if config.Minimum == nil {
		return errors.New("`minimum` is missing")
	}
	return nil
}

// The reason to drop the event; empty to deliver it.
func filter(event Event, _ Endpoint) string {
	// Looked up in the gateway: nothing is parsed here.
	value, _ := event.Get("/total")
	if total, is := value.(float64); is && total >= *config.Minimum {
		return ""
	}
	return fmt.Sprintf("the total is below %g", *config.Minimum)
}

// A library, not a program.
func main() {}
