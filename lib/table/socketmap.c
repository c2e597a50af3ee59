#include "table.h"

/*
 * Netstrings, and the requests and replies of socketmap_table(5):
 *
 *     "NAME KEY"  ->  "OK value", "NOTFOUND ", "TEMP reason",
 *                     "TIMEOUT reason", "PERM reason"
 */

enum {
    DIGITS_MAX = 9
};

enum netstring_status
netstring_take(struct slice *in, size_t max, struct slice *payload)
{
    size_t len = 0;
    size_t i = 0;

    for (; i < in->len && ascii_is_digit(in->ptr[i]); i++) {
        /* No leading zeros, and no number that could run over. */
        if (i == DIGITS_MAX || (i == 1 && in->ptr[0] == '0'))
            return NETSTRING_BAD;
        len = 10 * len + (size_t)(in->ptr[i] - '0');
    }
    if (len > max)
        return NETSTRING_BAD;
    if (i == in->len)
        return NETSTRING_MORE;
    if (i == 0 || in->ptr[i] != ':')
        return NETSTRING_BAD;
    struct slice rest = slice_tail(*in, i + 1);
    if (rest.len <= len)
        return NETSTRING_MORE;
    if (rest.ptr[len] != ',')
        return NETSTRING_BAD;
    *payload = slice_head(rest, len);
    *in = slice_tail(rest, len + 1);
    return NETSTRING_DONE;
}

void
netstring_print(struct slice payload, struct buf *out)
{
    buf_printf(out, "%zu:", payload.len);
    buf_append(out, payload);
    buf_putc(out, ',');
}

void
socketmap_request(struct slice name, struct slice key, struct buf *out)
{
    buf_printf(out, "%zu:", name.len + 1 + key.len);
    buf_append(out, name);
    buf_putc(out, ' ');
    buf_append(out, key);
    buf_putc(out, ',');
}

struct table_answer
socketmap_answer(struct slice payload)
{
    struct slice rest = payload;
    struct slice word = slice_cut(&rest, ' ');

    /* Anything that is neither, an empty value too, is trouble, and trouble
     * is never "not found": that would refuse somebody's mail. */
    if (slice_equal(word, SLICE_OF("OK")) && rest.len != 0)
        return (struct table_answer){ TABLE_FOUND, rest };
    if (slice_equal(word, SLICE_OF("NOTFOUND")))
        return (struct table_answer){ TABLE_MISS, rest };
    return (struct table_answer){ TABLE_ERROR, payload };
}
