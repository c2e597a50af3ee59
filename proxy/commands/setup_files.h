/* The files that setup keeps beside main.cf. */
#ifndef ONWARD_SETUP_FILES_H
#define ONWARD_SETUP_FILES_H

#include "base.h"

/* All return false after an error was printed. */

/* What setup remembers, DIRECTORY/onward.setup: empty if there is none. One
 * that others could have written is refused: it says what commands run. */
bool setup_files_read_state(const char *directory, struct buf *state);
bool setup_files_write_state(const char *directory, struct slice state);
bool setup_files_drop_state(const char *directory);

/* Copies of main.cf and master.cf; their names, separated by a blank. */
bool setup_files_back_up(const char *directory, struct buf *names);

#endif
