#include "json.h"

#include "escape.h"

static void
before(struct json *json)
{
    if (json->comma)
        buf_puts(json->out, ", ");
    json->comma = true;
}

void
json_open(struct json *json, char bracket)
{
    before(json);
    buf_putc(json->out, bracket);
    json->comma = false;
}

void
json_close(struct json *json, char bracket)
{
    buf_putc(json->out, bracket);
    json->comma = true;
}

void
json_key(struct json *json, const char *key)
{
    before(json);
    buf_printf(json->out, "\"%s\": ", key);
    json->comma = false;
}

void
json_put_string(struct json *json, struct slice value)
{
    before(json);
    buf_putc(json->out, '"');
    log_escape_json(json->out, value);
    buf_putc(json->out, '"');
}

void
json_put_number(struct json *json, uint64_t value)
{
    before(json);
    buf_printf(json->out, "%llu", (unsigned long long)value);
}

void
json_put_bool(struct json *json, bool value)
{
    before(json);
    buf_puts(json->out, value ? "true" : "false");
}

void
json_put_null(struct json *json)
{
    before(json);
    buf_puts(json->out, "null");
}

void
json_member(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    json_put_string(json, value);
}
