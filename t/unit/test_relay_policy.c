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

static const struct row {
    const char *name;
    enum conf_role role;
    const char *from;         /* the field; NULL: none */
    const char *reverse_path; /* NULL: as `dkim sign` does it */
    bool leaves;
    const char *srs_domain;
    const char *signs; /* d=, or NULL */
    const char *why;
    bool no_subdomains, sign_mismatch, no_forwarded;
} rows[] = {
    /* authors */
    { "our user", CONF_OUTBOUND, "a@one.example", "a@one.example", false, "",
      "one.example", NULL, false, false, false },
    { "the same from outside", CONF_INBOUND, "a@one.example", "a@one.example",
      false, "", NULL, "inbound", false, false, false },
    { "no key", CONF_OUTBOUND, "a@none.example", "a@none.example", false, "",
      NULL, "no-key", false, false, false },
    { "a key that waits is none", CONF_OUTBOUND, "a@next.example",
      "a@next.example", false, "", NULL, "no-key", false, false, false },
    { "nearest parent", CONF_OUTBOUND, "a@x.sub.one.example", "a@one.example",
      false, "", "sub.one.example", NULL, false, false, false },
    { "no parent", CONF_OUTBOUND, "a@x.one.example", "a@one.example", false, "",
      NULL, "no-key", true, false, false },
    { "a name that only ends alike", CONF_OUTBOUND, "a@xone.example",
      "a@xone.example", false, "", NULL, "no-key", false, false, false },
    { "upper case", CONF_OUTBOUND, "a@ONE.Example", "a@One.EXAMPLE", false, "",
      "one.example", NULL, false, false, false },
    { "no From", CONF_OUTBOUND, NULL, "a@one.example", false, "", NULL,
      "no-from", false, false, false },
    { "two domains", CONF_OUTBOUND, "a@one.example, b@two.example",
      "a@one.example", false, "", NULL, "from-disagree", false, false, false },
    /* tenants */
    { "another tenant", CONF_OUTBOUND, "ceo@one.example", "eve@two.example",
      false, "", NULL, "from-mismatch", false, false, false },
    { "another tenant, allowed", CONF_OUTBOUND, "ceo@one.example",
      "eve@two.example", false, "", "one.example", NULL, false, true, false },
    { "a tenant whose name ends alike", CONF_OUTBOUND, "ceo@one.example",
      "eve@xone.example", false, "", NULL, "from-mismatch", false, false,
      false },
    { "a tenant whose name begins alike", CONF_OUTBOUND, "ceo@one.example",
      "eve@one.example.two.example", false, "", NULL, "from-mismatch", false,
      false, false },
    { "the domain in the local part", CONF_OUTBOUND, "ceo@one.example",
      "\"x@one.example\"@two.example", false, "", NULL, "from-mismatch", false,
      false, false },
    { "a child sends", CONF_OUTBOUND, "a@one.example", "b@bounce.one.example",
      false, "", "one.example", NULL, false, false, false },
    { "a parent sends", CONF_OUTBOUND, "a@sub.one.example", "b@one.example",
      false, "", "sub.one.example", NULL, false, false, false },
    { "null reverse-path", CONF_OUTBOUND, "a@one.example", "", false, "",
      "one.example", NULL, false, false, false },
    { "no envelope", CONF_OUTBOUND, "a@one.example", NULL, false, "",
      "one.example", NULL, false, false, false },
    { "reverse-path that is no address", CONF_OUTBOUND, "a@one.example",
      "a@-.-", false, "", NULL, "from-mismatch", false, false, false },
    { "reverse-path without a domain", CONF_OUTBOUND, "a@one.example", "a",
      false, "", NULL, "from-mismatch", false, false, false },
    { "U-labels and A-labels are one domain", CONF_OUTBOUND,
      "a@xn--bcher-kva.example",
      "a@b\xc3\xbc"
      "cher.example",
      false, "", "xn--bcher-kva.example", NULL, false, false, false },
    /* forwarders */
    { "forwarded", CONF_INBOUND, "a@sender.example", "a@sender.example", true,
      "srs.example", "srs.example", NULL, false, false, false },
    { "forwarded, says it is from us", CONF_INBOUND, "a@one.example",
      "eve@evil.example", true, "srs.example", "srs.example", NULL, false,
      false, false },
    { "forwarded by another SRS domain", CONF_INBOUND, "a@sender.example",
      "a@sender.example", true, "two.example", "two.example", NULL, false,
      false, false },
    { "forwarded, SRS domain without a key", CONF_INBOUND, "a@sender.example",
      "a@sender.example", true, "none.example", NULL, "no-key", false, false,
      false },
    { "forwarded, no SRS", CONF_INBOUND, "a@sender.example", "", true, "", NULL,
      "no-key", false, false, false },
    { "forwarded, off", CONF_INBOUND, "a@sender.example", "a@sender.example",
      true, "srs.example", NULL, "off", false, false, true },
    { "forwarded, without From", CONF_INBOUND, NULL, "a@sender.example", true,
      "srs.example", NULL, "no-from", false, false, false },
    { "our user to an alias that leaves: as the author", CONF_OUTBOUND,
      "a@one.example", "a@one.example", true, "srs.example", "one.example",
      NULL, false, false, false },
    { "no author of ours to an alias that leaves: as the forwarder",
      CONF_OUTBOUND, "a@none.example", "a@none.example", true, "srs.example",
      "srs.example", NULL, false, false, false },
    { "another tenant to an alias that leaves: as the forwarder", CONF_OUTBOUND,
      "ceo@one.example", "eve@two.example", true, "srs.example", "srs.example",
      NULL, false, false, false },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

struct place {
    char root[64];
    struct dkim_keyset *keys;
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
    static const char *const domains[] = { "one.example", "sub.one.example",
                                           "two.example", "srs.example",
                                           "xn--bcher-kva.example" };
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
    return status;
}

static void
check(const struct row *row, struct dkim_keyset *keys)
{
    const struct conf conf = {
        .dkim = { .keys = keys,
                  .sign_forwarded = !row->no_forwarded,
                  .subdomains = !row->no_subdomains,
                  .sign_mismatch = row->sign_mismatch,
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
        check(&rows[i], place->keys);
}

static void
without_keys(void **state)
{
    (void)state;
    static const struct row row = {
        "no keys", CONF_OUTBOUND, "a@one.example", "a@one.example", false, "",
        NULL,      "no-keys",     false,           false,           false
    };
    check(&row, NULL);
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
