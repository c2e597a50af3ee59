/*
 * What the parts of Onward cost alone: the signer beside the limit that
 * OpenSSL sets (the signature and SHA-256 of the same octets, nothing else),
 * canonicalization, SRS, and alias tables.
 *
 *   sign SECONDS
 */
#include "alone.h"
#include "dkim.h"
#include "mail.h"
#include "srs.h"
#include "table.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static const int64_t now = 1795426198;

enum {
    TASKS_MAX = 40,
    LARGE = 25000000, /* octets of a large message */
    ALIASES = 100000,
};

static struct task tasks[TASKS_MAX];
static size_t task_count;

static void
add(const char *name, const char *key, size_t size, void (*work)(void *),
    void *ctx)
{
    must(task_count < TASKS_MAX, "room for tasks");
    tasks[task_count++] = (struct task){
        .name = name, .key = key, .size = size, .work = work, .ctx = ctx
    };
}

/* ---- signing ----------------------------------------------------------- */

struct message {
    struct slice octets;
    struct mail_header header; /* for hashing the body alone */
};

struct signing {
    const struct message *message;
    const struct dkim_key *key;
    struct buf out;
};

static void
hash_body(const struct message *message, size_t header,
          unsigned char digest[32])
{
    struct dkim_body *body = dkim_body_new(DKIM_RELAXED);

    must(body != NULL &&
             dkim_body_update(body, slice_tail(message->octets, header)) &&
             dkim_body_finish(body, digest),
         "dkim_body");
    dkim_body_free(body);
}

/* As lib/relay does it for a message that is in memory. */
static void
sign(void *ctx)
{
    struct signing *s = ctx;
    struct mail_header header = { 0 };
    unsigned char digest[32];

    must(mail_header_index(s->message->octets, &header), "mail_header_index");
    must(dkim_examine(&header, &dkim_default_headers) == NULL, "dkim_examine");
    hash_body(s->message, header.length, digest);
    struct dkim_request request = {
        .header = &header,
        .body_hash = digest,
        .keys = &s->key,
        .key_count = 1,
        .headers = dkim_default_headers,
        .oversign = dkim_default_oversign,
        .now = now,
    };
    buf_clear(&s->out);
    must(dkim_sign(&request, &s->out), "dkim_sign");
    mail_header_free(&header);
}

static void
body(void *ctx)
{
    const struct message *message = ctx;
    unsigned char digest[32];

    hash_body(message, message->header.length, digest);
}

/* ---- the limit --------------------------------------------------------- */

static void
sha256(void *ctx)
{
    const struct message *message = ctx;
    unsigned char digest[32];
    unsigned len;

    must(EVP_Digest(message->octets.ptr, message->octets.len, digest, &len,
                    EVP_sha256(), NULL),
         "EVP_Digest");
}

/* As `openssl speed` does it: contexts are prepared once. */
struct limit {
    EVP_PKEY_CTX *rsa;
    EVP_MD_CTX *ed25519;
};

static void
sign_rsa(void *ctx)
{
    static const unsigned char digest[32] = { 1 };
    unsigned char signature[512];
    size_t len = sizeof(signature);
    struct limit *limit = ctx;

    must(EVP_PKEY_sign(limit->rsa, signature, &len, digest, sizeof(digest)) ==
             1,
         "EVP_PKEY_sign");
}

static void
sign_ed25519(void *ctx)
{
    static const unsigned char digest[32] = { 1 };
    unsigned char signature[64];
    size_t len = sizeof(signature);
    struct limit *limit = ctx;

    must(EVP_DigestSign(limit->ed25519, signature, &len, digest,
                        sizeof(digest)) == 1,
         "EVP_DigestSign");
}

static void
add_limit(const char *name, const struct dkim_key *key, struct limit *limit)
{
    if (key->algorithm == DKIM_ED25519_SHA256) {
        limit->ed25519 = EVP_MD_CTX_new();
        must(EVP_DigestSignInit(limit->ed25519, NULL, NULL, NULL, key->pkey) ==
                 1,
             "EVP_DigestSignInit");
        add("limit", name, 0, sign_ed25519, limit);
        return;
    }
    limit->rsa = EVP_PKEY_CTX_new(key->pkey, NULL);
    must(EVP_PKEY_sign_init(limit->rsa) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(limit->rsa, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(limit->rsa, EVP_sha256()) == 1,
         "EVP_PKEY_sign_init");
    add("limit", name, 0, sign_rsa, limit);
}

static struct dkim_key *
key_new(enum dkim_algorithm algorithm, unsigned bits)
{
    struct buf text = { 0 };
    const char *why = "";

    must(dkim_key_generate(algorithm, bits, &text), "dkim_key_generate");
    struct dkim_key *key = dkim_key_parse(
        buf_slice(&text), SLICE_OF("public.example"), SLICE_OF("s2048"), &why);
    must(key != NULL, why);
    buf_free_secret(&text);
    return key;
}

/* ---- addresses --------------------------------------------------------- */

struct addresses {
    struct srs_conf *srs;
    struct buf forwarded; /* what reverse takes apart */
    struct buf out;
    struct table *table;
    struct alias_list list;
    struct alias_entry entry;
    struct arena arena;
    unsigned next;
};

static void
forward(void *ctx)
{
    struct addresses *a = ctx;

    buf_clear(&a->out);
    must(srs_forward(a->srs, now, SLICE_OF("person@sender.example"),
                     SLICE_OF("srs.public.example"), &a->out) == SRS_OK,
         "srs_forward");
}

static void
reverse(void *ctx)
{
    struct addresses *a = ctx;

    buf_clear(&a->out);
    must(srs_reverse(a->srs, now, buf_slice(&a->forwarded), &a->out, NULL) ==
             SRS_OK,
         "srs_reverse");
}

/* Another address each time: one would stay in the cache. */
static void
find_alias(void *ctx)
{
    struct addresses *a = ctx;
    struct alias_cursor cursor = { 0 };
    struct alias_hit hit = { 0 };
    struct table_query query;
    struct smtp_path address;

    a->next = (a->next + 7919) % ALIASES;
    buf_clear(&a->out);
    buf_printf(&a->out, "user%u@public.example", a->next);
    must(smtp_address_parse(buf_slice(&a->out), &a->arena, &address) &&
             alias_find(&a->list, &address, &cursor, NULL, &a->arena, &hit,
                        &query) == ALIAS_HIT,
         "alias_find");
    arena_reset(&a->arena);
}

static void
add_addresses(struct addresses *a)
{
    static const struct slice secrets[] = { SLICE("0123456789abcdef01234567") };
    const struct srs_settings settings = {
        .secrets = secrets,
        .secret_count = 1,
        .mac = SRS_MAC_SHA256,
        .hash_length = 12,
        .hash_minimum = 12,
        .max_age_days = 21,
        .separator = '=',
    };
    const char *why = "";
    struct buf text = { 0 };
    struct buf errors = { 0 };

    a->srs = srs_conf_new(&settings, &why);
    must(a->srs != NULL, "srs_conf_new");
    forward(a);
    buf_append(&a->forwarded, buf_slice(&a->out));
    for (unsigned i = 0; i < ALIASES; i++)
        buf_printf(&text, "user%u@public.example box%u@inside.example\n", i, i);
    a->table = table_from_text(buf_slice(&text), SLICE_OF("aliases"),
                               TABLE_ALIASES, &errors);
    must(a->table != NULL, "table_from_text");
    buf_free(&text);
    buf_free(&errors);
    a->entry =
        (struct alias_entry){ .table = a->table, .origin = SLICE("bench:1") };
    a->list = (struct alias_list){ .entries = &a->entry,
                                   .count = 1,
                                   .delimiters = SLICE("+") };
    add("srs-forward", "", 0, forward, a);
    add("srs-reverse", "", 0, reverse, a);
    add("alias", "", 0, find_alias, a);
}

static void
message_make(struct message *message, enum content content, size_t size)
{
    size_t len;
    char *octets = message_new(content, size, &len);

    message->octets = (struct slice){ octets, len };
    must(mail_header_index(message->octets, &message->header),
         "mail_header_index");
}

int
main(int argc, char **argv)
{
    static const size_t sizes[] = { 1024, 10240, 102400, 1048576 };
    static const struct {
        const char *name;
        enum dkim_algorithm algorithm;
        unsigned bits;
    } kinds[] = {
        { "rsa2048", DKIM_RSA_SHA256, 2048 },
        { "ed25519", DKIM_ED25519_SHA256, 0 },
        { "rsa4096", DKIM_RSA_SHA256, 4096 },
    };
    static const char *const content_names[] = { "body-text", "body-base64",
                                                 "body-blanks" };
    enum {
        SIZES = 4,
        KINDS = 3,
        CONTENTS = 3,
    };
    struct message texts[SIZES] = { 0 };
    struct message bodies[CONTENTS] = { 0 };
    struct message large[CONTENTS] = { 0 };
    struct signing signings[KINDS * SIZES] = { 0 };
    struct limit limits[KINDS] = { 0 };
    struct dkim_key *keys[KINDS];
    struct addresses addresses = { 0 };

    must(argc == 2, "usage: sign SECONDS;");
    for (size_t i = 0; i < SIZES; i++) {
        message_make(&texts[i], CONTENT_TEXT, sizes[i]);
        add("sha256", "", sizes[i], sha256, &texts[i]);
    }
    for (size_t i = 0; i < KINDS; i++) {
        keys[i] = key_new(kinds[i].algorithm, kinds[i].bits);
        add_limit(kinds[i].name, keys[i], &limits[i]);
        for (size_t n = 0; n < SIZES; n++) {
            struct signing *s = &signings[i * SIZES + n];
            s->message = &texts[n];
            s->key = keys[i];
            add("sign", kinds[i].name, sizes[n], sign, s);
        }
    }
    for (size_t i = 0; i < CONTENTS; i++) {
        message_make(&bodies[i], (enum content)i, sizes[SIZES - 1]);
        add(content_names[i], "", sizes[SIZES - 1], body, &bodies[i]);
        message_make(&large[i], (enum content)i, LARGE);
        add(content_names[i], "", LARGE, body, &large[i]);
    }
    add("sha256", "", LARGE, sha256, &large[CONTENT_TEXT]);
    add_addresses(&addresses);
    tasks_run(tasks, task_count, strtod(argv[1], NULL));
    return 0;
}
