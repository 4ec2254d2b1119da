package main

import "testing"

func TestATopicIsAcceptedByHowItBegins(t *testing.T) {
	patterns, err := compile([]string{"orders/", "stock/updated"})
	if err != nil {
		t.Fatal(err)
	}
	for topic, is := range map[string]bool{
		"orders/created": true, "stock/updated": true, "returns/created": false, "orders": false,
	} {
		if patterns.matches(topic) != is {
			t.Errorf("%s: wanted %t", topic, is)
		}
	}
}

func TestAnEmptyPatternIsRefusedWithItsNumber(t *testing.T) {
	wanted := "pattern 2 is empty: write how topics begin, such as `orders/`"
	if _, err := compile([]string{"orders/", ""}); err == nil || err.Error() != wanted {
		t.Errorf("got %v, wanted %q", err, wanted)
	}
}
