/* One key, several threads: every signature is the same as alone. Build with
 * -DONWARD_SANITIZE=thread to see races. */
#include "test_dkim.h"

#include <pthread.h>

enum {
    THREADS = 4,
    TIMES = 25
};

struct signing {
    const struct dkim_key *const *keys;
    struct buf first; /* what came out at the first time */
    bool ok;
};

static void *
sign_often(void *arg)
{
    static const struct slice message =
        SLICE("From: a@example.org\r\nTo: b@example.net\r\n\r\nx\r\n");
    struct signing *signing = arg;
    unsigned char hash[32];

    signing->ok = true;
    for (int i = 0; i < TIMES && signing->ok; i++) {
        struct mail_header header = { 0 };
        struct buf out = { 0 };
        struct dkim_body *body = dkim_body_new(DKIM_RELAXED);
        signing->ok = mail_header_index(message, &header) &&
                      dkim_body_update(body, SLICE_OF("x\r\n")) &&
                      dkim_body_finish(body, hash);
        struct dkim_request request = { .header = &header,
                                        .body_hash = hash,
                                        .keys = signing->keys,
                                        .key_count = 2,
                                        .headers = dkim_default_headers,
                                        .oversign = dkim_default_oversign,
                                        .now = 1795507200 };
        signing->ok = signing->ok && dkim_sign(&request, &out);
        if (i == 0)
            buf_append(&signing->first, buf_slice(&out));
        else
            signing->ok =
                signing->ok &&
                slice_equal(buf_slice(&out), buf_slice(&signing->first));
        dkim_body_free(body);
        mail_header_free(&header);
        buf_free(&out);
    }
    return NULL;
}

static void
one_key_many_threads(void **state)
{
    struct dkim_key *rsa = read_key("rsa2048.pem", "example.org", "r");
    struct dkim_key *ed = read_key("ed25519.pem", "example.org", "e");
    const struct dkim_key *keys[] = { rsa, ed };
    struct signing alone = { .keys = keys };
    struct signing signings[THREADS] = { 0 };
    pthread_t threads[THREADS];

    (void)state;
    sign_often(&alone);
    assert_true(alone.ok);
    for (size_t i = 0; i < THREADS; i++) {
        signings[i].keys = keys;
        assert_int_equal(
            pthread_create(&threads[i], NULL, sign_often, &signings[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(signings[i].ok);
        assert_string_equal(buf_cstr(&signings[i].first),
                            buf_cstr(&alone.first));
        buf_free(&signings[i].first);
    }
    buf_free(&alone.first);
    dkim_key_unref(rsa);
    dkim_key_unref(ed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_many_threads),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
