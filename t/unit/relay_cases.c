#include "relay_cases.h"

#include "mail.h"
#include "srs.h"

/* ---- lines ---- */

static const struct slice mark = SLICE("== ");

static bool
at_case(struct slice text)
{
    return slice_starts_nocase(text, mark);
}

struct slice
case_head(struct slice *rest, unsigned *line)
{
    struct slice all = *rest;

    while (rest->len != 0 && !at_case(*rest)) {
        slice_cut(rest, '\n');
        ++*line;
    }
    return slice_head(all, all.len - rest->len);
}

bool
case_next(struct slice *rest, unsigned *line, struct case_text *found)
{
    if (!at_case(*rest))
        return false;
    found->line = ++*line;
    found->name = slice_tail(slice_cut(rest, '\n'), mark.len);
    found->lines = case_head(rest, line);
    return true;
}

bool
case_values(struct slice lines, const char *key, struct buf *out)
{
    struct buf prefix = { 0 };
    bool any = false;

    buf_printf(&prefix, "%s:", key);
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (!slice_starts_nocase(line, buf_slice(&prefix)))
            continue;
        buf_append(out, slice_trim(slice_tail(line, prefix.len)));
        buf_putc(out, '\n');
        any = true;
    }
    buf_free(&prefix);
    return any;
}

void
case_setting(const struct case_text *text, struct slice head, const char *key,
             struct buf *out)
{
    if (!case_values(text->lines, key, out))
        case_values(head, key, out);
}

/* ---- what stands in braces ---- */

struct making {
    struct slice domain, secret;
    struct srs_settings settings;
    int64_t days;
    bool lower, upper, forge;
};

static bool
take_option(struct making *making, struct slice word)
{
    struct slice name = slice_cut(&word, '=');
    uint64_t number = 0;

    slice_to_u64(word, &number);
    if (slice_equal(name, SLICE_OF("domain")))
        making->domain = word;
    else if (slice_equal(name, SLICE_OF("secret")))
        making->secret = word;
    else if (slice_equal(name, SLICE_OF("days")))
        making->days = word.ptr[0] == '-'
                           ? -1 /* tomorrow's is as far as it goes */
                           : (int64_t)number;
    else if (slice_equal(name, SLICE_OF("mac")))
        making->settings.mac = SRS_MAC_CLASSIC;
    else if (slice_equal(name, SLICE_OF("length")))
        making->settings.hash_length = making->settings.hash_minimum =
            (unsigned)number;
    else if (slice_equal(name, SLICE_OF("lower")))
        making->lower = true;
    else if (slice_equal(name, SLICE_OF("upper")))
        making->upper = true;
    else if (slice_equal(name, SLICE_OF("forge")))
        making->forge = true;
    else
        return false;
    return true;
}

/* Another character in the place of the first of the hash; or all letters in
 * another case. */
static void
damage(const struct making *making, struct buf *address)
{
    enum {
        HASH = 5
    };

    if (making->forge)
        address->ptr[HASH] = ascii_lower(address->ptr[HASH]) == 'a' ? 'b' : 'a';
    for (size_t i = 0; i < address->len; i++) {
        char c = address->ptr[i];
        if (making->lower)
            address->ptr[i] = ascii_lower(c);
        if (making->upper && c >= 'a' && c <= 'z')
            address->ptr[i] = (char)(c - 'a' + 'A');
    }
}

static bool
make_srs(struct slice text, int64_t now, struct buf *out)
{
    struct making making = {
        .domain = SLICE("srs.example"),
        .secret = SLICE("0123456789abcdef"),
        .settings = { .secret_count = 1,
                      .hash_length = 6,
                      .hash_minimum = 6,
                      .max_age_days = 21 },
    };
    struct slice address = slice_trim(slice_cut(&text, '|'));
    struct buf made = { 0 };
    const char *why;

    for (text = slice_trim(text); text.len != 0; text = slice_trim(text))
        if (!take_option(&making, slice_cut(&text, ' ')))
            return false;
    making.settings.secrets = &making.secret;
    struct srs_conf *conf = srs_conf_new(&making.settings, &why);
    if (conf == NULL)
        return false;
    bool ok = srs_forward(conf, now - making.days * 86400, address,
                          making.domain, &made) == SRS_OK;
    if (ok)
        damage(&making, &made);
    buf_append(out, buf_slice(&made));
    buf_free(&made);
    srs_conf_free(conf);
    return ok;
}

static bool
make_loop(struct slice address, struct buf *out)
{
    char token[MAIL_LOOP_TOKEN];

    if (!mail_loop_token(SLICE_OF("0123456789abcdef"), address, token))
        return false;
    buf_append(out, (struct slice){ token, sizeof(token) });
    return true;
}

static bool
make_many(struct slice text, struct buf *out)
{
    struct slice number = slice_cut(&text, '*');
    uint64_t times;

    if (!slice_to_u64(number, &times) || text.len == 0)
        return false;
    for (uint64_t i = 0; i < times; i++)
        buf_append(out, text);
    return true;
}

bool
case_expand(struct slice text, int64_t now, struct slice sender,
            struct buf *out)
{
    bool ok = true;

    while (ok) {
        size_t open = slice_find(text, '{');
        buf_append(out, slice_head(text, open));
        text = slice_tail(text, open + 1);
        if (text.len == 0)
            break;
        struct slice inside = slice_cut(&text, '}');
        if (slice_starts_nocase(inside, SLICE_OF("srs ")))
            ok = make_srs(slice_tail(inside, 4), now, out);
        else if (slice_starts_nocase(inside, SLICE_OF("loop ")))
            ok = make_loop(slice_tail(inside, 5), out);
        else if (slice_equal(inside, SLICE_OF("sender")))
            buf_append(out, sender);
        else
            ok = make_many(inside, out);
    }
    return ok;
}
