/*
 * What the parts of `check` find. Each part appends lines as conf_load writes
 * them ("FILE[:LINE]: [SETTING: ]sentence"); command_check prints them, counts
 * them and turns them into JSON and the exit code. A part that needs the
 * configuration runs only when it could be loaded.
 */
#ifndef ONWARD_CHECK_H
#define ONWARD_CHECK_H

#include "cli.h"

struct check_report {
    struct buf errors;   /* exit code 78 */
    struct buf warnings; /* without effect on it, as are notes */
    struct buf notes;
};

#endif
