// What the gateway has, for tests: one event at a time. A number or a text is found at `pointer` and nowhere else.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "abi.h"

static struct {
    const char *topic, *data, *pointer, *text;
    double number;
} test_event;

const char *event_id(event event) { return (void)event, "evt_test"; }
struct slice event_topic(event event) { return (void)event, text(test_event.topic); }
struct slice event_data(event event) { return (void)event, text(test_event.data); }
struct slice event_body(event event) { return (void)event, text(test_event.data); }
const char *endpoint_id(endpoint endpoint) { return (void)endpoint, "ep_test"; }

static bool is_at(const char *pointer) { return test_event.pointer != NULL && strcmp(test_event.pointer, pointer) == 0; }

bool event_number(event event, const char *json_pointer, double *number) {
    (void)event;
    if (!is_at(json_pointer) || test_event.text != NULL) return false;
    *number = test_event.number;
    return true;
}

bool event_text(event event, const char *json_pointer, struct slice *found) {
    (void)event;
    if (!is_at(json_pointer) || test_event.text == NULL) return false;
    *found = text(test_event.text);
    return true;
}

void log_line(enum log_level level, const char *line) { printf("%d: %s\n", level, line); }
struct slice text(const char *text) { return (struct slice){text, strlen(text)}; }

#define EXPECT(is) \
    if (!(is)) return printf("%s:%d: it is not so: %s\n", __FILE__, __LINE__, #is), 1
