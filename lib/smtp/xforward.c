#include "command.h"
#include "ehlo.h"

enum {
    VALUE_MAX = 255,
    PROTO_MAX = 64,
    LINE_MAX_OCTETS = 512,
    CRLF = 2
};

static const struct slice names[XFORWARD_ATTRIBUTES] = {
    [XFORWARD_NAME] = SLICE("NAME"),     [XFORWARD_ADDR] = SLICE("ADDR"),
    [XFORWARD_PORT] = SLICE("PORT"),     [XFORWARD_HELO] = SLICE("HELO"),
    [XFORWARD_IDENT] = SLICE("IDENT"),   [XFORWARD_PROTO] = SLICE("PROTO"),
    [XFORWARD_SOURCE] = SLICE("SOURCE"),
};
static const struct slice verb = SLICE("XFORWARD");

bool
xforward_attribute_find(struct slice name, enum xforward_attribute *attribute)
{
    for (unsigned i = 0; i < XFORWARD_ATTRIBUTES; i++) {
        if (slice_equal_nocase(name, names[i])) {
            *attribute = (enum xforward_attribute)i;
            return true;
        }
    }
    return false;
}

/* One NAME=value into `given`. What the values mean is upstream's business:
 * a refusal here would lose the message (the front makes it a 451). */
static enum xforward_status
read_attribute(struct slice word, struct xforward *given)
{
    enum xforward_attribute attribute;
    size_t equals = slice_find(word, '=');
    struct slice value = slice_tail(word, equals + 1);
    struct buf decoded = { 0 };

    if (!xforward_attribute_find(slice_head(word, equals), &attribute))
        return XFORWARD_BAD;
    if (value.len == 0 ||
        value.len > (attribute == XFORWARD_PROTO ? PROTO_MAX : VALUE_MAX))
        return XFORWARD_BAD;
    if (!buf_try_reserve(&decoded, value.len))
        return XFORWARD_NO_MEMORY;
    bool good = smtp_xtext_parse(value, &decoded);
    buf_free(&decoded);
    if (!good)
        return XFORWARD_BAD;

    struct buf *kept = &given->value[attribute];
    buf_clear(kept);
    return buf_try_append(kept, value) ? XFORWARD_OK : XFORWARD_NO_MEMORY;
}

enum xforward_status
xforward_parse(struct slice argument, struct xforward *xforward)
{
    struct xforward given = { 0 };
    enum xforward_status status = XFORWARD_BAD; /* of no attribute at all */

    for (argument = slice_trim(argument); argument.len != 0;
         argument = slice_trim(argument)) {
        size_t n = 0;
        while (n < argument.len && argument.ptr[n] != ' ' &&
               argument.ptr[n] != '\t')
            n++;
        status = read_attribute(slice_head(argument, n), &given);
        if (status != XFORWARD_OK)
            break;
        argument = slice_tail(argument, n);
    }
    for (unsigned i = 0; status == XFORWARD_OK && i < XFORWARD_ATTRIBUTES;
         i++) {
        if (given.value[i].ptr == NULL)
            continue;
        buf_free(&xforward->value[i]);
        xforward->value[i] = given.value[i];
        given.value[i] = (struct buf){ 0 };
    }
    xforward_free(&given);
    return status;
}

void
xforward_free(struct xforward *xforward)
{
    for (unsigned i = 0; i < XFORWARD_ATTRIBUTES; i++)
        buf_free(&xforward->value[i]);
}

bool
xforward_is_empty(const struct xforward *xforward)
{
    for (unsigned i = 0; i < XFORWARD_ATTRIBUTES; i++)
        if (xforward->value[i].ptr != NULL)
            return false;
    return true;
}

void
xforward_value(const struct xforward *xforward,
               enum xforward_attribute attribute, struct buf *out)
{
    struct slice value = buf_slice(&xforward->value[attribute]);

    if (!slice_equal_nocase(value, SLICE_OF("[UNAVAILABLE]")))
        smtp_xtext_parse(value, out);
}

unsigned
xforward_print(const struct xforward *xforward, unsigned offered,
               struct buf *out)
{
    unsigned commands = 0;
    size_t line = 0;

    if (xforward_is_empty(xforward))
        return 0;
    for (unsigned i = 0; i < XFORWARD_ATTRIBUTES; i++) {
        struct slice value = buf_slice(&xforward->value[i]);
        if (i == XFORWARD_SOURCE)
            value = SLICE_OF("REMOTE");
        if ((offered & 1u << i) == 0 || value.len == 0)
            continue;
        size_t more = 1 + names[i].len + 1 + value.len;
        if (line != 0 && line + more > LINE_MAX_OCTETS - CRLF) {
            buf_puts(out, "\r\n");
            line = 0;
        }
        if (line == 0) {
            buf_append(out, verb);
            line = verb.len;
            commands++;
        }
        buf_putc(out, ' ');
        buf_append(out, names[i]);
        buf_putc(out, '=');
        buf_append(out, value);
        line += more;
    }
    if (line != 0)
        buf_puts(out, "\r\n");
    return commands;
}
