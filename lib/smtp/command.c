#include "command.h"

static const struct {
    struct slice name;
    enum smtp_verb verb;
} verbs[] = {
    { SLICE("EHLO"), SMTP_EHLO },         { SLICE("HELO"), SMTP_HELO },
    { SLICE("MAIL"), SMTP_MAIL },         { SLICE("RCPT"), SMTP_RCPT },
    { SLICE("DATA"), SMTP_DATA },         { SLICE("RSET"), SMTP_RSET },
    { SLICE("NOOP"), SMTP_NOOP },         { SLICE("VRFY"), SMTP_VRFY },
    { SLICE("HELP"), SMTP_HELP },         { SLICE("QUIT"), SMTP_QUIT },
    { SLICE("XFORWARD"), SMTP_XFORWARD }, { SLICE("BDAT"), SMTP_BDAT },
};

/* What browsers and HAProxy say first. Alone on a line it is just a wrong
 * command; with something behind it, more of that kind follows. */
static const struct slice foreign[] = {
    SLICE("GET"),     SLICE("POST"),    SLICE("PUT"),    SLICE("HEAD"),
    SLICE("OPTIONS"), SLICE("CONNECT"), SLICE("DELETE"), SLICE("PATCH"),
    SLICE("TRACE"),   SLICE("PROXY"),
};

static enum smtp_verb
find_verb(struct slice name, struct slice argument)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (slice_equal_nocase(name, verbs[i].name))
            return verbs[i].verb;
    if (name.len > 1 && name.ptr[0] == 0x16 && name.ptr[1] == 0x03)
        return SMTP_FOREIGN; /* the record of a TLS ClientHello */
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (argument.len != 0 && slice_equal_nocase(name, foreign[i]))
            return SMTP_FOREIGN;
    return SMTP_UNKNOWN;
}

struct smtp_command
smtp_command_parse(struct slice line)
{
    size_t n = 0;

    line = slice_trim(line);
    while (n < line.len && line.ptr[n] != ' ' && line.ptr[n] != '\t')
        n++;
    struct smtp_command command = {
        .name = slice_head(line, n),
        .argument = slice_trim(slice_tail(line, n)),
    };
    command.verb = find_verb(command.name, command.argument);
    return command;
}
