#include "check_dns.h"

#include "dkimwork.h"
#include "dnsask.h"

#include <stdlib.h>

struct checking {
    const struct conf *conf;
    struct check_report *report;
    struct buf place; /* of the settings of srs: "FILE:LINE: srs.domain" */
    bool wrong;
    bool unanswered;
};

enum severity {
    WARNING,
    WRONG,
    UNANSWERED,
};

static void report(struct checking *checking, enum severity severity,
                   struct slice place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void
report(struct checking *checking, enum severity severity, struct slice place,
       const char *format, ...)
{
    struct buf *out = severity == WARNING ? &checking->report->warnings
                                          : &checking->report->errors;
    va_list args;

    checking->wrong = checking->wrong || severity == WRONG;
    checking->unanswered = checking->unanswered || severity == UNANSWERED;
    buf_printf(out, "%.*s: ", SLICE_ARG(place));
    va_start(args, format);
    buf_vprintf(out, format, args);
    va_end(args);
    buf_putc(out, '\n');
}

/* ---- SRS domains: MX --------------------------------------------------- */

static bool
is_host(struct slice record, struct slice name)
{
    if (record.len != 0 && record.ptr[record.len - 1] == '.')
        record.len--;
    return slice_equal_nocase(record, name);
}

static void
judge_mx(struct checking *checking, struct slice domain,
         const struct dns_query *mx)
{
    struct slice place = buf_slice(&checking->place);
    struct slice hostname = checking->conf->hostname;

    switch (mx->status) {
    case DNS_TROUBLE:
        report(checking, UNANSWERED, place,
               "whether %.*s has an MX cannot be asked: %s", SLICE_ARG(domain),
               mx->why);
        return;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        report(checking, WRONG, place,
               "%.*s has no MX, so bounces do not come back; publish: %.*s. "
               "IN MX 10 %.*s.",
               SLICE_ARG(domain), SLICE_ARG(domain), SLICE_ARG(hostname));
        return;
    case DNS_FOUND:
        break;
    }
    for (size_t i = 0; i < mx->count; i++)
        if (is_host(mx->records[i], hostname))
            return;
    if (mx->count == 1 && is_host(mx->records[0], SLICE_OF("")))
        report(checking, WRONG, place,
               "%.*s has the null MX, which says that it takes no mail; "
               "publish: %.*s. IN MX 10 %.*s.",
               SLICE_ARG(domain), SLICE_ARG(domain), SLICE_ARG(hostname));
    else /* a host of a cluster, or a name for this one */
        report(checking, WARNING, place,
               "the MX of %.*s is %.*s%s, not this host (%.*s): bounces must "
               "find their way to a host with this secret",
               SLICE_ARG(domain), SLICE_ARG(mx->records[0]),
               mx->count > 1 ? " and others" : "", SLICE_ARG(hostname));
}

/* ---- SRS domains: SPF -------------------------------------------------- */

/* RFC 7208, 4.5: the version, alone or before a blank. */
static bool
is_spf(struct slice record)
{
    struct slice version = SLICE_OF("v=spf1");

    return record.len >= version.len &&
           slice_equal_nocase(slice_head(record, version.len), version) &&
           (record.len == version.len || record.ptr[version.len] == ' ');
}

/* What a record says of everybody who is not named before. */
struct spf_terms {
    size_t others; /* terms that may name hosts */
    char all;      /* qualifier of `all`; '\0' without */
};

static struct spf_terms
read_spf(struct slice record)
{
    struct spf_terms terms = { 0 };

    (void)slice_cut(&record, ' '); /* the version */
    while (record.len != 0) {
        struct slice term = slice_cut(&record, ' ');
        struct slice name = term;
        char qualifier = '+';
        if (term.len == 0)
            continue;
        if (term.ptr[0] == '+' || term.ptr[0] == '-' || term.ptr[0] == '~' ||
            term.ptr[0] == '?') {
            qualifier = term.ptr[0];
            name = slice_tail(term, 1);
        }
        if (slice_equal_nocase(name, SLICE_OF("all"))) {
            terms.all = qualifier;
            break; /* what stands behind it is not looked at */
        }
        terms.others += qualifier == '+';
    }
    return terms;
}

static void
judge_spf(struct checking *checking, struct slice domain,
          const struct dns_query *txt)
{
    struct slice place = buf_slice(&checking->place);
    struct slice spf = { 0 };
    size_t count = 0;

    if (txt->status == DNS_TROUBLE) {
        report(checking, UNANSWERED, place,
               "whether %.*s has SPF cannot be asked: %s", SLICE_ARG(domain),
               txt->why);
        return;
    }
    for (size_t i = 0; i < txt->count; i++) {
        if (!is_spf(txt->records[i]))
            continue;
        spf = txt->records[i];
        count++;
    }
    if (count == 0) {
        report(checking, WRONG, place,
               "%.*s has no SPF record, so what is forwarded passes no SPF; "
               "publish: %.*s. IN TXT \"v=spf1 mx -all\"",
               SLICE_ARG(domain), SLICE_ARG(domain));
        return;
    }
    if (count > 1) { /* RFC 7208, 4.5: permerror */
        report(checking, WRONG, place,
               "%.*s has %zu SPF records, which is as good as none; leave one",
               SLICE_ARG(domain), count);
        return;
    }
    struct spf_terms terms = read_spf(spf);
    if (terms.others == 0 && terms.all != '+' && terms.all != '\0')
        report(checking, WRONG, place,
               "the SPF record of %.*s allows nobody to send: %.*s",
               SLICE_ARG(domain), SLICE_ARG(spf));
    else if (terms.all == '+')
        report(checking, WARNING, place,
               "the SPF record of %.*s allows the whole world to send: %.*s",
               SLICE_ARG(domain), SLICE_ARG(spf));
}

static void
find_place(struct checking *checking, const struct cli *cli)
{
    const struct conf *conf = checking->conf;

    for (size_t i = 0; i < conf->value_count; i++)
        if (slice_equal(conf->values[i].name, SLICE_OF("srs.domain"))) {
            buf_printf(&checking->place, "%.*s: srs.domain",
                       SLICE_ARG(conf->values[i].source));
            return;
        }
    buf_printf(&checking->place, "%s: srs", cli->conf_path);
}

static void
check_srs_domains(struct checking *checking, struct arena *arena)
{
    const struct conf *conf = checking->conf;
    size_t count = conf->srs.enabled ? conf->srs.every_count : 0;
    struct dns_query *queries = mem_alloc((2 * count + 1) * sizeof(*queries));

    for (size_t i = 0; i < count; i++) {
        const char *name = arena_cstr(arena, conf->srs.every[i]);
        queries[2 * i] = (struct dns_query){ .name = name, .type = DNS_MX };
        queries[2 * i + 1] =
            (struct dns_query){ .name = name, .type = DNS_TXT };
    }
    dns_ask(conf, queries, 2 * count, arena);
    for (size_t i = 0; i < count; i++) {
        judge_mx(checking, conf->srs.every[i], &queries[2 * i]);
        judge_spf(checking, conf->srs.every[i], &queries[2 * i + 1]);
    }
    free(queries);
}

/* ---- keys -------------------------------------------------------------- */

static void
judge_key(struct checking *checking, const struct dkim_verdict *verdict)
{
    const struct dkim_key *key = verdict->key;
    bool signs = key->state == DKIM_KEY_ACTIVE;

    switch (verdict->published) {
    case DKIM_PUBLISHED:
        if (verdict->text != NULL)
            report(checking, WARNING, key->path, "%s", verdict->text);
        return;
    case DKIM_MISSING:
        /* Retired: it may go. Waiting: it has not been there long. */
        if (key->state == DKIM_KEY_OLD)
            return;
        break;
    case DKIM_DIFFERS:
        break;
    case DKIM_UNKNOWN:
        report(checking, UNANSWERED, key->path,
               "its record cannot be asked for: %s", verdict->text);
        return;
    }
    report(checking, signs ? WRONG : WARNING, key->path,
           "%s%s%s; its record is: onward dkim dns %.*s",
           verdict->published == DKIM_MISSING ? "its record " : "",
           verdict->text, signs ? ", and it signs" : ", it does not sign yet",
           SLICE_ARG(key->domain));
}

static void
check_keys(struct checking *checking, struct arena *arena)
{
    const struct dkim_keyset *keys = checking->conf->dkim.keys;
    size_t count = keys == NULL ? 0 : dkim_keyset_count(keys);
    struct dkim_verdict *verdicts = mem_alloc((count + 1) * sizeof(*verdicts));

    for (size_t i = 0; i < count; i++)
        verdicts[i].key = dkim_keyset_key(keys, i);
    if (count != 0)
        dkim_ask_dns(checking->conf, verdicts, count, arena);
    for (size_t i = 0; i < count; i++)
        judge_key(checking, &verdicts[i]);
    free(verdicts);
}

bool
check_dns(const struct cli *cli, const struct conf *conf,
          struct check_report *found)
{
    struct checking checking = { .conf = conf, .report = found };
    struct arena arena = { 0 };

    find_place(&checking, cli);
    check_srs_domains(&checking, &arena);
    check_keys(&checking, &arena);
    buf_free(&checking.place);
    arena_free(&arena);
    return checking.wrong || !checking.unanswered;
}
