/* What the process says of itself: masks, numbers, health, the screen and the
 * JSON document. */
#include "status_view.h"

#include "status.h"

/* ---- masks ---- */

static struct mask {
    const char *name;
    struct slice address;
    const char *shown;
} masks[] = {
    { "an address", SLICE("alice@sender.example"), "a...@sender.example" },
    { "of one letter", SLICE("a@b.example"), "a...@b.example" },
    { "the null reverse-path", SLICE(""), "<>" },
    { "an address of ours", SLICE("SRS0=aBcDeF=7G=s.example=a@srs.example"),
      "S...@srs.example" },
    { "a quoted local part with an @", SLICE("\"a@b\"@c.example"),
      "\"...@c.example" },
    { "no domain", SLICE("postmaster"), "p..." },
    { "a letter of two octets",
      SLICE("\xc3\xbc"
            "ser@b.example"),
      "\xc3\xbc...@b.example" },
    { "a letter of four", SLICE("\xf0\x9f\x90\xbbx@b.example"),
      "\xf0\x9f\x90\xbb...@b.example" },
    { "what is not UTF-8", SLICE("\xff\xfe@b.example"), "\\377...@b.example" },
    { "a control character", SLICE("\033[2J@b.example"), "\\033...@b.example" },
    { "a domain with a line end", SLICE("a@b\r\n.example"),
      "a...@b\\015\\012.example" },
    { "longer than the room: the end is cut",
      SLICE("a@0123456789.0123456789.0123456789.example"),
      "a...@0123456789.0123456789.0123" },
    { "cut between letters, not in one",
      SLICE("a@0123456789.0123456789.012\xc3\xbc\xc3\xbc.example"),
      "a...@0123456789.0123456789.012\xc3\xbc"
      "" },
    { "cut before an escape, not in one",
      SLICE("a@0123456789.0123456789.01234\r\n.example"),
      "a...@0123456789.0123456789.0123" },
};

enum {
    ROOM = 32
};

static void
is_masked(void **state)
{
    const struct mask *mask = *state;
    char shown[ROOM];

    status_mask(mask->address, shown, sizeof(shown));
    assert_true(utf8_is_valid(slice_from(shown)));
    assert_true(strlen(shown) < ROOM);
    if (strlen(mask->shown) < ROOM)
        assert_string_equal(shown, mask->shown);
}

/* Whatever is masked, of the local part one letter is left. */
static void
masks_never_tell(void **state)
{
    char shown[72];

    (void)state;
    status_mask(SLICE_OF("secret.person@b.example"), shown, sizeof(shown));
    assert_null(strstr(shown, "ecret"));
    for (size_t room = 1; room < sizeof(shown); room++) {
        status_mask(SLICE_OF("\xc3\xbc\r@\xf0\x9f\x90\xbb.\xc3\xbc.example"),
                    shown, room);
        assert_true(strlen(shown) < room);
        assert_true(utf8_is_valid(slice_from(shown)));
    }
}

/* ---- numbers ---- */

static void
numbers_are_readable(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } numbers[] = {
        { 0, "0" },
        { 999, "999" },
        { 1000, "1,000" },
        { 1043221, "1,043,221" },
        { UINT64_MAX, "18,446,744,073,709,551,615" },
    };
    static const struct {
        int64_t seconds;
        const char *text;
    } ages[] = {
        { -5, "0s" },        { 119, "119s" },
        { 120, "2min" },     { 7199, "119min" },
        { 7200, "2h 0min" }, { 86400 * 12 + 4 * 3600, "12d 4h" },
    };
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf_clear(&out);
        status_put_number(&out, numbers[i].number);
        assert_string_equal(buf_cstr(&out), numbers[i].text);
    }
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        buf_clear(&out);
        status_put_age(&out, ages[i].seconds);
        assert_string_equal(buf_cstr(&out), ages[i].text);
    }
    buf_free(&out);
}

static void
quantiles_are_bounds(void **state)
{
    struct status_histogram h = { .bounds = status_seconds_bounds,
                                  .bound_count = status_seconds_bound_count };

    (void)state;
    assert_true(status_quantile(&h, 0.5) < 0); /* nothing yet */
    for (int i = 0; i < 99; i++)
        status_observe(&h, 0.001); /* the bound itself belongs to it */
    status_observe(&h, 0.2);
    assert_true(status_quantile(&h, 0.5) == 0.001);
    assert_true(status_quantile(&h, 0.99) == 0.001);
    assert_true(status_quantile(&h, 1) == 0.25);
    for (int i = 0; i < 1000; i++)
        status_observe(&h, 1e6);
    assert_true(status_quantile(&h, 0.5) < 0); /* above all bounds */
    assert_true(status_observed(&h) == 1100);
}

static void
last_minutes_are_whole(void **state)
{
    struct view_parts *p = view_new();

    (void)state;
    assert_true(status_last(&p->view, 5).results[RELAY_ACCEPTED] == 1000);
    assert_true(status_last(&p->view, 5).results[RELAY_DEFERRED] == 0);
    assert_true(status_last(&p->view, 60).results[RELAY_DEFERRED] == 3);
    view_free(p);
}

/* ---- health ---- */

static void
nothing(struct view_parts *p)
{
    (void)p;
}
static void
drain(struct view_parts *p)
{
    p->view.draining = true;
}
static void
lose_upstream(struct view_parts *p)
{
    p->view.upstream_up = false;
}
static void
begin(struct view_parts *p)
{
    p->view.upstream_known = p->view.upstream_up = false;
}
static void
age_table(struct view_parts *p)
{
    p->tables[0].stale = true;
}
static void
age_keys(struct view_parts *p)
{
    p->view.keys_stale = true;
}
static void
fail_reload(struct view_parts *p)
{
    p->view.config_failed = true;
}

static struct health {
    const char *name;
    void (*change)(struct view_parts *p);
    bool ready;
    const char *reason;  /* or NULL */
    const char *warning; /* or NULL */
} healths[] = {
    { "all is well", nothing, true, NULL, NULL },
    { "draining", drain, false, "draining: the process is stopping", NULL },
    { "upstream is down", lose_upstream, false,
      "upstream 127.0.0.1:10026 is unreachable (tried 42 s ago)", NULL },
    { "upstream was never seen", begin, false,
      "upstream 127.0.0.1:10026 was not reached yet", NULL },
    { "a table is stale", age_table, true, NULL,
      "table cdb:/var/lib/onward/aliases is older than its file" },
    { "keys are stale", age_keys, true, NULL, "the key set is older" },
    { "the last reload failed", fail_reload, true, NULL,
      "the last reload failed: onward check" },
};

static void
health_is(void **state)
{
    const struct health *health = *state;
    struct view_parts *p = view_new();
    struct buf reasons = { 0 }, warnings = { 0 }, text = { 0 }, json = { 0 };

    health->change(p);
    assert_int_equal(status_ready(&p->view, &reasons, &warnings),
                     health->ready);
    status_text(&p->view, &text);
    status_json(&p->view, &json);
    /* The command `status` reads these two places. */
    struct slice rest = buf_slice(&text);
    struct slice first = slice_cut(&rest, '\n');
    assert_int_equal(!slice_ends_nocase(first, SLICE_OF("NOT READY")),
                     health->ready);
    assert_has(&json, health->ready ? "\"ready\": true" : "\"ready\": false");
    if (health->reason != NULL) {
        assert_has(&reasons, health->reason);
        assert_has(&text, health->reason);
        assert_has(&json, health->reason);
    } else {
        assert_int_equal(reasons.len, 0);
    }
    if (health->warning != NULL) {
        assert_has(&warnings, health->warning);
        assert_has(&text, health->warning);
        assert_has(&json, health->warning);
    } else {
        assert_int_equal(warnings.len, 0);
    }
    buf_free(&reasons);
    buf_free(&warnings);
    buf_free(&text);
    buf_free(&json);
    view_free(p);
}

/* ---- the screen ---- */

static void
one_screen(void **state)
{
    static const char *const lines[] = {
        "onward 1.0.0  up 12d 4h  pid 812  config ok (loaded 3h 0min ago)   "
        "READY\n",
        "listeners  mx 127.0.0.1:10025  34 active   submission "
        "127.0.0.1:10027  0 active",
        "upstream   127.0.0.1:10026  up   2 refused\n",
        "last 5 min 1,004 messages  3.3/s   accepted 1,000  rejected 4",
        "actions    forwarded 903   local 0   bounces returned 0   signed 42\n",
        "aliases cdb:/var/lib/onward/aliases 1,043,221 (100s old)",
        "aliases socketmap:unix:/run/aliasd:alias\n",
        "keys       1 active, 1 next, 0 old\n",
    };
    struct view_parts *p = view_new();
    struct buf text = { 0 };

    (void)state;
    status_text(&p->view, &text);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_has(&text, lines[i]);
    assert_true(view_count(&text, "\n") <= 24); /* of a terminal */
    buf_free(&text);
    view_free(p);
}

/* Outcomes that share a word are one reason, and one key of the object. */
static void
reasons_are_told_once(void **state)
{
    struct view_parts *p = view_new();
    struct buf text = { 0 }, json = { 0 };
    uint64_t all = 0;

    (void)state;
    for (size_t i = 0; i < relay_outcome_count(); i++) {
        p->counters[0].reasons[i] = 1;
        p->counters[1].reasons[i] = 0;
        all++;
    }
    status_text(&p->view, &text);
    status_json(&p->view, &json);
    for (size_t i = 0; i < relay_outcome_count(); i++) {
        const char *word = relay_outcome_reason(i);
        struct buf key = { 0 };
        uint64_t same = 0;
        for (size_t k = 0; k < relay_outcome_count(); k++)
            same += strcmp(word, relay_outcome_reason(k)) == 0;
        buf_printf(&key, "\"%s\": %llu", word, (unsigned long long)same);
        assert_int_equal(view_count(&json, buf_cstr(&key)), 1);
        buf_clear(&key);
        buf_printf(&key, " %s %llu", word, (unsigned long long)same);
        assert_int_equal(view_count(&text, buf_cstr(&key)), 1);
        buf_free(&key);
    }
    assert_true(all > 10);
    buf_free(&text);
    buf_free(&json);
    view_free(p);
}

static void
hostile_words_stay_in_their_string(void **state)
{
    struct view_parts *p = view_new();
    struct buf json = { 0 };

    (void)state;
    p->tables[0].spec = SLICE_OF("cdb:/a\"}],\"ready\": true,\"x\":[\"\n\\");
    p->view.upstream = SLICE_OF("\033[31m\"\\");
    p->view.recent_count = 1;
    memcpy(p->recent[0].from, "a...@\"};alert(1)//", 19);
    p->view.upstream_up = false;
    status_json(&p->view, &json);
    assert_int_equal(view_count(&json, "\"ready\": true"), 0);
    assert_has(&json, "cdb:/a\\\"}],\\\"ready\\\": true,");
    assert_has(&json, "a...@\\\"};alert");
    assert_int_equal(view_count(&json, "\n"), 1); /* its own, at the end */
    for (size_t i = 0; i + 1 < json.len; i++)
        assert_false(ascii_is_control(json.ptr[i]));
    buf_free(&json);
    view_free(p);
}

enum {
    MASKS = sizeof(masks) / sizeof(masks[0]),
    HEALTHS = sizeof(healths) / sizeof(healths[0])
};

int
main(void)
{
    struct CMUnitTest tests[MASKS + HEALTHS + 8] = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < MASKS; i++)
        tests[n++] = (struct CMUnitTest){ masks[i].name, is_masked, NULL, NULL,
                                          &masks[i] };
    for (size_t i = 0; i < HEALTHS; i++)
        tests[n++] = (struct CMUnitTest){ healths[i].name, health_is, NULL,
                                          NULL, &healths[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(masks_never_tell);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(numbers_are_readable);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(quantiles_are_bounds);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(last_minutes_are_whole);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(one_screen);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(reasons_are_told_once);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(hostile_words_stay_in_their_string);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests("status", tests, n, NULL, NULL);
}
