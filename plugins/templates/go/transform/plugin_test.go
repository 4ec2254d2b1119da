package main

import "testing"

func TestTheBareDataIsSentWithTheTopicInAHeader(t *testing.T) {
	if err := configure([]byte(`{"header": "x-topic"}`)); err != nil {
		t.Fatal(err)
	}
	request := transform(testEvent{"orders/created", `{"total": 5}`}, testEndpoint{})
	expect(t, "body", string(request.Body), `{"total": 5}`)
	expect(t, "headers", request.Headers, "[{x-topic orders/created}]")
}

func TestABadConfigIsRefusedWithItsField(t *testing.T) {
	expect(t, "7", configure([]byte(`{"header": 7}`)), "`header` must be a text, not a number")
}
