/* SPF, DKIM and DMARC of one message together: whatever the order of answers,
 * however few questions are allowed, and when the waiting is given up. */
#include "auth_dmarc.h"

#define NOW INT64_C(1795507200)

static const char zone_text[] =
    "example.org TXT \"v=spf1 include:a.example include:b.example -all\"\n"
    "a.example TXT \"v=spf1 mx -all\"\n"
    "a.example MX 10 mx.a.example\n"
    "mx.a.example A 198.51.100.1\n"
    "b.example TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
    "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.bank.example TXT \"v=DMARC1; p=quarantine\"\n";

struct world {
    struct dns_zone *zone;
    struct buf message;
    struct mail_header header;
    struct spf_client client;
    bool has_client;
};

static void
read_data(const char *name, struct buf *out)
{
    struct buf path = { 0 };
    char piece[4096];
    size_t n = 0;

    buf_printf(&path, TEST_DATA "/dkim/keys/%s", name);
    FILE *file = fopen(buf_cstr(&path), "rb");
    assert_non_null(file);
    while ((n = fread(piece, 1, sizeof(piece), file)) != 0)
        buf_append(out, (struct slice){ piece, n });
    fclose(file);
    buf_free(&path);
}

/* The message signed by this domain with the Ed25519 key. */
static void
sign(const char *text, const char *domain, struct buf *record, struct buf *out)
{
    unsigned char hash[32];
    struct mail_header header = { 0 };
    struct buf pem = { 0 };
    const char *why = NULL;

    read_data("ed25519.pem", &pem);
    struct dkim_key *key = dkim_key_parse(buf_slice(&pem), slice_from(domain),
                                          SLICE_OF("s"), &why);
    assert_non_null(key);
    assert_true(dkim_key_record(key, record));
    assert_true(mail_header_index(slice_from(text), &header));
    struct dkim_body *body = dkim_body_new(DKIM_RELAXED);
    assert_true(
        dkim_body_update(body, slice_tail(slice_from(text), header.length)));
    assert_true(dkim_body_finish(body, hash));
    dkim_body_free(body);
    const struct dkim_key *keys[] = { key };
    struct dkim_request request = { .header = &header,
                                    .body_hash = hash,
                                    .keys = keys,
                                    .key_count = 1,
                                    .headers = dkim_default_headers,
                                    .oversign = dkim_default_oversign,
                                    .now = NOW };
    assert_true(dkim_sign(&request, out));
    buf_puts(out, text);
    mail_header_free(&header);
    dkim_key_unref(key);
    buf_free(&pem);
}

static void
make_world(struct world *w, const char *from, const char *signer)
{
    struct buf text = { 0 }, record = { 0 }, zone = { 0 }, errors = { 0 };

    *w = (struct world){ .has_client = true };
    buf_printf(&text, "From: %s\r\nTo: b@x.example\r\nSubject: s\r\n\r\nhi\r\n",
               from);
    buf_puts(&zone, zone_text);
    if (signer != NULL) {
        sign(buf_cstr(&text), signer, &record, &w->message);
        buf_printf(&zone, "s._domainkey.%s TXT \"%.*s\"\n", signer,
                   SLICE_ARG(buf_slice(&record)));
    } else {
        buf_append(&w->message, buf_slice(&text));
    }
    assert_true(mail_header_index(buf_slice(&w->message), &w->header));
    w->zone = dns_zone_read(buf_slice(&zone), SLICE_OF("zone"), &errors);
    assert_non_null(w->zone);
    w->client = (struct spf_client){
        .address = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2 },
        .helo = SLICE("helo.example"),
        .local = SLICE("alice"),
        .domain = SLICE("example.org"),
    };
    buf_free(&text);
    buf_free(&record);
    buf_free(&zone);
    buf_free(&errors);
}

static void
free_world(struct world *w)
{
    dns_zone_free(w->zone);
    mail_header_free(&w->header);
    buf_free(&w->message);
}

/* How questions are answered. */
struct manner {
    unsigned allowed; /* auth.queries */
    unsigned give_up; /* after so many answers; 0: never */
    bool last_first;  /* of those that are out, the last one first */
};

static void
answer_all(const struct world *w, struct auth_evaluation *e,
           const struct manner *manner, unsigned *answers)
{
    struct {
        struct dns_question question;
        size_t ticket;
    } out[64];
    struct dns_answer answer;
    size_t count = 0;

    for (;;) {
        while (count < 64 &&
               auth_evaluation_ask(e, &out[count].question, &out[count].ticket))
            count++;
        assert_int_equal(auth_evaluation_waits(e), count != 0);
        if (count == 0)
            return;
        if (manner->give_up != 0 && *answers == manner->give_up) {
            auth_evaluation_give_up(e);
            assert_false(
                auth_evaluation_ask(e, &out[0].question, &out[0].ticket));
            return;
        }
        size_t at = manner->last_first ? count - 1 : 0;
        dns_zone_answer(w->zone, &out[at].question, &answer);
        size_t ticket = out[at].ticket;
        memmove(&out[at], &out[at + 1], (--count - at) * sizeof(out[0]));
        auth_evaluation_answer(e, ticket, &answer);
        ++*answers;
    }
}

static struct auth_evaluation *
evaluate_all(const struct world *w, const struct manner *manner)
{
    struct auth_settings settings = { .signatures = 8,
                                      .questions = manner->allowed,
                                      .now = NOW };
    struct auth_evaluation *e = auth_evaluation_new(&settings);
    unsigned answers = 0;

    assert_non_null(e);
    if (w->has_client)
        assert_true(auth_evaluation_client(e, &w->client));
    assert_true(auth_evaluation_header(
        e, &w->header, slice_head(buf_slice(&w->message), w->header.length)));
    assert_false(auth_evaluation_is_over(e));
    answer_all(w, e, manner, &answers);
    struct dkim_verifier *verifier = auth_evaluation_verifier(e);
    struct dkim_bodies *bodies = dkim_bodies_new(verifier, DKIM_BODIES_VERIFY);
    assert_true(dkim_bodies_update(
        bodies, slice_tail(buf_slice(&w->message), w->header.length)));
    assert_true(dkim_bodies_finish(bodies, NULL));
    dkim_verifier_check(verifier, bodies);
    dkim_bodies_free(bodies);
    assert_true(auth_evaluation_checked(e, AUTH_AS_IT_CAME));
    answer_all(w, e, manner, &answers);
    assert_true(auth_evaluation_is_over(e));
    assert_true(auth_evaluation_questions(e) <= manner->allowed);
    return e;
}

static unsigned
outcomes_of(const struct world *w, const struct manner *manner)
{
    struct auth_evaluation *e = evaluate_all(w, manner);
    struct auth_evidence evidence = auth_evaluation_evidence(e);
    unsigned outcomes = auth_outcomes(&evidence);

    auth_evaluation_free(e);
    return outcomes;
}

static const struct kind {
    const char *from, *signer;
    bool has_client;
    unsigned outcomes;
} kinds[] = {
    { "a@example.org", "example.org", true, AUTH_CAN_SURVIVE },
    { "a@example.org", NULL, true, AUTH_CAN_BE_FRAGILE },
    { "a@example.org", NULL, false, AUTH_CAN_FAIL_REJECT },
    { "a@bank.example", "example.org", true, AUTH_CAN_FAIL_QUARANTINE },
    { "a@free.example", NULL, true, AUTH_CAN_BE_PLAIN },
    { "a@free.example", NULL, false, AUTH_CAN_BE_UNAUTHENTICATED },
    { "a@free.example", "other.example", false, AUTH_CAN_BE_PLAIN },
    { "a@free.example, b@bank.example", "example.org", true,
      AUTH_CAN_FAIL_REJECT },
    { "a@free.example, b@else.example", "example.org", true,
      AUTH_CAN_BE_UNAUTHENTICATED },
    { "nobody", "example.org", true, AUTH_CAN_BE_UNAUTHENTICATED },
};

static void
the_order_of_answers_does_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct manner first = { .allowed = 60 };
        struct manner last = { .allowed = 60, .last_first = true };
        struct world w;
        make_world(&w, kinds[i].from, kinds[i].signer);
        w.has_client = kinds[i].has_client;
        assert_int_equal(outcomes_of(&w, &first), kinds[i].outcomes);
        assert_int_equal(outcomes_of(&w, &last), kinds[i].outcomes);
        free_world(&w);
    }
}

/* Fewer questions, or an end to waiting, leave things open; what then is
 * possible holds what would have been. */
static void
what_is_not_asked_is_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct world w;
        make_world(&w, kinds[i].from, kinds[i].signer);
        w.has_client = kinds[i].has_client;
        for (unsigned n = 0; n < 12; n++) {
            struct manner few = { .allowed = n };
            struct manner given_up = { .allowed = 60, .give_up = n + 1 };
            struct manner other = { .allowed = 60,
                                    .give_up = n + 1,
                                    .last_first = true };
            assert_true(outcomes_of(&w, &few) & kinds[i].outcomes);
            assert_true(outcomes_of(&w, &given_up) & kinds[i].outcomes);
            assert_true(outcomes_of(&w, &other) & kinds[i].outcomes);
        }
        free_world(&w);
    }
}

static void
a_late_answer_is_nothing(void **state)
{
    struct auth_settings settings = { .signatures = 8,
                                      .questions = 60,
                                      .now = NOW };
    struct dns_question question;
    struct dns_answer answer;
    size_t tickets[8];
    size_t count = 0;
    struct world w;

    (void)state;
    make_world(&w, "a@example.org", "example.org");
    struct auth_evaluation *e = auth_evaluation_new(&settings);
    assert_true(auth_evaluation_client(e, &w.client));
    assert_true(auth_evaluation_header(
        e, &w.header, slice_head(buf_slice(&w.message), w.header.length)));
    while (auth_evaluation_ask(e, &question, &tickets[count]))
        count++;
    assert_int_equal(count, 3);
    auth_evaluation_give_up(e);
    assert_false(auth_evaluation_waits(e));
    dns_zone_answer(w.zone, &question, &answer);
    for (size_t i = 0; i < count; i++)
        auth_evaluation_answer(e, tickets[i], &answer);
    assert_int_equal(auth_evaluation_spf(e)->result, SPF_TEMPERROR);
    auth_evaluation_free(e);
    free_world(&w);
}

static void
a_mended_message_does_not_last(void **state)
{
    struct auth_settings settings = { .signatures = 8,
                                      .questions = 60,
                                      .now = NOW };
    struct manner manner = { .allowed = 60 };
    struct world w;
    unsigned answers = 0;

    (void)state;
    make_world(&w, "a@example.org", "example.org");
    struct auth_evaluation *e = auth_evaluation_new(&settings);
    assert_true(auth_evaluation_header(
        e, &w.header, slice_head(buf_slice(&w.message), w.header.length)));
    answer_all(&w, e, &manner, &answers);
    struct dkim_verifier *verifier = auth_evaluation_verifier(e);
    struct dkim_bodies *bodies = dkim_bodies_new(verifier, DKIM_BODIES_VERIFY);
    dkim_bodies_update(bodies,
                       slice_tail(buf_slice(&w.message), w.header.length));
    dkim_bodies_finish(bodies, NULL);
    dkim_verifier_check(verifier, bodies);
    assert_true(auth_evaluation_checked(e, AUTH_MENDED));
    answer_all(&w, e, &manner, &answers);
    struct auth_evidence evidence = auth_evaluation_evidence(e);
    assert_int_equal(auth_evaluation_dmarc(e)->result, DMARC_PASS);
    assert_int_equal(auth_outcomes(&evidence), AUTH_CAN_BE_FRAGILE);
    dkim_bodies_free(bodies);
    auth_evaluation_free(e);
    free_world(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_answers_does_not_matter),
        cmocka_unit_test(what_is_not_asked_is_open),
        cmocka_unit_test(a_late_answer_is_nothing),
        cmocka_unit_test(a_mended_message_does_not_last),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
