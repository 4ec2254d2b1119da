// A plugin that sends the bare data of an event, with its topic in a header.
package main

import "errors"

// The `config` of the binding: {"header": "x-topic"}.
var config struct {
	Header string `json:"header"`
}

// Once per instance: compile and parse here.
func configure(text []byte) error {
	if err := readConfig(text, &config); err != nil {
		return err
	}
	if config.Header == "" {
		return errors.New("`header` is missing: name a header, such as `x-topic`")
	}
	return nil
}

// What is sent. `event.Body()` is what the transforms before this one made; `event.Data()` is what the producer sent.
func transform(event Event, to Endpoint) Request {
	Log(Debug, event.ID()+" goes to "+to.ID())
	return Request{Body: event.Data(), Headers: []Header{{config.Header, event.Topic()}}}
}

// A library, not a program.
func main() {}
