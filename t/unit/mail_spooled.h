/* A spool with a pattern in it, in a directory of its own. */
#ifndef ONWARD_MAIL_SPOOLED_H
#define ONWARD_MAIL_SPOOLED_H

#include "mail.h"

enum {
    MEMORY = 16 /* the threshold in most tests */
};

extern char directory[];

/* Write `length` octets of the pattern in pieces. */
enum mail_spool_status fill(struct mail_spool *spool, size_t length,
                            size_t piece);

/* It is that, read back in windows; the test fails otherwise. */
void check_content(const struct mail_spool *spool, size_t length,
                   size_t window);

/* Descriptors that are open. */
size_t count_files(void);

/* Set up and tear down a group of tests: the directory, empty in the end. */
int make_directory(void **state);
int remove_directory(void **state);

#endif
