/* Is what DNS says our key? */
#include "dkimwork.h"

#include "dnsask.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char *format_text(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *
format_text(struct arena *arena, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    const char *copy = arena_cstr(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* Who was asked, where we know it. */
static const char *
trouble_text(const struct conf *conf, const char *why, struct arena *arena)
{
    struct buf servers = { 0 };

    if (conf->dns.server_count == 0)
        return format_text(arena, "%s (the resolvers of this host)", why);
    for (size_t i = 0; i < conf->dns.server_count; i++)
        buf_printf(&servers, "%s%.*s", i != 0 ? ", " : "",
                   SLICE_ARG(conf->dns.servers[i].text));
    const char *text =
        format_text(arena, "%s (dns.servers: %s)", why, buf_cstr(&servers));
    buf_free(&servers);
    return text;
}

static void
judge(struct dkim_verdict *verdict, const struct dns_query *query,
      const struct conf *conf, struct arena *arena)
{
    verdict->text = NULL;
    switch (query->status) {
    case DNS_TROUBLE:
        verdict->published = DKIM_UNKNOWN;
        verdict->text = trouble_text(conf, query->why, arena);
        return;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        verdict->published = DKIM_MISSING;
        verdict->text = "is not published";
        return;
    case DNS_FOUND:
        break;
    }
    if (query->count > 1) {
        /* RFC 6376, 3.6.2.2: the results are undefined. */
        verdict->published = DKIM_DIFFERS;
        verdict->text = format_text(
            arena, "%s%zu TXT records under one name; there must be one",
            query->count == DNS_RECORDS_KEPT ? "at least " : "", query->count);
        return;
    }
    const char *wrong = dkim_record_compare(verdict->key, query->records[0]);
    verdict->published = wrong != NULL ? DKIM_DIFFERS : DKIM_PUBLISHED;
    verdict->text = wrong != NULL ? format_text(arena, "the record %s", wrong)
                                  : dkim_record_note(query->records[0]);
    if (wrong == NULL && verdict->text != NULL)
        verdict->text = format_text(arena, "the record %s", verdict->text);
}

/* A name without a TXT record may still be there: as an alias of a name that
 * has none, or is misspelt. */
static void
look_for_aliases(const struct conf *conf, struct dkim_verdict *verdicts,
                 const struct dns_query *asked, size_t count,
                 struct arena *arena)
{
    struct dns_query *queries = mem_alloc(count * sizeof(*queries));
    struct dkim_verdict **of = mem_alloc(count * sizeof(*of));
    size_t missing = 0;

    for (size_t i = 0; i < count; i++) {
        if (verdicts[i].published != DKIM_MISSING)
            continue;
        of[missing] = &verdicts[i];
        queries[missing++] =
            (struct dns_query){ .name = asked[i].name, .type = DNS_CNAME };
    }
    if (missing != 0)
        dns_ask(conf, queries, missing, arena);
    for (size_t i = 0; i < missing; i++)
        if (queries[i].status == DNS_FOUND)
            of[i]->text = format_text(
                arena,
                "its name is an alias (CNAME) of %.*s, which has no TXT record",
                SLICE_ARG(queries[i].records[0]));
    free(of);
    free(queries);
}

void
dkim_ask_dns(const struct conf *conf, struct dkim_verdict *verdicts,
             size_t count, struct arena *arena)
{
    struct dns_query *queries = mem_alloc(count * sizeof(*queries));

    for (size_t i = 0; i < count; i++)
        queries[i] = (struct dns_query){
            .name = format_text(arena, "%.*s._domainkey.%.*s",
                                SLICE_ARG(verdicts[i].key->selector),
                                SLICE_ARG(verdicts[i].key->domain)),
            .type = DNS_TXT,
        };
    dns_ask(conf, queries, count, arena);
    for (size_t i = 0; i < count; i++)
        judge(&verdicts[i], &queries[i], conf, arena);
    look_for_aliases(conf, verdicts, queries, count, arena);
    free(queries);
}

/* ---- the command ------------------------------------------------------- */

static const char *
word(enum dkim_published published)
{
    switch (published) {
    case DKIM_PUBLISHED:
        return "ok";
    case DKIM_MISSING:
        return "missing";
    case DKIM_DIFFERS:
        return "differs";
    case DKIM_UNKNOWN:
        return "unknown";
    }
    return "";
}

static void
print_verdict(const struct dkim_verdict *verdict)
{
    const struct dkim_key *key = verdict->key;

    cli_say("%.*s %.*s %s: %s", SLICE_ARG(key->domain),
            SLICE_ARG(key->selector), dkim_key_state_word(key->state),
            word(verdict->published));
    if (verdict->text != NULL)
        cli_say(": %s", verdict->text);
    if (verdict->published == DKIM_MISSING ||
        verdict->published == DKIM_DIFFERS)
        cli_say("; onward dkim dns %.*s prints it as it should be",
                SLICE_ARG(key->domain));
    putchar('\n');
}

static void
print_json(const struct dkim_verdict *verdicts, size_t count)
{
    struct buf out = { 0 };

    buf_putc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct dkim_key *key = verdicts[i].key;
        buf_printf(&out,
                   "%s{\"domain\":\"%.*s\",\"selector\":\"%.*s\","
                   "\"state\":\"%s\",\"result\":\"%s\",\"text\":\"",
                   i != 0 ? "," : "", SLICE_ARG(key->domain),
                   SLICE_ARG(key->selector), dkim_key_state_word(key->state),
                   word(verdicts[i].published));
        log_escape_json(&out, slice_from(verdicts[i].text));
        buf_puts(&out, "\"}");
    }
    buf_puts(&out, "]\n");
    dkim_print(buf_slice(&out));
    buf_free(&out);
}

/* A retired key's record may go, so that its absence is no fault. */
static int
exit_code(const struct dkim_verdict *verdicts, size_t count)
{
    int code = CLI_OK;

    for (size_t i = 0; i < count; i++) {
        switch (verdicts[i].published) {
        case DKIM_PUBLISHED:
            break;
        case DKIM_MISSING:
            if (verdicts[i].key->state != DKIM_KEY_OLD)
                code = CLI_NO;
            break;
        case DKIM_DIFFERS:
            code = CLI_NO;
            break;
        case DKIM_UNKNOWN:
            if (code == CLI_OK)
                code = CLI_TRY_AGAIN;
            break;
        }
    }
    return code;
}

static int
check(const struct conf *conf, struct slice domain, bool json)
{
    size_t total = dkim_keyset_count(conf->dkim.keys);
    struct dkim_verdict *verdicts = mem_alloc(total * sizeof(*verdicts));
    struct arena arena = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < total; i++) {
        const struct dkim_key *key = dkim_keyset_key(conf->dkim.keys, i);
        if (dkim_is_of(key, domain))
            verdicts[count++].key = key;
    }
    int code = CLI_NO;
    if (count == 0 && domain.len != 0) {
        cli_error("there is no key for %.*s", SLICE_ARG(domain));
    } else {
        dkim_ask_dns(conf, verdicts, count, &arena);
        if (json)
            print_json(verdicts, count);
        for (size_t i = 0; !json && i < count; i++)
            print_verdict(&verdicts[i]);
        code = exit_code(verdicts, count);
    }
    arena_free(&arena);
    free(verdicts);
    return code;
}

int
dkim_check(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    bool all = false;
    bool json = false;
    int code = CLI_USAGE;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'a')
            all = true;
        else if (letter == 'j')
            json = true;
        else
            return cli_usage("dkim check");
    }
    /* Nothing named is all. */
    if (dkim_domain_argument("dkim check", all || optind == argc, argc - optind,
                             argv + optind, &arena, &domain)) {
        struct conf *conf = dkim_load(cli);
        code = conf != NULL ? check(conf, domain, json) : CLI_BAD_CONF;
        conf_unref(conf);
    }
    arena_free(&arena);
    return code;
}
