/*
 * The server engine with any octets in any pieces. It always comes to an end,
 * says only canonical reply lines, no more replies than there are commands,
 * and what it says, does and decodes does not depend on the pieces; but for
 * what stands behind a DATA that is refused, where it matters whether it came
 * before the answer. The first octet is the size of a piece, the second an
 * allocation that fails.
 */
#include "../unit/test_smtp_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct smtp_server_limits limits = {
    .errors = 10,
    .recipients = 4,
    .size = 1000,
};

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* Returns the number of replies. */
static size_t
check_said(struct slice said)
{
    size_t replies = 0;

    while (said.len != 0) {
        size_t end = slice_find(said, '\n');
        require(end != said.len && end >= 5 && end < SMTP_REPLY_LINE_MAX);
        require(said.ptr[end - 1] == '\r');
        require(said.ptr[0] >= '2' && said.ptr[0] <= '5');
        require(ascii_is_digit(said.ptr[1]) && ascii_is_digit(said.ptr[2]));
        require(said.ptr[3] == ' ' || said.ptr[3] == '-');
        for (size_t i = 0; i < end - 1; i++)
            require(!ascii_is_control(said.ptr[i]));
        replies += said.ptr[3] == ' ';
        said = slice_tail(said, end + 1);
    }
    return replies;
}

static size_t
count(struct slice s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == c;
    return n;
}

static bool
was_mistrusted(struct slice said)
{
    const struct slice mark = SLICE("421 4.7.0 Error: content without 354");

    while (said.len != 0)
        if (slice_starts_nocase(slice_cut(&said, '\n'), mark))
            return true;
    return false;
}

static void
with_a_failed_allocation(struct slice wire, size_t piece, size_t nth)
{
    struct driver d;

    driver_open(&d, &limits, NULL);
    mem_fail_nth(nth);
    driver_feed_in_pieces(&d, wire, piece);
    mem_fail_nth(0);
    check_said(buf_slice(&d.out));
    driver_free(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct driver one, two;

    if (size < 2)
        return 0;
    size_t piece = 1 + data[0] % 64;
    struct slice wire = { (const char *)data + 2, size - 2 };
    driver_open(&one, &limits, NULL);
    driver_open(&two, &limits, NULL);
    driver_feed(&one, wire);
    driver_feed_in_pieces(&two, wire, piece);
    if (!was_mistrusted(buf_slice(&one.out)) &&
        !was_mistrusted(buf_slice(&two.out))) {
        require(slice_equal(buf_slice(&one.out), buf_slice(&two.out)));
        require(slice_equal(buf_slice(&one.events), buf_slice(&two.events)));
        require(slice_equal(buf_slice(&one.content), buf_slice(&two.content)));
        require(one.server.state == two.server.state);
    }
    require(one.closed == (one.server.state == SMTP_SERVER_CLOSED));

    /* The greeting, one for each line, and at most two at the end: what was
     * refused and 421, or a line that never ended. */
    size_t replies = check_said(buf_slice(&one.out));
    require(replies <= 1 + count(wire, '\n') + 2);
    /* 250 for content only behind an end of data. */
    size_t ends = count(buf_slice(&one.events), '.');
    require(ends <= count(buf_slice(&one.events), 'D'));
    driver_free(&one);
    driver_free(&two);
    if (data[1] != 0)
        with_a_failed_allocation(wire, piece, data[1]);
    return 0;
}
