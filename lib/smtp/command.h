/*
 * Command lines (RFC 5321, 4.1.1) and the parameters of MAIL and RCPT
 * (RFC 1870, 3461, 6152, 6531).
 */
#ifndef ONWARD_SMTP_COMMAND_H
#define ONWARD_SMTP_COMMAND_H

#include "path.h"

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_HELP,
    SMTP_QUIT,
    SMTP_XFORWARD,
    SMTP_BDAT,    /* its payload would arrive as commands: the session ends */
    SMTP_FOREIGN, /* HTTP, a TLS hello, a PROXY header: no SMTP at all */
    SMTP_UNKNOWN, /* STARTTLS, AUTH, XCLIENT, ETRN and the rest */
};
enum {
    SMTP_VERBS = SMTP_UNKNOWN + 1
};

struct smtp_command {
    enum smtp_verb verb;
    struct slice name;     /* as written */
    struct slice argument; /* blanks at both ends removed */
};

/* line: without its CRLF; blanks around the verb are forgiven. */
struct smtp_command smtp_command_parse(struct slice line);

struct smtp_param {
    struct slice name;
    struct slice value; /* ptr NULL: there was no "=" */
};

enum {
    SMTP_PARAMS_MAX = 20
};

enum smtp_param_error {
    SMTP_PARAM_OK,
    SMTP_PARAM_BAD,         /* 501 5.5.4 Bad parameter */
    SMTP_PARAM_UNSUPPORTED, /* 555 5.5.4 Unsupported option */
    SMTP_PARAM_TOO_BIG,     /* SIZE= above the limit given: 552 5.3.4 */
};

struct smtp_mail {
    struct smtp_path reverse_path;
    uint64_t size;       /* of SIZE=; 0 if absent */
    bool eight_bit;      /* BODY=8BITMIME */
    bool utf8;           /* SMTPUTF8 */
    struct slice envid;  /* ENVID=, as written; ptr NULL if absent */
    struct slice ret;    /* RET= */
    struct slice params; /* all of them as the client wrote them, one blank
                          * between, in its order */
};

struct smtp_rcpt {
    struct smtp_path forward_path;
    struct slice notify; /* NOTIFY=, as written; ptr NULL if absent */
    struct slice orcpt;  /* ORCPT= */
    struct slice params;
};

enum smtp_argument_error {
    SMTP_ARGUMENT_OK,
    SMTP_ARGUMENT_SYNTAX,   /* no FROM: or TO: ahead: 501 5.5.4 */
    SMTP_ARGUMENT_BAD_PATH, /* 501 5.1.7 (sender), 5.1.3 (recipient) */
    SMTP_ARGUMENT_BAD_PARAM,
    SMTP_ARGUMENT_UNSUPPORTED,
    SMTP_ARGUMENT_NO_MEMORY, /* 451 4.3.0 */
};

/*
 * The argument of MAIL ("FROM:<a@b> SIZE=1") and RCPT. Blanks around the
 * colon and lower case are forgiven, a duplicate parameter is not. Known:
 * SIZE BODY SMTPUTF8 RET ENVID AUTH (MAIL), NOTIFY ORCPT (RCPT); AUTH is
 * checked and kept in params only. The result lives in the arena.
 */
enum smtp_argument_error smtp_mail_parse(struct slice argument,
                                         struct arena *arena,
                                         struct smtp_mail *mail);
enum smtp_argument_error smtp_rcpt_parse(struct slice argument,
                                         struct arena *arena,
                                         struct smtp_rcpt *rcpt);

/* xtext (RFC 3461, 4): "+" and what is not printable ASCII as +XX. */
void smtp_xtext_print(struct slice text, struct buf *out);
bool smtp_xtext_parse(struct slice xtext, struct buf *out);

/* ORCPT= for an address that had none: "rfc822;" and xtext, or "utf-8;" and
 * the encoding of RFC 6533, 3, when it is not ASCII. */
void smtp_orcpt_print(struct slice address, struct buf *out);

#endif
