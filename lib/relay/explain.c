#include "expand.h"

#include <string.h>

void
relay_explain(const struct conf *conf, const struct smtp_path *recipient,
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
            if (!e.store.put && stored == NULL)
                answer.status = TABLE_MISS;
            else if (!e.store.put)
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
