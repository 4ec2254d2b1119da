// What the plugin has.
#pragma once
#include "abi.h"

// Whether the event is delivered; `reason`: why not.
bool filter(event, endpoint, char *reason, size_t size);
