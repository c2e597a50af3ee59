#include "field.h"
#include "key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

/* ---- printing ---------------------------------------------------------- */

static void
append_der(int len, unsigned char *der, struct buf *out)
{
    if (len > 0)
        buf_append(out, (struct slice){ (const char *)der, (size_t)len });
    OPENSSL_free(der);
}

bool
dkim_key_public(const struct dkim_key *key, struct buf *out)
{
    unsigned char raw[DKIM_ED25519_KEY];
    size_t raw_len = sizeof(raw);
    unsigned char *der = NULL;
    int len = 0;
    size_t before = out->len;

    switch (key->algorithm) {
    case DKIM_RSA_SHA256:
        len = i2d_PUBKEY(key->pkey, &der);
        append_der(len, der, out);
        break;
    case DKIM_ED25519_SHA256:
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) == 1)
            buf_append(out, (struct slice){ (const char *)raw, raw_len });
        break;
    }
    return out->len != before;
}

bool
dkim_key_record(const struct dkim_key *key, struct buf *out)
{
    struct buf octets = { 0 };
    bool ok = dkim_key_public(key, &octets);

    if (ok) {
        buf_puts(out, key->algorithm == DKIM_RSA_SHA256
                          ? "v=DKIM1; k=rsa; p="
                          : "v=DKIM1; k=ed25519; p=");
        ok = dkim_base64(buf_slice(&octets), out);
    }
    buf_free(&octets);
    return ok;
}

/* ---- reading (RFC 6376, 3.2 and 3.6.1) --------------------------------- */

struct record {
    bool has_v, has_k, has_h, has_s, has_t, has_p;
    struct slice v, k, h, s, t, p;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice
trim(struct slice s)
{
    while (s.len != 0 && is_space(s.ptr[0]))
        s = slice_tail(s, 1);
    while (s.len != 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* NULL, or what is wrong with the list of tags as such. Unknown tags are
 * ignored. */
static const char *
parse(struct slice text, struct record *record)
{
    struct {
        char name;
        bool *has;
        struct slice *value;
    } tags[] = {
        { 'v', &record->has_v, &record->v },
        { 'k', &record->has_k, &record->k },
        { 'h', &record->has_h, &record->h },
        { 's', &record->has_s, &record->s },
        { 't', &record->has_t, &record->t },
        { 'p', &record->has_p, &record->p },
    };
    bool is_first = true;

    while (text.len != 0) {
        struct slice value = slice_cut(&text, ';');
        if (trim(value).len == 0 && trim(text).len == 0)
            break;
        if (slice_find(value, '=') == value.len)
            return "is not a list of tags (NAME=VALUE; ...)";
        struct slice name = trim(slice_cut(&value, '='));
        for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
            if (name.len != 1 || name.ptr[0] != tags[i].name)
                continue;
            if (*tags[i].has)
                return "holds a tag twice";
            if (tags[i].name == 'v' && !is_first)
                return "has v=DKIM1, but not first";
            *tags[i].has = true;
            *tags[i].value = trim(value);
        }
        is_first = false;
    }
    return NULL;
}

/* Is the word in a list like h=sha1:sha256? */
static bool
lists(struct slice list, struct slice word)
{
    while (list.len != 0)
        if (slice_equal_nocase(trim(slice_cut(&list, ':')), word))
            return true;
    return false;
}

/* The octets of p=. OpenSSL's decoder takes more than the alphabet, so that is
 * looked at before. */
static const char *
decode_key(struct slice text, struct buf *octets)
{
    struct buf plain = { 0 };
    size_t padding = 0;
    const char *wrong = NULL;

    for (size_t i = 0; i < text.len && wrong == NULL; i++) {
        char c = text.ptr[i];
        if (is_space(c))
            continue;
        if (c == '"')
            wrong = "has quotation marks inside p=: several strings were "
                    "pasted as one";
        else if (c == '=')
            padding++;
        else if (padding != 0 || (!ascii_is_alnum(c) && c != '+' && c != '/'))
            wrong = "has a p= that is not base64";
        buf_putc(&plain, c);
    }
    if (wrong == NULL && (plain.len % 4 != 0 || padding > 2))
        wrong = "has a p= that is cut off: its base64 does not come out even";
    if (wrong == NULL) {
        buf_reserve(octets, plain.len / 4 * 3 + 1);
        int len =
            EVP_DecodeBlock((unsigned char *)octets->ptr,
                            (const unsigned char *)plain.ptr, (int)plain.len);
        if (len < 0)
            wrong = "has a p= that is not base64";
        else
            octets->len = (size_t)len - padding;
    }
    buf_free(&plain);
    return wrong;
}

/* Are these the octets of our key in that other form? */
static bool
is_form(int (*print)(const EVP_PKEY *, unsigned char **),
        const struct dkim_key *key, struct slice octets)
{
    struct buf der = { 0 };
    unsigned char *ptr = NULL;

    int len = print(key->pkey, &ptr);
    append_der(len, ptr, &der);
    bool same = slice_equal(buf_slice(&der), octets);
    buf_free(&der);
    return same;
}

/* RFC 6376 speaks of RSAPublicKey (PKCS#1), but what is published and
 * understood everywhere is SubjectPublicKeyInfo. */
static const char *
compare_octets(const struct dkim_key *key, struct slice octets)
{
    struct buf ours = { 0 };
    const char *wrong = NULL;

    if (!dkim_key_public(key, &ours))
        wrong = "cannot be compared: OpenSSL does not print our key";
    else if (slice_equal(buf_slice(&ours), octets))
        wrong = NULL;
    else if (key->algorithm == DKIM_RSA_SHA256 &&
             is_form(i2d_PublicKey, key, octets))
        wrong = "has our key as PKCS#1 (BEGIN RSA PUBLIC KEY); verifiers want "
                "SubjectPublicKeyInfo (BEGIN PUBLIC KEY)";
    else if (key->algorithm == DKIM_ED25519_SHA256 &&
             is_form(i2d_PUBKEY, key, octets))
        wrong = "has our key as SubjectPublicKeyInfo; for Ed25519 p= is the "
                "raw 32 octets";
    else if (octets.len < ours.len &&
             memcmp(octets.ptr, ours.ptr, octets.len) == 0)
        wrong = "has only the beginning of our key: a string was lost or cut";
    else
        wrong = "holds another key";
    buf_free(&ours);
    return wrong;
}

const char *
dkim_record_compare(const struct dkim_key *key, struct slice text)
{
    bool is_rsa = key->algorithm == DKIM_RSA_SHA256;
    struct record record = { 0 };
    struct buf octets = { 0 };

    if (trim(text).len == 0)
        return "is empty";
    if (trim(text).ptr[0] == '"')
        return "begins with a quotation mark: it was pasted with its quotes";
    const char *wrong = parse(text, &record);
    if (wrong != NULL)
        return wrong;
    if (record.has_v && !slice_equal(record.v, SLICE_OF("DKIM1")))
        return "is not v=DKIM1";
    if (!record.has_p)
        return "has no p=";
    if (record.p.len == 0)
        return "is revoked: its p= is empty";
    if (record.has_h && !lists(record.h, SLICE_OF("sha256")))
        return "does not allow sha256 (h=)";
    if (record.has_s && !lists(record.s, SLICE_OF("email")) &&
        !lists(record.s, SLICE_OF("*")))
        return "is not for email (s=)";
    bool says_rsa =
        !record.has_k || slice_equal_nocase(record.k, SLICE_OF("rsa"));
    bool says_ed25519 =
        record.has_k && slice_equal_nocase(record.k, SLICE_OF("ed25519"));
    if (is_rsa ? !says_rsa : !says_ed25519)
        return is_rsa ? "is not for an RSA key (k=)"
                      : "is not for an Ed25519 key (k=)";
    wrong = decode_key(record.p, &octets);
    if (wrong == NULL)
        wrong = compare_octets(key, buf_slice(&octets));
    buf_free(&octets);
    ERR_clear_error();
    return wrong;
}

const char *
dkim_record_note(struct slice text)
{
    struct record record = { 0 };

    if (parse(text, &record) == NULL && record.has_t &&
        lists(record.t, SLICE_OF("y")))
        return "is in test mode (t=y): receivers treat the mail as unsigned";
    return NULL;
}
