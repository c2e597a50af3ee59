#include "command.h"

#include <string.h>

struct param_list {
    struct smtp_param params[SMTP_PARAMS_MAX];
    size_t count;
    size_t length; /* of all of them with one blank between */
};

/* "FROM:" or "TO:", blanks forgiven; *in is left behind it. */
static bool
skip_word(struct slice *in, struct slice word)
{
    struct slice rest = slice_trim(*in);

    if (!slice_starts_nocase(rest, word))
        return false;
    rest = slice_trim(slice_tail(rest, word.len));
    if (rest.len == 0 || rest.ptr[0] != ':')
        return false;
    *in = slice_trim(slice_tail(rest, 1));
    return true;
}

static struct slice
take_word(struct slice *in)
{
    size_t n = 0;

    while (n < in->len && in->ptr[n] != ' ' && in->ptr[n] != '\t')
        n++;
    struct slice word = slice_head(*in, n);
    *in = slice_trim(slice_tail(*in, n));
    return word;
}

/* esmtp-keyword of RFC 5321, 4.1.2. */
static bool
is_keyword(struct slice name)
{
    if (name.len == 0 || !ascii_is_alnum(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '-')
            return false;
    return true;
}

/* Printable and without blanks; UTF-8, because ORCPT may hold it (RFC 6533,
 * 3). */
static bool
is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == ' ' || ascii_is_control(value.ptr[i]))
            return false;
    return value.len != 0 && utf8_is_valid(value);
}

static enum smtp_argument_error
split(struct slice in, struct param_list *list)
{
    in = slice_trim(in);
    while (in.len != 0) {
        struct slice word = take_word(&in);
        size_t equals = slice_find(word, '=');
        struct smtp_param param = { .name = slice_head(word, equals) };
        if (equals != word.len)
            param.value = slice_tail(word, equals + 1);
        if (list->count == SMTP_PARAMS_MAX || !is_keyword(param.name) ||
            (param.value.ptr != NULL && !is_value(param.value)))
            return SMTP_ARGUMENT_BAD_PARAM;
        for (size_t i = 0; i < list->count; i++)
            if (slice_equal_nocase(list->params[i].name, param.name))
                return SMTP_ARGUMENT_BAD_PARAM;
        list->length += word.len + (list->count != 0 ? 1 : 0);
        list->params[list->count++] = param;
    }
    return SMTP_ARGUMENT_OK;
}

static bool
is_one_of(struct slice value, const char *first, const char *second)
{
    return slice_equal_nocase(value, slice_from(first)) ||
           slice_equal_nocase(value, slice_from(second));
}

static bool
is_xtext(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] >= 0x80)
            return false;
        if (value.ptr[i] != '+')
            continue;
        for (size_t digit = 1; digit <= 2; digit++)
            if (i + digit >= value.len ||
                strchr("0123456789ABCDEFabcdef", value.ptr[i + digit]) == NULL)
                return false;
    }
    return value.len != 0;
}

static enum smtp_argument_error
judge(bool good)
{
    return good ? SMTP_ARGUMENT_OK : SMTP_ARGUMENT_BAD_PARAM;
}

static enum smtp_argument_error
mail_param(struct smtp_param param, struct smtp_mail *mail)
{
    struct slice value = param.value;

    if (slice_equal_nocase(param.name, SLICE_OF("SIZE")))
        return judge(value.len <= 20 && slice_to_u64(value, &mail->size));
    if (slice_equal_nocase(param.name, SLICE_OF("BODY"))) {
        mail->eight_bit = slice_equal_nocase(value, SLICE_OF("8BITMIME"));
        /* RFC 3030: BINARYMIME comes with BDAT, which we do not speak. */
        if (slice_equal_nocase(value, SLICE_OF("BINARYMIME")))
            return SMTP_ARGUMENT_UNSUPPORTED;
        return judge(is_one_of(value, "8BITMIME", "7BIT"));
    }
    if (slice_equal_nocase(param.name, SLICE_OF("SMTPUTF8"))) {
        mail->utf8 = value.ptr == NULL;
        return judge(mail->utf8);
    }
    if (slice_equal_nocase(param.name, SLICE_OF("RET"))) {
        mail->ret = value;
        return judge(is_one_of(value, "FULL", "HDRS"));
    }
    if (slice_equal_nocase(param.name, SLICE_OF("ENVID"))) {
        mail->envid = value;
        return judge(is_xtext(value));
    }
    if (slice_equal_nocase(param.name, SLICE_OF("AUTH")))
        return judge(is_xtext(value));
    return SMTP_ARGUMENT_UNSUPPORTED;
}

/* RFC 3461, 4.1: NEVER alone, or a list of the others. */
static bool
is_notify(struct slice value)
{
    if (slice_equal_nocase(value, SLICE_OF("NEVER")))
        return true;
    if (value.len == 0 || value.ptr[value.len - 1] == ',')
        return false;
    while (value.len != 0) {
        struct slice word = slice_cut(&value, ',');
        if (!is_one_of(word, "SUCCESS", "FAILURE") &&
            !slice_equal_nocase(word, SLICE_OF("DELAY")))
            return false;
    }
    return true;
}

/* RFC 3461, 4.2; UTF-8 as it stands only in the type that RFC 6533 made. */
static bool
is_orcpt(struct slice value)
{
    struct slice type = slice_cut(&value, ';');

    if (!is_keyword(type) || value.len == 0)
        return false;
    return slice_equal_nocase(type, SLICE_OF("utf-8")) || is_xtext(value);
}

static enum smtp_argument_error
rcpt_param(struct smtp_param param, struct smtp_rcpt *rcpt)
{
    if (slice_equal_nocase(param.name, SLICE_OF("NOTIFY"))) {
        rcpt->notify = param.value;
        return judge(is_notify(param.value));
    }
    if (slice_equal_nocase(param.name, SLICE_OF("ORCPT"))) {
        rcpt->orcpt = param.value;
        return judge(is_orcpt(param.value));
    }
    return SMTP_ARGUMENT_UNSUPPORTED;
}

static char *
put(char *to, struct slice s)
{
    if (s.len != 0)
        memcpy(to, s.ptr, s.len);
    return to + s.len;
}

/* One copy in the arena; the list's slices then point into it. */
static bool
keep(struct param_list *list, struct arena *arena, struct slice *text)
{
    *text = SLICE_OF("");
    if (list->count == 0)
        return true;
    char *to = arena_try(arena, list->length + 1);
    if (to == NULL)
        return false;
    *text = (struct slice){ to, list->length };
    for (size_t i = 0; i < list->count; i++) {
        struct smtp_param *param = &list->params[i];
        if (i != 0)
            *to++ = ' ';
        char *name = to;
        to = put(to, param->name);
        param->name.ptr = name;
        if (param->value.ptr == NULL)
            continue;
        *to++ = '=';
        char *value = to;
        to = put(to, param->value);
        param->value.ptr = value;
    }
    return true;
}

static enum smtp_argument_error
parse(struct slice argument, struct slice word, enum smtp_path_kind kind,
      struct arena *arena, struct smtp_path *path, struct param_list *list,
      struct slice *text)
{
    if (!skip_word(&argument, word))
        return SMTP_ARGUMENT_SYNTAX;
    switch (smtp_path_read(&argument, kind, arena, path)) {
    case SMTP_PATH_BAD:
        return SMTP_ARGUMENT_BAD_PATH;
    case SMTP_PATH_NO_MEMORY:
        return SMTP_ARGUMENT_NO_MEMORY;
    case SMTP_PATH_OK:
        break;
    }
    enum smtp_argument_error error = split(argument, list);
    if (error != SMTP_ARGUMENT_OK)
        return error;
    return keep(list, arena, text) ? SMTP_ARGUMENT_OK : SMTP_ARGUMENT_NO_MEMORY;
}

enum smtp_argument_error
smtp_mail_parse(struct slice argument, struct arena *arena,
                struct smtp_mail *mail)
{
    struct param_list list = { 0 };

    *mail = (struct smtp_mail){ 0 };
    enum smtp_argument_error error =
        parse(argument, SLICE_OF("FROM"), SMTP_REVERSE_PATH, arena,
              &mail->reverse_path, &list, &mail->params);
    for (size_t i = 0; error == SMTP_ARGUMENT_OK && i < list.count; i++)
        error = mail_param(list.params[i], mail);
    return error;
}

enum smtp_argument_error
smtp_rcpt_parse(struct slice argument, struct arena *arena,
                struct smtp_rcpt *rcpt)
{
    struct param_list list = { 0 };

    *rcpt = (struct smtp_rcpt){ 0 };
    enum smtp_argument_error error =
        parse(argument, SLICE_OF("TO"), SMTP_FORWARD_PATH, arena,
              &rcpt->forward_path, &list, &rcpt->params);
    for (size_t i = 0; error == SMTP_ARGUMENT_OK && i < list.count; i++)
        error = rcpt_param(list.params[i], rcpt);
    return error;
}
