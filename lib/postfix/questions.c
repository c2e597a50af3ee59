#include "questions.h"

static const struct {
    enum domain_class class;
    const char *name;
} lists[] = {
    { CLASS_LOCAL, "mydestination" },
    { CLASS_RELAY, "relay_domains" },
    { CLASS_MAILBOX, "virtual_mailbox_domains" },
    { CLASS_ALIAS, "virtual_alias_domains" },
};
enum {
    LISTS = sizeof(lists) / sizeof(lists[0])
};

static struct slice
without_proxy(struct slice table)
{
    static const struct slice proxy = SLICE("proxy:");

    return slice_starts_nocase(table, proxy) ? slice_tail(table, proxy.len)
                                             : table;
}

static bool
is_table(struct slice element)
{
    return slice_find(element, ':') < element.len;
}

/* ---- questions --------------------------------------------------------- */

struct asking {
    struct buf *out;
    size_t count;
};

static void
ask(struct asking *asking, struct slice table, struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++)
        if (ascii_is_control(domain.ptr[i]))
            return;
    if (asking->count++ < QUESTIONS_MAX)
        buf_printf(asking->out, "%.*s\t%.*s\n", SLICE_ARG(without_proxy(table)),
                   SLICE_ARG(domain));
}

static void
ask_table(struct asking *asking, const struct conf *conf, struct slice table)
{
    const struct domain_list *local = &conf->forward.local_domains;

    for (size_t i = 0; conf->srs.enabled && i < conf->srs.domain_count; i++)
        ask(asking, table, conf->srs.domains[i]);
    for (size_t i = 0; i < local->count; i++)
        if (local->entries[i].table == NULL)
            ask(asking, table, local->entries[i].name);
    for (size_t i = 0; i < conf->forward.every_domain_count; i++)
        ask(asking, table, conf->forward.every_domain[i]);
}

void
postfix_questions(const struct conf *conf, const struct postconf *postconf,
                  struct buf *out)
{
    struct asking asking = { .out = out };

    for (size_t i = 0; i < LISTS; i++) {
        struct slice list = postconf_value(postconf, lists[i].name);
        struct slice element;
        while (postconf_next(&list, &element))
            if (is_table(element))
                ask_table(&asking, conf, element);
    }
}

/* ---- answers ----------------------------------------------------------- */

static enum knowledge
answer_of(const struct postconf *postconf, struct slice table,
          struct slice domain)
{
    struct slice rest = postconf->answers;

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice word = slice_cut(&line, '\t');
        if (slice_equal(slice_cut(&line, '\t'), without_proxy(table)) &&
            slice_equal_nocase(line, domain))
            return slice_equal(word, SLICE_OF("yes")) ? KNOWN : UNKNOWN;
    }
    return PERHAPS;
}

enum knowledge
postfix_knows_domain(const struct postconf *postconf, enum domain_class classes,
                     struct slice domain)
{
    enum knowledge best = UNKNOWN;

    for (size_t i = 0; i < LISTS; i++) {
        struct slice list = postconf_value(postconf, lists[i].name);
        struct slice element;
        if ((lists[i].class & classes) == 0)
            continue;
        while (postconf_next(&list, &element)) {
            enum knowledge knowledge =
                slice_equal_nocase(element, domain) ? KNOWN
                : is_table(element)     ? answer_of(postconf, element, domain)
                : element.ptr[0] == '/' ? PERHAPS
                                        : UNKNOWN;
            if (knowledge < best)
                best = knowledge;
        }
    }
    return best;
}
