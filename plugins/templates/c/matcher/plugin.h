// What the plugin has.
#pragma once
#include "memory.h"

struct matcher;

// The compiled patterns of one endpoint; NULL and `error`, a sentence, if one is wrong.
struct matcher *compile(const struct slice *patterns, size_t count, char *error, size_t size);
// Whether one of the patterns accepts the topic.
bool matches(const struct matcher *, const char *topic);
void release(struct matcher *);
