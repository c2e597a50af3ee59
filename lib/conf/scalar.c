#include "scalar.h"

#include <stdlib.h>
#include <string.h>

void
conf_print_duration(struct buf *out, uint64_t ms)
{
    static const struct {
        uint64_t factor;
        const char *unit;
    } units[] = { { 86400000, "d" },
                  { 3600000, "h" },
                  { 60000, "m" },
                  { 1000, "s" },
                  { 1, "ms" } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms % units[i].factor == 0 && (ms != 0 || i == 3)) {
            buf_printf(out, "%llu%s",
                       (unsigned long long)(ms / units[i].factor),
                       units[i].unit);
            return;
        }
    }
}

void
conf_print_size(struct buf *out, uint64_t octets)
{
    static const char *const units[] = { "", "K", "M", "G" };
    unsigned i = 0;

    while (i < 3 && octets != 0 && octets % 1024 == 0) {
        octets /= 1024;
        i++;
    }
    buf_printf(out, "%llu%s", (unsigned long long)octets, units[i]);
}

/* A number of octets that was written without quotes, as somebody may have
 * meant it: round in thousands where it is. */
static void
suggest_size(struct buf *out, uint64_t octets)
{
    if (octets >= 1000000000)
        buf_printf(out, "\"%lluG\"",
                   (unsigned long long)(octets + 500000000) / 1000000000);
    else if (octets >= 1000000)
        buf_printf(out, "\"%lluM\"",
                   (unsigned long long)(octets + 500000) / 1000000);
    else
        buf_printf(out, "\"%llu\"", (unsigned long long)octets);
}

/* The digits as they are written: libconfig's own value may have wrapped. */
static bool
read_integer(struct slice literal, bool *negative, uint64_t *number)
{
    *negative = literal.len != 0 && literal.ptr[0] == '-';
    if (*negative || (literal.len != 0 && literal.ptr[0] == '+'))
        literal = slice_tail(literal, 1);
    while (literal.len != 0 && literal.ptr[literal.len - 1] == 'L')
        literal.len--;
    if (literal.len > 2 && literal.ptr[0] == '0' &&
        ascii_lower(literal.ptr[1]) == 'x') {
        *number = 0;
        for (size_t i = 2; i < literal.len; i++) {
            char c = ascii_lower(literal.ptr[i]);
            if (*number >> 60 != 0)
                return false;
            *number =
                *number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        return true;
    }
    return slice_to_u64(literal, number);
}

const char *
conf_string_problem(const struct conf_reading *r, const struct conf_node *node)
{
    struct slice literal = node->literal;

    for (size_t i = 0; i + 1 < literal.len; i++) {
        if (literal.ptr[i] != '\\')
            continue;
        if (literal.ptr[i + 1] != '\\' && literal.ptr[i + 1] != '"') {
            struct buf why = { 0 };
            buf_puts(&why, "a single backslash in ");
            log_escape_text(&why, slice_head(literal, 200));
            buf_puts(&why, "; a backslash is written twice: \\\\");
            const char *copy = arena_cstr(r->arena, buf_slice(&why));
            buf_free(&why);
            return copy;
        }
        i++;
    }
    for (size_t i = 0; i < node->string.len; i++)
        if (ascii_is_control(node->string.ptr[i]))
            return "holds a control character";
    if (!utf8_is_valid(node->string))
        return "is not UTF-8 text";
    return NULL;
}

static const char *
wanted(enum conf_type type)
{
    switch (type) {
    case CONF_BOOL:
        return "true or false is wanted";
    case CONF_COUNT:
        return "a whole number is wanted";
    case CONF_DURATION:
        return "a duration in quotes is wanted, such as \"30s\"";
    case CONF_SIZE:
        return "a size in quotes is wanted, such as \"50M\"";
    case CONF_STRING:
    case CONF_CHOICE:
    case CONF_ADDRESS:
        return "a string is wanted";
    case CONF_STRINGS:
    case CONF_LIST:
        return "a list ( ) is wanted";
    case CONF_GROUP:
        return "a group { } is wanted";
    }
    abort();
}

static void
print_literal(struct buf *out, const struct conf_node *node)
{
    log_escape_text(out, slice_head(node->literal, 200));
    if (node->literal.len > 200)
        buf_puts(out, "...");
}

static void
suggest(const struct conf_setting *setting, const struct conf_node *node,
        struct buf *why)
{
    uint64_t number;

    switch (setting->type) {
    case CONF_COUNT:
        if (node->kind == NODE_STRING && slice_to_u64(node->string, &number))
            buf_printf(why, ": write %llu without quotes",
                       (unsigned long long)number);
        break;
    case CONF_ADDRESS:
        if (node->kind == NODE_NUMBER) { /* the port alone */
            buf_puts(why, ": write \"127.0.0.1:");
            print_literal(why, node);
            buf_puts(why, "\"");
            break;
        }
        /* fall through */
    case CONF_STRING:
    case CONF_CHOICE:
        if (node->kind == NODE_NUMBER || node->kind == NODE_FLOAT ||
            node->kind == NODE_BOOL) {
            buf_puts(why, ": write \"");
            print_literal(why, node);
            buf_puts(why, "\"");
        }
        break;
    case CONF_STRINGS:
    case CONF_LIST:
        if (node->kind == NODE_STRING || node->kind == NODE_GROUP) {
            buf_puts(why, ": write ( ");
            if (node->kind == NODE_STRING)
                print_literal(why, node);
            else
                buf_puts(why, "{ ... }");
            buf_puts(why, " )");
        }
        break;
    case CONF_GROUP:
        buf_puts(why, ": write { NAME = VALUE; }");
        break;
    case CONF_BOOL:
    case CONF_DURATION:
    case CONF_SIZE:
        break;
    }
}

/* "5 is a number, a string is wanted: write "5"": both types and the cure. */
static void
explain_type(const struct conf_setting *setting, const struct conf_node *node,
             struct buf *why)
{
    bool negative = false;
    uint64_t number = 0;
    bool integer = node->kind == NODE_NUMBER &&
                   read_integer(node->literal, &negative, &number) && !negative;

    if (node->kind != NODE_GROUP && node->kind != NODE_LIST) {
        print_literal(why, node);
        buf_puts(why, " ");
    }
    if (setting->type == CONF_SIZE && integer) {
        buf_puts(why, "is not a string; write ");
        suggest_size(why, number);
        return;
    }
    if (setting->type == CONF_DURATION && integer) {
        /* In the unit of the default: 21 of "21d" is days. */
        size_t len = setting->fallback == NULL ? 0 : strlen(setting->fallback);
        char unit = len != 0 && setting->fallback[len - 1] == 'd' ? 'd' : 's';
        buf_printf(why, "is not a string; write \"%llu%c\"",
                   (unsigned long long)number, unit);
        return;
    }
    buf_printf(why, "is %s, %s", conf_node_kind_text(node->kind),
               wanted(setting->type));
    suggest(setting, node, why);
}

static void
print_number(struct buf *out, enum conf_type type, uint64_t number)
{
    if (type == CONF_DURATION) {
        buf_putc(out, '"');
        conf_print_duration(out, number);
        buf_putc(out, '"');
    } else if (type == CONF_SIZE) {
        buf_putc(out, '"');
        conf_print_size(out, number);
        buf_putc(out, '"');
    } else {
        buf_printf(out, "%llu", (unsigned long long)number);
    }
}

static bool
in_range(const struct conf_setting *setting, uint64_t number,
         struct slice literal, struct buf *why)
{
    if (number >= setting->least && number <= setting->most)
        return true;
    log_escape_text(why, slice_head(literal, 100));
    buf_puts(why, " is out of range; it goes from ");
    print_number(why, setting->type, setting->least);
    buf_puts(why, " to ");
    print_number(why, setting->type, setting->most);
    return false;
}

static bool
read_count(const struct conf_setting *setting, const struct conf_node *node,
           struct conf_got *got, struct buf *why)
{
    bool negative;

    if (!read_integer(node->literal, &negative, &got->number) || negative)
        got->number = negative ? 0 : UINT64_MAX;
    if (negative && setting->least == 0)
        got->number = UINT64_MAX;
    return in_range(setting, got->number, node->literal, why);
}

static bool
read_choice(const struct conf_setting *setting, struct slice text,
            struct conf_got *got, struct buf *why)
{
    unsigned index;
    struct slice rest = slice_from(setting->choices);

    if (conf_choice_parse(setting, text, &index)) {
        got->number = index;
        return true;
    }
    buf_puts(why, "\"");
    log_escape_text(why, slice_head(text, 100));
    buf_puts(why, "\" is not known here; choose ");
    while (rest.len != 0) {
        struct slice choice = slice_cut(&rest, '|');
        buf_printf(why, "\"%.*s\"%s", SLICE_ARG(choice),
                   rest.len == 0                       ? ""
                   : slice_find(rest, '|') == rest.len ? " or "
                                                       : ", ");
    }
    return false;
}

/* Whatever stands in quotes; literal is for messages. */
static bool
read_text(const struct conf_setting *setting, struct slice text,
          struct slice literal, struct conf_got *got, struct buf *why)
{
    got->text = text;
    switch (setting->type) {
    case CONF_DURATION:
        if (conf_parse_duration(text, &got->number))
            return in_range(setting, got->number, literal, why);
        log_escape_text(why, slice_head(literal, 100));
        buf_puts(why, " is not a duration; write a whole number and ms, s, "
                      "m, h or d, such as \"30s\"");
        return false;
    case CONF_SIZE:
        if (conf_parse_size(text, &got->number))
            return in_range(setting, got->number, literal, why);
        log_escape_text(why, slice_head(literal, 100));
        buf_puts(why, " is not a size; write a whole number and K, M or G, "
                      "such as \"50M\"");
        return false;
    case CONF_CHOICE:
        return read_choice(setting, text, got, why);
    case CONF_STRING:
    case CONF_ADDRESS:
        if (text.len < setting->least) {
            buf_puts(why, "is empty");
            return false;
        }
        if (text.len > setting->most) {
            buf_printf(why, "is longer than %llu octets",
                       (unsigned long long)setting->most);
            return false;
        }
        return true;
    case CONF_BOOL:
        got->truth = slice_equal(text, SLICE_OF("true"));
        return true;
    case CONF_COUNT:
        return slice_to_u64(text, &got->number) &&
               in_range(setting, got->number, literal, why);
    case CONF_STRINGS:
    case CONF_LIST:
    case CONF_GROUP:
        return true;
    }
    abort();
}

static bool
kind_fits(enum conf_type type, enum conf_node_kind kind)
{
    switch (type) {
    case CONF_BOOL:
        return kind == NODE_BOOL;
    case CONF_COUNT:
        return kind == NODE_NUMBER;
    case CONF_DURATION:
    case CONF_SIZE:
    case CONF_STRING:
    case CONF_CHOICE:
    case CONF_ADDRESS:
        return kind == NODE_STRING;
    case CONF_STRINGS:
    case CONF_LIST:
        return kind == NODE_LIST;
    case CONF_GROUP:
        return kind == NODE_GROUP;
    }
    abort();
}

bool
conf_scalar_read(const struct conf_reading *r,
                 const struct conf_setting *setting,
                 const struct conf_node *node, struct conf_got *got,
                 struct buf *why)
{
    *got = (struct conf_got){ .origin = FROM_FILE,
                              .node = node,
                              .text = node->string };
    if (!kind_fits(setting->type, node->kind)) {
        explain_type(setting, node, why);
        return false;
    }
    if (node->kind == NODE_BOOL)
        got->truth = node->truth;
    if (node->kind == NODE_NUMBER)
        return read_count(setting, node, got, why);
    if (node->kind != NODE_STRING)
        return true;
    const char *problem = conf_string_problem(r, node);
    if (problem != NULL) {
        buf_puts(why, problem);
        return false;
    }
    return read_text(setting, node->string, node->literal, got, why);
}

bool
conf_scalar_from_text(const struct conf_setting *setting, struct slice text,
                      struct conf_got *got)
{
    struct buf why = { 0 };
    bool ok = read_text(setting, text, text, got, &why);

    buf_free(&why);
    return ok;
}
