#include "dkim_rules.h"

static const char message[] = "From: Alice <alice@example.org>\r\n"
                              "To: bob@example.net,\r\n"
                              "\tcarol@example.com\r\n"
                              "Subject:  Is   dinner ready? \r\n"
                              "Cc: first@example.net\r\n"
                              "Cc: second@example.net\r\n"
                              "\r\n"
                              "Hi. \t We lost\r\n"
                              "  the game.\r\n"
                              "\r\n";

/* The text with the one change of a row. */
static void
change(const struct rule *row, struct buf *text)
{
    struct buf changed = { 0 };

    if (row->find == NULL)
        return;
    const char *at = memmem(text->ptr, text->len, row->find, strlen(row->find));
    assert_non_null(at);
    size_t start = (size_t)(at - text->ptr);
    buf_append(&changed, slice_head(buf_slice(text), start));
    buf_puts(&changed, row->replace);
    buf_append(&changed,
               slice_tail(buf_slice(text), start + strlen(row->find)));
    buf_free(text);
    *text = changed;
}

static void
put_record(const struct rule *row, const struct dkim_key *key,
           struct buf *record)
{
    struct buf whole = { 0 };

    buf_puts(record, row->record);
    if (strcmp(row->record, "TROUBLE") == 0)
        return;
    if (row->p != NULL) {
        buf_printf(record, "p=%s", row->p);
        return;
    }
    assert_true(dkim_key_record(key, &whole));
    const char *p = memmem(whole.ptr, whole.len, "p=", 2);
    buf_append(record, slice_tail(buf_slice(&whole), (size_t)(p - whole.ptr)));
    buf_free(&whole);
}

void
rule_holds(void **state)
{
    const struct rule *row = *state;
    struct dkim_key *key = read_key("ed25519.pem", "example.org", "s");
    struct buf text = { 0 };
    struct buf record = { 0 };
    struct made_result result;

    struct made_signer signer = { key,
                                  row->algorithm != NULL ? row->algorithm
                                                         : "ed25519-sha256",
                                  row->tags };
    made_sign(&signer, SLICE_OF(message), &text);
    change(row, &text);
    if (row->record != NULL)
        put_record(row, key, &record);
    const char *records[] = { "s._domainkey.example.org", buf_cstr(&record),
                              NULL };
    struct made_zone zone = { .records = row->record != NULL ? records : NULL };

    for (size_t piece = 0; piece <= 7; piece += 7) {
        struct made_options options = { .piece = piece };
        made_verify(buf_slice(&text), &zone, &options, &result);
        assert_int_equal(result.count, 1);
        if (result.signatures[0].result != row->result ||
            result.signatures[0].reason != row->reason)
            fail_msg("%s (%s)", dkim_result_word(result.signatures[0].result),
                     dkim_reason_word(result.signatures[0].reason));
        made_free(&result);
    }
    dkim_key_unref(key);
    buf_free(&text);
    buf_free(&record);
}
