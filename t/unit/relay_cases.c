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
    struct slice domain, secret, claim;
    struct srs_settings settings;
    int64_t days;
    size_t forge; /* this character of the hash, from 1 */
    bool lower, upper, quotes;
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
    else if (slice_equal(name, SLICE_OF("claim")))
        making->claim = word;
    else if (slice_equal(name, SLICE_OF("days")))
        making->days = word.ptr[0] == '-' ? -(int64_t)(word.ptr[1] - '0')
                                          : (int64_t)number;
    else if (slice_equal(name, SLICE_OF("separator")))
        making->settings.separator = word.ptr[0];
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
        making->forge = number != 0 ? number : 1;
    else if (slice_equal(name, SLICE_OF("quotes")))
        making->quotes = true;
    else
        return false;
    return true;
}

/* The address as it is asked for: not what we would make. */
static void
damage(const struct making *making, struct buf *address)
{
    enum {
        HASH = 5
    };
    struct slice all = buf_slice(address);

    if (making->forge != 0) {
        char *c = &address->ptr[HASH + making->forge - 1];
        *c = ascii_lower(*c) == 'a' ? 'b' : 'a';
    }
    if (making->claim.len != 0) {
        address->len = slice_find_last(all, '@') + 1;
        buf_append(address, making->claim);
    }
    for (size_t i = 0; i < address->len; i++) {
        char c = address->ptr[i];
        if (making->lower)
            address->ptr[i] = ascii_lower(c);
        if (making->upper && c >= 'a' && c <= 'z')
            address->ptr[i] = (char)(c - 'a' + 'A');
    }
}

/* The quotes of the sender's local part in the middle of the new one, as other
 * implementations leave them: "x\"a b\""@d becomes x"a b"@d. */
static void
put_quotes(struct buf *address)
{
    size_t at = slice_find_last(buf_slice(address), '@');
    size_t n = 0;

    for (size_t i = 1; i < address->len; i++)
        if (address->ptr[i] != '\\' && i != at - 1)
            address->ptr[n++] = address->ptr[i];
    address->len = n;
}

/* "\"a b\""@d: with the quotes as part of what it holds. */
static void
hold_quotes(struct slice address, struct buf *out)
{
    size_t at = slice_find_last(address, '@');

    buf_puts(out, "\"\\");
    buf_append(out, slice_head(address, at - 1));
    buf_puts(out, "\\\"\"");
    buf_append(out, slice_tail(address, at));
}

static bool
make_srs(struct slice text, int64_t now, struct buf *out)
{
    struct making making = {
        .domain = SLICE("srs.example"),
        .secret = SLICE("0123456789abcdef"),
        .settings = { .secret_count = 1,
                      .hash_length = 8,
                      .hash_minimum = 8,
                      .max_age_days = 21 },
    };
    struct slice address = slice_trim(slice_cut(&text, '|'));
    struct buf made = { 0 }, held = { 0 };
    const char *why;

    for (text = slice_trim(text); text.len != 0; text = slice_trim(text))
        if (!take_option(&making, slice_cut(&text, ' ')))
            return false;
    making.settings.secrets = &making.secret;
    struct srs_conf *conf = srs_conf_new(&making.settings, &why);
    if (conf == NULL)
        return false;
    if (making.quotes) {
        hold_quotes(address, &held);
        address = buf_slice(&held);
    }
    bool ok = srs_forward(conf, now - making.days * 86400, address,
                          making.domain, &made) == SRS_OK;
    if (ok && making.quotes)
        put_quotes(&made);
    if (ok)
        damage(&making, &made);
    buf_append(out, buf_slice(&made));
    buf_free(&made);
    buf_free(&held);
    srs_conf_free(conf);
    return ok;
}

static bool
make_loop(struct slice address, struct buf *out)
{
    struct mail_loop_key key;
    struct buf field = { 0 };
    bool ok = mail_loop_key_make(SLICE_OF("0123456789abcdef"), address, &key) &&
              mail_loop_print(&key, 1, &field);

    if (ok) {
        struct slice made = buf_slice(&field);
        slice_cut(&made, ' ');
        buf_append(out, slice_cut(&made, '\r'));
    }
    buf_free(&field);
    return ok;
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

/* Up to the brace that closes; braces may stand in braces. */
static struct slice
cut_braces(struct slice *text)
{
    struct slice all = *text;
    size_t open = 1;
    size_t i = 0;

    for (; i < all.len && open != 0; i++)
        open += (all.ptr[i] == '{') - (size_t)(all.ptr[i] == '}');
    *text = slice_tail(all, i);
    return slice_head(all, i == 0 ? 0 : i - 1);
}

bool
case_expand(struct slice text, int64_t now, struct slice sender,
            struct buf *out)
{
    bool ok = true;

    while (ok) {
        struct buf inner = { 0 };
        size_t open = slice_find(text, '{');
        buf_append(out, slice_head(text, open));
        text = slice_tail(text, open + 1);
        if (text.len == 0)
            break;
        ok = case_expand(cut_braces(&text), now, sender, &inner);
        struct slice inside = buf_slice(&inner);
        if (slice_starts_nocase(inside, SLICE_OF("srs ")))
            ok = ok && make_srs(slice_tail(inside, 4), now, out);
        else if (slice_starts_nocase(inside, SLICE_OF("loop ")))
            ok = ok && make_loop(slice_tail(inside, 5), out);
        else if (slice_equal(inside, SLICE_OF("sender")))
            buf_append(out, sender);
        else
            ok = ok && make_many(inside, out);
        buf_free(&inner);
    }
    return ok;
}
