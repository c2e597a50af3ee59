/* The group dkim: lists of field names, and the keys. */
#include "build.h"

enum {
    EXPIRE_DAYS_MIN = 7
};

static bool
holds(const struct dkim_names *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal_nocase(list->names[i], name))
            return true;
    return false;
}

static void
build_names(const struct conf_reading *r, const char *setting,
            const struct dkim_names *fallback, struct dkim_names *list)
{
    struct conf_got got = conf_get(r, NULL, setting);

    *list = *fallback;
    if (got.node == NULL)
        return;
    struct slice *names =
        arena_alloc(r->arena, (got.node->count + 1) * sizeof(*names));
    *list = (struct dkim_names){ names, 0 };
    for (const struct conf_node *n = got.node->first; n != NULL; n = n->next) {
        struct slice name;
        if (!conf_element(n, &name))
            continue;
        if (!dkim_name_may_be_signed(name))
            conf_error(r, n, NULL,
                       "%s cannot be signed: it is no field name, or a field "
                       "that is changed on the way",
                       conf_quote(r, name));
        else if (holds(list, name))
            conf_error(r, n, NULL, "%s stands in the list twice",
                       conf_quote(r, name));
        else
            names[list->count++] = name;
    }
    /* Without From a signature says nothing about the author, and without
     * it in oversign a second From could be put above the first. */
    if (!holds(list, SLICE_OF("From")))
        conf_error(r, got.node, NULL, "From is missing; it must be in it");
}

static void
load_keys(const struct conf_reading *r, struct conf *conf)
{
    const struct conf *before = r->inputs->before;
    struct buf errors = { 0 };
    struct buf warnings = { 0 };

    conf->dkim.keys =
        dkim_keyset_load(arena_cstr(r->arena, conf->dkim.key_directory),
                         before == NULL ? NULL : before->dkim.keys,
                         r->inputs->threads, &errors, &warnings);
    problem_add_lines(r->errors, buf_slice(&errors));
    problem_add_lines(r->warnings, buf_slice(&warnings));
    buf_free(&errors);
    buf_free(&warnings);
}

/* Mail waits in queues for five days, and a signature that expires there
 * harms the message that it was made for. */
static void
build_expire(const struct conf_reading *r, struct conf *conf)
{
    struct conf_got expire = conf_get(r, NULL, "dkim.expire");

    conf->dkim.expire_seconds = (int64_t)(expire.number / 1000);
    if (expire.number % 1000 != 0)
        conf_error_setting(r, "dkim.expire", "%s: whole seconds are wanted",
                           conf_quote(r, expire.text));
    else if (expire.number != 0 &&
             conf->dkim.expire_seconds < EXPIRE_DAYS_MIN * 86400)
        conf_error_setting(r, "dkim.expire",
                           "%s is less than %dd: signatures would expire while "
                           "mail waits in queues; write \"%dd\" or more, or "
                           "\"0s\"",
                           conf_quote(r, expire.text), EXPIRE_DAYS_MIN,
                           EXPIRE_DAYS_MIN);
}

void
conf_build_dkim(const struct conf_reading *r, struct conf *conf)
{
    conf->dkim.key_directory =
        arena_copy(r->arena, conf_get(r, NULL, "dkim.key_directory").text);
    conf->dkim.sign_forwarded = conf_get(r, NULL, "dkim.sign_forwarded").truth;
    conf->dkim.subdomains = conf_get(r, NULL, "dkim.subdomains").truth;
    conf->dkim.sign_mismatch =
        conf_get(r, NULL, "dkim.from_mismatch").number == 1;
    conf->dkim.skip_null = conf_get(r, NULL, "dkim.null_sender").number == 1;
    conf->dkim.send_on_error = conf_get(r, NULL, "dkim.on_error").number == 1;
    build_expire(r, conf);
    build_names(r, "dkim.headers", &dkim_default_headers, &conf->dkim.headers);
    build_names(r, "dkim.oversign", &dkim_default_oversign,
                &conf->dkim.oversign);
    if (conf->dkim.key_directory.len != 0 &&
        conf_check_directory(r, "dkim.key_directory"))
        load_keys(r, conf);
}
