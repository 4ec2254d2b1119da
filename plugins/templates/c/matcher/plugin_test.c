#include "plugin.h"

#include <stdio.h>
#include <string.h>

#define EXPECT(is) \
    if (!(is)) return printf("%s:%d: it is not so: %s\n", __FILE__, __LINE__, #is), 1

int main(void) {
    char error[128];
    struct slice patterns[] = {{"orders/", 7}, {"stock/updated", 13}};
    struct matcher *matcher = compile(patterns, 2, error, sizeof error);
    EXPECT(matches(matcher, "orders/created") && matches(matcher, "stock/updated"));
    EXPECT(!matches(matcher, "returns/created") && !matches(matcher, "orders"));
    release(matcher);

    patterns[1].length = 0;
    EXPECT(compile(patterns, 2, error, sizeof error) == NULL);
    EXPECT(strcmp(error, "pattern 2 is empty: write how topics begin, such as `orders/`") == 0);
    return 0;
}
