// The canonical ABI of the contract, by hand: what a generator of bindings would write. Here: memory, texts and the log.
#include <stdlib.h>
#include <string.h>

#include "memory.h"

// Memory that is there until the gateway has read the result.
struct block {
    struct block *next;
    double bytes[]; // aligned to 8
};
static struct block *kept;

__attribute__((export_name("cabi_realloc"))) void *keep(void *old, size_t old_size, size_t align, size_t size) {
    (void)old, (void)old_size, (void)align; // lists and strings of the gateway never grow
    struct block *block = calloc(1, sizeof *block + size + 1);
    if (block == NULL) abort();
    block->next = kept;
    kept = block;
    return block->bytes;
}

void let_go(void) {
    while (kept != NULL) {
        struct block *next = kept->next;
        free(kept);
        kept = next;
    }
}

__attribute__((import_module("hookway:plugin/log@1.0.0"), import_name("log"))) extern void write_log(int32_t, const char *, size_t);

void log_line(enum log_level level, const char *line) { write_log(level, line, strlen(line)); }

struct slice text(const char *text) { return (struct slice){text, strlen(text)}; }
