/*
 * What the files of t/data/forwarding/ are made of, for the program that runs
 * them (t/e2e/lib/Onward/Test/Cases.pm reads the same files). See README
 * there.
 */
#ifndef ONWARD_RELAY_CASES_H
#define ONWARD_RELAY_CASES_H

#include "base.h"

/* One case: its name and its lines, those of the file's head not included. */
struct case_text {
    struct slice name;
    struct slice lines;
    unsigned line; /* of the name, in the file */
};

/* Cut the next case off *rest; the head of a file is what stands before the
 * first. *line counts. False: no more. */
bool case_next(struct slice *rest, unsigned *line, struct case_text *found);
struct slice case_head(struct slice *rest, unsigned *line);

/* All values of "KEY: " in the lines, each with LF; false: there is none. */
bool case_values(struct slice lines, const char *key, struct buf *out);

/* The same, from the case or, if it has none, the head of its file. */
void case_setting(const struct case_text *text, struct slice head,
                  const char *key, struct buf *out);

/*
 * Put values in the place of what stands in braces:
 * {srs ADDRESS | OPTIONS}, {loop ALIAS}, {sender}, {N*X}; see README there.
 * False: something in braces is none of that.
 */
bool case_expand(struct slice text, int64_t now, struct slice sender,
                 struct buf *out);

#endif
