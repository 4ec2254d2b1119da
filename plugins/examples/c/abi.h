// What plugin.c is given and gives, in C. abi.c turns it into the canonical ABI of the contract.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t event, endpoint; // handles: the things themselves are in the gateway

// Bytes and how many; of texts, the byte behind the last is 0.
struct slice {
    const char *data;
    size_t length;
};
struct header {
    struct slice name, value;
};
struct request {
    struct slice body;
    struct header header;
};
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// What the gateway has. What it returns is there until the call ends.
const char *event_id(event);
struct slice event_topic(event);
struct slice event_data(event);
bool event_number(event, const char *json_pointer, double *number);
const char *endpoint_id(endpoint);
void log_line(enum log_level, const char *line);
struct slice text(const char *);

// What the plugin has. `reason`: why an event is dropped.
const char *init(const char *config);
bool filter(event, endpoint, char *reason, size_t size);
void transform(event, endpoint, struct request *);
