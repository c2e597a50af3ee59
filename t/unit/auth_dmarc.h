/* DMARC evaluated against a zone that is a text, for the tests. */
#ifndef AUTH_DMARC_H
#define AUTH_DMARC_H

#include "auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * One name a line: "NAME TEXT" is a TXT record (a name may stand again),
 * "NAME +" exists without one, "NAME !" fails, "NAME @" is a CNAME that leads
 * nowhere. Other names do not exist.
 */
struct dmarc_zone {
    const char *text;
    unsigned questions;
    unsigned fail_after; /* 0: never; else all after that many questions fail */
    struct buf asked;    /* names, each with a line end */
};

struct dmarc_case {
    const char *author;
    const struct dmarc_identifier *identifiers;
    size_t count;
    enum dmarc_extent extent;
};

/* The caller frees with dmarc_free. */
struct dmarc *evaluate(const struct dmarc_case *c, struct dmarc_zone *zone);

#endif
