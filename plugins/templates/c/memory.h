// Bytes, and the log.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes and how many; of texts, the byte behind the last is 0.
struct slice {
    const char *data;
    size_t length;
};
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_line(enum log_level, const char *line);
struct slice text(const char *);

// Ends the life of all that the gateway gave to this call.
void let_go(void);
