// What plugin.c is given and gives, in C.
#pragma once
#include "memory.h"

typedef int32_t event, endpoint; // handles: the things themselves are in the gateway

// What the gateway has. What it returns is there until the call ends.
const char *event_id(event);
struct slice event_topic(event);
struct slice event_data(event); // what the producer sent, byte for byte
struct slice event_body(event); // what would be sent as it stands now
bool event_number(event, const char *json_pointer, double *number);
bool event_text(event, const char *json_pointer, struct slice *text);
const char *endpoint_id(endpoint);

// What the plugin has. Once per instance, with the `config` of the binding: returns what is wrong with it, or NULL.
const char *init(const char *config);
