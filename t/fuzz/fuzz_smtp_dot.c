/*
 * Content: where the input is cut must not matter, only CRLF.CRLF ends it (by
 * a second, slow implementation), and what was decoded and accepted can be
 * encoded, ends once, and decodes to itself. The first octet is the size of a
 * piece.
 */
#include <stdlib.h>
#include <string.h>

#include "smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static size_t
decode(struct dot_decoder *decoder, struct slice wire, size_t piece,
       struct buf *out, enum dot_status *status)
{
    size_t used = 0;

    *status = DOT_MORE;
    while (used < wire.len && *status == DOT_MORE) {
        struct slice in = slice_head(slice_tail(wire, used), piece);
        size_t had = in.len, before = out->len;
        require(dot_decode(decoder, &in, out, status));
        require(out->len - before <= had + 2);
        used += had - in.len;
    }
    return used;
}

/* Where the content ends, looked for as the RFC words it. */
static size_t
end_of_data(struct slice wire)
{
    static const struct slice end = SLICE("\r\n.\r\n");

    if (wire.len >= 3 && memcmp(wire.ptr, ".\r\n", 3) == 0)
        return 3;
    for (size_t i = 0; i + end.len <= wire.len; i++)
        if (memcmp(wire.ptr + i, end.ptr, end.len) == 0)
            return i + end.len;
    return 0;
}

static void
check_round_trip(struct slice content, size_t piece)
{
    struct dot_encoder encoder = { 0 };
    struct dot_decoder decoder = { 0 };
    struct buf wire = { 0 }, again = { 0 };
    enum dot_status status;

    for (size_t at = 0; at < content.len; at += piece)
        require(dot_encode(&encoder, slice_head(slice_tail(content, at), piece),
                           &wire));
    dot_finish(&encoder, &wire);
    require(end_of_data(buf_slice(&wire)) == wire.len);
    require(decode(&decoder, buf_slice(&wire), SIZE_MAX, &again, &status) ==
            wire.len);
    require(status == DOT_END);
    require(slice_equal(slice_head(buf_slice(&again), content.len), content));
    require(!decoder.bare_cr && !decoder.bare_lf && !decoder.nul);
    /* Postfix strips CRs before LF, or takes LF for CRLF: still one end. */
    for (size_t i = 0; i < wire.len; i++) {
        require(wire.ptr[i] != '\r' || wire.ptr[i + 1] == '\n');
        require(wire.ptr[i] != '\n' || wire.ptr[i - 1] == '\r');
    }
    buf_free(&wire);
    buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dot_decoder one = { 0 }, two = { 0 };
    struct buf a = { 0 }, b = { 0 };
    enum dot_status sa, sb;

    if (size == 0)
        return 0;
    size_t piece = 1 + data[0] % 32;
    struct slice wire = { (const char *)data + 1, size - 1 };
    size_t used_a = decode(&one, wire, SIZE_MAX, &a, &sa);
    size_t used_b = decode(&two, wire, piece, &b, &sb);
    require(sa == sb && used_a == used_b);
    require(slice_equal(buf_slice(&a), buf_slice(&b)));
    require(one.bare_cr == two.bare_cr && one.bare_lf == two.bare_lf &&
            one.nul == two.nul && one.long_line == two.long_line &&
            one.stuffed == two.stuffed);

    size_t end = end_of_data(wire);
    require((sa == DOT_END) == (end != 0));
    require(end == 0 || end == used_a);
    if (sa == DOT_END && !one.bare_lf && !one.nul)
        check_round_trip(buf_slice(&a), piece);
    buf_free(&a);
    buf_free(&b);
    return 0;
}
