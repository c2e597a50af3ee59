/* Rows about what Postfix does to mail after we have signed it. */
#include "wanted.h"

bool
we_sign(const struct place *p)
{
    return p->site->conf->dkim.key_directory.len != 0;
}

bool
cleanup_checks_content(const struct place *p)
{
    return we_sign(p) && !postconf_lists(site_of(p->site, p->site->back,
                                                 "receive_override_options"),
                                         SLICE_OF("no_header_body_checks"));
}

/* The tables may do no more than reject: we do not read them. */
bool
cleanup_checks(const struct place *p, struct judgement *j)
{
    struct slice name = slice_from(p->row->name);
    bool first = slice_equal(name, SLICE_OF("header_checks"));
    bool body = slice_equal(name, SLICE_OF("body_checks"));

    j->sentence = site_text(p->site,
                            "%.*s: runs after the signature; REJECT is fine "
                            "there, REPLACE, PREPEND, STRIP and IGNORE of "
                            "what is signed break it",
                            SLICE_ARG(p->value));
    /* The others are $header_checks unless they are set. */
    return p->value.len != 0 &&
           (first || body ||
            !slice_equal(p->value,
                         site_of(p->site, p->service, "header_checks")));
}

bool
cleanup_drops_signed(const struct place *p, struct judgement *j)
{
    const struct dkim_names *names = &p->site->conf->dkim.headers;
    struct buf list = { 0 };

    for (size_t i = 0; i < names->count; i++)
        if (postconf_lists(p->value, names->names[i]))
            buf_printf(&list, "%s%.*s", list.len != 0 ? ", " : "",
                       SLICE_ARG(names->names[i]));
    j->sentence = site_text(p->site, "%.*s is dropped after it was signed",
                            SLICE_ARG(buf_slice(&list)));
    bool any = list.len != 0;
    buf_free(&list);
    return any;
}
