/* A record that compares as ours means our key, however it is written; and
 * key files of any octets are refused or work. */
#include "dkim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsrMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char public_key[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

static void
compare(const struct dkim_key *key, struct slice record)
{
    struct buf plain = { 0 };

    (void)dkim_record_note(record);
    if (dkim_record_compare(key, record) == NULL) {
        for (size_t i = 0; i < record.len; i++)
            if (record.ptr[i] > ' ')
                buf_putc(&plain, record.ptr[i]);
        if (memmem(plain.ptr, plain.len, public_key, 44) == NULL)
            abort();
    }
    buf_free(&plain);
}

static void
parse(struct slice octets)
{
    const char *why = NULL;
    struct buf record = { 0 };
    struct dkim_key *key =
        dkim_key_parse(octets, SLICE_OF("example.org"), SLICE_OF("s"), &why);

    if ((key == NULL) != (why != NULL))
        abort();
    if (key != NULL && (!dkim_key_record(key, &record) ||
                        dkim_record_compare(key, buf_slice(&record)) != NULL))
        abort();
    dkim_key_unref(key);
    buf_free(&record);
}

/* Made once: a key takes longer to read than all the rest. */
static const struct dkim_key *
our_key(void)
{
    static struct dkim_key *key;
    const char *why = NULL;

    if (key == NULL)
        key = dkim_key_parse((struct slice){ pem, sizeof(pem) - 1 },
                             SLICE_OF("example.org"), SLICE_OF("s"), &why);
    if (key == NULL)
        abort();
    return key;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    const struct dkim_key *key = our_key();

    compare(key, input);
    parse(input);
    return 0;
}
