/* Any log ends: each reading learns or is the last; only whole lines are
 * told, without control characters. */
#include "status.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
learn_all(struct trace *trace, struct slice rest)
{
    bool learnt = false;

    trace_start(trace);
    while (rest.len != 0)
        learnt = trace_learn(trace, slice_cut(&rest, '\n')) || learnt;
    return learnt;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size };
    struct slice what = slice_cut(&rest, '\n');
    struct buf out = { 0 };
    size_t readings = 0;
    bool cut;

    if (size > 4096)
        return 0;
    struct trace *trace = trace_new(what);
    trace_start(trace);
    for (struct slice log = rest; log.len != 0;)
        trace_pair(trace, slice_cut(&log, '\n'));
    while (learn_all(trace, rest))
        if (++readings > TRACE_IDS_MAX)
            abort();
    trace_start(trace);
    while (rest.len != 0)
        trace_collect(trace, slice_cut(&rest, '\n'));
    trace_print(trace, &out, &cut);
    for (size_t i = 0; i < out.len; i++)
        if (ascii_is_control(out.ptr[i]) && out.ptr[i] != '\n')
            abort();
    buf_free(&out);
    trace_free(trace);
    return 0;
}
