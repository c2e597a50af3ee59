/*
 * Writing JSON (RFC 8259): the caller opens and closes, this knows the commas
 * and the escapes. What is not UTF-8 is escaped octet by octet.
 */
#ifndef ONWARD_BASE_JSON_H
#define ONWARD_BASE_JSON_H

#include "buf.h"

struct json {
    struct buf *out;
    bool comma; /* the next value needs one before it */
};

void json_open(struct json *json, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);
void json_key(struct json *json, const char *key); /* of the next value */
void json_put_string(struct json *json, struct slice value);
void json_put_number(struct json *json, uint64_t value);
void json_put_bool(struct json *json, bool value);
void json_put_null(struct json *json);

/* A key with its value. */
void json_member(struct json *json, const char *key, struct slice value);

#endif
