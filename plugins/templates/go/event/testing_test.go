package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// An event for tests, as the gateway gives it: its topic, and its data as JSON.
type testEvent struct{ topic, data string }

func (e testEvent) ID() string          { return "evt_test" }
func (e testEvent) Topic() string       { return e.topic }
func (e testEvent) Tenant() string      { return "default" }
func (e testEvent) TimestampMs() uint64 { return 0 }
func (e testEvent) Data() []byte        { return []byte(e.data) }
func (e testEvent) Body() []byte {
	head := `{"event":%q,"event_id":"evt_test","timestamp":"1970-01-01T00:00:00Z","data":%s}`
	return fmt.Appendf(nil, head, e.topic, e.data)
}

// Get follows RFC 6901.
func (e testEvent) Get(pointer string) (any, bool) {
	var value any
	if json.Unmarshal([]byte(e.data), &value) != nil || (pointer != "" && pointer[0] != '/') {
		return nil, false
	}
	names := strings.Split(pointer, "/")[1:]
	for _, name := range names {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
		is := false
		switch inside := value.(type) {
		case map[string]any:
			value, is = inside[name]
		case []any:
			if at, err := strconv.Atoi(name); err == nil && at >= 0 && at < len(inside) {
				value, is = inside[at], true
			}
		}
		if !is {
			return nil, false
		}
	}
	switch value.(type) {
	case map[string]any, []any:
		text, _ := json.Marshal(value)
		return json.RawMessage(text), true
	}
	return value, true
}

// An endpoint for tests, with its metadata.
type testEndpoint map[string]string

func (e testEndpoint) ID() string  { return "ep_test" }
func (e testEndpoint) URL() string { return "https://receiver.example/hook" }
func (e testEndpoint) Metadata(name string) (string, bool) {
	value, is := e[name]
	return value, is
}

func expect(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("%s: got %q, wanted %q", what, got, wanted)
	}
}
