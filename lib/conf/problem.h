/*
 * What is wrong with a configuration: collected while it is read, printed in
 * the order of the files and lines, whatever the order of the checks.
 */
#ifndef ONWARD_CONF_PROBLEM_H
#define ONWARD_CONF_PROBLEM_H

#include "base.h"

/* A line of one of the files that make up the configuration. */
struct conf_place {
    struct slice file;
    unsigned rank; /* files in the order they are read; CONF_ELSEWHERE last */
    unsigned line; /* 0: the file as a whole */
};
enum {
    CONF_ELSEWHERE = 0x7fffffff
};

struct problem {
    struct conf_place place;
    size_t order;      /* of its discovery: the sort is stable by it */
    struct slice text; /* "FILE:LINE: setting: sentence", further lines begin
                        * with a blank */
};

struct problems {
    struct arena *arena;
    struct problem *items;
    size_t count;
    size_t room;
};

/* "FILE:LINE: SETTING: sentence"; setting may be empty. What the
 * configuration says is escaped by the caller with problem_quote. */
void problem_add(struct problems *list, struct conf_place place,
                 struct slice setting, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void problem_vadd(struct problems *list, struct conf_place place,
                  struct slice setting, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

/* Lines that others wrote ("PATH[:LINE]: sentence"), taken as they are. */
void problem_add_lines(struct problems *list, struct slice lines);

/* All of them, sorted, one a line. */
void problems_print(const struct problems *list, struct buf *out);
void problems_free(struct problems *list);

/* text in double quotes for a message, escaped and cut to a sane length; NUL
 * terminated, in the arena. */
const char *problem_quote(struct arena *arena, struct slice text);

#endif
