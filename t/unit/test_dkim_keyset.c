#include "test_dkim.h"

#include "key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each test has a key directory of its own. */
struct place {
    char root[64];
    struct buf rsa1024, rsa2048, ed25519, ed25519b;
    struct buf errors, warnings;
};

static int
make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    snprintf(place->root, sizeof(place->root), "/tmp/test-dkim-set-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    read_file(DKIM_DATA "keys/rsa1024.pem", &place->rsa1024);
    read_file(DKIM_DATA "keys/rsa2048.pem", &place->rsa2048);
    read_file(DKIM_DATA "keys/ed25519.pem", &place->ed25519);
    read_file(DKIM_DATA "keys/ed25519b.pem", &place->ed25519b);
    *state = place;
    return 0;
}

static int
remove_place(void **state)
{
    struct place *place = *state;
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        execlp("rm", "rm", "-rf", place->root, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    buf_free(&place->rsa1024);
    buf_free(&place->rsa2048);
    buf_free(&place->ed25519);
    buf_free(&place->ed25519b);
    buf_free(&place->errors);
    buf_free(&place->warnings);
    free(place);
    return status;
}

/* DOMAIN/FILE, or FILE alone. */
static void
put(const struct place *place, const char *name, const struct buf *octets,
    mode_t mode)
{
    const char *slash = strchr(name, '/');
    char path[1024];

    if (slash != NULL) {
        snprintf(path, sizeof(path), "%s/%.*s", place->root,
                 (int)(slash - name), name);
        mkdir(path, 0750);
    }
    snprintf(path, sizeof(path), "%s/%s", place->root, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(octets->ptr, 1, octets->len, file), octets->len);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static struct dkim_keyset *
load(struct place *place, const struct dkim_keyset *before, unsigned threads)
{
    buf_clear(&place->errors);
    buf_clear(&place->warnings);
    return dkim_keyset_load(place->root, before, threads, &place->errors,
                            &place->warnings);
}

static void
print_found(const struct dkim_keyset *set, const char *domain, bool subdomains,
            struct buf *out)
{
    const struct dkim_key *keys[DKIM_SIGNATURES_MAX];
    struct slice found = { 0 };
    size_t count = dkim_keyset_find(set, slice_from(domain), subdomains, keys,
                                    DKIM_SIGNATURES_MAX, &found);

    buf_clear(out);
    buf_append(out, found);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, " %.*s", SLICE_ARG(keys[i]->selector));
}

static void
finding(void **state)
{
    static const struct {
        const char *domain;
        bool subdomains;
        const char *found;
    } rows[] = {
        { "example.org", true, "example.org e1 s1" },
        { "example.org", false, "example.org e1 s1" },
        { "news.example.org", true, "example.org e1 s1" },
        { "news.example.org", false, "" },
        { "a.b.c.example.org", true, "example.org e1 s1" },
        { "own.example.org", true, "own.example.org s9" },
        { "x.own.example.org", true, "own.example.org s9" },
        { "badexample.org", true, "" },
        { "org", true, "" },
        { "example.org.evil", true, "" },
        { "waiting.example.org", true, "example.org e1 s1" },
        { "waiting.example", true, "" },
        { "retired.example", true, "" },
        { "", true, "" },
    };
    struct place *place = *state;
    struct buf found = { 0 };

    put(place, "example.org/s1.pem", &place->rsa1024, 0640);
    put(place, "example.org/e1.pem", &place->ed25519, 0640);
    put(place, "example.org/s2.next.pem", &place->rsa1024, 0640);
    put(place, "example.org/s0.old.pem", &place->rsa1024, 0640);
    put(place, "own.example.org/s9.pem", &place->ed25519b, 0600);
    put(place, "waiting.example.org/s.next.pem", &place->ed25519b, 0600);
    put(place, "waiting.example/s.next.pem", &place->ed25519b, 0600);
    put(place, "retired.example/s.old.pem", &place->ed25519b, 0600);
    struct dkim_keyset *set = load(place, NULL, 2);
    assert_non_null(set);
    assert_int_equal(place->errors.len, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_found(set, rows[i].domain, rows[i].subdomains, &found);
        assert_string_equal(buf_cstr(&found), rows[i].found);
    }
    assert_int_equal(dkim_keyset_count(set), 8);
    assert_string_equal(dkim_keyset_key(set, 0)->selector.ptr, "e1");
    assert_string_equal(dkim_keyset_key(set, 1)->selector.ptr, "s0");
    assert_int_equal(dkim_keyset_key(set, 1)->state, DKIM_KEY_OLD);
    assert_string_equal(dkim_keyset_key(set, 7)->domain.ptr,
                        "waiting.example.org");
    /* Short RSA keys are a warning each. */
    assert_non_null(strstr(buf_cstr(&place->warnings),
                           "example.org/s1.pem: RSA of 1024 bits"));
    dkim_keyset_unref(set);
    buf_free(&found);
}

static void
every_error_at_once(void **state)
{
    static const char *const texts[] = {
        "bad.example/a.pem: mode 0644: readable by everybody",
        "bad.example/b.pem: is cut off or damaged",
        "bad.example/c_.d-.pem: the name is not",
        "not a domain/s.pem: its directory is not named like a domain",
        "twice.example/s.pem: the same selector as",
    };
    struct place *place = *state;
    struct buf cut = { place->ed25519.ptr, place->ed25519.len / 2, 0 };

    put(place, "good.example/s.pem", &place->ed25519, 0640);
    put(place, "bad.example/a.pem", &place->ed25519, 0644);
    put(place, "bad.example/b.pem", &cut, 0640);
    put(place, "bad.example/c_.d-.pem", &place->ed25519, 0640);
    put(place, "not a domain/s.pem", &place->ed25519, 0640);
    put(place, "twice.example/s.pem", &place->ed25519, 0640);
    put(place, "twice.example/s.next.pem", &place->ed25519b, 0640);
    for (unsigned threads = 0; threads < 4; threads++) {
        assert_null(load(place, NULL, threads));
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            if (strstr(buf_cstr(&place->errors), texts[i]) == NULL)
                fail_msg("%s: missing in\n%s", texts[i], place->errors.ptr);
    }
}

static void
what_is_no_key_is_ignored(void **state)
{
    struct place *place = *state;

    put(place, "good.example/s.pem", &place->ed25519, 0640);
    put(place, "good.example/s.txt", &place->ed25519, 0644);
    put(place, "good.example/README", &place->ed25519, 0644);
    put(place, "good.example/.hidden.pem", &place->ed25519, 0644);
    put(place, ".git/x.pem", &place->ed25519, 0644);
    put(place, "lost+found/x", &place->ed25519, 0644);
    put(place, "KeyTable", &place->ed25519, 0644);
    put(place, "stray.pem", &place->ed25519, 0644);
    struct dkim_keyset *set = load(place, NULL, 0);
    assert_non_null(set);
    assert_int_equal(dkim_keyset_count(set), 1);
    assert_non_null(strstr(buf_cstr(&place->warnings), "stray.pem: not used"));
    dkim_keyset_unref(set);
}

static void
absent_directory(void **state)
{
    struct place *place = *state;

    assert_null(dkim_keyset_load("/nonexistent/dkim", NULL, 1, &place->errors,
                                 &place->warnings));
    assert_string_equal(buf_cstr(&place->errors),
                        "/nonexistent/dkim: No such file or directory\n");
}

static void
empty_directory(void **state)
{
    struct place *place = *state;
    struct dkim_keyset *set = load(place, NULL, 0);

    assert_non_null(set);
    assert_int_equal(dkim_keyset_count(set), 0);
    dkim_keyset_unref(set);
}

static const struct dkim_key *
key_of(const struct dkim_keyset *set, const char *domain)
{
    for (size_t i = 0; i < dkim_keyset_count(set); i++)
        if (slice_equal(dkim_keyset_key(set, i)->domain, slice_from(domain)))
            return dkim_keyset_key(set, i);
    return NULL;
}

/* Only what changed is read again. */
static void
reload(void **state)
{
    struct place *place = *state;
    char path[256];

    put(place, "same.example/s.pem", &place->rsa2048, 0640);
    put(place, "new.example/s.pem", &place->ed25519, 0640);
    put(place, "mode.example/s.pem", &place->ed25519, 0640);
    struct dkim_keyset *one = load(place, NULL, 0);
    assert_non_null(one);
    put(place, "new.example/s.pem", &place->ed25519b, 0640);
    struct dkim_keyset *two = load(place, one, 0);
    assert_non_null(two);
    assert_ptr_equal(key_of(one, "same.example"), key_of(two, "same.example"));
    assert_ptr_not_equal(key_of(one, "new.example"),
                         key_of(two, "new.example"));
    dkim_keyset_unref(one);
    assert_string_equal(key_of(two, "same.example")->selector.ptr, "s");

    /* Same octets, same time, but everybody may read it now. */
    snprintf(path, sizeof(path), "%s/mode.example/s.pem", place->root);
    assert_int_equal(chmod(path, 0644), 0);
    assert_null(load(place, two, 0));
    assert_non_null(strstr(buf_cstr(&place->errors), "mode.example/s.pem"));
    assert_int_equal(dkim_keyset_count(two), 3); /* as it was */

    /* A rename changes the state, though the file is the same. */
    assert_int_equal(chmod(path, 0640), 0);
    char renamed[512];
    snprintf(renamed, sizeof(renamed), "%s/mode.example/s.old.pem",
             place->root);
    assert_int_equal(rename(path, renamed), 0);
    struct dkim_keyset *three = load(place, two, 0);
    assert_non_null(three);
    assert_int_equal(key_of(three, "mode.example")->state, DKIM_KEY_OLD);
    dkim_keyset_unref(two);
    dkim_keyset_unref(three);
}

/* At most DKIM_SIGNATURES_MAX, whatever lies there. */
static void
many_active_keys(void **state)
{
    struct place *place = *state;
    const struct dkim_key *keys[3];
    struct slice found = { 0 };

    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof(name), "example.org/s%02d.pem", i);
        put(place, name, &place->ed25519, 0640);
    }
    struct dkim_keyset *set = load(place, NULL, 3);
    assert_non_null(set);
    assert_int_equal(dkim_keyset_count(set), 12);
    assert_int_equal(
        dkim_keyset_find(set, SLICE_OF("example.org"), false, keys, 3, &found),
        3);
    assert_string_equal(keys[2]->selector.ptr, "s02");
    dkim_keyset_unref(set);
}

static void
name_too_long(void **state)
{
    struct place *place = *state;
    char label[64] = "";
    char name[512];

    memset(label, 'a', 60);
    snprintf(name, sizeof(name), "%s.%s.%s/%s.pem", label, label, label, label);
    put(place, name, &place->ed25519, 0640);
    assert_null(load(place, NULL, 1));
    assert_non_null(strstr(buf_cstr(&place->errors), "too long"));
}

#define PLACE_TEST(f)                                                          \
    cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(finding),
        PLACE_TEST(every_error_at_once),
        PLACE_TEST(what_is_no_key_is_ignored),
        PLACE_TEST(absent_directory),
        PLACE_TEST(empty_directory),
        PLACE_TEST(reload),
        PLACE_TEST(many_active_keys),
        PLACE_TEST(name_too_long),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
