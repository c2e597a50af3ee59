/*
 * The text of a configuration, before libconfig sees it.
 *
 * We put the files of @include together ourselves, so that a relative name is
 * relative to the file that holds it and every error names the right file.
 * The tokens are kept beside the tree that libconfig makes: libconfig 1.5
 * forgets how a value was written (3000000000 becomes a negative number, two
 * strings side by side become one), and what we say to people is about what
 * they wrote.
 */
#ifndef ONWARD_CONF_SOURCE_H
#define ONWARD_CONF_SOURCE_H

#include "problem.h"

enum conf_token_kind {
    TOKEN_NAME,
    TOKEN_BOOL,
    TOKEN_NUMBER, /* integer: decimal or hexadecimal, with or without L */
    TOKEN_FLOAT,
    TOKEN_STRING,      /* with its quotes */
    TOKEN_OPEN_STRING, /* without the closing quote: the file ends */
    TOKEN_MARK,        /* one of = : ; , ( ) [ ] { } */
    TOKEN_GARBAGE,     /* one octet that means nothing */
    TOKEN_END,
};

struct conf_token {
    enum conf_token_kind kind;
    struct slice text;
    size_t offset;
    unsigned line; /* of the text put together, from 0 */
};

struct conf_source {
    struct arena *arena;
    struct buf text;           /* all files, put together */
    struct conf_place *places; /* for each line of text */
    size_t line_count;
    size_t line_room;
    unsigned file_count;
    struct conf_token *tokens; /* the last one is TOKEN_END */
    size_t token_count;
    size_t token_room;
};

/* Read path and what it includes. False: it cannot be read, or an included
 * file cannot (that is in problems). */
bool conf_source_read(struct conf_source *source, const char *path,
                      struct problems *problems);

/* Cut the text into tokens (again, after it was changed). */
void conf_source_tokens(struct conf_source *source);
void conf_source_free(struct conf_source *source);

struct conf_place conf_source_place(const struct conf_source *source,
                                    unsigned line);

/* The line as it is in the text, without its end. */
struct slice conf_source_line(const struct conf_source *source, size_t offset);

bool conf_token_is(const struct conf_token *token, char mark);

/*
 * Is the text what libconfig's grammar wants, and what we want of it? What is
 * wrong but clear in its meaning (10m without quotes) is reported and put
 * right in the text, so that the rest can be checked too. False: reading on
 * makes no sense.
 */
bool conf_source_check(struct conf_source *source, struct problems *problems);

#endif
