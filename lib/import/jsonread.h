/*
 * Reading JSON (RFC 8259), for the importer alone: small files written by
 * hand, so a tree in an arena. Depth is bounded; the order of members and the
 * line of every value are kept.
 */
#ifndef ONWARD_JSONREAD_H
#define ONWARD_JSONREAD_H

#include "base.h"

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_kind kind;
    unsigned line;
    bool truth;
    struct slice name; /* as a member of an object */
    struct slice text; /* a string's octets in UTF-8; a number as written */
    struct json_value *first; /* of an array or object */
    struct json_value *next;  /* in the array or object around it */
};

/* NULL: *line and *why say where and what. */
struct json_value *json_read(struct slice text, struct arena *arena,
                             unsigned *line, const char **why);

const struct json_value *json_get(const struct json_value *object,
                                  const char *name);

#endif
