/* The SETTINGS section of onward.conf(5), in mdoc(7), from the same table
 * that the parser goes by. */
#include "configman.h"

#include <string.h>

enum {
    LINE_MAX_OCTETS = 72
};

static size_t
column(const struct buf *out)
{
    size_t newline = slice_find_last(buf_slice(out), '\n');

    return newline == out->len ? out->len : out->len - newline - 1;
}

/* Text, broken into lines between words: a backslash begins an escape, and a
 * full stop or an apostrophe at the start of a line a request. */
static void
put_text(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        struct slice word = slice_cut(&text, ' ');
        if (column(out) + word.len > LINE_MAX_OCTETS && column(out) != 0) {
            if (out->ptr[out->len - 1] == ' ')
                out->len--;
            buf_putc(out, '\n');
        }
        if (column(out) == 0 && word.len != 0 &&
            (word.ptr[0] == '.' || word.ptr[0] == '\''))
            buf_puts(out, "\\&");
        for (size_t i = 0; i < word.len; i++) {
            if (word.ptr[i] == '\\')
                buf_puts(out, "\\e");
            else
                buf_putc(out, word.ptr[i]);
        }
        if (text.len != 0)
            buf_putc(out, ' ');
    }
}

/* A new sentence begins a new line, as mdoc wants it. */
static void
put_sentences(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        size_t end = 0;
        while (end < text.len && !(text.ptr[end] == '.' && end + 1 < text.len &&
                                   text.ptr[end + 1] == ' '))
            end++;
        put_text(out, slice_head(text, end + 1));
        buf_putc(out, '\n');
        text = slice_tail(text, end + 2);
    }
}

static void
put_range(struct buf *out, const struct conf_setting *setting,
          void (*print)(struct buf *out, uint64_t value))
{
    buf_puts(out, ", \"");
    print(out, setting->least);
    buf_puts(out, "\" to \"");
    print(out, setting->most);
    buf_puts(out, "\"");
}

static void
put_choices(struct buf *out, const char *choices)
{
    struct slice rest = slice_from(choices);

    while (rest.len != 0) {
        struct slice choice = slice_cut(&rest, '|');
        buf_printf(out, "\"%.*s\"%s", SLICE_ARG(choice),
                   rest.len == 0                       ? ""
                   : slice_find(rest, '|') == rest.len ? " or "
                                                       : ", ");
    }
}

static void
put_type(struct buf *out, const struct conf_setting *setting)
{
    switch (setting->type) {
    case CONF_BOOL:
        buf_puts(out, "Boolean");
        return;
    case CONF_COUNT:
        buf_printf(out, "Number, %llu to %llu",
                   (unsigned long long)setting->least,
                   (unsigned long long)setting->most);
        return;
    case CONF_DURATION:
        buf_puts(out, "Duration");
        put_range(out, setting, conf_print_duration);
        return;
    case CONF_SIZE:
        buf_puts(out, "Size");
        put_range(out, setting, conf_print_size);
        return;
    case CONF_STRING:
        buf_puts(out, "String");
        return;
    case CONF_CHOICE:
        buf_puts(out, "One of ");
        put_choices(out, setting->choices);
        return;
    case CONF_ADDRESS:
        buf_puts(out, "Address");
        return;
    case CONF_STRINGS:
        buf_puts(out, "List of strings");
        return;
    case CONF_LIST:
        buf_puts(out, "List");
        return;
    case CONF_GROUP:
        buf_puts(out, "Group");
        return;
    }
}

static void
put_setting(struct buf *out, const struct conf_setting *setting)
{
    struct slice name = slice_from(setting->name);
    struct buf value = { 0 };
    size_t dot = slice_find_last(name, '.');

    buf_printf(out, ".It Ic %.*s\n",
               SLICE_ARG(dot == name.len ? name : slice_tail(name, dot + 1)));
    put_sentences(out, slice_from(setting->text));
    put_type(out, setting);
    conf_print_default(&value, setting);
    /* What has no default says so in its text, or must be written. */
    if (value.len != 0 && !slice_equal(buf_slice(&value), SLICE_OF("\"\""))) {
        buf_puts(out, "; default ");
        put_text(out, buf_slice(&value));
    }
    buf_puts(out, ".\n");
    buf_free(&value);
}

/* The name up to its last dot: settings of one group stand together. */
static struct slice
group_of(const struct conf_setting *setting)
{
    struct slice name = slice_from(setting->name);
    size_t dot = slice_find_last(name, '.');

    return slice_head(name, dot == name.len ? 0 : dot);
}

static bool
has_members(const struct conf_setting *setting)
{
    for (size_t i = 0; i < conf_setting_count; i++) {
        struct slice group = group_of(&conf_settings[i]);
        if (setting->type == CONF_LIST && group.len > 2 &&
            slice_equal(slice_head(group, group.len - 2),
                        slice_from(setting->name)))
            return true;
    }
    return setting->type == CONF_GROUP;
}

static void
put_members(struct buf *out, struct slice group)
{
    buf_puts(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *s = &conf_settings[i];
        bool section = group.len == 0 && has_members(s);
        if (slice_equal(group_of(s), group) && !section)
            put_setting(out, s);
    }
    buf_puts(out, ".El\n");
}

static void
put_section(struct buf *out, const struct conf_setting *setting)
{
    struct buf group = { 0 };
    bool list = setting->type == CONF_LIST;

    buf_printf(out, ".Ss %s%s\n", list ? "Each group of " : "Group ",
               setting->name);
    put_sentences(out, slice_from(setting->text));
    buf_printf(&group, "%s%s", setting->name, list ? "[]" : "");
    put_members(out, buf_slice(&group));
    buf_free(&group);
}

void
config_print_man(struct buf *out)
{
    buf_puts(out, ".Sh SETTINGS\n.Ss Top level\n");
    put_members(out, SLICE_OF(""));
    for (size_t i = 0; i < conf_setting_count; i++)
        if (has_members(&conf_settings[i]))
            put_section(out, &conf_settings[i]);
}
