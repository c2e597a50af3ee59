/* The text that Prometheus reads, of one view: names, labels, sums. */
#include "status_view.h"

#include "status.h"

static void
of_view(const struct view_parts *p, struct buf *out)
{
    buf_clear(out);
    status_metrics(&p->view, out);
}

/* The value of a series; dies if it is there twice or not at all. */
static double
value_of(const struct buf *out, const char *series)
{
    struct buf line = { 0 };
    double value = 0;
    size_t count = 0;

    buf_printf(&line, "%s ", series);
    for (struct slice rest = buf_slice(out); rest.len != 0;) {
        struct slice text = slice_cut(&rest, '\n');
        if (!slice_starts_nocase(text, buf_slice(&line)))
            continue;
        struct buf copy = { 0 };
        buf_append(&copy, slice_tail(text, line.len));
        value = strtod(buf_cstr(&copy), NULL);
        buf_free(&copy);
        count++;
    }
    if (count != 1)
        print_error("%s: %zu times\n", series, count);
    assert_int_equal(count, 1);
    buf_free(&line);
    return value;
}
#define assert_value(out, series, value)                                       \
    assert_true(value_of((out), (series)) == (value))

static void
counters_are_of_their_listener(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 };

    (void)state;
    of_view(p, &out);
    assert_value(
        &out, "onward_transactions_total{listener=\"mx\",result=\"accepted\"}",
        1190);
    assert_value(&out,
                 "onward_transactions_total{listener=\"submission\",result="
                 "\"accepted\"}",
                 7);
    assert_value(&out,
                 "onward_transactions_total{listener=\"submission\",result="
                 "\"rejected\"}",
                 0);
    assert_value(&out, "onward_sessions_total{listener=\"mx\"}", 1300);
    assert_value(&out, "onward_sessions_active{listener=\"mx\"}", 34);
    /* What has no listener is the sum of all. */
    assert_value(&out, "onward_recipients_total{action=\"forward\"}", 903);
    assert_value(
        &out, "onward_dkim_signatures_total{algorithm=\"rsa\",result=\"ok\"}",
        40);
    assert_value(
        &out,
        "onward_dkim_signatures_total{algorithm=\"ed25519\",result=\"ok\"}", 2);
    buf_free(&out);
    view_free(p);
}

static void
each_reason_is_one_series(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 };
    size_t count = relay_outcome_count();

    (void)state;
    for (size_t i = 0; i < count; i++) {
        p->counters[0].reasons[i] = i;
        p->counters[1].reasons[i] = 1;
    }
    of_view(p, &out);
    for (size_t i = 0; i < count; i++) {
        const char *word = relay_outcome_reason(i);
        struct buf series = { 0 };
        size_t sum = 0;
        for (size_t k = 0; k < count; k++)
            if (strcmp(word, relay_outcome_reason(k)) == 0)
                sum += k + 1;
        buf_printf(&series, "onward_rejects_total{reason=\"%s\"}", word);
        assert_value(&out, buf_cstr(&series), (double)sum);
        buf_free(&series);
    }
    buf_free(&out);
    view_free(p);
}

/* Backslash, quote and line end, as Prometheus wants them; nothing else. */
static void
labels_are_escaped(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 };

    (void)state;
    p->tables[0].spec = SLICE_OF("cdb:/a\"} 1\nonward_up 1\\\xc3\xbc");
    p->lookups[0].spec = p->tables[0].spec;
    p->lookups[0].hit = 3;
    p->listeners[0].name = SLICE_OF("a\"b");
    p->view.revision = SLICE_OF("v1\"\\");
    of_view(p, &out);
#define LABEL "table=\"cdb:/a\\\"} 1\\nonward_up 1\\\\\xc3\xbc\""
    assert_value(&out, "onward_table_entries{" LABEL "}", 1043221);
    assert_value(&out, "onward_table_lookups_total{" LABEL ",result=\"hit\"}",
                 3);
    assert_has(&out,
               "onward_table_lookup_duration_seconds_bucket{" LABEL ",le=");
    assert_has(&out, "onward_table_lookup_duration_seconds_sum{" LABEL "} ");
    assert_has(&out, "onward_table_reloads_total{" LABEL ",result=\"success\"");
    assert_value(&out, "onward_sessions_active{listener=\"a\\\"b\"}", 34);
    assert_has(&out, "revision=\"v1\\\"\\\\\",openssl=\"OpenSSL 3.0.22\"} 1\n");
    assert_has_not(&out, "\nonward_up 1");
    buf_free(&out);
    view_free(p);
}

static void
histograms_are_cumulative(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 };

    (void)state;
    status_observe(&p->view.upstream_seconds, 0.0005);
    status_observe(&p->view.upstream_seconds, 0.5);
    status_observe(&p->view.upstream_seconds, 3600);
    status_observe(&p->lookups[1].seconds, 0.000001);
    status_observe(&p->lookups[1].seconds, 0.002);
    of_view(p, &out);
#define NAME "onward_upstream_duration_seconds"
    assert_value(&out, NAME "_bucket{le=\"0.001\"}", 1);
    assert_value(&out, NAME "_bucket{le=\"0.25\"}", 1);
    assert_value(&out, NAME "_bucket{le=\"0.5\"}", 2);
    assert_value(&out, NAME "_bucket{le=\"60\"}", 2);
    assert_value(&out, NAME "_bucket{le=\"+Inf\"}", 3);
    assert_value(&out, NAME "_count", 3);
    assert_true(value_of(&out, NAME "_sum") > 3600.5);
#define TABLE "{table=\"socketmap:unix:/run/aliasd:alias\""
    assert_value(&out,
                 "onward_table_lookup_duration_seconds_bucket" TABLE
                 ",le=\"1e-05\"}",
                 1);
    assert_value(
        &out,
        "onward_table_lookup_duration_seconds_bucket" TABLE ",le=\"+Inf\"}", 2);
    assert_value(&out, "onward_table_lookup_duration_seconds_count" TABLE "}",
                 2);
    buf_free(&out);
    view_free(p);
}

static void
tables_in_use_twice_are_one_series(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 };

    (void)state;
    p->tables[2].spec = p->tables[0].spec;
    p->tables[0].stale = true;
    of_view(p, &out);
    assert_value(&out,
                 "onward_table_age_seconds{table=\"cdb:/var/lib/onward/"
                 "aliases\"}",
                 100);
    assert_value(
        &out, "onward_table_stale{table=\"cdb:/var/lib/onward/aliases\"}", 1);
    /* A socketmap has no file. */
    assert_has_not(&out, "onward_table_age_seconds{table=\"socketmap");
    buf_free(&out);
    view_free(p);
}

/* Each family once, its HELP and TYPE in front, counters named _total. */
static void
families_are_named_by_the_rules(void **state)
{
    struct view_parts *p = view_new();
    struct buf out = { 0 }, name = { 0 };
    size_t families = 0;

    (void)state;
    of_view(p, &out);
    for (struct slice rest = buf_slice(&out); rest.len != 0;) {
        struct slice line = slice_cut(&rest, '\n');
        assert_true(line.len != 0);
        if (slice_starts_nocase(line, SLICE_OF("# HELP "))) {
            struct slice words = slice_tail(line, 7);
            struct slice next = rest;
            buf_clear(&name);
            buf_append(&name, slice_cut(&words, ' '));
            assert_true(words.len > 3);
            struct slice type = slice_cut(&next, '\n');
            assert_true(slice_starts_nocase(type, SLICE_OF("# TYPE ")));
            type = slice_tail(type, 7);
            assert_true(slice_equal(slice_cut(&type, ' '), buf_slice(&name)));
            assert_int_equal(
                slice_equal(type, SLICE_OF("counter")),
                slice_ends_nocase(buf_slice(&name), SLICE_OF("_total")));
            families++;
        } else if (line.ptr[0] != '#') {
            assert_true(slice_starts_nocase(line, buf_slice(&name)));
        }
    }
    assert_true(families > 25);
    buf_free(&name);
    buf_free(&out);
    view_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_of_their_listener),
        cmocka_unit_test(each_reason_is_one_series),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(tables_in_use_twice_are_one_series),
        cmocka_unit_test(families_are_named_by_the_rules),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
