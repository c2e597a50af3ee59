/* What six other implementations do, and what we do: data/srs/srs.jsonl. */
#include "srs_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct srs_vectors vectors;

static enum srs_status
run(const struct srs_vector *v, const struct srs_conf *conf, struct slice input,
    struct buf *out)
{
    if (slice_equal(v->op, SLICE_OF("forward")))
        return srs_forward(conf, v->time, input, v->domain, out);
    return srs_reverse(conf, v->time, input, out, NULL);
}

static enum srs_status
status_of(struct slice error)
{
    static const struct {
        struct slice name;
        enum srs_status status;
    } names[] = {
        { SLICE("NULLSENDER"), SRS_NULL_SENDER },
        { SLICE("NODOMAIN"), SRS_SYNTAX },
        { SLICE("SYNTAX"), SRS_SYNTAX },
        { SLICE("NOTSRS"), SRS_NOT_SRS },
        { SLICE("HASH"), SRS_HASH_BAD },
        { SLICE("HASHSHORT"), SRS_HASH_SHORT },
        { SLICE("EXPIRED"), SRS_EXPIRED },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(error, names[i].name))
            return names[i].status;
    fail_msg("unknown error class %.*s", SLICE_ARG(error));
    return SRS_OK;
}

static void
recommended(void **state)
{
    const struct srs_vector *v = *state;
    struct srs_conf *conf = srs_vector_conf(v, SRS_MAC_CLASSIC);
    struct buf out = { 0 };

    assert_false(v->always); /* Onward never rewrites its own addresses */
    enum srs_status status = run(v, conf, v->input, &out);
    if (v->output.ptr == NULL) {
        assert_int_equal(status, status_of(v->error));
        assert_int_equal(out.len, 0);
    } else {
        bool same = slice_equal(v->action, SLICE_OF("unchanged"));
        assert_int_equal(status, same ? SRS_OUR_DOMAIN : SRS_OK);
        assert_int_equal(out.len, v->output.len);
        assert_memory_equal(out.ptr, v->output.ptr, out.len);
    }
    buf_free(&out);
    srs_conf_free(conf);
}

/* The holes of the classic MAC are closed in ours: an address signed with the
 * same secret stays bad after the boundary between its fields moved, or as
 * SRS0 what was signed as SRS1. */
static void
hole_is_closed(void **state)
{
    const struct srs_vector *v = *state;
    struct srs_conf *conf = srs_vector_conf(v, SRS_MAC_SHA256);
    struct srs_found found;
    struct buf out = { 0 };

    assert_int_equal(srs_reverse(conf, v->time, v->input, &out, &found),
                     SRS_HASH_BAD);
    assert_int_equal(out.len, 0);
    srs_conf_free(conf);
}

/* Neither crashes nor reads beyond the end; the copy on the heap is as long
 * as the prefix, so that the sanitizer sees a step too far. */
static void
every_prefix(void **state)
{
    const struct srs_vector *v = *state;
    struct srs_conf *conf = srs_vector_conf(v, SRS_MAC_CLASSIC);
    struct buf out = { 0 };

    for (size_t n = 0; n < v->input.len; n++) {
        char *copy = malloc(n != 0 ? n : 1);
        char key[SRS_TOKEN_KEY];
        struct slice prefix = { copy, n };
        memcpy(copy, v->input.ptr, n);
        enum srs_status status = run(v, conf, prefix, &out);
        if (status != SRS_OK && status != SRS_OUR_DOMAIN)
            assert_int_equal(out.len, 0);
        else
            assert_int_not_equal(out.len, 0);
        assert_int_not_equal(srs_token_reverse(conf, v->time, prefix, key),
                             SRS_OK);
        buf_clear(&out);
        srs_local_length(prefix);
        free(copy);
    }
    buf_free(&out);
    srs_conf_free(conf);
}

/* What was forwarded comes back, with either MAC. */
static void
comes_back(void **state)
{
    const struct srs_vector *v = *state;
    enum srs_mac macs[] = { SRS_MAC_CLASSIC, SRS_MAC_SHA256 };

    for (size_t i = 0; i < 2; i++) {
        struct srs_conf *conf = srs_vector_conf(v, macs[i]);
        struct srs_found found = { .kind = 7 };
        struct buf out = { 0 };
        struct buf back = { 0 };
        assert_int_equal(srs_forward(conf, v->time, v->input, v->domain, &out),
                         SRS_OK);
        assert_int_equal(
            srs_reverse(conf, v->time, buf_slice(&out), &back, &found), SRS_OK);
        assert_int_equal(found.classic, macs[i] == SRS_MAC_CLASSIC);
        assert_false(found.case_folded);
        if (slice_equal(v->action, SLICE_OF("srs0-new"))) {
            assert_int_equal(found.kind, 0);
            /* Needless quotes are gone, all else is as it was. */
            if (v->input.ptr[0] != '"' || v->input.len == back.len)
                assert_memory_equal(back.ptr, v->input.ptr, back.len);
        } else {
            assert_int_equal(found.kind, 1);
        }
        buf_free(&out);
        buf_free(&back);
        srs_conf_free(conf);
    }
}

static struct CMUnitTest tests[4 * VECTORS_MAX];
static size_t test_count;

static void
add(const char *what, CMUnitTestFunction test, struct srs_vector *v)
{
    struct buf name = { 0 };

    buf_printf(&name, "%s %s", v->id, what);
    tests[test_count++] =
        (struct CMUnitTest){ arena_cstr(&vectors.arena, buf_slice(&name)), test,
                             NULL, NULL, v };
    buf_free(&name);
}

int
main(void)
{
    srs_vectors_load(&vectors);
    for (size_t i = 0; i < vectors.count; i++) {
        struct srs_vector *v = &vectors.rows[i];
        add("gives what is recommended", recommended, v);
        add("may be cut anywhere", every_prefix, v);
        if (v->security)
            add("fails with the sha256 MAC", hole_is_closed, v);
        if (v->action.len != 0 &&
            !slice_equal(v->action, SLICE_OF("unchanged")))
            add("comes back", comes_back, v);
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed =
        _cmocka_run_group_tests("srs vectors", tests, test_count, NULL, NULL);
    arena_free(&vectors.arena);
    return failed;
}
