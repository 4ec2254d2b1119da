// A language for topics in which a pattern accepts every topic that begins with it.
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The patterns of one endpoint, one after the other, each with its 0.
struct matcher {
    size_t count;
    char beginnings[];
};

// Once for the patterns of an endpoint: compile and parse here.
struct matcher *compile(const struct slice *patterns, size_t count, char *error, size_t size) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (patterns[i].length == 0) {
            snprintf(error, size, "pattern %zu is empty: write how topics begin, such as `orders/`", i + 1);
            return NULL;
        }
        bytes += patterns[i].length + 1;
    }
    struct matcher *matcher = calloc(1, sizeof *matcher + bytes);
    if (matcher == NULL) abort();
    char *at = matcher->beginnings;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, patterns[i].data, patterns[i].length);
        at += patterns[i].length + 1;
    }
    matcher->count = count;
    return matcher;
}

// The same answer for the same topic, always: the gateway keeps it.
bool matches(const struct matcher *matcher, const char *topic) {
    const char *beginning = matcher->beginnings;
    for (size_t i = 0; i < matcher->count; i++) {
        size_t length = strlen(beginning);
        if (strncmp(topic, beginning, length) == 0) return true;
        beginning += length + 1;
    }
    return false;
}

void release(struct matcher *matcher) { free(matcher); }
