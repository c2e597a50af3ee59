/* A view with something of everything, for the tests of what is made of it. */
#ifndef ONWARD_TEST_STATUS_VIEW_H
#define ONWARD_TEST_STATUS_VIEW_H

#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    VIEW_NOW = 1800000000 /* 2027-01-15 08:00:00 UTC */
};

/* Everything a view points to; the test changes what it is about. */
struct view_parts {
    struct status_view view;
    struct status_listener listeners[2];
    struct relay_counters counters[2];
    struct status_table tables[3];
    struct status_key keys[2];
    struct status_lookups lookups[2];
    struct status_minute minutes[STATUS_MINUTES];
    struct status_recent recent[STATUS_RECENT];
};

struct view_parts *view_new(void);
void view_free(struct view_parts *parts);

/* How often `part` stands in the text. */
size_t view_count(const struct buf *text, const char *part);
#define assert_has(text, part)                                                 \
    assert_true(view_count((text), (part)) != 0 || view_complain(text, part))
#define assert_has_not(text, part)                                             \
    assert_true(view_count((text), (part)) == 0 || view_complain(text, part))
/* Prints both; false. */
bool view_complain(const struct buf *text, const char *part);

#endif
