#include "relay.h"

#include <string.h>

/* Among the words for why nothing is signed, the one that does not stand for a
 * property of the message. */
static const char *
no_memory(void)
{
    return mail_from_status_word(MAIL_FROM_NO_MEMORY);
}

/* One domain is the other, or its parent, at a label boundary. */
static bool
is_parent_or_same(struct slice parent, struct slice domain)
{
    if (!slice_ends_nocase(domain, parent))
        return false;
    return domain.len == parent.len ||
           domain.ptr[domain.len - parent.len - 1] == '.';
}

/* NULL, or why From and reverse-path are not of one domain. */
static const char *
compare_sender(const struct relay_signing_input *input, struct slice domain,
               struct arena *arena)
{
    struct slice sender, ascii;

    if (input->related || input->reverse_path.len == 0)
        return NULL;
    sender = slice_tail(input->reverse_path,
                        slice_find_last(input->reverse_path, '@') + 1);
    switch (smtp_domain_read(sender, arena, &ascii)) {
    case SMTP_DOMAIN_NO_MEMORY:
        return no_memory();
    case SMTP_DOMAIN_BAD:
        break;
    case SMTP_DOMAIN_OK:
        if (is_parent_or_same(ascii, domain) ||
            is_parent_or_same(domain, ascii))
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
    return conf->dkim.sign_mismatch
               ? NULL
               : compare_sender(input, signing->domain, arena);
}

static const char *
choose_forwarder(const struct conf *conf,
                 const struct relay_signing_input *input, struct arena *arena,
                 struct relay_signing *signing)
{
    struct slice ascii;

    if (!conf->dkim.sign_forwarded)
        return "off";
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
        dkim_keyset_find(conf->dkim.keys, ascii, conf->dkim.subdomains,
                         signing->keys, DKIM_SIGNATURES_MAX, &signing->domain);
    return signing->key_count != 0 ? NULL : "no-key";
}

static const char *
choose(const struct conf *conf, const struct relay_signing_input *input,
       struct arena *arena, struct relay_signing *signing)
{
    const char *why = "inbound";

    if (input->role == CONF_INBOUND && !input->leaves)
        return why;
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
    if (input->leaves) {
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
