#include "test_smtp.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct row {
    const char *name;
    struct slice wire;
    enum dot_status status;
    struct slice content;
    size_t left; /* octets behind the final line: the next command */
    bool bare_cr, bare_lf, nul, stuffed;
} rows[] = {
    { "plain", SLICE("a\r\nb\r\n.\r\n"), DOT_END, SLICE("a\r\nb\r\n"),
      .left = 0 },
    { "empty message", SLICE(".\r\n"), DOT_END, SLICE(""), .left = 0 },
    { "one empty line", SLICE("\r\n.\r\n"), DOT_END, SLICE("\r\n"), .left = 0 },
    { "pipelined QUIT", SLICE("a\r\n.\r\nQUIT\r\n"), DOT_END, SLICE("a\r\n"),
      .left = 6 },
    { "not yet the end", SLICE("a\r\n."), DOT_MORE, SLICE("a\r\n"), .left = 0 },
    { "stuffed dot", SLICE("..a\r\n.\r\n"), DOT_END, SLICE(".a\r\n"),
      .stuffed = true },
    { "stuffed line of a dot", SLICE("a\r\n..\r\n.\r\n"), DOT_END,
      SLICE("a\r\n.\r\n"), .stuffed = true },
    { "dot that was not stuffed", SLICE("a\r\n.x\r\n.\r\n"), DOT_END,
      SLICE("a\r\nx\r\n"), .left = 0 },
    { "dot inside of a line", SLICE("a.\r\n.\r\n"), DOT_END, SLICE("a.\r\n"),
      .left = 0 },
    { "bare CR", SLICE("foo\rbar\r\n.\r\n"), DOT_END, SLICE("foo bar\r\n"),
      .bare_cr = true },
    { "bare LF", SLICE("foo\nbar\r\n.\r\n"), DOT_END, SLICE("foo\nbar\r\n"),
      .bare_lf = true },
    { "NUL", SLICE("foo\0bar\r\n.\r\n"), DOT_END, SLICE("foo\0bar\r\n"),
      .nul = true },
    { "NUL behind the end", SLICE("a\r\n.\r\n\0"), DOT_END, SLICE("a\r\n"),
      .left = 1 },
    { "LF behind the end", SLICE("a\r\n.\r\n\n"), DOT_END, SLICE("a\r\n"),
      .left = 1 },
    { "CR CR LF", SLICE("a\r\r\n.\r\n"), DOT_END, SLICE("a \r\n"),
      .bare_cr = true },
    { "CR CR CR LF", SLICE("a\r\r\r\n.\r\n"), DOT_END, SLICE("a  \r\n"),
      .bare_cr = true },
    { "LF first", SLICE("\n.\r\n.\r\n"), DOT_END, SLICE("\n.\r\n"),
      .bare_lf = true },
    { "CR at the end of what came", SLICE("a\r"), DOT_MORE, SLICE("a"),
      .left = 0 },
    { "QUIT glued to a half line", SLICE("yyyQUIT\r\n"), DOT_MORE,
      SLICE("yyyQUIT\r\n"), .left = 0 },
    { "8-bit passes", SLICE("\xff\x80\xfe\r\n.\r\n"), DOT_END,
      SLICE("\xff\x80\xfe\r\n"), .left = 0 },

    /* No spelling but CRLF.CRLF ends the content. Each is followed by what
     * would be the smuggled message, then by the genuine end. */
    { "smuggled LF . LF", SLICE("a\n.\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\n.\nMAIL\r\n"), .bare_lf = true },
    { "smuggled LF . CRLF", SLICE("a\n.\r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\n.\r\nMAIL\r\n"), .bare_lf = true },
    { "smuggled CRLF . LF", SLICE("a\r\n.\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n\nMAIL\r\n"), .bare_lf = true },
    { "smuggled CR . CR", SLICE("a\r.\rMAIL\r\n.\r\n"), DOT_END,
      SLICE("a . MAIL\r\n"), .bare_cr = true },
    { "smuggled CR . CRLF", SLICE("a\r.\r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a .\r\nMAIL\r\n"), .bare_cr = true },
    { "smuggled CR . LF", SLICE("a\r.\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a .\nMAIL\r\n"), .bare_cr = true, .bare_lf = true },
    { "smuggled LF . CR", SLICE("a\n.\rMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\n. MAIL\r\n"), .bare_cr = true, .bare_lf = true },
    { "smuggled CRLF . CR", SLICE("a\r\n.\rMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n MAIL\r\n"), .bare_cr = true },
    { "smuggled LF LF . CRLF", SLICE("a\n\n.\r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\n\n.\r\nMAIL\r\n"), .bare_lf = true },
    { "smuggled CRLF . CR CRLF", SLICE("a\r\n.\r\r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n \r\nMAIL\r\n"), .bare_cr = true },
    { "smuggled CRLF . CR CR CRLF", SLICE("a\r\n.\r\r\r\nMAIL\r\n.\r\n"),
      DOT_END, SLICE("a\r\n  \r\nMAIL\r\n"), .bare_cr = true },
    { "smuggled CR CRLF . CR CRLF", SLICE("a\r\r\n.\r\r\nMAIL\r\n.\r\n"),
      DOT_END, SLICE("a \r\n \r\nMAIL\r\n"), .bare_cr = true },
    { "smuggled CRLF . NUL CRLF", SLICE("a\r\n.\0\r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n\0\r\nMAIL\r\n"), .nul = true },
    { "smuggled CRLF . blank CRLF", SLICE("a\r\n. \r\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n \r\nMAIL\r\n"), .left = 0 },
    { "smuggled CRLF . CR NUL LF", SLICE("a\r\n.\r\0\nMAIL\r\n.\r\n"), DOT_END,
      SLICE("a\r\n \0\nMAIL\r\n"), .bare_cr = true, .bare_lf = true,
      .nul = true },
    { "CR CRLF . CRLF is genuine", SLICE("a\r\r\n.\r\nMAIL\r\n"), DOT_END,
      SLICE("a \r\n"), .left = 6, .bare_cr = true },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
check(const struct row *row, size_t piece)
{
    struct dot_decoder decoder = { 0 };
    enum dot_status status = DOT_MORE;
    struct buf out = { 0 };
    struct slice wire = exact(row->wire);
    size_t used = 0;

    while (used < wire.len && status == DOT_MORE) {
        struct slice in = slice_head(slice_tail(wire, used), piece);
        size_t before = in.len, had = out.len;
        assert_true(dot_decode(&decoder, &in, &out, &status));
        assert_true(out.len - had <= before + 2);
        assert_true(status == DOT_END || in.len == 0);
        used += before - in.len;
    }
    assert_int_equal(status, row->status);
    assert_slice(buf_slice(&out), row->content);
    assert_int_equal(wire.len - used, row->left);
    assert_int_equal(decoder.bare_cr, row->bare_cr);
    assert_int_equal(decoder.bare_lf, row->bare_lf);
    assert_int_equal(decoder.nul, row->nul);
    assert_int_equal(decoder.stuffed, row->stuffed);
    assert_false(decoder.long_line);

    /* The end is sticky. */
    struct slice in = SLICE("x");
    assert_true(dot_decode(&decoder, &in, &out, &status));
    assert_int_equal(status, row->status);
    assert_int_equal(in.len, row->status == DOT_END ? 1 : 0);
    buf_free(&out);
    free((char *)wire.ptr);
}

static void
whole(void **state)
{
    check(*state, SIZE_MAX);
}

static void
bytewise(void **state)
{
    check(*state, 1);
}

static void
pairwise(void **state)
{
    check(*state, 2);
}

enum {
    PADS = 130 /* more than two of the blocks that are looked at together */
};

static struct dot_decoder
decode_in(struct slice wire, size_t piece, struct buf *out)
{
    struct dot_decoder decoder = { 0 };
    enum dot_status status = DOT_MORE;

    while (wire.len != 0 && status == DOT_MORE) {
        struct slice in = slice_head(wire, piece);
        size_t before = in.len;
        assert_true(dot_decode(&decoder, &in, out, &status));
        wire = slice_tail(wire, before - in.len);
    }
    return decoder;
}

/* The rows again, each octet of them in each place of a block. */
static void
in_every_place_of_a_block(void **state)
{
    const struct row *row = *state;
    char text[PADS];

    memset(text, 'x', sizeof(text));
    for (size_t pad = 0; pad <= PADS; pad++) {
        struct buf wire = { 0 }, whole_out = { 0 }, byte_out = { 0 };
        buf_append(&wire, (struct slice){ text, pad });
        buf_append(&wire, row->wire);
        buf_append(&wire, (struct slice){ text, PADS - pad });
        buf_puts(&wire, "\r\n.\r\nMAIL");
        struct dot_decoder a =
            decode_in(buf_slice(&wire), SIZE_MAX, &whole_out);
        struct dot_decoder b = decode_in(buf_slice(&wire), 1, &byte_out);
        assert_slice(buf_slice(&whole_out), buf_slice(&byte_out));
        assert_int_equal(a.state, DOT_FINISHED);
        assert_memory_equal(&a.line, &b.line, sizeof(a.line));
        assert_int_equal(a.bare_cr, b.bare_cr);
        assert_int_equal(a.bare_lf, b.bare_lf);
        assert_int_equal(a.nul, b.nul);
        assert_int_equal(a.stuffed, b.stuffed);
        buf_free(&wire);
        buf_free(&whole_out);
        buf_free(&byte_out);
    }
}

/* A legal end across every boundary of a read. */
static void
ends_across_boundaries(void **state)
{
    static const size_t sizes[] = { 4096, 8192, 16384, 65536 };
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t at = sizes[i] - 8; at <= sizes[i] + 2; at++) {
            struct dot_decoder decoder = { 0 };
            struct buf wire = { 0 }, out = { 0 };
            enum dot_status status = DOT_MORE;
            while (wire.len < at - 2)
                buf_putc(&wire, wire.len % 80 == 79 ? ' ' : 'x');
            buf_puts(&wire, "\r\n.\r\n");
            struct slice in = slice_head(buf_slice(&wire), sizes[i]);
            struct slice rest = slice_tail(buf_slice(&wire), sizes[i]);
            assert_true(dot_decode(&decoder, &in, &out, &status));
            assert_int_equal(status == DOT_END, rest.len == 0);
            if (rest.len != 0)
                assert_true(dot_decode(&decoder, &rest, &out, &status));
            assert_int_equal(status, DOT_END);
            assert_int_equal(out.len, at);
            buf_free(&wire);
            buf_free(&out);
        }
    }
}

static void
long_lines_are_seen_and_pass(void **state)
{
    static const struct {
        size_t length;
        bool seen;
    } lines[] = { { 998, false }, { 999, true }, { 200000, true } };
    (void)state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t piece = 1; piece <= 700000; piece += 699999) {
            struct arena arena = { 0 };
            struct dot_decoder decoder = { 0 };
            struct buf out = { 0 };
            enum dot_status status = DOT_MORE;
            struct slice wire =
                padded(&arena, "..", 'x', lines[i].length - 1, "\r\n.\r\n");
            while (wire.len != 0) {
                struct slice in = slice_head(wire, piece);
                wire = slice_tail(wire, piece);
                assert_true(dot_decode(&decoder, &in, &out, &status));
            }
            assert_int_equal(status, DOT_END);
            assert_int_equal(decoder.long_line, lines[i].seen);
            assert_int_equal(out.len, lines[i].length + 2);
            buf_free(&out);
            arena_free(&arena);
        }
    }
}

/* The space that a bare CR becomes counts as well. */
static void
a_long_line_of_spaces(void **state)
{
    (void)state;

    for (size_t length = 998; length <= 999; length++) {
        struct arena arena = { 0 };
        struct dot_decoder decoder = { 0 };
        struct buf out = { 0 };
        enum dot_status status;
        struct slice wire = padded(&arena, "", '\r', length, "\r\n.\r\n");
        assert_true(dot_decode(&decoder, &wire, &out, &status));
        assert_int_equal(status, DOT_END);
        assert_int_equal(decoder.long_line, length > 998);
        assert_int_equal(out.len, length + 2);
        buf_free(&out);
        arena_free(&arena);
    }
}

static void
short_lines_do_not_add_up(void **state)
{
    struct dot_decoder decoder = { 0 };
    struct buf wire = { 0 }, out = { 0 };
    enum dot_status status;
    (void)state;

    for (int i = 0; i < 1000; i++)
        buf_puts(&wire, "ab\r\n");
    struct slice in = buf_slice(&wire);
    assert_true(dot_decode(&decoder, &in, &out, &status));
    assert_false(decoder.long_line);
    buf_free(&wire);
    buf_free(&out);
}

static void
no_memory_uses_nothing(void **state)
{
    struct dot_decoder decoder = { 0 };
    struct dot_encoder encoder = { 0 };
    struct buf out = { 0 };
    struct slice in = SLICE("abc\r\n");
    enum dot_status status;
    (void)state;

    mem_fail_nth(1);
    assert_false(dot_decode(&decoder, &in, &out, &status));
    assert_int_equal(in.len, 5);
    assert_int_equal(decoder.state, DOT_AT_LINE_START);
    mem_fail_nth(1);
    assert_false(dot_encode(&encoder, in, &out));
    mem_fail_nth(0);
    assert_int_equal(out.len, 0);
    assert_true(dot_encode(&encoder, in, &out));
    assert_true(dot_encode(&encoder, SLICE_OF(""), &out));
    assert_slice(buf_slice(&out), SLICE_OF("abc\r\n"));

    /* in the middle of the lines */
    struct arena arena = { 0 };
    struct slice dots = padded(&arena, "", 'x', 60, "\r\n.\r\n");
    for (size_t n = 1; n <= 2; n++) {
        struct buf fresh = { 0 };
        encoder = (struct dot_encoder){ 0 };
        mem_fail_nth(n);
        assert_false(dot_encode(&encoder, dots, &fresh));
        mem_fail_nth(0);
        assert_int_equal(fresh.len, 0);
        assert_true(dot_encode(&encoder, dots, &fresh));
        assert_int_equal(fresh.len, dots.len + 1);
        buf_free(&fresh);
    }
    arena_free(&arena);
    buf_free(&out);
}

/* ---- encoder ----------------------------------------------------------- */

static struct encoded {
    const char *name;
    struct slice content;
    struct slice wire;
} encoded[] = {
    { "encode: plain", SLICE("a\r\nb\r\n"), SLICE("a\r\nb\r\n.\r\n") },
    { "encode: empty", SLICE(""), SLICE(".\r\n") },
    { "encode: dots", SLICE(".\r\n..\r\n.a\r\n"),
      SLICE("..\r\n...\r\n..a\r\n.\r\n") },
    { "encode: dots inside", SLICE("a.\r\nb.c\r\n"),
      SLICE("a.\r\nb.c\r\n.\r\n") },
    { "encode: empty lines", SLICE("\r\n\r\n"), SLICE("\r\n\r\n.\r\n") },
    { "encode: no final line end", SLICE("a\r\n.b"),
      SLICE("a\r\n..b\r\n.\r\n") },
    { "encode: only a dot", SLICE("."), SLICE("..\r\n.\r\n") },
};
enum {
    ENCODED = sizeof(encoded) / sizeof(encoded[0])
};

static void
encode(const struct encoded *row, size_t piece)
{
    struct dot_encoder encoder = { 0 };
    struct buf out = { 0 };
    struct slice rest = row->content;

    while (rest.len != 0) {
        struct slice part = exact(slice_head(rest, piece));
        assert_true(dot_encode(&encoder, part, &out));
        rest = slice_tail(rest, piece);
        free((char *)part.ptr);
    }
    dot_finish(&encoder, &out);
    assert_slice(buf_slice(&out), row->wire);
    buf_free(&out);
}

static void
encode_whole(void **state)
{
    encode(*state, SIZE_MAX);
}

static void
encode_bytewise(void **state)
{
    encode(*state, 1);
}

/* What was sent past it ended anywhere in a line; what follows goes on there.
 */
static void
encode_behind(void **state)
{
    static const struct {
        char last;
        struct slice content, wire;
    } behind[] = {
        { 'x', SLICE(".\r\n"), SLICE(".\r\n.\r\n") },
        { '\r', SLICE("\n.a\r\n"), SLICE("\n..a\r\n.\r\n") },
        { '\n', SLICE(".a\r\n"), SLICE("..a\r\n.\r\n") },
        { '\n', SLICE(""), SLICE(".\r\n") },
        { 'x', SLICE(""), SLICE("\r\n.\r\n") },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
        struct dot_encoder encoder = { 0 };
        struct buf out = { 0 };
        dot_encode_behind(&encoder, behind[i].last);
        assert_true(dot_encode(&encoder, behind[i].content, &out));
        dot_finish(&encoder, &out);
        assert_slice(buf_slice(&out), behind[i].wire);
        buf_free(&out);
    }
}

static void
assert_aborts(size_t row, size_t pad, struct slice first, struct slice second)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct dot_encoder encoder = { 0 };
        struct buf in = { 0 }, out = { 0 };
        fclose(stderr);
        signal(SIGABRT, SIG_DFL);
        for (size_t i = 0; i < pad; i++)
            buf_putc(&in, 'x');
        buf_append(&in, first);
        if (second.len == 0)
            for (size_t i = 0; i < 2 * PADS; i++)
                buf_putc(&in, i % 50 < 48 ? 'y' : i % 50 == 48 ? '\r' : '\n');
        dot_encode(&encoder, buf_slice(&in), &out);
        dot_encode(&encoder, second, &out);
        dot_finish(&encoder, &out);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        fail_msg("content %zu behind %zu octets was let through", row, pad);
}

/* I5: what could be read in two ways ends the process. */
static void
ambiguous_content_aborts(void **state)
{
    static const struct {
        struct slice first, second;
    } bad[] = {
        { SLICE("a\rb"), SLICE("") },    { SLICE("a\nb"), SLICE("") },
        { SLICE("a\0b"), SLICE("") },    { SLICE("a\r"), SLICE("b\r\n") },
        { SLICE("a\r\r\n"), SLICE("") }, { SLICE("\n"), SLICE("") },
        { SLICE("a\r"), SLICE("") },     { SLICE("a\r\n"), SLICE("\n") },
        { SLICE("a"), SLICE("\n") },     { SLICE("a\r"), SLICE(".\r\n") },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t pad = 0; pad <= PADS; pad += pad < 8 ? 1 : 7)
            assert_aborts(i, pad, bad[i].first, bad[i].second);
}

int
main(void)
{
    struct CMUnitTest tests[4 * ROWS + 2 * ENCODED + 11] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < ROWS; i++) {
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, whole, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, bytewise, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, pairwise, NULL, NULL, &rows[i] };
        tests[n++] =
            (struct CMUnitTest){ rows[i].name, in_every_place_of_a_block, NULL,
                                 NULL, &rows[i] };
    }
    for (size_t i = 0; i < ENCODED; i++) {
        tests[n++] = (struct CMUnitTest){ encoded[i].name, encode_whole, NULL,
                                          NULL, &encoded[i] };
        tests[n++] = (struct CMUnitTest){ encoded[i].name, encode_bytewise,
                                          NULL, NULL, &encoded[i] };
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(ends_across_boundaries);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(long_lines_are_seen_and_pass);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_line_of_spaces);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(short_lines_do_not_add_up);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_memory_uses_nothing);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(encode_behind);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(ambiguous_content_aborts);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("dot", tests, n, NULL, NULL);
}
