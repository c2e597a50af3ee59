/* Rows about main.cf: domains, routes, and what was there before us. */
#include "questions.h"
#include "wanted.h"

/* ---- address classes --------------------------------------------------- */

/* Is the domain in any address class? */
static enum knowledge
look_for_domain(const struct site *site, struct slice domain)
{
    return postfix_knows_domain(site->before, CLASS_ANY, domain);
}

/* Has the domain, or may it have, mailboxes of this Postfix? Then only its SRS
 * addresses are ours. */
static bool
has_mail(const struct site *site, struct slice domain)
{
    const struct domain_list *local = &site->conf->forward.local_domains;

    for (size_t i = 0; i < local->count; i++)
        if (local->entries[i].table == NULL &&
            slice_equal_nocase(local->entries[i].name, domain))
            return true;
    return postfix_knows_domain(site->before, CLASS_MAIL, domain) != UNKNOWN;
}

/* Virtual aliases are expanded before mail is routed: those of a domain that
 * only a table may know do not come round. */
static bool
is_for_srs_alone(const struct site *site, struct slice domain)
{
    return !has_mail(site, domain) &&
           postfix_knows_domain(site->before, CLASS_RELAY, domain) == UNKNOWN &&
           postfix_knows_domain(site->before, CLASS_ALIAS, domain) != KNOWN;
}

/* A value of main.cf with more at its end. */
static struct slice
appended(const struct site *site, struct slice have, struct slice more)
{
    while (have.len != 0 &&
           (have.ptr[have.len - 1] == ',' || have.ptr[have.len - 1] == ' '))
        have = slice_head(have, have.len - 1);
    if (have.len == 0)
        return more;
    return site_text(site, "%.*s, %.*s", SLICE_ARG(have), SLICE_ARG(more));
}

static size_t
srs_domain_count(const struct site *site)
{
    return site->conf->srs.enabled ? site->conf->srs.domain_count : 0;
}

/* "; so is B", "; so are B, C": more of what the sentence says of A. */
static struct slice
and_more(const struct site *site, struct slice sentence, struct slice others,
         size_t count)
{
    if (count == 0)
        return sentence;
    return site_text(site, "%.*s; so %s %.*s", SLICE_ARG(sentence),
                     count == 1 ? "is" : "are", SLICE_ARG(others));
}

enum {
    NAMES_MAX = 20 /* of a finding */
};

static void
add_name(struct buf *list, struct slice name)
{
    buf_printf(list, "%s%.*s", list->len != 0 ? ", " : "", SLICE_ARG(name));
}

/* ---- the SRS domains --------------------------------------------------- */

/* The SRS domains in no class, with commas. */
static struct slice
unlisted_srs_domains(const struct site *site)
{
    struct buf list = { 0 };

    for (size_t i = 0; i < srs_domain_count(site); i++)
        if (look_for_domain(site, site->conf->srs.domains[i]) != KNOWN)
            add_name(&list, site->conf->srs.domains[i]);
    struct slice copy = arena_copy(site->arena, buf_slice(&list));
    buf_free(&list);
    return copy;
}

/* Is the domain known once our map `domain` is among relay_domains? */
static bool
map_is_listed(const struct site *site)
{
    struct slice map = site_map(site, "domain");

    return map.ptr != NULL &&
           postconf_lists(site_value(site, "relay_domains"), map);
}

/* The alias domains in no class; those that are SRS domains are told of by
 * another row. *first: one of them. */
static size_t
count_unknown_aliases(const struct site *site, struct slice *first,
                      struct buf *others)
{
    const struct conf *conf = site->conf;
    size_t count = 0;

    for (size_t i = 0; i < conf->forward.every_domain_count; i++) {
        struct slice domain = conf->forward.every_domain[i];
        if (conf_is_srs_domain(conf, domain) ||
            look_for_domain(site, domain) != UNKNOWN)
            continue;
        if (count++ == 0)
            *first = domain;
        else if (count <= NAMES_MAX)
            add_name(others, domain);
    }
    return count;
}

/* What relay_domains lacks: SRS domains by name; alias domains by our map, so
 * that the next one needs no setup. */
static struct slice
lacking_relay_domains(const struct site *site)
{
    struct buf list = { 0 }, others = { 0 };
    struct slice first, map = site_map(site, "domain");

    buf_append(&list, unlisted_srs_domains(site));
    if (map.ptr != NULL && !map_is_listed(site) &&
        count_unknown_aliases(site, &first, &others) != 0)
        add_name(&list, map);
    struct slice copy = arena_copy(site->arena, buf_slice(&list));
    buf_free(&list);
    buf_free(&others);
    return copy;
}

struct slice
srs_relay_domains(const struct place *p)
{
    struct slice more = lacking_relay_domains(p->site);

    return more.len == 0
               ? (struct slice){ 0 }
               : appended(p->site, site_written(p->site, "relay_domains"),
                          more);
}

bool
alias_domain_is_unknown(const struct place *p, struct judgement *j)
{
    const struct site *site = p->site;
    struct slice first = { 0 };
    struct buf others = { 0 };
    size_t count =
        map_is_listed(site) ? 0 : count_unknown_aliases(site, &first, &others);

    if (count > NAMES_MAX)
        buf_printf(&others, " and %zu more", count - NAMES_MAX);
    j->sentence = and_more(
        site,
        site_text(site,
                  "%.*s has aliases of ours and is in no address class: from "
                  "outside they get 554 Relay access denied",
                  SLICE_ARG(first)),
        buf_slice(&others), count == 0 ? 0 : count - 1);
    buf_free(&others);
    if (!site->conf->socketmap.enabled) {
        j->cure = CURE_SET;
        j->wanted = appended(site, site_written(site, "relay_domains"), first);
    }
    return count != 0;
}

bool
srs_domain_is_unknown(const struct place *p, struct judgement *j)
{
    struct buf others = { 0 };
    struct slice first = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < srs_domain_count(p->site); i++) {
        struct slice domain = p->site->conf->srs.domains[i];
        if (look_for_domain(p->site, domain) != UNKNOWN)
            continue;
        if (first.len == 0) {
            first = domain;
        } else {
            add_name(&others, domain);
            count++;
        }
    }
    j->sentence =
        and_more(p->site,
                 site_text(p->site,
                           "the SRS domain %.*s is in no address class: "
                           "bounces are refused with 554",
                           SLICE_ARG(first)),
                 buf_slice(&others), count);
    buf_free(&others);
    return first.len != 0;
}

/* With relay domains of others and no list of recipients, all of theirs are
 * taken now; that is not ours to change. */
static bool
takes_all_of_others(const struct site *site)
{
    return site_value(site, "relay_domains").len != 0 &&
           site_value(site, "relay_recipient_maps").len == 0;
}

struct slice
srs_relay_recipients(const struct place *p)
{
    if (unlisted_srs_domains(p->site).len == 0 ||
        takes_all_of_others(p->site) ||
        site_value(p->site, "relay_recipient_maps").len != 0)
        return (struct slice){ 0 };
    return site_map(p->site, "recipient");
}

bool
relay_domains_are_open(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("is empty, so Postfix takes every address of "
                           "relay_domains; Onward refuses forged SRS addresses "
                           "itself");
    return takes_all_of_others(p->site) &&
           lacking_relay_domains(p->site).len != 0 &&
           p->site->conf->socketmap.enabled;
}

/* relay_recipient_maps that do not know SRS addresses refuse bounces. */
bool
srs_addresses_are_refused(const struct place *p, struct judgement *j)
{
    static const struct slice words[] = { SLICE(":recipient"), SLICE("regexp:"),
                                          SLICE("pcre:") };

    if (p->value.len == 0 || srs_domain_count(p->site) == 0 ||
        !postconf_lists(site_value(p->site, "relay_domains"),
                        p->site->conf->srs.domain))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (site_mentions(p->value, words[i]))
            return false;
    for (size_t i = 0; i < p->site->front_count; i++)
        if (p->site->fronts[i].role == FRONT_MX &&
            site_mentions(site_of(p->site, p->site->fronts[i].service,
                                  "virtual_alias_maps"),
                          words[0]))
            return false;
    j->sentence = site_text(p->site,
                            "%.*s knows no SRS addresses: bounces are refused "
                            "with 550; set socketmap.listen",
                            SLICE_ARG(p->value));
    return true;
}

/* Has an inline table of transport_maps an entry for the whole domain? */
static bool
has_route(const struct site *site, struct slice maps, struct slice domain)
{
    struct slice key = site_text(site, "%.*s=", SLICE_ARG(domain));
    bool found = false;

    for (size_t at = 0; at < maps.len && !found; at++)
        found = (at == 0 || maps.ptr[at - 1] == '{' ||
                 maps.ptr[at - 1] == ' ' || maps.ptr[at - 1] == ',') &&
                slice_starts_nocase(slice_tail(maps, at), key);
    return found;
}

/* transport_maps without the entry of an inline table for the whole domain. */
static struct slice
without_route(const struct site *site, struct slice maps, struct slice domain)
{
    struct slice key = site_text(site, "%.*s=", SLICE_ARG(domain));
    static const struct slice empty = SLICE("inline:{}");
    size_t at = 0, end;

    if (!has_route(site, maps, domain))
        return maps;
    while (!slice_starts_nocase(slice_tail(maps, at), key))
        at++;
    for (end = at;
         end < maps.len && maps.ptr[end] != ',' && maps.ptr[end] != '}'; end++)
        ;
    while (end < maps.len && (maps.ptr[end] == ',' || maps.ptr[end] == ' '))
        end++;
    maps = site_text(site, "%.*s%.*s", SLICE_ARG(slice_head(maps, at)),
                     SLICE_ARG(slice_tail(maps, end)));
    for (at = 0; at + empty.len <= maps.len; at++)
        if (slice_starts_nocase(slice_tail(maps, at), empty))
            return site_text(
                site, "%.*s%.*s", SLICE_ARG(slice_trim(slice_head(maps, at))),
                SLICE_ARG(slice_trim(slice_tail(maps, at + empty.len))));
    return maps;
}

/* The expression for the SRS addresses of a domain, which postfix has as `$$`
 * and then as `$`. */
static struct slice
srs_pattern(const struct site *site, struct slice domain, const char *end)
{
    struct buf text = { 0 };

    buf_puts(&text, "/^srs[01][-+=].*@");
    for (size_t i = 0; i < domain.len; i++)
        buf_printf(&text, domain.ptr[i] == '.' ? "\\%c" : "%c", domain.ptr[i]);
    buf_printf(&text, "%s/", end);
    struct slice copy = arena_copy(site->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* regexp:{...} is of Postfix 3.7. */
static bool
takes_inline_patterns(const struct site *site)
{
    struct slice version = site_value(site, "mail_version");
    uint64_t major = 0, minor = 0;

    slice_to_u64(slice_cut(&version, '.'), &major);
    for (; version.len != 0 && ascii_is_digit(version.ptr[0]);
         version = slice_tail(version, 1))
        minor = minor * 10 + (uint64_t)(version.ptr[0] - '0');
    return major > 3 || (major == 3 && minor >= 7);
}

/* A domain that is for SRS alone is routed whole, another one by its SRS
 * addresses: what goes to its mailboxes must not come to us again. */
struct slice
srs_routes(const struct place *p)
{
    const struct site *site = p->site;
    const struct conf_listener *listener =
        site_smtp_listener_for(site, FRONT_MX);
    struct slice have = site_value(site, "transport_maps");
    struct slice base = site_written(site, "transport_maps");
    struct buf whole = { 0 }, patterns = { 0 }, more = { 0 };
    struct slice value = { 0 };

    for (size_t i = 0; listener != NULL && i < srs_domain_count(site); i++) {
        struct slice domain = site->conf->srs.domains[i];
        struct slice there = site_nexthop(site, &listener->address);
        if (is_for_srs_alone(site, domain)) {
            if (!has_route(site, have, domain))
                buf_printf(&whole, "%s%.*s=onward:%.*s",
                           whole.len != 0 ? ", " : "", SLICE_ARG(domain),
                           SLICE_ARG(there));
            continue;
        }
        if (has_mail(site, domain))
            base = without_route(site, base, domain);
        if (takes_inline_patterns(site) &&
            !site_mentions(have, srs_pattern(site, domain, "$")))
            buf_printf(&patterns, "%s{%.*s onward:%.*s}",
                       patterns.len != 0 ? ", " : "",
                       SLICE_ARG(srs_pattern(site, domain, "$$")),
                       SLICE_ARG(there));
    }
    if (whole.len != 0)
        buf_printf(&more, "inline:{%.*s}", SLICE_ARG(buf_slice(&whole)));
    if (patterns.len != 0)
        buf_printf(&more, "%sregexp:{%.*s}", more.len != 0 ? ", " : "",
                   SLICE_ARG(buf_slice(&patterns)));
    if (more.len != 0)
        value = appended(site, base, arena_copy(site->arena, buf_slice(&more)));
    buf_free(&whole);
    buf_free(&patterns);
    buf_free(&more);
    return value;
}

bool
srs_domain_has_no_route(const struct place *p, struct judgement *j)
{
    const struct site *site = p->site;

    if (srs_domain_count(site) != 0 &&
        site_listener_for(site, FRONT_MX) != NULL &&
        site_smtp_listener_for(site, FRONT_MX) == NULL) {
        j->cure = CURE_NONE;
        j->sentence = SLICE_OF("bounces that this Postfix makes itself are "
                               "not reversed: smtp(8) speaks to no unix "
                               "socket; add an inbound listener on loopback "
                               "for them");
        j->note = j->sentence;
        return true;
    }
    for (size_t i = 0; i < srs_domain_count(site); i++) {
        struct slice domain = site->conf->srs.domains[i];
        if (site_mentions(p->value, domain) ||
            site_mentions(p->value, srs_pattern(site, domain, "$")) ||
            site_has_table(p->value))
            continue;
        j->sentence = site_text(site,
                                "no route for the SRS domain %.*s: bounces "
                                "that this Postfix makes itself are not "
                                "reversed",
                                SLICE_ARG(domain));
        if (has_mail(site, domain) && !takes_inline_patterns(site)) {
            j->cure = CURE_NONE;
            j->sentence = site_text(
                site,
                "%.*s; put \"%.*s onward:[ADDRESS]:PORT\" of the inbound "
                "listener into a regexp: table there, as this Postfix takes "
                "no inline one",
                SLICE_ARG(j->sentence),
                SLICE_ARG(srs_pattern(site, domain, "$")));
            j->note = j->sentence;
        }
        return true;
    }
    return false;
}

/* The whole of a mail domain comes to us, and from us to Postfix again. */
bool
mail_domain_circles(const struct place *p, struct judgement *j)
{
    const struct site *site = p->site;

    for (size_t i = 0; i < srs_domain_count(site); i++) {
        struct slice domain = site->conf->srs.domains[i];
        if (!has_route(site, p->value, domain) || !has_mail(site, domain))
            continue;
        j->sentence = site_text(site,
                                "all of %.*s is routed to Onward, and it has "
                                "mailboxes: their mail circles until it "
                                "bounces; only its SRS addresses may come "
                                "that way",
                                SLICE_ARG(domain));
        return true;
    }
    return false;
}

/* ---- the site's domains ------------------------------------------------ */

bool
local_domain_is_unknown(const struct place *p, struct judgement *j)
{
    const struct domain_list *list = &p->site->conf->forward.local_domains;
    struct buf others = { 0 };
    struct slice first = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct slice name = list->entries[i].name;
        if (list->entries[i].table != NULL ||
            look_for_domain(p->site, name) != UNKNOWN)
            continue;
        if (first.len == 0) {
            first = name;
        } else {
            add_name(&others, name);
            count++;
        }
    }
    j->sentence = and_more(p->site,
                           site_text(p->site,
                                     "%.*s is one of forward.local_domains, "
                                     "and in no address class of this Postfix",
                                     SLICE_ARG(first)),
                           buf_slice(&others), count);
    buf_free(&others);
    return first.len != 0;
}

bool
bare_newlines_pass(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("this Postfix does not have it: strangers can "
                           "smuggle messages in before we see them; update it "
                           "(3.5.23, 3.6.13, 3.7.9, 3.8.4 or later)");
    return !postconf_knows(p->site->before, p->row->name);
}

/* ---- what was there before us ------------------------------------------ */

static bool
mentions_one(struct slice text, const struct slice *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (site_mentions(text, words[i]))
            return true;
    return false;
}

bool
maps_are_postsrsd(const struct place *p, struct judgement *j)
{
    static const struct slice words[] = {
        SLICE("tcp:localhost:10001"),
        SLICE("tcp:127.0.0.1:10001"),
        SLICE("tcp:localhost:10002"),
        SLICE("tcp:127.0.0.1:10002"),
        SLICE("srs:forward"),
        SLICE("srs:reverse"),
        SLICE("postsrsd"),
    };
    bool mapped = p->site->back == NULL ||
                  !postconf_lists(site_of(p->site, p->site->back,
                                          "receive_override_options"),
                                  SLICE_OF("no_address_mappings"));

    if (!mapped)
        j->severity = FINDING_WARNING;
    j->sentence =
        site_text(p->site, "%.*s is PostSRSd's: %s", SLICE_ARG(p->value),
                  mapped ? "senders are rewritten twice"
                         : "mail by sendmail(1) still passes it");
    return mentions_one(p->value, words, sizeof(words) / sizeof(words[0]));
}

bool
milters_are_opendkim(const struct place *p, struct judgement *j)
{
    static const struct slice words[] = { SLICE("dkim"), SLICE(":8891"),
                                          SLICE(":12301") };

    j->sentence =
        site_text(p->site, "%.*s looks like OpenDKIM, whose work is ours now",
                  SLICE_ARG(p->value));
    return mentions_one(p->value, words, sizeof(words) / sizeof(words[0]));
}

/* ---- mail by sendmail(1) ----------------------------------------------- */

/* smtp(8) as main.cf has it, unless that speaks from an address at which a
 * listener on loopback hears nobody. */
static const char *
pickup_transport(const struct site *site)
{
    return site->transport != NULL &&
                   (site_value(site, "smtp_bind_address").len != 0 ||
                    site_value(site, "smtp_bind_address6").len != 0)
               ? "onward"
               : "smtp";
}

struct slice
pickup_filter(const struct place *p)
{
    const struct conf_listener *outbound =
        site_smtp_listener_for(p->site, FRONT_SUBMISSION);

    if (outbound == NULL)
        return (struct slice){ 0 };
    return site_text(p->site, "%s:%.*s", pickup_transport(p->site),
                     SLICE_ARG(site_nexthop(p->site, &outbound->address)));
}

/* smtp(8) reaches us by a content_filter, and from which address? */
bool
pickup_comes_from_elsewhere(const struct place *p, struct judgement *j)
{
    size_t colon = slice_find(p->value, ':');
    const struct postconf_service *service = postconf_service(
        p->site->postfix, site_text(p->site, "%.*s/unix",
                                    SLICE_ARG(slice_head(p->value, colon))));
    struct slice from = { 0 };

    if (j->wanted.ptr == NULL || service == NULL ||
        !slice_equal(slice_tail(p->value, colon),
                     slice_tail(j->wanted, slice_find(j->wanted, ':'))))
        return false;
    from = site_of(p->site, service, "smtp_bind_address");
    j->sentence = site_text(p->site,
                            "comes to Onward from %.*s (smtp_bind_address), "
                            "which a listener on loopback refuses",
                            SLICE_ARG(from));
    if (p->site->transport == NULL)
        j->command =
            site_text(p->site, "postconf -P %.*s/smtp_bind_address=127.0.0.1",
                      SLICE_ARG(service->id));
    return from.len != 0 && !site_is_loopback(from);
}

bool
pickup_passes_us(const struct place *p, struct judgement *j)
{
    j->sentence = SLICE_OF("mail by sendmail(1), cron and PHP does not come to "
                           "Onward: it is neither forwarded nor signed");
    return p->value.len == 0 && j->wanted.ptr != NULL;
}
