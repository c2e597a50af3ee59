/* Nothing that is signed can be changed: every octet of the signature, the
 * signed fields and the body, one by one; and no field can be added. */
#include "test_dkim.h"

#include "plain_dkim.h"

static const char original[] =
    "Received: from a by b\r\n"
    "From: Alice <alice@example.org>\r\n"
    "To: bob@example.net,\r\n"
    " carol@example.com\r\n"
    "Cc: one@example.net\r\n"
    "Cc: two@example.net\r\n"
    "Subject: Is  dinner ready?\r\n"
    "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
    "Message-ID: <1@example.org>\r\n"
    "X-Mailer: none\r\n"
    "List-Unsubscribe: <https://example.org/u>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n";

struct signed_message {
    struct dkim_key *key;
    struct buf text;
    size_t field; /* length of the signature field */
};

static void
make(struct signed_message *m)
{
    unsigned char hash[32];
    struct mail_header header = { 0 };
    struct slice message = SLICE_OF(original);

    *m = (struct signed_message){ 0 };
    m->key = read_key("ed25519.pem", "example.org", "s");
    const struct dkim_key *keys[] = { m->key };
    assert_true(mail_header_index(message, &header));
    hash_body(slice_tail(message, header.length), SIZE_MAX, hash);
    struct dkim_request request = { .header = &header,
                                    .body_hash = hash,
                                    .keys = keys,
                                    .key_count = 1,
                                    .headers = dkim_default_headers,
                                    .oversign = dkim_default_oversign,
                                    .now = 1795507200 };
    assert_true(dkim_sign(&request, &m->text));
    m->field = m->text.len;
    buf_append(&m->text, message);
    mail_header_free(&header);
    assert_true(plain_verify(buf_slice(&m->text), m->key));
}

static void
clear(struct signed_message *m)
{
    dkim_key_unref(m->key);
    buf_free(&m->text);
}

/* Is the octet in a field that is not signed? */
static bool
is_unsigned(const struct signed_message *m, size_t at)
{
    static const char *const fields[] = { "Received: from a by b\r\n",
                                          "X-Mailer: none\r\n" };

    for (size_t i = 0; i < 2; i++) {
        const char *field =
            memmem(m->text.ptr, m->text.len, fields[i], strlen(fields[i]));
        size_t start = (size_t)(field - m->text.ptr);
        if (at >= start && at < start + strlen(fields[i]))
            return true;
    }
    return false;
}

static void
every_octet(void **state)
{
    struct signed_message m;
    size_t changes = 0;

    (void)state;
    make(&m);
    for (size_t at = 0; at < m.text.len; at++) {
        char was = m.text.ptr[at];
        /* White space is not signed as such; the last digit of base64 has
         * bits that do not count. */
        if (was == ' ' || was == '\r' || was == '\n' || is_unsigned(&m, at) ||
            (at < m.field && at >= m.field - 5))
            continue;
        for (int bit = 0; bit < 8; bit++) {
            m.text.ptr[at] = (char)(was ^ (1 << bit));
            /* Names of fields have no case. */
            bool same_name =
                bit == 5 && ascii_is_alpha(was) && (at >= m.field || at < 14);
            if (!same_name && plain_verify(buf_slice(&m.text), m.key))
                fail_msg("octet %zu can become %d", at, m.text.ptr[at]);
            changes++;
        }
        m.text.ptr[at] = was;
    }
    assert_true(changes > 4000);
    clear(&m);
}

static void
insert(struct signed_message *m, size_t at, const char *text)
{
    struct buf changed = { 0 };

    buf_append(&changed, slice_head(buf_slice(&m->text), at));
    buf_puts(&changed, text);
    buf_append(&changed, slice_tail(buf_slice(&m->text), at));
    buf_free(&m->text);
    m->text = changed;
}

static void
added_fields(void **state)
{
    static const char *const fields[] = {
        "From: boss@bank.example\r\n",
        "from: boss@bank.example\r\n",
        "To: x@y\r\n",
        "Subject: x\r\n",
        "Date: x\r\n",
        "Message-ID: <x>\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct signed_message m;
        make(&m);
        size_t end = (size_t)((const char *)memmem(m.text.ptr, m.text.len,
                                                   "\r\n\r\n", 4) -
                              m.text.ptr) +
                     2;
        insert(&m, end, fields[i]);
        assert_false(plain_verify(buf_slice(&m.text), m.key));
        clear(&m);
        make(&m);
        insert(&m, m.field, fields[i]);
        assert_false(plain_verify(buf_slice(&m.text), m.key));
        clear(&m);
    }
}

static void
what_may_be_added(void **state)
{
    struct signed_message m;

    (void)state;
    make(&m);
    insert(&m, m.field, "Received: from b by c\r\nX-Spam: no\r\n");
    /* What mailing lists add. */
    insert(&m, m.field,
           "Sender: owner@list.example\r\nList-Id: <list.example>\r\n"
           "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
           "Content-Transfer-Encoding: 7bit\r\n");
    assert_true(plain_verify(buf_slice(&m.text), m.key));
    buf_puts(&m.text, "\r\n\r\n"); /* empty lines at the end */
    assert_true(plain_verify(buf_slice(&m.text), m.key));
    buf_puts(&m.text, "x");
    assert_false(plain_verify(buf_slice(&m.text), m.key));
    clear(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_octet),
        cmocka_unit_test(added_fields),
        cmocka_unit_test(what_may_be_added),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
