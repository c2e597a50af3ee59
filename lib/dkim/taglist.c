#include "taglist.h"

#include <openssl/evp.h>
#include <string.h>

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
dkim_trim(struct slice s)
{
    while (s.len != 0 && is_space(s.ptr[0]))
        s = slice_tail(s, 1);
    while (s.len != 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* tag-name: a letter, then letters, digits and underscores. */
static bool
is_tag_name(struct slice s)
{
    if (s.len == 0 || !ascii_is_alpha(s.ptr[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '_')
            return false;
    return true;
}

enum dkim_tag_status
dkim_tag_next(struct slice *rest, struct dkim_tag *tag)
{
    if (dkim_trim(*rest).len == 0)
        return DKIM_TAG_END;
    struct slice whole = slice_cut(rest, ';');
    size_t equals = slice_find(whole, '=');
    if (equals == whole.len)
        return DKIM_TAG_BAD;
    tag->name = dkim_trim(slice_head(whole, equals));
    tag->whole = slice_tail(whole, equals + 1);
    tag->value = dkim_trim(tag->whole);
    return is_tag_name(tag->name) ? DKIM_TAG : DKIM_TAG_BAD;
}

bool
dkim_tags_are_valid(struct slice list)
{
    struct slice names[DKIM_TAGS_MAX];
    struct dkim_tag tag;
    size_t count = 0;

    for (;;) {
        switch (dkim_tag_next(&list, &tag)) {
        case DKIM_TAG_END:
            return true;
        case DKIM_TAG_BAD:
            return false;
        case DKIM_TAG:
            break;
        }
        for (size_t i = 0; i < count; i++)
            if (slice_equal(names[i], tag.name))
                return false;
        if (count == DKIM_TAGS_MAX)
            return false;
        names[count++] = tag.name;
    }
}

bool
dkim_list_holds(struct slice list, struct slice word)
{
    while (list.len != 0)
        if (slice_equal_nocase(dkim_trim(slice_cut(&list, ':')), word))
            return true;
    return false;
}

static bool
is_base64_digit(char c)
{
    return ascii_is_alnum(c) || c == '+' || c == '/';
}

/* The digits of text, then as much padding as they need: what OpenSSL's
 * decoder, which takes more than the alphabet, reads as we do. */
static bool
normalize_base64(struct slice text, char *digits, size_t room, size_t *len)
{
    size_t padding = 0;
    size_t at = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_space(c))
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        if (!is_base64_digit(c) || padding != 0 || at == room)
            return false;
        digits[at++] = c;
    }
    *len = at;
    if (at % 4 == 1 || padding > 2)
        return false;
    if (padding != 0 && (at + padding) % 4 != 0)
        return false;
    while (at % 4 != 0)
        digits[at++] = '=';
    return true;
}

bool
dkim_base64_decode(struct slice text, unsigned char *octets, size_t room,
                   size_t *len)
{
    char digits[DKIM_BASE64_MAX + 3];
    unsigned char decoded[(DKIM_BASE64_MAX + 3) / 4 * 3 + 1];
    size_t count = 0;

    if (!normalize_base64(text, digits, DKIM_BASE64_MAX, &count))
        return false;
    *len = count / 4 * 3 + (count % 4 != 0 ? count % 4 - 1 : 0);
    if (*len > room || EVP_DecodeBlock(decoded, (const unsigned char *)digits,
                                       (int)((count + 3) / 4 * 4)) < 0)
        return false;
    memcpy(octets, decoded, *len);
    return true;
}
