#include "names.h"

#include <string.h>

/* What verifiers do not agree on (RFC 5322 has no such messages). */
enum {
    ODD = MAIL_NO_COLON | MAIL_LEADING_FOLD | MAIL_BLANK_BEFORE_COLON |
          MAIL_BYTE_ORDER_MARK | MAIL_MBOX_FROM | MAIL_BAD_NAME |
          MAIL_MANY_FIELDS
};

/* Some verifiers take VT and FF for white space. */
static bool
has_form_feed(const struct mail_header *header, const struct dkim_names *names)
{
    for (size_t i = 0; i < header->count; i++) {
        struct mail_field field = mail_header_field(header, i);
        if (memchr(field.raw.ptr, '\v', field.raw.len) == NULL &&
            memchr(field.raw.ptr, '\f', field.raw.len) == NULL)
            continue;
        if (dkim_names_hold(*names, field.name))
            return true;
    }
    return false;
}

const char *
dkim_examine(const struct mail_header *header, const struct dkim_names *headers)
{
    struct arena arena = { 0 };
    struct slice domain = { 0 };

    if (header->oddities & ODD)
        return "odd-header";
    if (header->oddities & MAIL_HUGE_FIELD)
        return "huge-field";
    if ((header->oddities & MAIL_FORM_FEED) && has_form_feed(header, headers))
        return "form-feed";
    enum mail_from_status from = mail_from_domain(header, &arena, &domain);
    arena_free(&arena);
    return from == MAIL_FROM_OK ? NULL : mail_from_status_word(from);
}
