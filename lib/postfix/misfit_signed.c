/* What Postfix does to mail after we have signed it. */
#include "misfit_parts.h"

enum {
    FIELD_MAX = 102400, /* header_size_limit's default; no more is signed */
    LINE_MAX_SMTP = 998 /* RFC 5322, 2.1.1 */
};

static bool
is_number_below(struct slice value, uint64_t least)
{
    uint64_t number = 0;

    return slice_to_u64(value, &number) && number < least;
}

/* ---- cleanup(8) -------------------------------------------------------- */

static const struct postconf_service *
find_cleanup(struct search *search)
{
    struct slice name = misfit_of(search, search->back, "cleanup_service_name");

    return postconf_service(search->postconf,
                            misfit_text(search, "%.*s/unix", SLICE_ARG(name)));
}

static void
check_completion(struct search *search, const struct postconf_service *cleanup)
{
    const struct postconf_service *back = search->back;

    if (misfit_of(search, back, "local_header_rewrite_clients").len != 0)
        misfit_set(search, MISFIT_WARNING, back, "local_header_rewrite_clients",
                   "",
                   SLICE_OF("not empty: header fields are completed after the "
                            "signature"));
    if (cleanup != NULL && postconf_is_yes(misfit_of(
                               search, cleanup, "always_add_missing_headers")))
        misfit_set(search, MISFIT_WARNING, cleanup,
                   "always_add_missing_headers", "no",
                   SLICE_OF("yes: header fields are added after the "
                            "signature"));
    if (cleanup != NULL &&
        misfit_of(search, cleanup, "remote_header_rewrite_domain").len != 0)
        misfit_set(search, MISFIT_WARNING, cleanup,
                   "remote_header_rewrite_domain", "",
                   SLICE_OF("not empty: addresses in header fields are "
                            "completed and mapped after the signature"));
}

/* The tables may do no more than reject: we do not read them. */
static void
check_tables(struct search *search, const struct postconf_service *cleanup)
{
    static const char *const names[] = { "header_checks", "body_checks",
                                         "mime_header_checks",
                                         "nested_header_checks" };
    struct slice overrides =
        misfit_of(search, search->back, "receive_override_options");
    struct slice first = misfit_of(search, cleanup, names[0]);

    if (postconf_lists(overrides, SLICE_OF("no_header_body_checks")))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice maps = misfit_of(search, cleanup, names[i]);
        /* The last two are $header_checks unless they are set. */
        if (maps.len == 0 || (i >= 2 && slice_equal(maps, first)))
            continue;
        misfit_option(search, MISFIT_WARNING, cleanup, names[i],
                      misfit_text(search,
                                  "%.*s: runs after the signature; REJECT is "
                                  "fine there, REPLACE, PREPEND, STRIP and "
                                  "IGNORE of what is signed break it",
                                  SLICE_ARG(maps)),
                      SLICE_OF(""));
    }
}

static void
check_content(struct search *search, const struct postconf_service *cleanup)
{
    const struct dkim_names *names = &search->conf->dkim.headers;
    struct slice dropped = misfit_of(search, cleanup, "message_drop_headers");

    for (size_t i = 0; i < names->count; i++)
        if (postconf_lists(dropped, names->names[i]))
            misfit_option(
                search, MISFIT_WARNING, cleanup, "message_drop_headers",
                misfit_text(search, "%.*s is dropped after it was signed",
                            SLICE_ARG(names->names[i])),
                SLICE_OF(""));
    if (misfit_of(search, cleanup, "message_strip_characters").len != 0)
        misfit_set(search, MISFIT_WARNING, cleanup, "message_strip_characters",
                   "",
                   SLICE_OF("not empty: characters are removed after the "
                            "signature"));
    if (is_number_below(misfit_of(search, cleanup, "header_size_limit"),
                        FIELD_MAX))
        misfit_set(search, MISFIT_WARNING, cleanup, "header_size_limit",
                   "102400",
                   SLICE_OF("below 102400: longer header fields are cut off "
                            "after the signature"));
}

static void
check_filter(struct search *search)
{
    struct slice filter = misfit_of(search, search->back, "content_filter");

    if (filter.len != 0)
        misfit_set(search, MISFIT_WARNING, search->back, "content_filter", "",
                   misfit_text(search,
                               "%.*s: runs after the signature, which does "
                               "not survive what it changes",
                               SLICE_ARG(filter)));
}

/* ---- smtp(8) ----------------------------------------------------------- */

/* A parameter of smtp(8), wherever it stands. `value`: what mends it, or
 * NULL. */
struct sender_rule {
    const char *name;
    bool (*breaks)(struct slice value);
    const char *value;
    struct slice sentence;
};

static bool
is_set(struct slice value)
{
    return value.len != 0;
}

static bool
is_not_yes(struct slice value)
{
    return !postconf_is_yes(value);
}

/* 0 is no limit. */
static bool
is_short_line(struct slice value)
{
    return is_number_below(value, LINE_MAX_SMTP) && !is_number_below(value, 1);
}

static const struct sender_rule sender_rules[] = {
    { "disable_mime_output_conversion", is_not_yes, "yes",
      SLICE("not yes: for hosts without 8BITMIME 8-bit mail becomes "
            "quoted-printable after the signature") },
    { "smtp_line_length_limit", is_short_line, "998",
      SLICE("below 998: longer lines are folded after the signature") },
    { "smtp_generic_maps", is_set, NULL,
      SLICE("addresses in header fields are mapped after the signature") },
    { "smtp_header_checks", is_set, NULL,
      SLICE("runs after the signature; what it changes breaks it") },
    { "smtp_mime_header_checks", is_set, NULL,
      SLICE("runs after the signature; what it changes breaks it") },
    { "smtp_nested_header_checks", is_set, NULL,
      SLICE("runs after the signature; what it changes breaks it") },
    { "smtp_body_checks", is_set, NULL,
      SLICE("runs after the signature; what it changes breaks it") },
};

static void
check_sender(struct search *search, const struct sender_rule *rule)
{
    bool main_holds = false;

    if (!postconf_knows(search->postconf, rule->name))
        return;
    for (size_t i = 0; i < search->postconf->service_count; i++) {
        const struct postconf_service *service = &search->postconf->services[i];
        if (!slice_equal(service->command, SLICE_OF("smtp")))
            continue;
        if (postconf_find(&service->options, slice_from(rule->name)) == NULL)
            main_holds = true;
        else if (!rule->breaks(misfit_of(search, service, rule->name)))
            continue;
        else if (rule->value != NULL)
            misfit_set(search, MISFIT_WARNING, service, rule->name, rule->value,
                       rule->sentence);
        else
            misfit_option(search, MISFIT_WARNING, service, rule->name,
                          rule->sentence, SLICE_OF(""));
    }
    if (main_holds &&
        rule->breaks(postconf_value(search->postconf, rule->name)))
        misfit_main(search, MISFIT_WARNING, rule->name, rule->sentence,
                    rule->value == NULL
                        ? SLICE_OF("")
                        : misfit_text(search, "postconf -e '%s = %s'",
                                      rule->name, rule->value));
}

void
misfit_signed(struct search *search)
{
    if (search->back == NULL)
        return;
    const struct postconf_service *cleanup = find_cleanup(search);

    check_completion(search, cleanup);
    if (search->conf->dkim.key_directory.len == 0)
        return;
    if (cleanup != NULL) {
        check_tables(search, cleanup);
        check_content(search, cleanup);
    }
    check_filter(search);
    for (size_t i = 0; i < sizeof(sender_rules) / sizeof(sender_rules[0]); i++)
        check_sender(search, &sender_rules[i]);
}
