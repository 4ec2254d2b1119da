// The canonical ABI of the contract, by hand: what a generator of bindings would write, for the parts that plugin.c uses.
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define TYPES "hookway:plugin/types@1.0.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Memory that is there until the gateway has read the result.
struct block {
    struct block *next;
    double bytes[]; // aligned to 8
};
static struct block *kept;

EXPORT("cabi_realloc") void *keep(void *old, size_t old_size, size_t align, size_t size) {
    (void)old, (void)old_size, (void)align; // lists and strings of the gateway never grow
    struct block *block = calloc(1, sizeof *block + size + 1);
    if (block == NULL) abort();
    block->next = kept;
    kept = block;
    return block->bytes;
}

static void let_go(void) {
    while (kept != NULL) {
        struct block *next = kept->next;
        free(kept);
        kept = next;
    }
}

IMPORT(TYPES, "[method]event.id") extern void get_event_id(event, struct slice *);
IMPORT(TYPES, "[method]event.topic") extern void get_event_topic(event, struct slice *);
IMPORT(TYPES, "[method]event.data") extern void get_event_data(event, struct slice *);
IMPORT(TYPES, "[resource-drop]event") extern void drop_event(event);
IMPORT(TYPES, "[method]endpoint.id") extern void get_endpoint_id(endpoint, struct slice *);
IMPORT(TYPES, "[resource-drop]endpoint") extern void drop_endpoint(endpoint);
IMPORT("hookway:plugin/log@1.0.0", "log") extern void write_log(int32_t, const char *, size_t);

// option<value>: whether there is one; then which of null, boolean, number, text, json; then the value.
struct value {
    uint8_t some;
    _Alignas(8) uint8_t kind;
    double number;
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

bool event_number(event event, const char *json_pointer, double *number) {
    struct value value;
    get_value(event, json_pointer, strlen(json_pointer), &value);
    *number = value.number;
    return value.some && value.kind == 2;
}

const char *endpoint_id(endpoint endpoint) {
    struct slice id;
    get_endpoint_id(endpoint, &id);
    return id.data;
}

void log_line(enum log_level level, const char *line) { write_log(level, line, strlen(line)); }

struct slice text(const char *text) { return (struct slice){text, strlen(text)}; }

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

// result<verdict, error>
static struct {
    uint32_t failed, is_drop;
    struct slice reason;
} filter_result;

EXPORT("hookway:plugin/filter@1.0.0#filter") void *export_filter(event event, endpoint endpoint) {
    static char reason[1024];
    filter_result.is_drop = !filter(event, endpoint, reason, sizeof reason);
    filter_result.reason = text(reason);
    drop_event(event);
    drop_endpoint(endpoint);
    return &filter_result;
}

// result<outcome, error>
static struct {
    uint32_t failed, is_replace;
    struct slice body;
    uint32_t has_content_type;
    struct slice content_type, headers_set, headers_removed;
} transform_result;

EXPORT("hookway:plugin/transform@1.0.0#transform") void *export_transform(event event, endpoint endpoint) {
    static struct request request;
    transform(event, endpoint, &request);
    transform_result.is_replace = 1;
    transform_result.body = request.body;
    transform_result.headers_set = (struct slice){(const char *)&request.header, 1};
    drop_event(event);
    drop_endpoint(endpoint);
    return &transform_result;
}

EXPORT("cabi_post_hookway:plugin/lifecycle@1.0.0#init") void post_init(void *result) { (void)result, let_go(); }
EXPORT("cabi_post_hookway:plugin/filter@1.0.0#filter") void post_filter(void *result) { (void)result, let_go(); }
EXPORT("cabi_post_hookway:plugin/transform@1.0.0#transform") void post_transform(void *result) { (void)result, let_go(); }
