/* `verify`: what was evaluated, for its two ways to say it. */
#ifndef ONWARD_VERIFY_H
#define ONWARD_VERIFY_H

#include "auth.h"

struct verified {
    struct auth_evaluation *evaluation;
    const char *client_ip; /* NULL: SPF was not evaluated */
    bool has_message;      /* false: SPF alone */
    bool has_arc;          /* ARC fields, which are not evaluated */
    enum auth_arrival arrival;
};

void verify_print_text(const struct verified *verified, struct buf *out);
void verify_print_json(const struct verified *verified, struct buf *out);

#endif
