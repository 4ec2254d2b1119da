package main

// What a plugin is given, whether by the gateway or by a test.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Event is one event on its way to one endpoint. It lives in the gateway: nothing is copied until a method is called.
type Event interface {
	ID() string
	Topic() string
	Tenant() string
	// TimestampMs is when it happened, in milliseconds since 1970.
	TimestampMs() uint64
	// Get is the value at a JSON pointer into the data: nil, a bool, float64 or string, or json.RawMessage of an object or a
	// list; false if there is none.
	Get(pointer string) (any, bool)
	// Data is what the producer sent, byte for byte.
	Data() []byte
	// Body is what would be sent as it stands now: the envelope, or what the transform before this one made.
	Body() []byte
}

// Endpoint is where the event may be delivered to.
type Endpoint interface {
	ID() string
	URL() string
	Metadata(name string) (string, bool)
}

// Level is how much a line of the log matters.
type Level int32

// The levels, least first.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// readConfig puts the configuration of a binding into a struct. What does not fit is an error in a sentence, for the person who set it.
func readConfig(config []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return fmt.Errorf("`%s` must be %s, not a %s", mismatch.Field, word(mismatch.Type.Kind()), mismatch.Value)
	case errors.As(err, &mismatch):
		return fmt.Errorf("the config must be an object, not a %s", mismatch.Value)
	}
	return fmt.Errorf("the config does not fit: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func word(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number"
}
