/*
 * JSON that others wrote, read by jansson, with the line of every value, so
 * that a note about it can say where. jansson itself knows the line of errors
 * alone.
 */
#ifndef ONWARD_IMPORT_JSONTREE_H
#define ONWARD_IMPORT_JSONTREE_H

#include "base.h"

enum json_kind {
    JSON_IS_OTHER, /* null and false */
    JSON_IS_TRUE,  /* or a number that is not 0 */
    JSON_IS_STRING,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT
};

struct json_value {
    enum json_kind kind;
    unsigned line;            /* where it begins; the first is 1 */
    struct slice name;        /* as a member of an object */
    struct slice text;        /* of a string, in UTF-8, without NUL */
    struct json_value *first; /* of an array or object */
    struct json_value *next;  /* in the array or object around it */
};

/* The document as a tree in the arena. NULL: it is no JSON, or an object has
 * two members of one name; *line and *why (in the arena) say where and what. */
struct json_value *json_read(struct slice text, struct arena *arena,
                             unsigned *line, const char **why);

/* The member of that name; NULL: there is none, or it is no object. */
const struct json_value *json_get(const struct json_value *object,
                                  const char *name);

#endif
