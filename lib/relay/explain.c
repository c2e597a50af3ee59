#include "expand.h"

#include <string.h>

void
relay_explain(const struct conf *conf, const struct smtp_path *recipient,
              const struct smtp_path *reverse_path,
              struct table_answer (*ask)(void *ctx,
                                         const struct table_query *query,
                                         struct arena *arena),
              void *ctx, int64_t now, struct arena *arena,
              struct relay_explained *explained)
{
    /* A store of long senders belongs to the running daemon: a dry run says
     * what would be written, and takes a token for what it is. */
    static const struct table_answer stored = { TABLE_FOUND, SLICE("") };
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
            answer = stored;
            if (!e.store.put)
                answer.status = TABLE_MISS;
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
