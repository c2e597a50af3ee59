#include "kin.h"

#include <string.h>

void
relay_explain(const struct conf *conf, enum conf_role role,
              const struct smtp_path *recipient,
              const struct smtp_path *reverse_path,
              struct table_answer (*ask)(void *ctx,
                                         const struct table_query *query,
                                         struct arena *arena),
              struct table_answer (*stored)(void *ctx, struct slice key,
                                            struct arena *arena),
              void *ctx, int64_t now, struct arena *arena,
              struct relay_explained *explained)
{
    enum expand_sender sender = EXPAND_SENDER_UNKNOWN;
    struct expand e = {
        .conf = conf,
        .role = role,
        .arena = arena,
        .recipient = recipient,
        .reverse_path = reverse_path,
        .sender = &sender,
        .now = now,
    };
    struct table_answer answer;
    const struct table_answer *given = NULL;
    unsigned locked = 0;

    expand_start(&e);
    for (;;) {
        enum expand_status status = expand_step(&e, given);
        given = NULL;
        if (status == EXPAND_DONE)
            break;
        if (status == EXPAND_STORE) {
            /* A dry run says what would go out, and stores nothing. */
            answer = (struct table_answer){ TABLE_FOUND, SLICE("") };
            if (e.store.what == RELAY_STORE_FIND && stored == NULL)
                answer.status = TABLE_MISS;
            else if (e.store.what == RELAY_STORE_FIND)
                answer = stored(ctx, e.store.key, arena);
            given = &answer;
        } else if (status == EXPAND_ASK) {
            answer = ask != NULL
                         ? ask(ctx, &e.query, arena)
                         : (struct table_answer){ .status = TABLE_ERROR };
            given = &answer;
        } else if (++locked > 10000) {
            break;
        }
    }
    expand_end(&e);
    *explained = (struct relay_explained){
        .fate = e.fate,
        .reply = e.reply,
        .targets = e.targets,
        .target_count = e.target_count,
        .steps = e.steps,
        .step_count = e.step_count,
    };
    if (e.stage != EXPAND_FINISHED) { /* a table that stays locked */
        explained->fate = RELAY_REFUSE;
        explained->reply = outcome_reply(OUTCOME_TABLE_ERROR);
        explained->reason = outcome_reason(OUTCOME_TABLE_ERROR);
    } else if (e.fate == RELAY_REFUSE) {
        explained->reason = outcome_reason(e.outcome);
    } else if (e.not_null) {
        explained->reason = outcome_reason(OUTCOME_SRS_NOT_NULL);
    }
}

void
relay_explain_name(const struct conf *conf, enum conf_role role,
                   const struct mail_header *header, struct slice text,
                   const struct smtp_path *reverse_path,
                   struct table_answer (*ask)(void *ctx,
                                              const struct table_query *query,
                                              struct arena *arena),
                   void *ctx, struct arena *arena, struct relay_named *named)
{
    struct kin kin = {
        .conf = conf,
        .role = role,
        .arena = arena,
        .header = header,
        .text = text,
        .reverse_path = reverse_path,
        .outcome = OUTCOME_NONE,
    };
    struct table_answer answer;
    const struct table_answer *given = NULL;
    unsigned locked = 0;
    enum expand_status status;

    while ((status = kin_step(&kin, given)) != EXPAND_DONE) {
        given = NULL;
        if (status == EXPAND_ASK) {
            answer = ask != NULL
                         ? ask(ctx, &kin.query, arena)
                         : (struct table_answer){ .status = TABLE_ERROR };
            given = &answer;
        } else if (++locked > 10000) {
            kin.outcome = OUTCOME_TABLE_ERROR;
        }
    }
    const struct relay_name_facts facts = {
        .role = role,
        .author_ours = kin.author_ours,
        .sender_ours = kin.sender_ours,
    };
    *named = (struct relay_named){
        .name = relay_judge_name(&facts),
        .claims = kin.claims,
        .sender_lives_below = kin.sender_lives_below,
    };
    if (kin.outcome != OUTCOME_NONE) {
        named->name = RELAY_NAME_TROUBLE;
        named->reason = outcome_reason(kin.outcome);
        named->reply = outcome_reply(kin.outcome);
    } else if (named->name == RELAY_NAME_REFUSED) {
        named->reason = outcome_reason(OUTCOME_OWN_NAME);
        named->reply =
            outcome_reply_naming(OUTCOME_OWN_NAME, kin.author, arena);
    }
}

void
relay_explain_lent(const struct conf *conf, enum conf_role role,
                   const struct relay_named *named,
                   const struct smtp_path *reverse_path,
                   struct relay_explained *explained)
{
    for (size_t i = 0; i < explained->target_count; i++) {
        struct relay_target *target = &explained->targets[i];
        if (!target->leaves)
            continue;
        if (named->reason != NULL) {
            explained->fate = RELAY_REFUSE;
            explained->reason = named->reason;
            explained->reply = named->reply;
            explained->target_count = 0;
            return;
        }
        target->own_name =
            named->name == RELAY_NAME_UNLENT ||
            (role == CONF_OUTBOUND &&
             relay_name_aligns(conf, &named->claims, target->srs_domain));
        if (target->own_name)
            target->reverse_path = reverse_path->text;
    }
}
