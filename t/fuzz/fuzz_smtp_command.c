/*
 * A command line and what stands in it. What is accepted has one canonical
 * form, which reads back as the same, and nothing in it can be misread.
 */
#include <stdlib.h>
#include <string.h>

#include "smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* Nothing that ends a line, a path or a parameter where it stands. */
static void
require_clean(struct slice s)
{
    require(utf8_is_valid(s));
    for (size_t i = 0; i < s.len; i++)
        require(!ascii_is_control(s.ptr[i]));
}

static void
check_path(const struct smtp_path *path, struct arena *arena)
{
    struct smtp_path again, made;
    struct buf wire = { 0 };

    require_clean(path->text);
    require(path->text.len <= SMTP_PATH_MAX);
    if (smtp_path_is_null(path)) {
        require(path->text.len == 0);
        return;
    }
    buf_putc(&wire, '<');
    buf_append(&wire, path->text);
    buf_puts(&wire, "> X");
    struct slice in = buf_slice(&wire);
    require(smtp_path_parse(&in, SMTP_FORWARD_PATH, arena, &again));
    require(slice_equal(in, SLICE_OF(" X")));
    require(slice_equal(again.text, path->text));
    require(slice_equal(again.local, path->local));
    require(slice_equal(again.domain, path->domain));
    require(smtp_path_equal(&again, path));
    require(smtp_address_parse(path->text, arena, &again));
    require(smtp_path_make(path->local, path->domain, arena, &made));
    require(slice_equal(made.text, path->text));
    buf_free(&wire);

    struct slice ascii, twice;
    if (smtp_domain_to_ascii(path->domain, arena, &ascii)) {
        for (size_t i = 0; i < ascii.len; i++)
            require((unsigned char)ascii.ptr[i] < 0x80 &&
                    ascii.ptr[i] == ascii_lower(ascii.ptr[i]));
        require(smtp_domain_to_ascii(ascii, arena, &twice));
        require(slice_equal(ascii, twice));
    }
    struct buf orcpt = { 0 };
    smtp_orcpt_print(path->text, &orcpt);
    for (size_t i = 0; i < orcpt.len; i++)
        require(orcpt.ptr[i] > 32 && orcpt.ptr[i] < 127);
    buf_free(&orcpt);
}

static void
check_mail(struct slice argument, struct arena *arena)
{
    struct smtp_mail mail, again;
    struct buf wire = { 0 };

    if (smtp_mail_parse(argument, arena, &mail) != SMTP_ARGUMENT_OK)
        return;
    check_path(&mail.reverse_path, arena);
    require_clean(mail.params);
    buf_puts(&wire, "FROM:<");
    buf_append(&wire, mail.reverse_path.text);
    buf_puts(&wire, "> ");
    buf_append(&wire, mail.params);
    require(smtp_mail_parse(buf_slice(&wire), arena, &again) ==
            SMTP_ARGUMENT_OK);
    require(slice_equal(again.params, mail.params));
    require(again.size == mail.size && again.utf8 == mail.utf8 &&
            again.eight_bit == mail.eight_bit);
    require(slice_equal(again.envid, mail.envid) &&
            slice_equal(again.ret, mail.ret));
    buf_free(&wire);
}

static void
check_rcpt(struct slice argument, struct arena *arena)
{
    struct smtp_rcpt rcpt, again;
    struct buf wire = { 0 };

    if (smtp_rcpt_parse(argument, arena, &rcpt) != SMTP_ARGUMENT_OK)
        return;
    check_path(&rcpt.forward_path, arena);
    require(!smtp_path_is_null(&rcpt.forward_path));
    require_clean(rcpt.params);
    buf_puts(&wire, "TO:<");
    buf_append(&wire, rcpt.forward_path.text);
    buf_puts(&wire, "> ");
    buf_append(&wire, rcpt.params);
    require(smtp_rcpt_parse(buf_slice(&wire), arena, &again) ==
            SMTP_ARGUMENT_OK);
    require(slice_equal(again.params, rcpt.params));
    require(slice_equal(again.notify, rcpt.notify) &&
            slice_equal(again.orcpt, rcpt.orcpt));
    buf_free(&wire);
}

static void
check_xtext(struct slice text)
{
    struct buf printed = { 0 }, parsed = { 0 };

    smtp_xtext_print(text, &printed);
    require(smtp_xtext_parse(buf_slice(&printed), &parsed));
    require(slice_equal(buf_slice(&parsed), text));
    buf_clear(&parsed);
    smtp_xtext_parse(text, &parsed);
    buf_free(&printed);
    buf_free(&parsed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = { (const char *)data, size };
    struct arena arena = { 0 };
    struct smtp_command command = smtp_command_parse(line);
    struct smtp_path path;

    require(command.name.len + command.argument.len <= size);
    check_mail(command.argument, &arena);
    check_rcpt(command.argument, &arena);
    if (smtp_address_parse(line, &arena, &path))
        check_path(&path, &arena);
    struct slice ascii;
    smtp_domain_to_ascii(line, &arena, &ascii);
    require(!smtp_domain_is_valid(line) || !smtp_literal_is_valid(line));
    check_xtext(line);
    arena_free(&arena);
    return 0;
}
