#include "dmarcrecord.h"

#include "dkim.h"

struct tags {
    struct dkim_tag v, p, sp, np, adkim, aspf, psd, t, rua;
};

static bool
is_there(struct dkim_tag tag)
{
    return tag.name.len != 0;
}

/*
 * Every tag that has a meaning here, once. What is no tag is passed over (4.8),
 * but for the first: it is v=DMARC1, in this case.
 */
static bool
collect(struct slice text, struct tags *tags)
{
    struct {
        const char *name;
        struct dkim_tag *tag;
    } wanted[] = {
        { "v", &tags->v },         { "p", &tags->p },
        { "sp", &tags->sp },       { "np", &tags->np },
        { "adkim", &tags->adkim }, { "aspf", &tags->aspf },
        { "psd", &tags->psd },     { "t", &tags->t },
        { "rua", &tags->rua },
    };
    struct dkim_tag tag;

    if (dkim_tag_next(&text, &tag) != DKIM_TAG ||
        !slice_equal_nocase(tag.name, SLICE_OF("v")) ||
        !slice_equal(tag.value, SLICE_OF("DMARC1")))
        return false;
    tags->v = tag;
    for (;;) {
        enum dkim_tag_status status = dkim_tag_next(&text, &tag);
        if (status == DKIM_TAG_END)
            return true;
        if (status == DKIM_TAG_BAD)
            continue;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (!slice_equal(tag.name, slice_from(wanted[i].name)))
                continue;
            if (is_there(*wanted[i].tag))
                return false;
            *wanted[i].tag = tag;
        }
    }
}

/* False: the tag is there, with another value. */
static bool
read_policy(struct dkim_tag tag, enum dmarc_policy *policy)
{
    static const enum dmarc_policy policies[] = { DMARC_POLICY_NONE,
                                                  DMARC_POLICY_QUARANTINE,
                                                  DMARC_POLICY_REJECT };

    if (!is_there(tag))
        return true;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (!slice_equal_nocase(tag.value,
                                slice_from(dmarc_policy_word(policies[i]))))
            continue;
        *policy = policies[i];
        return true;
    }
    return false;
}

static bool
is_letter(struct dkim_tag tag, char letter)
{
    return tag.value.len == 1 && ascii_lower(tag.value.ptr[0]) == letter;
}

/* ---- rua= -------------------------------------------------------------- */

/* "!10m" at the end of a URI, which older records have (obs-dmarc-uri). */
static struct slice
without_size(struct slice uri)
{
    size_t at = slice_find_last(uri, '!');
    struct slice size = slice_tail(uri, at + 1);

    if (at == uri.len)
        return uri;
    if (size.len != 0 && ascii_is_alpha(size.ptr[size.len - 1]))
        size.len--;
    if (size.len == 0)
        return uri;
    for (size_t i = 0; i < size.len; i++)
        if (!ascii_is_digit(size.ptr[i]))
            return uri;
    return slice_head(uri, at);
}

/* URI (RFC 3986, 3): a scheme, a colon, octets of its alphabet; commas and
 * exclamation marks are written in percent. */
static bool
is_uri(struct slice s)
{
    static const struct slice marks = SLICE("-._~:/?#[]@$&'()*+;=%");
    size_t colon = slice_find(s, ':');

    if (colon == s.len || colon == 0 || !ascii_is_alpha(s.ptr[0]))
        return false;
    for (size_t i = 1; i < colon; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '+' && s.ptr[i] != '-' &&
            s.ptr[i] != '.')
            return false;
    for (size_t i = colon + 1; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) &&
            slice_find(marks, s.ptr[i]) == marks.len)
            return false;
    return true;
}

static bool
holds_uri(struct slice list)
{
    while (list.len != 0)
        if (is_uri(without_size(dkim_trim(slice_cut(&list, ',')))))
            return true;
    return false;
}

/* ---- all of it --------------------------------------------------------- */

bool
dmarc_record_read(struct slice text, struct dmarc_record *record)
{
    struct tags tags = { 0 };

    *record = (struct dmarc_record){ 0 };
    if (!collect(text, &tags))
        return false;
    record->is_test = is_letter(tags.t, 'y');
    record->strict_dkim = is_letter(tags.adkim, 's');
    record->strict_spf = is_letter(tags.aspf, 's');
    if (is_letter(tags.psd, 'y'))
        record->psd = DMARC_PSD_YES;
    else if (is_letter(tags.psd, 'n'))
        record->psd = DMARC_PSD_NO;
    record->has_sp = is_there(tags.sp);
    record->has_np = is_there(tags.np);
    record->applies = is_there(tags.p) && read_policy(tags.p, &record->p) &&
                      read_policy(tags.sp, &record->sp) &&
                      read_policy(tags.np, &record->np);
    if (!record->applies) {
        record->applies = holds_uri(tags.rua.value);
        record->p = DMARC_POLICY_NONE;
        record->has_sp = false;
        record->has_np = false;
    }
    return true;
}
