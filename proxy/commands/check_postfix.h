/* `check --postfix`: does Postfix' configuration fit ours? */
#ifndef ONWARD_CHECK_POSTFIX_H
#define ONWARD_CHECK_POSTFIX_H

#include "check.h"

/* directory: of main.cf; NULL: what the configuration says. */
void check_postfix(const struct cli *cli, const struct conf *conf,
                   const char *directory, struct check_report *report);

#endif
