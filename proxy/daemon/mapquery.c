#include "mapquery.h"

enum {
    QUERY_TIME = 20 * 1000,  /* ms; Postfix waits for 100 s */
    LONGEST_LOCAL_PART = 64, /* RFC 5321, 4.5.3.1.1 */
    DAY = 86400,
};

static const struct smtp_path null_path;

static void go_on(struct mapquery *query, const struct table_answer *answer);

/* ---- answers ----------------------------------------------------------- */

static void
finish(struct mapquery *query, const char *word, struct slice value)
{
    struct buf reply = { 0 };

    buf_printf(&reply, "%s ", word);
    buf_append(&reply, value);
    expand_end(&query->expand);
    arena_free(&query->arena);
    conf_unref(query->conf);
    query->conf = NULL;
    query->on_answer(query, buf_slice(&reply));
    buf_free(&reply);
}

static void
found(struct mapquery *query, struct slice value)
{
    finish(query, "OK", value);
}

static void
not_found(struct mapquery *query)
{
    finish(query, "NOTFOUND", (struct slice){ 0 });
}

static void
trouble(struct mapquery *query, const char *why)
{
    finish(query, "TEMP", slice_from(why));
}

/* ---- asking others ----------------------------------------------------- */

static void
on_table_answer(struct map_question *question, enum table_status status,
                struct slice value, uint64_t now)
{
    struct mapquery *query = question->ctx;
    struct table_answer answer = { status, { 0 } };

    (void)now;
    if (!arena_try_copy(&query->arena, value, &answer.value))
        answer.status = TABLE_ERROR;
    go_on(query, &answer);
}

static void
ask_table(struct mapquery *query, const struct table_query *table)
{
    query->question =
        (struct map_question){ .ctx = query, .on_answer = on_table_answer };
    mapclient_ask(query->needs->client, &query->question, table, clock_ms());
}

/* postmap holds the lock of an LMDB file. */
static void
try_again(struct mapquery *query)
{
    query->try_later(query);
}

void
mapquery_try_again(struct mapquery *query)
{
    go_on(query, NULL);
}

static void
on_store_thread(uv_work_t *request)
{
    struct mapquery *query = request->data;
    const struct relay_store_query *what = &query->job.query;

    if (query->job.store == NULL) {
        buf_puts(&query->job.why, "not open");
        query->job.status = TABLE_ERROR;
    } else if (what->what == RELAY_STORE_PUT) {
        query->job.status = senderstore_put(
            query->job.store, what->key, what->sender, query->now,
            query->job.keep_seconds, &query->job.why);
    } else {
        query->job.status = senderstore_get(query->job.store, what->key,
                                            &query->job.value, &query->job.why);
    }
}

static void
on_stored(uv_work_t *request, int status)
{
    struct mapquery *query = request->data;
    struct table_answer answer = { query->job.status, { 0 } };

    (void)status; /* we never cancel */
    if (answer.status == TABLE_ERROR)
        loop_log(query->needs->loop, LOG_LEVEL_WARNING,
                 "store of long senders: %.*s",
                 SLICE_ARG(buf_slice(&query->job.why)));
    if (!arena_try_copy(&query->arena, buf_slice(&query->job.value),
                        &answer.value))
        answer.status = TABLE_ERROR;
    buf_free(&query->job.value);
    buf_free(&query->job.why);
    go_on(query, &answer);
}

static void
ask_store(struct mapquery *query, const struct relay_store_query *what)
{
    query->job.query = *what;
    query->job.store = senders_store(query->needs->senders);
    query->job.keep_seconds = senders_keep_seconds(query->conf);
    query->job.request.data = query;
    uv_queue_work(&query->needs->loop->uv, &query->job.request, on_store_thread,
                  on_stored);
}

/* ---- recipient --------------------------------------------------------- */

/* A rule that rejects in words of its own is the proxy's to say; without, the
 * address does not exist, as far as anybody is told. */
static bool
has_own_words(const struct expand *e)
{
    struct smtp_reply usual = outcome_reply(OUTCOME_ALIAS_REJECT);

    return e->reply.code != usual.code ||
           !slice_equal(e->reply.text, usual.text);
}

/* Only what nobody knows is not found. What an alias refuses in its own words,
 * or cannot do now, is the proxy's to say. */
static void
judge_refusal(struct mapquery *query)
{
    const struct expand *e = &query->expand;

    switch (e->outcome) {
    case OUTCOME_SRS_HASH:
    case OUTCOME_SRS_SHORT:
    case OUTCOME_SRS_MALFORMED:
    case OUTCOME_SRS_EXPIRED:
    case OUTCOME_UNKNOWN_RECIPIENT:
        not_found(query);
        return;
    case OUTCOME_ALIAS_REJECT:
        if (has_own_words(e))
            found(query, query->key);
        else
            not_found(query);
        return;
    case OUTCOME_ALIAS_DEFER:
    case OUTCOME_ALIAS_CAPTURE:
        found(query, query->key);
        return;
    default:
        trouble(query, outcome_reason(e->outcome));
        return;
    }
}

static void
look_for_recipient(struct mapquery *query, const struct table_answer *answer)
{
    struct expand *e = &query->expand;

    switch (expand_step(e, answer)) {
    case EXPAND_ASK:
        /* Where its targets lead is not asked here. */
        if (e->from_alias)
            found(query, query->key);
        else
            ask_table(query, &e->query);
        return;
    case EXPAND_BUSY:
        try_again(query);
        return;
    case EXPAND_STORE:
        /* A token that bears our MAC. */
        found(query, query->key);
        return;
    case EXPAND_DONE:
        break;
    }
    switch (e->fate) {
    case RELAY_FORWARD:
    case RELAY_REVERSE:
    case RELAY_DISCARD:
        found(query, query->key);
        return;
    case RELAY_PASS:
        not_found(query);
        return;
    case RELAY_REFUSE:
        judge_refusal(query);
        return;
    }
}

/* ---- forward ----------------------------------------------------------- */

static void
store_sender(struct mapquery *query)
{
    struct buf token = { 0 };
    char key[SRS_TOKEN_KEY];
    struct relay_store_query put = { .what = RELAY_STORE_PUT,
                                     .sender = query->path.text };

    if (srs_token_forward(query->conf->srs.srs, query->now, query->path.text,
                          query->conf->srs.domain, key, &token) != SRS_OK) {
        trouble(query, "no memory");
    } else {
        put.key = arena_copy(&query->arena, (struct slice){ key, sizeof(key) });
        query->expand.rewritten = arena_copy(&query->arena, buf_slice(&token));
        ask_store(query, &put);
    }
    buf_free(&token);
}

static void
send_long(struct mapquery *query)
{
    struct buf sender = { 0 };

    if (srs_forward(query->conf->srs.srs, query->now, query->path.text,
                    query->conf->srs.domain, &sender) == SRS_OK)
        found(query, buf_slice(&sender));
    else
        trouble(query, "no memory");
    buf_free(&sender);
}

/* Nothing can be refused in a canonical map: with long_sender = "reject" a
 * long sender is made as long as it becomes. */
static void
rewrite_sender(struct mapquery *query)
{
    struct buf sender = { 0 };
    enum srs_status status =
        srs_forward(query->conf->srs.srs, query->now, query->path.text,
                    query->conf->srs.domain, &sender);

    if (status == SRS_NO_MEMORY)
        trouble(query, "no memory");
    else if (status != SRS_OK)
        not_found(query);
    else if (query->conf->srs.long_sender == CONF_LONG_STORE &&
             srs_local_length(buf_slice(&sender)) > LONGEST_LOCAL_PART)
        store_sender(query);
    else
        found(query, buf_slice(&sender));
    buf_free(&sender);
}

static void
forward(struct mapquery *query, const struct table_answer *answer)
{
    struct slice domain, value;
    struct table_query table;

    if (query->expand.rewritten.len != 0) { /* of what was just stored */
        if (answer->status == TABLE_FOUND)
            found(query, query->expand.rewritten);
        else if (answer->status == TABLE_MISS)
            send_long(query); /* the store is full */
        else
            trouble(query, "the store of long senders failed");
        return;
    }
    if (conf_is_srs_domain(query->conf, query->path.domain) ||
        !smtp_domain_to_ascii(query->path.domain, &query->arena, &domain)) {
        not_found(query);
        return;
    }
    switch (domain_find(&query->conf->forward.local_domains, domain,
                        &query->cursor, answer, &query->arena, &value,
                        &table)) {
    case TABLE_FOUND:
        not_found(query);
        return;
    case TABLE_MISS:
        rewrite_sender(query);
        return;
    case TABLE_ASK:
        ask_table(query, &table);
        return;
    case TABLE_BUSY:
        try_again(query);
        return;
    case TABLE_ERROR:
        trouble(query, "a table of local_domains failed");
        return;
    }
}

/* ---- reverse ----------------------------------------------------------- */

static void
give_sender(struct mapquery *query, const struct table_answer *answer)
{
    if (answer->status == TABLE_FOUND)
        found(query, answer->value);
    else if (answer->status == TABLE_MISS)
        not_found(query);
    else
        trouble(query, "the store of long senders failed");
}

/* The first forwarder may have been this host too: once more, not a third
 * time. */
static enum srs_status
reverse_again(const struct mapquery *query, struct buf *address)
{
    struct slice first = buf_slice(address);
    struct slice domain = slice_tail(first, slice_find_last(first, '@') + 1);
    struct buf second = { 0 };
    enum srs_status status;

    if (!conf_is_srs_domain(query->conf, domain))
        return SRS_OK;
    status =
        srs_reverse(query->conf->srs.srs, query->now, first, &second, NULL);
    buf_free(address);
    *address = second;
    return status;
}

static void
reverse(struct mapquery *query)
{
    const struct srs_conf *srs = query->conf->srs.srs;
    struct relay_store_query get = { .what = RELAY_STORE_FIND };
    struct buf original = { 0 };
    struct srs_found how;
    char key[SRS_TOKEN_KEY];

    if (!conf_is_srs_domain(query->conf, query->path.domain) ||
        !srs_has_tag(query->path.local)) {
        not_found(query);
        return;
    }
    if (srs_guesses_block(&query->needs->shared->srs_guesses, query->now,
                          query->conf->srs.max_failures, query->path.local)) {
        trouble(query, outcome_reason(OUTCOME_SRS_LIMIT));
        return;
    }
    if (srs_token_reverse(srs, query->now, query->path.text, key) == SRS_OK) {
        get.key = arena_copy(&query->arena, (struct slice){ key, sizeof(key) });
        ask_store(query, &get);
        return;
    }
    enum srs_status status =
        srs_reverse(srs, query->now, query->path.text, &original, &how);
    if (status == SRS_OK && how.kind == 1)
        status = reverse_again(query, &original);
    if (status != SRS_OK && status != SRS_NO_MEMORY)
        srs_guesses_add(&query->needs->shared->srs_guesses, srs, query->now,
                        query->path.text);
    if (status == SRS_OK)
        found(query, buf_slice(&original));
    else if (status == SRS_NO_MEMORY)
        trouble(query, "no memory");
    else
        not_found(query);
    buf_free(&original);
}

/* ---- domain ------------------------------------------------------------ */

/* Is there an alias, a rule or an SRS address of ours in the domain? */
static void
look_for_domain(struct mapquery *query, const struct table_answer *answer)
{
    const struct domain_list *named = &query->conf->forward.alias_domains;
    struct table_query table;
    struct slice value;

    if (conf_is_alias_domain(query->conf, query->key)) {
        found(query, query->key);
        return;
    }
    switch (domain_find(named, query->key, &query->cursor, answer,
                        &query->arena, &value, &table)) {
    case TABLE_FOUND:
        found(query, query->key);
        return;
    case TABLE_MISS:
        not_found(query);
        return;
    case TABLE_ASK:
        ask_table(query, &table);
        return;
    case TABLE_BUSY:
        try_again(query);
        return;
    case TABLE_ERROR:
        trouble(query, "a table of forward.alias_domains failed");
        return;
    }
}

/* A key is a domain, as the client wrote it. */
static void
start_domain(struct mapquery *query)
{
    struct slice ascii;

    if (!smtp_domain_to_ascii(query->key, &query->arena, &ascii) ||
        !smtp_domain_is_valid(ascii)) {
        not_found(query);
        return;
    }
    query->key = ascii;
    look_for_domain(query, NULL);
}

/* ---- the query --------------------------------------------------------- */

static void
go_on(struct mapquery *query, const struct table_answer *answer)
{
    if (clock_ms() > query->deadline) {
        trouble(query, "took too long");
        return;
    }
    switch (query->name) {
    case MAP_RECIPIENT:
        look_for_recipient(query, answer);
        return;
    case MAP_FORWARD:
        forward(query, answer);
        return;
    case MAP_REVERSE:
        if (answer != NULL)
            give_sender(query, answer);
        else
            reverse(query);
        return;
    case MAP_DOMAIN:
        look_for_domain(query, answer);
        return;
    }
}

void
mapquery_start(struct mapquery *query, enum map_name name, struct slice key)
{
    struct slice rest;

    query->name = name;
    query->conf = conf_ref(*query->needs->conf);
    query->now = clock_now().wall;
    query->deadline = clock_ms() + QUERY_TIME;
    query->cursor = (struct alias_cursor){ 0 };
    query->expand = (struct expand){ 0 };
    query->sender = EXPAND_SENDER_UNKNOWN;
    query->key = arena_copy(&query->arena, key);
    if (name == MAP_DOMAIN) {
        start_domain(query);
        return;
    }
    rest = query->key;
    /* Postfix also asks for "@domain" and for names without a domain. */
    if (!smtp_address_parse(rest, &query->arena, &query->path) ||
        query->path.domain.len == 0 ||
        (name != MAP_RECIPIENT && !query->conf->srs.enabled)) {
        not_found(query);
        return;
    }
    if (name == MAP_RECIPIENT) {
        query->expand = (struct expand){
            .conf = query->conf,
            .arena = &query->arena,
            .recipient = &query->path,
            .reverse_path = &null_path,
            .sender = &query->sender,
            .now = query->now,
            .guesses = &query->needs->shared->srs_guesses,
        };
        expand_start(&query->expand);
    }
    go_on(query, NULL);
}
