/*
 * XFORWARD: what is taken goes upstream octet for octet (but SOURCE), in lines
 * of at most 512 octets, and is taken again as the same.
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

static void
check_print(const struct xforward *x, unsigned offered)
{
    struct xforward again = { 0 };
    struct buf out = { 0 };
    unsigned lines = 0;

    unsigned commands = xforward_print(x, offered, &out);
    for (struct slice rest = buf_slice(&out); rest.len != 0; lines++) {
        struct slice line = slice_cut(&rest, '\n');
        require(line.len >= 1 && line.len < 512);
        require(line.ptr[line.len - 1] == '\r');
        line.len--;
        for (size_t i = 0; i < line.len; i++)
            require(line.ptr[i] >= 32 && line.ptr[i] < 127);
        struct smtp_command command = smtp_command_parse(line);
        require(command.verb == SMTP_XFORWARD);
        require(xforward_parse(command.argument, &again) == XFORWARD_OK);
    }
    require(lines == commands);
    for (unsigned i = 0; i < XFORWARD_ATTRIBUTES; i++) {
        struct slice sent = buf_slice(&again.value[i]);
        if ((offered & 1u << i) == 0)
            require(sent.len == 0);
        else if (i == XFORWARD_SOURCE)
            require(slice_equal(sent, SLICE_OF("REMOTE")));
        else
            require(slice_equal(sent, buf_slice(&x->value[i])));
        struct buf value = { 0 };
        xforward_value(x, (enum xforward_attribute)i, &value);
        require(value.len <= x->value[i].len);
        buf_free(&value);
    }
    xforward_free(&again);
    buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice argument = { (const char *)data, size };
    struct xforward x = { 0 };

    if (xforward_parse(argument, &x) == XFORWARD_OK) {
        require(!xforward_is_empty(&x));
        check_print(&x, ~0u);
        check_print(&x, size != 0 ? data[size - 1] : 0);
    } else {
        require(xforward_is_empty(&x));
    }
    xforward_free(&x);
    return 0;
}
