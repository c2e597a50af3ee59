#include "misfit_parts.h"

struct slice
misfit_text(struct search *search, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct slice copy = arena_copy(&search->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

static struct slice
whole_command(struct search *search, struct slice command)
{
    static const struct slice program = SLICE("postconf ");
    struct buf directory = { 0 };

    if (search->directory.len == 0 || !slice_starts_nocase(command, program))
        return command;
    postconf_quote(search->directory, &directory);
    command = misfit_text(search, "postconf -c %.*s %.*s",
                          SLICE_ARG(buf_slice(&directory)),
                          SLICE_ARG(slice_tail(command, program.len)));
    buf_free(&directory);
    return command;
}

void
misfit_report(struct search *search, enum misfit_severity severity,
              const char *file, struct slice setting, struct slice sentence,
              struct slice command)
{
    search->sink->found(search->sink->ctx, severity, file, setting, sentence,
                        whole_command(search, command));
}

void
misfit_main(struct search *search, enum misfit_severity severity,
            const char *name, struct slice sentence, struct slice command)
{
    misfit_report(search, severity, "main.cf", slice_from(name), sentence,
                  command);
}

void
misfit_option(struct search *search, enum misfit_severity severity,
              const struct postconf_service *service, const char *name,
              struct slice sentence, struct slice command)
{
    struct slice setting = service->id;

    if (name != NULL)
        setting = misfit_text(search, "%.*s/%s", SLICE_ARG(service->id), name);
    misfit_report(search, severity, "master.cf", setting, sentence, command);
}

void
misfit_set(struct search *search, enum misfit_severity severity,
           const struct postconf_service *service, const char *name,
           const char *value, struct slice sentence)
{
    struct slice argument =
        misfit_text(search, "%.*s/%s=%s", SLICE_ARG(service->id), name, value);
    struct buf quoted = { 0 };

    postconf_quote(argument, &quoted);
    misfit_option(
        search, severity, service, name, sentence,
        misfit_text(search, "postconf -P %.*s", SLICE_ARG(buf_slice(&quoted))));
    buf_free(&quoted);
}

struct slice
misfit_of(const struct search *search, const struct postconf_service *service,
          const char *name)
{
    return postconf_of(search->postconf, service, name);
}

bool
misfit_leads_to_us(const struct search *search,
                   const struct postconf_service *service)
{
    struct slice filter = misfit_of(search, service, "smtpd_proxy_filter");

    for (size_t i = 0; i < search->conf->listener_count; i++)
        if (fronts_leads_to(filter, &search->conf->listeners[i].address,
                            search->queue_directory))
            return true;
    return false;
}

bool
misfit_has_table(struct slice list)
{
    static const struct slice inline_map = SLICE("inline:");
    struct slice element;

    while (postconf_next(&list, &element))
        if (slice_find(element, ':') < element.len &&
            !slice_starts_nocase(element, inline_map))
            return true;
    return false;
}

void
misfit_find(const struct conf *conf, const struct postconf *postconf,
            struct slice directory, const struct misfit_sink *sink)
{
    struct search search = {
        .conf = conf,
        .postconf = postconf,
        .directory = directory,
        .sink = sink,
        .back = fronts_at(postconf, &conf->upstream.address),
        .queue_directory = postconf_value(postconf, "queue_directory"),
    };

    search.front_count = fronts_find(postconf, conf, search.fronts);
    misfit_fronts(&search);
    misfit_back(&search);
    misfit_signed(&search);
    misfit_site(&search);
    arena_free(&search.arena);
}
