#include "plan.h"

#include "apply.h"
#include "plan_state.h"

/* ---- reasons ----------------------------------------------------------- */

static const char *
why_of(const struct apply *apply, const struct postconf_command *command,
       struct arena *arena)
{
    const struct postconf_pair *why =
        postconf_find(&apply->whys, command->target);

    switch (command->verb) {
    case POSTCONF_MAIN_DROP:
    case POSTCONF_OPTION_DROP:
    case POSTCONF_SERVICE_DROP:
        return "no longer needed";
    case POSTCONF_MAIN:
    case POSTCONF_OPTION:
    case POSTCONF_LIMIT:
    case POSTCONF_SERVICE:
        break;
    }
    return why != NULL ? arena_cstr(arena, why->value) : "as it was before";
}

/* apply: NULL when removing. */
static void
explain(struct plan *plan, const struct apply *apply)
{
    plan->why = arena_alloc(&plan->arena,
                            (plan->commands.count + 1) * sizeof(*plan->why));
    for (size_t i = 0; i < plan->commands.count; i++)
        plan->why[i] =
            apply == NULL
                ? "as it was before"
                : why_of(apply, &plan->commands.commands[i], &plan->arena);
}

/* ---- the plan ---------------------------------------------------------- */

static bool
apply(const struct plan_input *input, const struct postconf *now,
      const struct postconf *before, struct plan *plan)
{
    struct postconf wanted = postconf_copy(before);
    struct postconf_commands changes = { 0 };
    struct apply apply = {
        .site = { .conf = input->conf,
                  .arena = &plan->arena,
                  .before = before,
                  .postfix = &wanted },
        .refusals = &plan->refusals,
        .notes = &plan->notes,
    };

    apply_rows(&apply);
    if (plan->refusals.len != 0)
        return false;
    postconf_commands(now, &wanted, &plan->arena, &plan->commands);
    postconf_commands(before, &wanted, &plan->arena, &changes);
    plan_state_print(&changes, before, &plan->state);
    explain(plan, &apply);
    return true;
}

bool
plan_make(const struct plan_input *input, struct plan *plan)
{
    struct postconf now, before;
    struct slice bad;
    unsigned line;

    *plan = (struct plan){ 0 };
    if (!postconf_parse(&input->postfix, &plan->arena, &now, &bad)) {
        buf_printf(&plan->refusals, "master.cf: not understood: %.*s\n",
                   SLICE_ARG(bad));
        return false;
    }
    before = postconf_copy(&now);
    if (!plan_state_undo(input->state, &before, &plan->notes, &line)) {
        buf_printf(&plan->refusals,
                   "what setup remembers is damaged at line %u\n", line);
        return false;
    }
    if (input->goal == PLAN_APPLY)
        return apply(input, &now, &before, plan);
    postconf_commands(&now, &before, &plan->arena, &plan->commands);
    explain(plan, NULL);
    return true;
}

void
plan_free(struct plan *plan)
{
    buf_free(&plan->refusals);
    buf_free(&plan->notes);
    buf_free(&plan->state);
    arena_free(&plan->arena);
}

void
plan_print(const struct plan *plan, struct slice directory, struct buf *out)
{
    for (size_t i = 0; i < plan->commands.count; i++) {
        struct slice why = slice_from(plan->why[i]);
        while (why.len != 0) {
            struct slice line = slice_cut(&why, '\n');
            buf_printf(out, "# %.*s\n", SLICE_ARG(line));
        }
        postconf_print(&plan->commands.commands[i], directory, out);
        buf_puts(out, "\n\n");
    }
}
