/* Limits, timeouts, log, directories. */
#include "build.h"

#include <sys/stat.h>

bool
conf_check_directory(const struct conf_reading *r, const char *name)
{
    struct conf_got got = conf_get(r, NULL, name);
    struct stat st;

    if (got.text.len == 0)
        return false;
    if (got.text.ptr[0] != '/') {
        conf_error_setting(r, name, "%s is a relative path; write it from / on",
                           conf_quote(r, got.text));
        return false;
    }
    const char *path = arena_cstr(r->arena, got.text);
    bool there = stat(path, &st) == 0;
    const char *what = there ? "is not a directory" : "does not exist";

    if (there && S_ISDIR(st.st_mode))
        return true;
    if (got.origin == FROM_FILE)
        conf_error_setting(r, name, "%s %s%s%s", conf_quote(r, got.text), what,
                           there ? "" : "; make it with: mkdir -p ",
                           there ? "" : path);
    else
        conf_warn_setting(r, name, "%s (the default) %s",
                          conf_quote(r, got.text), what);
    return false;
}

static void
build_log(const struct conf_reading *r, struct conf *conf)
{
    static const struct slice file = SLICE("file:");
    static const struct slice targets[] = { SLICE("auto"), SLICE("syslog"),
                                            SLICE("journal"), SLICE("stderr") };
    struct conf_got got = conf_get(r, NULL, "log.target");
    bool known = false;

    conf->log.level = (enum log_level)conf_get(r, NULL, "log.level").number;
    conf->log.format = (enum log_format)conf_get(r, NULL, "log.format").number;
    conf->log.addresses =
        (enum conf_log_addresses)conf_get(r, NULL, "log.addresses").number;
    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (slice_equal(got.text, targets[i])) {
            conf->log.target = (enum conf_log_target)i;
            known = true;
        }
    }
    if (slice_equal(slice_head(got.text, file.len), file) &&
        got.text.len > file.len && got.text.ptr[file.len] == '/') {
        conf->log.target = CONF_LOG_FILE;
        conf->log.file = arena_copy(r->arena, slice_tail(got.text, file.len));
        known = true;
    }
    if (!known)
        conf_error_setting(r, "log.target",
                           "%s is not known here; choose \"auto\", "
                           "\"syslog\", \"journal\", \"stderr\" or "
                           "\"file:/path\"",
                           conf_quote(r, got.text));
}

static unsigned
count(const struct conf_reading *r, const char *name)
{
    return (unsigned)conf_get(r, NULL, name).number;
}

void
conf_build_rest(const struct conf_reading *r, struct conf *conf)
{
    conf->limits.sessions = count(r, "limits.sessions");
    conf->limits.recipients = count(r, "limits.recipients");
    conf->limits.hops = count(r, "limits.hops");
    conf->limits.errors = count(r, "limits.errors");
    conf->limits.message_size = conf_get(r, NULL, "limits.message_size").number;
    conf->limits.header_size = conf_get(r, NULL, "limits.header_size").number;
    conf->limits.message_memory =
        conf_get(r, NULL, "limits.message_memory").number;
    conf->limits.spool_total = conf_get(r, NULL, "limits.spool_total").number;
    conf->timeouts.command = count(r, "timeouts.command");
    conf->timeouts.content = count(r, "timeouts.content");
    conf->timeouts.drain = count(r, "timeouts.drain");
    build_log(r, conf);

    conf->state_directory =
        arena_copy(r->arena, conf_get(r, NULL, "state_directory").text);
    conf_check_directory(r, "state_directory");
    conf->postfix_directory = arena_copy(
        r->arena, conf_get(r, NULL, "postfix.config_directory").text);
    /* A host without Postfix has no /etc/postfix either: not worth a word. */
    if (conf_written(r, "postfix.config_directory") != NULL)
        conf_check_directory(r, "postfix.config_directory");
}
