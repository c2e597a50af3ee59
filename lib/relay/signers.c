#include "relay.h"

#include <string.h>

/* Among the words for why nothing is signed, the one that does not stand for a
 * property of the message. */
static const char *
no_memory(void)
{
    return mail_from_status_word(MAIL_FROM_NO_MEMORY);
}

/* Does another name below the parent belong to somebody: a mailbox domain or
 * one with a key? SRS domains have no authors. */
static bool
has_tenants(const struct conf *conf, struct slice parent)
{
    const struct domain_list *local = &conf->forward.local_domains;

    for (size_t i = 0; i < local->count; i++) {
        struct slice name = local->entries[i].name;
        if (local->entries[i].table == NULL && name.len > parent.len &&
            smtp_domain_is_within(name, parent))
            return true;
    }
    for (size_t i = 0; i < dkim_keyset_count(conf->dkim.keys); i++) {
        struct slice name = dkim_keyset_key(conf->dkim.keys, i)->domain;
        if (name.len > parent.len && smtp_domain_is_within(name, parent) &&
            !conf_is_srs_domain(conf, name))
            return true;
    }
    return false;
}

/*
 * May a sender of that domain write as an author of this one? Of the same, or
 * of one below it. The other way round (bounces.example.org for example.org)
 * only where nobody else lives below the author's domain. Public suffixes are
 * nobody's.
 */
static bool
is_related(const struct conf *conf, const struct relay_signing_input *input,
           struct slice author, struct slice sender)
{
    if (slice_equal(author, sender))
        return true;
    if (smtp_domain_is_within(author, sender))
        return smtp_registrable(conf->family.suffixes, sender).len != 0;
    return smtp_domain_is_within(sender, author) &&
           smtp_registrable(conf->family.suffixes, author).len != 0 &&
           !input->sender_lives_below && !has_tenants(conf, author);
}

/* NULL, or why the reverse-path does not allow to sign for this author. */
static const char *
compare_sender(const struct conf *conf, const struct relay_signing_input *input,
               struct slice author, struct arena *arena)
{
    struct slice sender, ascii;

    if (input->related)
        return NULL;
    if (input->reverse_path.len == 0)
        return conf->dkim.skip_null ? "null-sender" : NULL;
    if (conf->dkim.sign_mismatch)
        return NULL;
    sender = slice_tail(input->reverse_path,
                        slice_find_last(input->reverse_path, '@') + 1);
    switch (smtp_domain_read(sender, arena, &ascii)) {
    case SMTP_DOMAIN_NO_MEMORY:
        return no_memory();
    case SMTP_DOMAIN_BAD:
        break;
    case SMTP_DOMAIN_OK:
        if (is_related(conf, input, author, ascii))
            return NULL;
        break;
    }
    return "from-mismatch";
}

/* The author has one domain: where several mailboxes have several, verifiers
 * differ on whose it is, and dkim_examine has refused the message. */
static const char *
choose_author(const struct conf *conf, const struct relay_signing_input *input,
              struct arena *arena, struct relay_signing *signing)
{
    struct slice domain;
    enum mail_from_status status =
        mail_from_domain(input->header, arena, &domain);

    if (status != MAIL_FROM_OK)
        return mail_from_status_word(status);
    signing->key_count =
        dkim_keyset_find(conf->dkim.keys, domain, conf->dkim.subdomains,
                         signing->keys, DKIM_SIGNATURES_MAX, &signing->domain);
    if (signing->key_count == 0)
        return "no-key";
    return compare_sender(conf, input, domain, arena);
}

/* With the SRS domain's key, never a parent's: that one vouches for authors. */
static const char *
choose_forwarder(const struct conf *conf,
                 const struct relay_signing_input *input, struct arena *arena,
                 struct relay_signing *signing)
{
    struct slice ascii;

    if (!conf->dkim.sign_forwarded)
        return "off";
    /* Whoever knows an SRS address could have anything signed by it. */
    if (input->came_home && !input->own_postfix)
        return "came-home";
    if (input->srs_domain.len == 0)
        return "no-key";
    switch (smtp_domain_read(input->srs_domain, arena, &ascii)) {
    case SMTP_DOMAIN_OK:
        break;
    case SMTP_DOMAIN_BAD:
        return "no-key";
    case SMTP_DOMAIN_NO_MEMORY:
        return no_memory();
    }
    signing->key_count =
        dkim_keyset_find(conf->dkim.keys, ascii, false, signing->keys,
                         DKIM_SIGNATURES_MAX, &signing->domain);
    return signing->key_count != 0 ? NULL : "no-key";
}

static const char *
choose(const struct conf *conf, const struct relay_signing_input *input,
       struct arena *arena, struct relay_signing *signing)
{
    const char *why = "inbound";

    if (input->role == CONF_INBOUND && !input->leaves)
        return why;
    if (input->role == CONF_INBOUND && input->own_name)
        return "own-name";
    if (conf->dkim.keys == NULL)
        return "no-keys";
    const char *odd = dkim_examine(input->header, &conf->dkim.headers);
    if (odd != NULL)
        return odd;
    if (input->role == CONF_OUTBOUND) {
        why = choose_author(conf, input, arena, signing);
        if (why == NULL || strcmp(why, no_memory()) == 0)
            return why;
        *signing = (struct relay_signing){ 0 };
    }
    /* What leaves by an alias is ours to vouch for as its forwarder, on any
     * listener. */
    if (input->leaves && !input->own_name) {
        const char *forwarder = choose_forwarder(conf, input, arena, signing);
        if (forwarder == NULL || input->role == CONF_INBOUND ||
            strcmp(forwarder, no_memory()) == 0)
            return forwarder;
    }
    return why;
}

const char *
relay_choose_keys(const struct conf *conf,
                  const struct relay_signing_input *input, struct arena *arena,
                  struct relay_signing *signing)
{
    *signing = (struct relay_signing){ 0 };
    const char *why = choose(conf, input, arena, signing);
    if (why != NULL)
        *signing = (struct relay_signing){
            .no_memory = strcmp(why, no_memory()) == 0,
        };
    return why;
}
