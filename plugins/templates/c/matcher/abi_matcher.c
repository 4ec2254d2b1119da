// What the gateway calls.
#include "plugin.h"

#define MATCHER "hookway:plugin/topic-matcher@1.0.0"
#define EXPORT(name) __attribute__((export_name(MATCHER "#" name)))

__attribute__((import_module("[export]" MATCHER), import_name("[resource-new]matcher"))) extern int32_t new_matcher(struct matcher *);

// result<matcher, string>
static struct {
    uint32_t failed;
    union {
        int32_t matcher;
        struct slice error;
    };
} compile_result;

EXPORT("[static]matcher.compile") void *export_compile(const struct slice *patterns, size_t count) {
    static char error[1024];
    struct matcher *matcher = compile(patterns, count, error, sizeof error);
    compile_result.failed = matcher == NULL;
    if (matcher == NULL) {
        compile_result.error = text(error);
    } else {
        compile_result.matcher = new_matcher(matcher);
    }
    return &compile_result;
}

EXPORT("[method]matcher.matches") bool export_matches(const struct matcher *matcher, const char *topic, size_t length) {
    (void)length; // the byte behind the last is 0
    bool is = matches(matcher, topic);
    let_go();
    return is;
}

EXPORT("[dtor]matcher") void drop_matcher(struct matcher *matcher) { release(matcher); }

__attribute__((export_name("cabi_post_" MATCHER "#[static]matcher.compile"))) void post_compile(void *result) { (void)result, let_go(); }
