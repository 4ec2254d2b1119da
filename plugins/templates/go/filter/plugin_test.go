package main

import "testing"

func TestSmallOrdersAreDropped(t *testing.T) {
	if err := configure([]byte(`{"minimum": 100}`)); err != nil {
		t.Fatal(err)
	}
	for data, reason := range map[string]string{
		`{"total": 100}`:   "",
		`{"total": 99.5}`:  "the total is below 100",
		`{"total": "150"}`: "the total is below 100",
		`[]`:               "the total is below 100",
	} {
		expect(t, data, filter(testEvent{"orders/created", data}, testEndpoint{}), reason)
	}
}

func TestABadConfigIsRefusedWithItsField(t *testing.T) {
	for text, reason := range map[string]string{
		`{"minimum": "many"}`: "`minimum` must be a number, not a string",
		`{"minimun": 1}`:      "the config does not fit: unknown field \"minimun\"",
	} {
		expect(t, text, configure([]byte(text)), reason)
	}
	config.Minimum = nil
	expect(t, "{}", configure([]byte("{}")), "`minimum` is missing")
}
