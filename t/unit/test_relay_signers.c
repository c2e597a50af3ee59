/* Whose keys sign: listener, author, reverse-path, forwarder. */
#include "relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    NO_SUBDOMAINS = 1 << 0,
    SIGN_MISMATCH = 1 << 1,
    NO_FORWARDED = 1 << 2,
    SKIP_NULL = 1 << 3,
    CAME_HOME = 1 << 4,
    OWN_POSTFIX = 1 << 5,
    OWN_NAME = 1 << 6,
};

static const struct row {
    const char *name;
    enum conf_role role;
    const char *from;         /* the field; NULL: none */
    const char *reverse_path; /* NULL: as `dkim sign` does it */
    bool leaves;
    const char *srs_domain;
    const char *signs; /* d=, or NULL */
    const char *why;
    unsigned is; /* set of these */
} rows[] = {
    /* authors */
    { "our user", CONF_OUTBOUND, "a@one.example", "a@one.example", false, "",
      "one.example", NULL, 0 },
    { "the same from outside", CONF_INBOUND, "a@one.example", "a@one.example",
      false, "", NULL, "inbound", 0 },
    { "no key", CONF_OUTBOUND, "a@none.example", "a@none.example", false, "",
      NULL, "no-key", 0 },
    { "a key that waits is none", CONF_OUTBOUND, "a@next.example",
      "a@next.example", false, "", NULL, "no-key", 0 },
    { "nearest parent", CONF_OUTBOUND, "a@x.sub.one.example", "a@one.example",
      false, "", "sub.one.example", NULL, 0 },
    { "no parent", CONF_OUTBOUND, "a@x.one.example", "a@one.example", false, "",
      NULL, "no-key", NO_SUBDOMAINS },
    { "a name that only ends alike", CONF_OUTBOUND, "a@xone.example",
      "a@xone.example", false, "", NULL, "no-key", 0 },
    { "upper case", CONF_OUTBOUND, "a@ONE.Example", "a@One.EXAMPLE", false, "",
      "one.example", NULL, 0 },
    { "no From", CONF_OUTBOUND, NULL, "a@one.example", false, "", NULL,
      "no-from", 0 },
    { "two domains", CONF_OUTBOUND, "a@one.example, b@two.example",
      "a@one.example", false, "", NULL, "from-disagree", 0 },
    /* tenants */
    { "another tenant", CONF_OUTBOUND, "ceo@one.example", "eve@two.example",
      false, "", NULL, "from-mismatch", 0 },
    { "another tenant, allowed", CONF_OUTBOUND, "ceo@one.example",
      "eve@two.example", false, "", "one.example", NULL, SIGN_MISMATCH },
    { "a tenant whose name ends alike", CONF_OUTBOUND, "ceo@one.example",
      "eve@xone.example", false, "", NULL, "from-mismatch", 0 },
    { "a tenant whose name begins alike", CONF_OUTBOUND, "ceo@one.example",
      "eve@one.example.two.example", false, "", NULL, "from-mismatch", 0 },
    { "the domain in the local part", CONF_OUTBOUND, "ceo@one.example",
      "\"x@one.example\"@two.example", false, "", NULL, "from-mismatch", 0 },
    { "a child sends", CONF_OUTBOUND, "a@two.example", "b@bounce.two.example",
      false, "", "two.example", NULL, 0 },
    { "a child sends where a customer lives below", CONF_OUTBOUND,
      "ceo@one.example", "b@bounce.one.example", false, "", NULL,
      "from-mismatch", 0 },
    { "the customer itself", CONF_OUTBOUND, "ceo@one.example",
      "eve@sub.one.example", false, "", NULL, "from-mismatch", 0 },
    { "a customer without a key", CONF_OUTBOUND, "ceo@isp.example",
      "eve@x.box.isp.example", false, "", NULL, "from-mismatch", 0 },
    { "a sibling", CONF_OUTBOUND, "ceo@other.one.example",
      "eve@sub.one.example", false, "", NULL, "from-mismatch", 0 },
    { "a sibling, allowed", CONF_OUTBOUND, "ceo@other.one.example",
      "eve@sub.one.example", false, "", "one.example", NULL, SIGN_MISMATCH },
    { "the SRS domain below is no customer", CONF_OUTBOUND, "a@four.example",
      "b@bounce.four.example", false, "", "four.example", NULL, 0 },
    { "a top domain sends", CONF_OUTBOUND, "ceo@two.example", "eve@example",
      false, "", NULL, "from-mismatch", 0 },
    { "a public suffix sends", CONF_OUTBOUND, "ceo@five.co.uk", "eve@co.uk",
      false, "", NULL, "from-mismatch", 0 },
    { "null reverse-path, skipped", CONF_OUTBOUND, "a@one.example", "", false,
      "", NULL, "null-sender", SKIP_NULL },
    { "null reverse-path, skipped whatever From is", CONF_OUTBOUND,
      "a@one.example", "", false, "", NULL, "null-sender",
      SIGN_MISMATCH | SKIP_NULL },
    { "no envelope, null skipped", CONF_OUTBOUND, "a@one.example", NULL, false,
      "", "one.example", NULL, SKIP_NULL },
    { "a parent sends", CONF_OUTBOUND, "a@sub.one.example", "b@one.example",
      false, "", "sub.one.example", NULL, 0 },
    { "null reverse-path", CONF_OUTBOUND, "a@one.example", "", false, "",
      "one.example", NULL, 0 },
    { "no envelope", CONF_OUTBOUND, "a@one.example", NULL, false, "",
      "one.example", NULL, 0 },
    { "reverse-path that is no address", CONF_OUTBOUND, "a@one.example",
      "a@-.-", false, "", NULL, "from-mismatch", 0 },
    { "reverse-path without a domain", CONF_OUTBOUND, "a@one.example", "a",
      false, "", NULL, "from-mismatch", 0 },
    { "U-labels and A-labels are one domain", CONF_OUTBOUND,
      "a@xn--bcher-kva.example",
      "a@b\xc3\xbc"
      "cher.example",
      false, "", "xn--bcher-kva.example", NULL, 0 },
    /* forwarders */
    { "forwarded", CONF_INBOUND, "a@sender.example", "a@sender.example", true,
      "srs.example", "srs.example", NULL, 0 },
    { "forwarded, says it is from us", CONF_INBOUND, "a@one.example",
      "eve@evil.example", true, "srs.example", NULL, "own-name", OWN_NAME },
    { "forwarded, and only a parent of the SRS domain has a key", CONF_INBOUND,
      "a@sender.example", "a@sender.example", true, "srs.two.example", NULL,
      "no-key", 0 },
    { "came home", CONF_INBOUND, "a@sender.example", "", true, "srs.example",
      NULL, "came-home", CAME_HOME },
    { "came home from our own Postfix", CONF_INBOUND, "a@sender.example", "",
      true, "srs.example", "srs.example", NULL, CAME_HOME | OWN_POSTFIX },
    { "our user answers to an SRS address", CONF_OUTBOUND, "a@one.example",
      "a@one.example", true, "srs.example", "one.example", NULL, CAME_HOME },
    { "no user of ours answers to one", CONF_OUTBOUND, "a@none.example",
      "a@none.example", true, "srs.example", NULL, "no-key", CAME_HOME },
    { "aligned with the SRS domain, and another tenant", CONF_OUTBOUND,
      "ceo@one.example", "eve@two.example", true, "srs.example", NULL,
      "from-mismatch", OWN_NAME },
    { "forwarded by another SRS domain", CONF_INBOUND, "a@sender.example",
      "a@sender.example", true, "two.example", "two.example", NULL, 0 },
    { "forwarded, SRS domain without a key", CONF_INBOUND, "a@sender.example",
      "a@sender.example", true, "none.example", NULL, "no-key", 0 },
    { "forwarded, no SRS", CONF_INBOUND, "a@sender.example", "", true, "", NULL,
      "no-key", 0 },
    { "forwarded, off", CONF_INBOUND, "a@sender.example", "a@sender.example",
      true, "srs.example", NULL, "off", NO_FORWARDED },
    { "forwarded, without From", CONF_INBOUND, NULL, "a@sender.example", true,
      "srs.example", NULL, "no-from", 0 },
    { "our user to an alias that leaves: as the author", CONF_OUTBOUND,
      "a@one.example", "a@one.example", true, "srs.example", "one.example",
      NULL, 0 },
    { "no author of ours to an alias that leaves: as the forwarder",
      CONF_OUTBOUND, "a@none.example", "a@none.example", true, "srs.example",
      "srs.example", NULL, 0 },
    { "another tenant to an alias that leaves: as the forwarder", CONF_OUTBOUND,
      "ceo@one.example", "eve@two.example", true, "srs.example", "srs.example",
      NULL, 0 },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

struct place {
    char root[64];
    struct dkim_keyset *keys;
    struct smtp_suffixes *suffixes;
};

static void
put(const struct place *place, const char *domain, const char *file)
{
    struct buf pem = { 0 };
    char path[256];

    assert_true(dkim_key_generate(DKIM_ED25519_SHA256, 0, &pem));
    snprintf(path, sizeof(path), "%s/%s", place->root, domain);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s/%s", place->root, domain, file);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(pem.ptr, 1, pem.len, out), pem.len);
    fclose(out);
    chmod(path, 0600);
    buf_free_secret(&pem);
}

static int
make_place(void **state)
{
    static const char *const domains[] = {
        "one.example",      "sub.one.example", "two.example",
        "srs.example",      "isp.example",     "four.example",
        "srs.four.example", "five.co.uk",      "xn--bcher-kva.example"
    };
    static struct place place;
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    snprintf(place.root, sizeof(place.root), "/tmp/test-policy-XXXXXX");
    assert_non_null(mkdtemp(place.root));
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        put(&place, domains[i], "s.pem");
    put(&place, "next.example", "s.next.pem");
    place.keys = dkim_keyset_load(place.root, NULL, 1, &errors, &warnings);
    assert_non_null(place.keys);
    place.suffixes = smtp_suffixes_load();
    buf_free(&errors);
    buf_free(&warnings);
    *state = &place;
    return 0;
}

static int
remove_place(void **state)
{
    struct place *place = *state;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("rm", "rm", "-rf", place->root, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    dkim_keyset_unref(place->keys);
    smtp_suffixes_free(place->suffixes);
    return status;
}

static void
check(const struct row *row, struct dkim_keyset *keys,
      const struct smtp_suffixes *suffixes)
{
    static struct slice srs_domains[] = { SLICE("srs.four.example") };
    static struct domain_entry local[] = {
        { .name = SLICE("one.example") }, { .name = SLICE("box.isp.example") }
    };
    const struct conf conf = {
        .srs = { .enabled = true, .every = srs_domains, .every_count = 1 },
        .forward = { .local_domains = { .entries = local, .count = 2 } },
        .family = { .suffixes = suffixes },
        .dkim = { .keys = keys,
                  .sign_forwarded = (row->is & NO_FORWARDED) == 0,
                  .subdomains = (row->is & NO_SUBDOMAINS) == 0,
                  .sign_mismatch = (row->is & SIGN_MISMATCH) != 0,
                  .skip_null = (row->is & SKIP_NULL) != 0,
                  .headers = dkim_default_headers,
                  .oversign = dkim_default_oversign },
    };
    struct relay_signing signing;
    struct mail_header header = { 0 };
    struct arena arena = { 0 };
    struct buf content = { 0 };

    if (row->from != NULL)
        buf_printf(&content, "From: %s\r\n", row->from);
    buf_puts(&content, "To: x@y.example\r\n\r\nbody\r\n");
    assert_true(mail_header_index(buf_slice(&content), &header));
    const struct relay_signing_input input = {
        .role = row->role,
        .header = &header,
        .reverse_path = slice_from(row->reverse_path),
        .related = row->reverse_path == NULL,
        .leaves = row->leaves,
        .srs_domain = slice_from(row->srs_domain),
        .came_home = (row->is & CAME_HOME) != 0,
        .own_postfix = (row->is & OWN_POSTFIX) != 0,
        .own_name = (row->is & OWN_NAME) != 0,
    };
    const char *why = relay_choose_keys(&conf, &input, &arena, &signing);
    if (row->signs == NULL
            ? why == NULL || strcmp(why, row->why) != 0
            : why != NULL ||
                  !slice_equal(signing.domain, slice_from(row->signs)))
        fail_msg("%s: %s, d=%.*s", row->name, why != NULL ? why : "signed",
                 SLICE_ARG(signing.domain));
    assert_int_equal(signing.key_count, row->signs == NULL ? 0 : 1);
    mail_header_free(&header);
    arena_free(&arena);
    buf_free(&content);
}

static void
all_rows(void **state)
{
    const struct place *place = *state;

    for (size_t i = 0; i < ROWS; i++)
        check(&rows[i], place->keys, place->suffixes);
}

static void
without_keys(void **state)
{
    (void)state;
    static const struct row row = { "no keys",
                                    CONF_OUTBOUND,
                                    "a@one.example",
                                    "a@one.example",
                                    false,
                                    "",
                                    NULL,
                                    "no-keys",
                                    0 };
    check(&row, NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows),
        cmocka_unit_test(without_keys),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
