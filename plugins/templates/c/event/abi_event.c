// Events and endpoints of the gateway, and the configuration.
#include <string.h>

#include "abi.h"

#define TYPES "hookway:plugin/types@1.0.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT(TYPES, "[method]event.id") extern void get_event_id(event, struct slice *);
IMPORT(TYPES, "[method]event.topic") extern void get_event_topic(event, struct slice *);
IMPORT(TYPES, "[method]event.data") extern void get_event_data(event, struct slice *);
IMPORT(TYPES, "[method]event.body") extern void get_event_body(event, struct slice *);
IMPORT(TYPES, "[method]endpoint.id") extern void get_endpoint_id(endpoint, struct slice *);

// option<value>: whether there is one; then which of null, boolean, number, text, json; then the value.
struct value {
    uint8_t some;
    _Alignas(8) uint8_t kind;
    _Alignas(8) union {
        double number;
        struct slice text;
    };
};
IMPORT(TYPES, "[method]event.get") extern void get_value(event, const char *, size_t, struct value *);

const char *event_id(event event) {
    struct slice id;
    get_event_id(event, &id);
    return id.data;
}

struct slice event_topic(event event) {
    struct slice topic;
    get_event_topic(event, &topic);
    return topic;
}

struct slice event_data(event event) {
    struct slice data;
    get_event_data(event, &data);
    return data;
}

struct slice event_body(event event) {
    struct slice body;
    get_event_body(event, &body);
    return body;
}

bool event_number(event event, const char *json_pointer, double *number) {
    struct value value;
    get_value(event, json_pointer, strlen(json_pointer), &value);
    if (!value.some || value.kind != 2) return false;
    *number = value.number;
    return true;
}

bool event_text(event event, const char *json_pointer, struct slice *text) {
    struct value value;
    get_value(event, json_pointer, strlen(json_pointer), &value);
    if (!value.some || value.kind != 3) return false;
    *text = value.text;
    return true;
}

const char *endpoint_id(endpoint endpoint) {
    struct slice id;
    get_endpoint_id(endpoint, &id);
    return id.data;
}

// result<_, string>
static struct {
    uint32_t failed;
    struct slice error;
} init_result;

EXPORT("hookway:plugin/lifecycle@1.0.0#init") void *export_init(const char *config, size_t length) {
    const char *error = init(length == 0 ? "" : config);
    init_result.failed = error != NULL;
    if (error != NULL) init_result.error = text(error);
    return &init_result;
}

EXPORT("cabi_post_hookway:plugin/lifecycle@1.0.0#init") void post_init(void *result) { (void)result, let_go(); }
