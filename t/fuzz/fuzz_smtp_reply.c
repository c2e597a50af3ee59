/*
 * A reply in whatever pieces: the same verdict and text, and printed again it
 * is canonical and reads back as the same. The first octet is the size of a
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

static enum smtp_reply_status
take(struct smtp_reply_parser *parser, struct slice wire, size_t piece,
     struct smtp_reply *reply, size_t *used)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;

    *used = 0;
    while (*used < wire.len && status == SMTP_REPLY_MORE) {
        struct slice in = slice_head(slice_tail(wire, *used), piece);
        size_t had = in.len;
        status = smtp_reply_take(parser, &in, reply);
        *used += had - in.len;
    }
    return status;
}

static void
check_canonical(const struct smtp_reply *reply)
{
    struct smtp_reply_parser parser = { 0 };
    struct smtp_reply again;
    struct buf out = { 0 };
    size_t used;

    require(reply->code >= 200 && reply->code <= 599);
    require(utf8_is_valid(reply->text));
    smtp_reply_print(reply, &out);
    for (struct slice rest = buf_slice(&out); rest.len != 0;) {
        struct slice line = slice_cut(&rest, '\n');
        require(line.len >= 5 && line.len < SMTP_REPLY_LINE_MAX);
        require(line.ptr[line.len - 1] == '\r');
        require(line.ptr[3] == (rest.len != 0 ? '-' : ' '));
        for (size_t i = 0; i + 1 < line.len; i++)
            require(!ascii_is_control(line.ptr[i]));
    }
    require(take(&parser, buf_slice(&out), SIZE_MAX, &again, &used) ==
            SMTP_REPLY_DONE);
    require(used == out.len && again.code == reply->code);
    /* Only long lines lose something. */
    struct slice want = reply->text, got = again.text;
    while (want.len != 0) {
        struct slice line = slice_cut(&want, '\n');
        struct slice printed = slice_cut(&got, '\n');
        require(slice_equal(slice_head(line, printed.len), printed));
        require(printed.len == line.len || printed.len > 500);
    }
    require(got.len == 0);
    smtp_reply_enhanced(reply);
    struct slice id = smtp_reply_queue_id(reply);
    for (size_t i = 0; i < id.len; i++)
        require(ascii_is_alnum(id.ptr[i]));
    struct smtp_ehlo ehlo;
    smtp_ehlo_parse(reply, &ehlo);
    require((ehlo.keywords & ~(unsigned)SMTP_HAS_ALL) == 0);
    smtp_reply_parser_free(&parser);
    buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_reply_parser one = { 0 }, two = { 0 };
    struct smtp_reply a = { 0 }, b = { 0 };
    size_t used_a, used_b;

    if (size == 0)
        return 0;
    struct slice wire = { (const char *)data + 1, size - 1 };
    enum smtp_reply_status status = take(&one, wire, SIZE_MAX, &a, &used_a);
    require(take(&two, wire, 1 + data[0] % 16, &b, &used_b) == status);
    if (status == SMTP_REPLY_DONE) {
        require(used_a == used_b && a.code == b.code);
        require(slice_equal(a.text, b.text));
        check_canonical(&a);
    }
    struct smtp_reply setting;
    if (smtp_reply_parse_setting(wire, &setting))
        check_canonical(&setting);
    smtp_reply_parser_free(&one);
    smtp_reply_parser_free(&two);
    return 0;
}
