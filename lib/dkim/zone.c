#include "dkim.h"

/* RFC 1035, 3.3.14: a character-string has at most 255 octets. */
enum {
    STRING_MAX = 255,
    TTL = 3600
};

/* The record's name, without a dot behind it. */
static void
print_name(const struct dkim_key *key, struct buf *out)
{
    buf_printf(out, "%.*s._domainkey.%.*s", SLICE_ARG(key->selector),
               SLICE_ARG(key->domain));
}

/* "..." "..." Neither quotes nor backslashes occur in a record of ours. */
static void
print_strings(struct slice record, const char *between, struct buf *out)
{
    const char *separator = "";

    while (record.len != 0) {
        struct slice string = slice_head(record, STRING_MAX);
        buf_printf(out, "%s\"%.*s\"", separator, SLICE_ARG(string));
        separator = between;
        record = slice_tail(record, string.len);
    }
}

const char *
dkim_key_state_word(enum dkim_key_state state)
{
    switch (state) {
    case DKIM_KEY_NEXT:
        return "next";
    case DKIM_KEY_ACTIVE:
        return "active";
    case DKIM_KEY_OLD:
        return "old";
    }
    return "";
}

const char *
dkim_algorithm_word(enum dkim_algorithm algorithm)
{
    switch (algorithm) {
    case DKIM_RSA_SHA256:
        return "rsa";
    case DKIM_ED25519_SHA256:
        return "ed25519";
    }
    return "";
}

bool
dkim_zone_print(const struct dkim_key *key, enum dkim_zone_format format,
                struct buf *out)
{
    struct buf record = { 0 };

    if (!dkim_key_record(key, &record)) {
        buf_free(&record);
        return false;
    }
    switch (format) {
    case DKIM_ZONE_BIND:
        print_name(key, out);
        buf_printf(out, ". %d IN TXT ( ", TTL);
        print_strings(buf_slice(&record), " ", out);
        buf_puts(out, " )\n");
        break;
    case DKIM_ZONE_PLAIN:
        print_name(key, out);
        buf_printf(out, " %.*s\n", SLICE_ARG(buf_slice(&record)));
        break;
    case DKIM_ZONE_NSUPDATE:
        buf_puts(out, "update delete ");
        print_name(key, out);
        buf_puts(out, ". TXT\nupdate add ");
        print_name(key, out);
        buf_printf(out, ". %d TXT ", TTL);
        print_strings(buf_slice(&record), " ", out);
        buf_puts(out, "\n");
        break;
    case DKIM_ZONE_JSON:
        buf_puts(out, "{\"name\": \"");
        print_name(key, out);
        buf_printf(out,
                   "\", \"type\": \"TXT\", \"ttl\": %d, \"domain\": \"%.*s\", "
                   "\"selector\": \"%.*s\", \"algorithm\": \"%s\", "
                   "\"state\": \"%s\", \"value\": \"%.*s\", \"strings\": [",
                   TTL, SLICE_ARG(key->domain), SLICE_ARG(key->selector),
                   dkim_algorithm_word(key->algorithm),
                   dkim_key_state_word(key->state),
                   SLICE_ARG(buf_slice(&record)));
        print_strings(buf_slice(&record), ", ", out);
        buf_puts(out, "]}");
        break;
    }
    buf_free(&record);
    return true;
}
