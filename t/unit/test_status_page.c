/*
 * The status page: one well-formed document that asks for nothing, and in
 * which no word of a stranger is more than text.
 */
#include "status_view.h"

#include "status.h"

/* ---- well formed ---- */

enum {
    DEPTH = 32
};

static bool
is_void(struct slice name)
{
    static const char *const names[] = { "meta", "link", "rect", "line" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(name, slice_from(names[i])))
            return true;
    return false;
}

/* A tag, up to and without ">": attributes are quoted, and quotes closed. */
static struct slice
take_tag(struct slice *rest)
{
    size_t i = 0;
    bool quoted = false;

    while (i < rest->len && (quoted || rest->ptr[i] != '>')) {
        quoted ^= rest->ptr[i] == '"';
        assert_true(quoted || rest->ptr[i] != '<');
        i++;
    }
    assert_true(i < rest->len);
    struct slice tag = slice_head(*rest, i);
    *rest = slice_tail(*rest, i + 1);
    return tag;
}

/* Every tag is closed by its own, entities are whole, octets are UTF-8. */
static void
assert_well_formed(const struct buf *page)
{
    struct slice open[DEPTH], rest = buf_slice(page);
    size_t depth = 0;

    assert_true(utf8_is_valid(rest));
    assert_true(slice_starts_nocase(rest, SLICE_OF("<!doctype html>")));
    slice_cut(&rest, '>');
    while (rest.len != 0) {
        if (rest.ptr[0] == '&') {
            struct slice entity = slice_cut(&rest, ';');
            assert_true(entity.len < 6);
            continue;
        }
        assert_true(rest.ptr[0] != '>' || depth == 0 ||
                    slice_equal(open[depth - 1], SLICE_OF("style")));
        if (rest.ptr[0] != '<') {
            rest = slice_tail(rest, 1);
            continue;
        }
        rest = slice_tail(rest, 1);
        struct slice tag = take_tag(&rest);
        struct slice name = slice_head(tag, slice_find(tag, ' '));
        if (tag.ptr[0] == '/') {
            assert_true(depth != 0 &&
                        slice_equal(open[--depth], slice_tail(tag, 1)));
        } else if (!is_void(slice_head(name, slice_find(name, '/')))) {
            assert_true(depth < DEPTH);
            open[depth++] = name;
        }
    }
    assert_int_equal(depth, 0);
}

/* ---- strangers ---- */

static struct row {
    const char *name;
    const char *text;
} rows[] = {
    { "an element", "<script>alert(1)</script>" },
    { "an end tag", "</td></tr></table><h1>owned" },
    { "an attribute", "\" onmouseover=\"alert(1)" },
    { "a single quote", "' onload='alert(1)" },
    { "an entity", "&lt;script&gt;" },
    { "half an entity", "&amp" },
    { "a comment", "--><!-- <b>" },
    { "CDATA", "]]><script>" },
    { "a style", "</style><style>*{background:url(//x)}" },
    { "control characters", "a\001\033[2J\177b" },
    { "a line end", "a\r\n\r\nHTTP/1.1 200 OK" },
    { "UTF-8", "\xc3\xbc\xe2\x80\xae"
               "evil" },
    { "C1, which terminals obey", "a\xc2\x9b"
                                  "31m" },
    { "half a letter", "\xc3" },
    { "no UTF-8 at all", "\xff\xfe\x80" },
    { "an image", "<img src=x onerror=alert(1)>" },
};

static void
fill(char *field, size_t size, const char *text)
{
    struct slice head = slice_head(slice_from(text), size - 1);

    memcpy(field, head.ptr, head.len);
    field[head.len] = '\0';
}

/* In every place that a message, its peer or a file name can reach. */
static void
is_only_text(void **state)
{
    const struct row *row = *state;
    struct view_parts *p = view_new();
    struct slice text = slice_from(row->text);
    struct buf plain = { 0 }, page = { 0 };
    const char *const marks[] = { "<script", "<img",   "<b>",     "<h1>owned",
                                  "<style",  "onload", "onerror", "onmouse" };
    size_t before[8], tags;

    p->view.recent_count = 1;
    status_page(&p->view, &plain);
    for (size_t i = 0; i < 8; i++)
        before[i] = view_count(&plain, marks[i]);
    tags = view_count(&plain, "<");

    fill(p->recent[0].id, sizeof(p->recent[0].id), row->text);
    fill(p->recent[0].from, sizeof(p->recent[0].from), row->text);
    fill(p->recent[0].to, sizeof(p->recent[0].to), row->text);
    fill(p->recent[0].reason, sizeof(p->recent[0].reason), row->text);
    p->tables[0].spec = p->keys[0].domain = p->keys[0].selector = text;
    p->listeners[0].name = p->listeners[0].address = p->view.upstream = text;
    p->view.version = text;
    p->tables[0].stale = true;
    status_page(&p->view, &page);
    assert_well_formed(&page);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(view_count(&page, marks[i]), before[i]);
    /* A reason, and the warning and mark of the stale table. */
    assert_int_equal(view_count(&page, "<"), tags + 2 + 2);
    for (size_t i = 0; i < page.len; i++)
        assert_true(page.ptr[i] == '\n' || !ascii_is_control(page.ptr[i]));
    assert_null(memmem(page.ptr, page.len, "\xe2\x80\xae", 3));
    assert_null(memmem(page.ptr, page.len, "\xc2\x9b", 2));
    buf_free(&plain);
    buf_free(&page);
    view_free(p);
}

/* A sender's address, by the way it takes. */
static void
masked_addresses_are_text(void **state)
{
    struct view_parts *p = view_new();
    struct buf page = { 0 };

    (void)state;
    p->view.recent_count = 2;
    status_mask(SLICE_OF("\"<script>\"@<img>.example"), p->recent[0].from,
                sizeof(p->recent[0].from));
    status_mask(SLICE_OF("alice@sender.example"), p->recent[0].to,
                sizeof(p->recent[0].to));
    p->recent[0].recipients = 3;
    p->recent[1].recipients = 1;
    status_page(&p->view, &page);
    assert_well_formed(&page);
    assert_has(&page, "<td>&quot;...@&lt;img&gt;.example</td>");
    assert_has(&page, "<td>a...@sender.example and 2 more</td>");
    assert_has_not(&page, "alice");
    buf_free(&page);
    view_free(p);
}

/* ---- alone ---- */

static void
asks_for_nothing(void **state)
{
    static const char *const never[] = {
        "<script", "javascript:", "http:", "https:",  "//",   "src=",
        "@import", "url(",        "<form", "<iframe", "<img", "<a "
    };
    struct view_parts *p = view_new();
    struct buf page = { 0 };

    (void)state;
    status_page(&p->view, &page);
    assert_well_formed(&page);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_has_not(&page, never[i]);
    assert_int_equal(view_count(&page, "href="), 1);
    assert_has(&page, "href=\"data:,\""); /* or browsers ask for an icon */
    assert_has(&page, "name=\"viewport\"");
    assert_has(&page, "prefers-color-scheme:dark");
    assert_non_null(strstr(status_page_policy, "default-src 'none'"));
    assert_non_null(strstr(status_page_policy, "img-src data:"));
    buf_free(&page);
    view_free(p);
}

static void
tells_what_there_is(void **state)
{
    static const char *const parts[] = {
        ">ready</span>",
        "Last hour: 1,007 messages",
        "mx",
        "127.0.0.1:10027",
        "1,043,221 entries",
        "100s old",
        "3d 0h old",
        "srs.example.org",
        "e2027",
        ">next<",
        "34 active",
    };
    struct view_parts *p = view_new();
    struct buf page = { 0 };

    (void)state;
    status_page(&p->view, &page);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_has(&page, parts[i]);
    /* One bar for each kind of result of each minute. */
    assert_int_equal(view_count(&page, "<rect "), 3);
    buf_clear(&page);
    p->view.upstream_up = false;
    status_page(&p->view, &page);
    assert_has(&page, ">not ready</span>");
    assert_has(&page, "unreachable");
    buf_free(&page);
    view_free(p);
}

/* A process that has just begun, with nothing to tell. */
static void
of_nothing(void **state)
{
    struct status_minute minutes[STATUS_MINUTES] = { 0 };
    struct status_view view = { .now = VIEW_NOW, .minutes = minutes };
    struct buf page = { 0 };

    (void)state;
    status_page(&view, &page);
    assert_well_formed(&page);
    assert_has(&page, "Last hour: 0 messages");
    assert_has(&page, "at most 0 a minute");
    assert_has_not(&page, "<rect ");
    assert_has_not(&page, "nan");
    assert_has_not(&page, "inf");
    buf_free(&page);
}

enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

int
main(void)
{
    struct CMUnitTest tests[ROWS + 4] = { 0 };
    size_t n = 0;

    for (; n < ROWS; n++)
        tests[n] = (struct CMUnitTest){ rows[n].name, is_only_text, NULL, NULL,
                                        &rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(masked_addresses_are_text);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(asks_for_nothing);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(tells_what_there_is);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(of_nothing);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
