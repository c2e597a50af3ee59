#include "parts.h"

#include <string.h>

enum {
    LABEL_MAX = 63,
    DOMAIN_MAX = 255
};

/* Without control characters, and UTF-8 where it is not ASCII. */
static bool
is_text(struct slice s)
{
    unsigned char high = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 32 || c == 127)
            return false;
        high |= c;
    }
    return high < 128 || utf8_is_valid(s);
}

/* Octets of the quoted-string at the start of s; 0 if it is not closed. */
static size_t
quoted_length(struct slice s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return 0;
}

/* An "@" of the local part must stand between quotes: else it is anybody's
 * guess which one is in front of the domain. */
static bool
every_at_is_quoted(struct slice local)
{
    bool inside = false;

    for (size_t i = 0; i < local.len; i++) {
        if (local.ptr[i] == '"')
            inside = !inside;
        else if (local.ptr[i] == '\\' && inside)
            i++;
        else if (local.ptr[i] == '@' && !inside)
            return false;
    }
    return true;
}

enum srs_status
srs_address_split(struct slice text, struct buf *scratch,
                  struct srs_address *address)
{
    if (text.len > SMTP_PATH_MAX)
        return SRS_TOO_LONG;
    if (!is_text(text))
        return SRS_SYNTAX;

    bool quoted = text.len != 0 && text.ptr[0] == '"';
    size_t at = quoted ? quoted_length(text) : slice_find_last(text, '@');
    if (at == 0 || at + 1 >= text.len || text.ptr[at] != '@')
        return SRS_SYNTAX;

    address->local = slice_head(text, at);
    address->domain = slice_tail(text, at + 1);
    address->quoted = quoted;
    if (slice_find(address->domain, '@') != address->domain.len)
        return SRS_SYNTAX;
    if (!quoted)
        return every_at_is_quoted(address->local) ? SRS_OK : SRS_SYNTAX;

    if (!buf_try_reserve(scratch, at))
        return SRS_NO_MEMORY;
    size_t start = scratch->len;
    if (!srs_unquote(address->local, scratch))
        return SRS_SYNTAX;
    address->local = slice_tail(buf_slice(scratch), start);
    return SRS_OK;
}

enum srs_status
srs_rcpt_split(struct slice text, struct arena *arena, struct buf *scratch,
               struct srs_address *address)
{
    enum srs_status status = srs_address_split(text, scratch, address);
    struct slice ascii;

    if (status != SRS_OK)
        return status;
    switch (smtp_domain_read(address->domain, arena, &ascii)) {
    case SMTP_DOMAIN_OK:
        address->domain = ascii;
        return SRS_OK;
    case SMTP_DOMAIN_BAD: /* a MAC of it was never made */
        return SRS_OK;
    case SMTP_DOMAIN_NO_MEMORY:
        break;
    }
    return SRS_NO_MEMORY;
}

bool
srs_unquote(struct slice quoted, struct buf *out)
{
    if (quoted.len < 3 || quoted.ptr[0] != '"' ||
        quoted_length(quoted) != quoted.len)
        return false; /* "" is no local part that one could mail to */
    for (size_t i = 1; i < quoted.len - 1; i++) {
        if (quoted.ptr[i] == '\\')
            i++;
        buf_putc(out, quoted.ptr[i]);
    }
    return true;
}

enum srs_status
srs_sender_judge(struct slice sender, struct slice srs_domain,
                 struct buf *scratch, struct srs_address *address)
{
    enum srs_status status = srs_address_split(sender, scratch, address);

    if (status != SRS_OK)
        return status;
    if (srs_domain.len > SMTP_PATH_MAX)
        return SRS_TOO_LONG;
    if (smtp_domain_equal(address->domain, srs_domain))
        return SRS_OUR_DOMAIN;
    if (!srs_host_is_valid(address->domain))
        return SRS_SYNTAX;
    if (!address->quoted && !srs_local_is_plain(address->local))
        return SRS_SYNTAX;
    return SRS_OK;
}

static bool
is_plain(char c)
{
    /* RFC 5322, 3.2.3: atext; RFC 6531, 3.3: UTF-8 */
    static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

    return ascii_is_alnum(c) || (unsigned char)c >= 128 ||
           (c != '\0' && strchr(others, c) != NULL);
}

bool
srs_local_is_plain(struct slice local)
{
    for (size_t i = 0; i < local.len; i++)
        if (!is_plain(local.ptr[i]))
            return false;
    return local.len != 0;
}

enum srs_status
srs_address_print(struct slice local, struct slice domain, struct buf *out)
{
    size_t start = out->len;

    /* At worst every octet gets a backslash. */
    if (!buf_try_reserve(out, 2 * local.len + 2 + 1 + domain.len))
        return SRS_NO_MEMORY;
    if (srs_local_is_plain(local))
        buf_append(out, local);
    else
        smtp_local_print(local, out);
    buf_putc(out, '@');
    buf_append(out, domain);
    if (out->len - start <= SMTP_PATH_MAX)
        return SRS_OK;
    out->len = start;
    return SRS_TOO_LONG;
}

/* As lenient as paths are: "_" and outer hyphens pass, because a sender whom
 * Postfix let in must be forwarded. */
static bool
is_domain(struct slice domain)
{
    size_t label = 0;

    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        if (c == '.' && label == 0)
            return false;
        if (c != '.' && c != '-' && c != '_' && !ascii_is_alnum(c) &&
            (unsigned char)c < 128)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label != 0 && domain.len <= DOMAIN_MAX;
}

bool
srs_host_is_valid(struct slice host)
{
    if (host.len != 0 && host.ptr[0] == '[')
        return smtp_literal_is_valid(host);
    if (host.len != 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    return is_domain(host);
}

bool
srs_is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

bool
srs_has_tag(struct slice local)
{
    return local.len >= 5 && slice_starts_nocase(local, SLICE_OF("SRS")) &&
           (local.ptr[3] == '0' || local.ptr[3] == '1') &&
           srs_is_separator(local.ptr[4]);
}

void
srs_parts_split(struct slice local, struct srs_parts *parts)
{
    *parts = (struct srs_parts){ .kind = local.ptr[3] - '0' };
    local = slice_tail(local, 5);
    parts->hash = slice_cut(&local, '=');
    if (parts->kind == 0)
        parts->stamp = slice_cut(&local, '=');
    parts->host = slice_cut(&local, '=');
    parts->last = local;
}

size_t
srs_local_length(struct slice address)
{
    if (address.len == 0 || address.ptr[0] != '"')
        return slice_find_last(address, '@');
    size_t length = 0;
    for (size_t i = 1; i < address.len && address.ptr[i] != '"'; i++) {
        if (address.ptr[i] == '\\')
            i++;
        length++;
    }
    return length;
}
