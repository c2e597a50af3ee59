/* DMARC, rule by rule (RFC 9989, 4.5 to 4.10, 5.3): the record that applies,
 * the policy, alignment, and what DNS trouble leaves open. */
#include "auth_dmarc.h"

#define ORG "_dmarc.example.org v=DMARC1; "
#define NONE DMARC_NO_POLICY
#define P_NONE DMARC_POLICY_NONE
#define QUAR DMARC_POLICY_QUARANTINE
#define REJECT DMARC_POLICY_REJECT

static struct row {
    const char *name;
    const char *author;
    const char *spf;  /* passed; "?NAME": trouble */
    const char *dkim; /* the same; several with blanks; "x:NAME" ends soon */
    const char *zone;
    enum dmarc_result result;
    unsigned policies;
    const char *record;  /* NULL: none */
    const char *aligned; /* of s d l (lasting) S D (open) */
    enum dmarc_extent extent;
    unsigned questions; /* 0: any number */
} rows[] = {
    { "no record", "example.org", "example.org", NULL, "", DMARC_NONE, NONE,
      NULL, "", 0, 2 },
    { "the record of the author's domain", "example.org", NULL, "example.org",
      ORG "p=reject", DMARC_PASS, REJECT, "example.org", "dl", 0, 1 },
    { "SPF alone", "example.org", "example.org", NULL, ORG "p=quarantine",
      DMARC_PASS, QUAR, "example.org", "s", 0, 1 },
    { "nothing passes", "example.org", NULL, NULL, ORG "p=none", DMARC_FAIL,
      P_NONE, "example.org", "", 0, 1 },
    { "case and final dots do not count", "Example.ORG.", "EXAMPLE.org.", NULL,
      ORG "p=reject", DMARC_PASS, REJECT, "Example.ORG", "s", 0, 1 },
    { "a stranger needs no walk when not even the last label is shared",
      "example.org", "srs.public.example", NULL, ORG "p=reject", DMARC_FAIL,
      REJECT, "example.org", "", 0, 1 },
    { "a stranger of the same top-level domain needs the author's walk alone",
      "example.org", "stranger.org", NULL, ORG "p=reject", DMARC_FAIL, REJECT,
      "example.org", "", 0, 2 },
    { "below the author, relaxed", "example.org", "b.example.org", NULL,
      ORG "p=reject", DMARC_PASS, REJECT, "example.org", "s", 0, 3 },
    { "below the author, strict", "example.org", "b.example.org",
      "b.example.org", ORG "p=reject; aspf=s; adkim=S", DMARC_FAIL, REJECT,
      "example.org", "", 0, 1 },
    { "above the author", "a.example.org", NULL, "example.org",
      ORG "p=reject; sp=none", DMARC_PASS, P_NONE, "example.org", "dl", 0, 0 },
    { "a name that ends alike", "example.org", "badexample.org", NULL,
      ORG "p=reject", DMARC_FAIL, REJECT, "example.org", "", 0, 0 },
    { "psd=n between: another organization", "example.org", NULL,
      "x.b.example.org", ORG "p=reject\n_dmarc.b.example.org v=DMARC1; psd=n",
      DMARC_FAIL, REJECT, "example.org", "", 0, 0 },
    { "psd=n of the author", "b.example.org", NULL, "example.org",
      ORG "p=reject\n_dmarc.b.example.org v=DMARC1; p=reject; psd=n",
      DMARC_FAIL, REJECT, "b.example.org", "", 0, 0 },
    { "the record of a public suffix", "shop.example.org", "shop.example.org",
      NULL, ORG "psd=y; p=reject; sp=quarantine; np=reject\nshop.example.org +",
      DMARC_PASS, QUAR, "example.org", "s", 0, 0 },
    { "two shops below a public suffix", "shop.example.org",
      "other.example.org", NULL, ORG "psd=y; p=reject", DMARC_FAIL, REJECT,
      "example.org", "", 0, 0 },
    { "np for a name that does not exist", "no.example.org", NULL, NULL,
      ORG "p=none; sp=none; np=reject", DMARC_FAIL, REJECT, "example.org", "",
      0, 4 },
    { "np for a name that exists", "a.example.org", NULL, NULL,
      ORG "p=none; sp=quarantine; np=reject\na.example.org +", DMARC_FAIL, QUAR,
      "example.org", "", 0, 0 },
    { "a CNAME that leads nowhere exists", "a.example.org", NULL, NULL,
      ORG "p=none; sp=quarantine; np=reject\na.example.org @", DMARC_FAIL, QUAR,
      "example.org", "", 0, 0 },
    { "np like sp: not asked for", "no.example.org", NULL, NULL,
      ORG "p=none; sp=reject; np=reject", DMARC_FAIL, REJECT, "example.org", "",
      0, 3 },
    { "np without sp falls back to p", "a.example.org", NULL, NULL,
      ORG "p=reject; np=none\na.example.org +", DMARC_FAIL, REJECT,
      "example.org", "", 0, 0 },
    { "t=y: one level down", "example.org", NULL, NULL, ORG "p=reject; t=Y",
      DMARC_FAIL, QUAR, "example.org", "", 0, 0 },
    { "t=y: quarantine becomes none", "example.org", NULL, NULL,
      ORG "p=quarantine; t=y", DMARC_FAIL, P_NONE, "example.org", "", 0, 0 },
    { "pct is history", "example.org", NULL, NULL, ORG "p=reject; pct=0",
      DMARC_FAIL, REJECT, "example.org", "", 0, 0 },
    { "a tag twice: no record", "example.org", NULL, NULL,
      ORG "p=reject; p=none", DMARC_NONE, NONE, NULL, "", 0, 0 },
    { "tag names have a case", "example.org", NULL, NULL, ORG "P=reject",
      DMARC_NONE, NONE, NULL, "", 0, 0 },
    { "what is no tag is passed over", "example.org", NULL, NULL,
      ORG "; junk; =x; p = reject ;", DMARC_FAIL, REJECT, "example.org", "", 0,
      0 },
    { "v= is not first", "example.org", NULL, NULL,
      "_dmarc.example.org p=reject; v=DMARC1", DMARC_NONE, NONE, NULL, "", 0,
      0 },
    { "v=DMARC1 has a case", "example.org", NULL, NULL,
      "_dmarc.example.org v=dmarc1; p=reject", DMARC_NONE, NONE, NULL, "", 0,
      0 },
    { "another TXT beside it", "example.org", NULL, NULL,
      ORG "p=reject\n_dmarc.example.org v=spf1 -all", DMARC_FAIL, REJECT,
      "example.org", "", 0, 0 },
    { "two records are none", "example.org", NULL, NULL,
      ORG "p=reject\n" ORG "p=reject", DMARC_NONE, NONE, NULL, "", 0, 0 },
    { "no policy, no reports: no DMARC", "example.org", "example.org", NULL,
      ORG "p=strict; rua=nobody", DMARC_NONE, NONE, NULL, "", 0, 0 },
    { "no policy, but reports: none", "example.org", NULL, NULL,
      ORG "p=strict; rua=nobody, mailto:a@b!10m", DMARC_FAIL, P_NONE,
      "example.org", "", 0, 0 },
    { "a bad sp is a bad record", "example.org", NULL, NULL,
      ORG "p=reject; sp=; rua=mailto:a@b", DMARC_FAIL, P_NONE, "example.org",
      "", 0, 0 },
    { "nine labels: the walk goes on with seven", "a.b.c.d.e.f.g.example.org",
      NULL, NULL,
      "_dmarc.b.c.d.e.f.g.example.org v=DMARC1; p=reject\n" ORG "p=none",
      DMARC_FAIL, P_NONE, "example.org", "", 0, 8 },
    { "a label of 64 octets is not asked for",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
      "example.org",
      NULL, NULL, ORG "p=reject", DMARC_FAIL, REJECT, "example.org", "", 0, 2 },

    { "signatures that end soon do not last", "example.org", NULL,
      "x:example.org", ORG "p=reject", DMARC_PASS, REJECT, "example.org", "d",
      0, 0 },
    { "one of several lasts", "example.org", NULL,
      "x:example.org b.example.org", ORG "p=reject", DMARC_PASS, REJECT,
      "example.org", "dl", 0, 0 },
    { "enough: SPF of a sub-domain is not walked for", "example.org",
      "b.example.org", "example.org", ORG "p=reject", DMARC_PASS, REJECT,
      "example.org", "dl", DMARC_ENOUGH, 1 },
    { "enough: SPF of the domain itself is said", "example.org", "example.org",
      "example.org", ORG "p=reject", DMARC_PASS, REJECT, "example.org", "sdl",
      DMARC_ENOUGH, 1 },
    { "enough: SPF matters where the signature ends soon", "example.org",
      "b.example.org", "x:example.org", ORG "p=reject", DMARC_PASS, REJECT,
      "example.org", "sd", DMARC_ENOUGH, 3 },

    { "trouble at the author's record", "example.org", "example.org",
      "stranger.example", "_dmarc.example.org !", DMARC_TEMPERROR,
      DMARC_ANY_POLICY, NULL, "s", 0, 1 },
    { "trouble above a record that is there", "example.org", "example.org",
      NULL, ORG "p=reject\n_dmarc.org !", DMARC_PASS, REJECT, "example.org",
      "s", 0, 1 },
    { "trouble above, and alignment needs it", "example.org", "b.example.org",
      NULL, ORG "p=reject\n_dmarc.org !", DMARC_TEMPERROR, REJECT,
      "example.org", "S", 0, 2 },
    { "trouble above, and a stranger", "example.org", "stranger.example", NULL,
      ORG "p=reject\n_dmarc.org !", DMARC_FAIL, REJECT, "example.org", "", 0,
      0 },
    { "trouble in the walk of an identifier", "example.org", "b.example.org",
      NULL, ORG "p=reject\n_dmarc.b.example.org !", DMARC_TEMPERROR, REJECT,
      "example.org", "S", 0, 0 },
    { "trouble with existence", "a.example.org", NULL, NULL,
      ORG "p=none; sp=quarantine; np=reject\na.example.org !", DMARC_TEMPERROR,
      QUAR | REJECT, "example.org", "", 0, 0 },
    { "trouble with existence, and a pass", "a.example.org", "a.example.org",
      NULL, ORG "p=none; sp=quarantine; np=reject\na.example.org !", DMARC_PASS,
      QUAR | REJECT, "example.org", "s", 0, 0 },
    { "an aligned signature whose key is in trouble", "example.org", NULL,
      "?example.org", ORG "p=reject", DMARC_TEMPERROR, REJECT, "example.org",
      "D", 0, 1 },
    { "the same of a stranger", "example.org", NULL, "?stranger.example",
      ORG "p=reject", DMARC_FAIL, REJECT, "example.org", "", 0, 0 },
    { "the same, and SPF passes", "example.org", "example.org", "?example.org",
      ORG "p=reject", DMARC_PASS, REJECT, "example.org", "sD", 0, 0 },
    { "SPF in trouble", "example.org", "?b.example.org", NULL, ORG "p=reject",
      DMARC_TEMPERROR, REJECT, "example.org", "S", 0, 0 },
    { "SPF in trouble, and a signature passes", "example.org", "?b.example.org",
      "example.org", ORG "p=reject", DMARC_PASS, REJECT, "example.org", "dl", 0,
      1 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
add(struct dmarc_identifier *ids, size_t *count, struct slice text,
    enum dmarc_method method)
{
    struct dmarc_identifier one = { text, method, true, true };

    if (slice_starts_nocase(text, SLICE_OF("?"))) {
        one.domain = slice_tail(text, 1);
        one.passed = false;
    } else if (slice_starts_nocase(text, SLICE_OF("x:"))) {
        one.domain = slice_tail(text, 2);
        one.lasts = false;
    }
    ids[(*count)++] = one;
}

static void
holds(void **state)
{
    const struct row *row = *state;
    struct dmarc_identifier ids[8];
    struct slice rest = slice_from(row->dkim);
    size_t count = 0;
    char aligned[8];

    if (row->spf != NULL)
        add(ids, &count, slice_from(row->spf), DMARC_BY_SPF);
    while (rest.len != 0)
        add(ids, &count, slice_cut(&rest, ' '), DMARC_BY_DKIM);
    struct dmarc_zone zone = { .text = row->zone };
    struct dmarc_case c = { row->author, ids, count, row->extent };
    struct dmarc *dmarc = evaluate(&c, &zone);
    const struct dmarc_verdict *v = dmarc_verdict(dmarc);
    snprintf(aligned, sizeof(aligned), "%s%s%s%s%s", v->spf ? "s" : "",
             v->dkim ? "d" : "", v->lasting ? "l" : "", v->spf_open ? "S" : "",
             v->dkim_open ? "D" : "");
    assert_string_equal(dmarc_result_word(v->result),
                        dmarc_result_word(row->result));
    assert_int_equal(v->policies, row->policies);
    assert_true(slice_equal(v->record, slice_from(row->record)));
    if (strcmp(row->aligned, "") != 0 || row->result != DMARC_TEMPERROR)
        assert_string_equal(aligned, row->aligned);
    if (row->questions != 0 && zone.questions != row->questions)
        fail_msg("%u questions:\n%s", zone.questions, buf_cstr(&zone.asked));
    dmarc_free(dmarc);
    buf_free(&zone.asked);
}

/* ---- bounds ------------------------------------------------------------ */

/* Sixty identifiers, each below the author in a branch of its own. */
static void
a_flood_of_identifiers(void **state)
{
    struct dmarc_identifier ids[60];
    char names[60][64];
    struct dmarc_zone zone = { .text = ORG "p=reject; adkim=r" };

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(names[i], sizeof(names[i]), "a.b.c.d.e.f.n%d.stranger.org", i);
        ids[i] = (struct dmarc_identifier){ slice_from(names[i]), DMARC_BY_DKIM,
                                            true, true };
    }
    struct dmarc_case c = { "example.org", ids, 60, DMARC_ALL };
    struct dmarc *dmarc = evaluate(&c, &zone);
    assert_int_equal(zone.questions, 2); /* strangers are not walked for */
    assert_int_equal(dmarc_verdict(dmarc)->result, DMARC_FAIL);
    dmarc_free(dmarc);
    buf_free(&zone.asked);

    for (int i = 0; i < 60; i++) {
        snprintf(names[i], sizeof(names[i]), "a.b.c.d.e.f.n%d.example.org", i);
        ids[i].domain = slice_from(names[i]);
    }
    zone = (struct dmarc_zone){ .text = ORG
                                "p=reject\n_dmarc.org v=DMARC1; p=none" };
    c.author = "org"; /* so that no identifier is equal */
    dmarc = evaluate(&c, &zone);
    assert_true(zone.questions <= DMARC_QUESTIONS_MAX);
    dmarc_free(dmarc);
    buf_free(&zone.asked);
}

/* From some question on all fail: never a pass that was none before. */
static void
trouble_makes_no_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        struct dmarc_identifier ids[8];
        struct slice rest = slice_from(row->dkim);
        size_t count = 0;
        if (row->spf != NULL)
            add(ids, &count, slice_from(row->spf), DMARC_BY_SPF);
        while (rest.len != 0)
            add(ids, &count, slice_cut(&rest, ' '), DMARC_BY_DKIM);
        for (unsigned after = 1; after < 8; after++) {
            struct dmarc_zone zone = { .text = row->zone, .fail_after = after };
            struct dmarc_case c = { row->author, ids, count, row->extent };
            struct dmarc *dmarc = evaluate(&c, &zone);
            enum dmarc_result result = dmarc_verdict(dmarc)->result;
            assert_true(result == row->result || result == DMARC_TEMPERROR);
            dmarc_free(dmarc);
            buf_free(&zone.asked);
        }
    }
}

static void
memory_is_short(void **state)
{
    struct dmarc_identifier id = { SLICE("b.example.org"), DMARC_BY_DKIM, true,
                                   true };
    struct dns_record txt = { .text = SLICE("v=DMARC1; p=reject") };
    struct dns_answer answer = { .status = DNS_FOUND,
                                 .records = &txt,
                                 .count = 1 };

    (void)state;
    for (size_t nth = 1; nth < 8; nth++) {
        mem_fail_nth(nth);
        struct dmarc *dmarc = dmarc_new(SLICE_OF("example.org"), DMARC_ALL);
        if (dmarc != NULL) {
            while (dmarc_step(dmarc, NULL) != NULL)
                dmarc_step(dmarc, &answer);
            dmarc_identify(dmarc, &id, 1);
            const struct dns_question *question = dmarc_step(dmarc, NULL);
            while (question != NULL)
                question = dmarc_step(dmarc, &answer);
            enum dmarc_result result = dmarc_verdict(dmarc)->result;
            assert_true(result == DMARC_PASS || result == DMARC_TEMPERROR);
            dmarc_free(dmarc);
        }
        mem_fail_nth(0);
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 3] = {
        cmocka_unit_test(a_flood_of_identifiers),
        cmocka_unit_test(trouble_makes_no_pass),
        cmocka_unit_test(memory_is_short),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[i + 3] =
            (struct CMUnitTest){ rows[i].name, holds, NULL, NULL, &rows[i] };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
