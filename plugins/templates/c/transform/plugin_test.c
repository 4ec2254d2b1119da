#include "testing.h"

#include "plugin.h"

static bool is(struct slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

int main(void) {
    EXPECT(strcmp(init("{}"), "`header` is missing") == 0);
    EXPECT(strcmp(init("{\"header\": 7}"), "`header` must be a text, the name of a header") == 0);
    EXPECT(init("{\"header\": \"x-topic\"}") == NULL);

    test_event.topic = "orders/created", test_event.data = "{\"total\": 5}";
    struct request request;
    transform(0, 0, &request);
    EXPECT(is(request.body, "{\"total\": 5}"));
    EXPECT(is(request.header.name, "x-topic") && is(request.header.value, "orders/created"));

    double number;
    struct slice text;
    EXPECT(!event_number(0, "/total", &number) && !event_text(0, "/total", &text));
    return 0;
}
