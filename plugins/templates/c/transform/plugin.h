// What the plugin has.
#pragma once
#include "abi.h"

struct header {
    struct slice name, value;
};
// What is sent instead.
struct request {
    struct slice body;
    struct header header; // set or replaced
};

void transform(event, endpoint, struct request *);
