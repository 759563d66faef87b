/* code.c - the verifiers `code` and `code_stdio`. */
#include "reward/code.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/utf8.h"
#include "reward/code_internal.h"

#define MAX_DETAIL 500

struct code_options code_options = {.seconds = 10, .memory_mib = 1024};

const struct opt code_option_table[] = {
    OPT_GROUP("Programs"),
    OPT_FLOAT(0, "code-seconds", &code_options.seconds, "S",
              "CPU time for one run of a program; more is wrong", 0.1, 86400),
    OPT_INT(0, "code-memory", &code_options.memory_mib, "MIB", "memory of one process, MiB", 64,
            1 << 20),
    OPT_FLAG(0, "code-share", &code_options.share,
             "score the share of tests that pass, instead of all or nothing"),
    OPT_END,
};

void code_settings(struct strbuf *out)
{
    strbuf_addf(out, "%g %lld %d ", code_options.seconds, (long long)code_options.memory_mib,
                code_options.share);
}

/* Outcomes. */

void code_failed(struct code_outcome *o, const char *decided, const char *fmt, ...)
{
    va_list ap;
    if (o->decided)
        return;
    struct strbuf text = {0};
    va_start(ap, fmt);
    strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    size_t n = text.len < MAX_DETAIL ? text.len : MAX_DETAIL;
    utf8_repair(&o->detail, text.buf, n); /* programs may have written anything */
    strbuf_release(&text);
    o->decided = decided;
}

/* The last line of what it wrote to standard error: where Python says what it was. */
static struct span last_line(const struct strbuf *err)
{
    struct span s = {err->buf, err->len};
    if (err->len)
        span_trim(&s);
    for (size_t i = s.n; i > 0; i--) {
        if (s.start[i - 1] == '\n')
            return (struct span){s.start + i, s.n - i};
    }
    return s;
}

bool code_ended_well(struct code_outcome *o, const struct sandbox_result *r, int test)
{
    static const char *const decided[] = {
        [SANDBOX_EXITED] = "status",   [SANDBOX_SIGNALED] = "signal", [SANDBOX_CPU] = "cpu-time",
        [SANDBOX_IDLE] = "idle-time",  [SANDBOX_MEMORY] = "memory",   [SANDBOX_OUTPUT] = "output",
        [SANDBOX_STOPPED] = "stopped",
    };
    struct span line = last_line(&r->err);
    char where[32] = "";
    if (test)
        snprintf(where, sizeof where, "test %d: ", test);
    if (r->end == SANDBOX_EXITED && r->code == 0)
        return true;
    if (r->end == SANDBOX_EXITED || r->end == SANDBOX_SIGNALED)
        code_failed(o, decided[r->end], "%s%s %d: %.*s", where,
                    r->end == SANDBOX_EXITED ? "exited with status" : "was killed by signal",
                    r->code, (int)(line.n < 300 ? line.n : 300), line.n ? line.start : "");
    else
        code_failed(o, decided[r->end], "%s%s", where, sandbox_end_name(r->end));
    return false;
}

/* Runs. */

struct sandbox_limits code_limits(void)
{
    struct sandbox_limits l = sandbox_default_limits;
    l.cpu_seconds = l.idle_seconds = code_options.seconds;
    l.wall_seconds = 30 * code_options.seconds + 60;
    l.memory_bytes = code_options.memory_mib << 20;
    return l;
}

int code_run(const struct sandbox *s, const struct sandbox_program *p, struct sandbox_result *r,
             int n, struct code_outcome *o, struct err *err)
{
    struct sandbox_limits l = code_limits();
    if (sandbox_run(s, &l, p, r, n, err) < 0)
        return NO_VERDICT;
    for (int i = 0; i < n; i++)
        o->seconds += r[i].cpu_seconds;
    return 0;
}

/* One for the life of the process; a machine that has none has none later either. */
static const struct sandbox *open_sandbox(struct err *err)
{
    static struct sandbox *s;
    static struct err why;
    if (!s && !why.set)
        s = sandbox_open(&why);
    if (!s)
        err_set(err, "%s", why.text);
    return s;
}

/* Verifiers. */

static void write_verdict(struct code_outcome *o, int n_tests, struct verdict *v)
{
    bool all = o->n_passed == n_tests && !o->decided;
    v->score = code_options.share ? (double)o->n_passed / n_tests : all;
    v->compared = all ? "all-tests" : o->decided ? o->decided : "tests";
    v->seconds = o->seconds;
    v->detail = o->detail.len ? xasprintf("%d of %d tests; %s", o->n_passed, n_tests, o->detail.buf)
                              : xasprintf("%d of %d tests", o->n_passed, n_tests);
}

static bool defines(const char *code, const char *name)
{
    char *def = xasprintf("def %s", name);
    size_t n = strlen(def);
    const char *p = strstr(code, def);
    while (p && (isalnum((unsigned char)p[n]) || p[n] == '_'))
        p = strstr(p + 1, def);
    free(def);
    return p != NULL;
}

/* HumanEval's answers may be what follows the prompt. */
static char *whole_program(const struct code_task *t, const char *code)
{
    bool completes = *t->prompt && t->language == CODE_PYTHON && !defines(code, t->entry);
    return completes ? xasprintf("%s%s", t->prompt, code) : xstrdup(code);
}

static int run_task(const struct code_task *t, bool stdio, const char *source,
                    struct code_outcome *o, struct err *err)
{
    const struct sandbox *s = open_sandbox(err);
    if (!s)
        return NO_VERDICT;
    if (stdio)
        return code_run_stdio(s, t, source, o, err);
    return t->language == CODE_C ? code_run_c(s, t, source, o, err)
                                 : code_run_python(s, t, source, o, err);
}

static int judge_task(const struct answer *answer, struct code_task *t, bool stdio,
                      struct verdict *out, struct err *err)
{
    struct code_block block;
    struct code_outcome o = {0};
    out->rule = "no-code";
    if (!code_extract(answer->text, t->entry, &block))
        return 0;
    if (t->language == CODE_UNKNOWN)
        t->language = block.language == CODE_C ? CODE_C : CODE_PYTHON;
    out->rule = block.rule;
    out->extracted = span_dup(&block.text);
    char *source = whole_program(t, out->extracted);
    int rc = run_task(t, stdio, source, &o, err);
    if (rc == 0)
        write_verdict(&o, t->n_tests, out);
    strbuf_release(&o.detail);
    free(source);
    return rc;
}

static int judge(const struct answer *answer, const json_t *truth, bool stdio, struct verdict *out,
                 struct err *err)
{
    struct code_task t;
    if (code_task_read(answer, truth, stdio, &t, err) < 0)
        return -1;
    int rc = judge_task(answer, &t, stdio, out, err);
    code_task_release(&t);
    return rc;
}

int judge_code(const struct answer *answer, const json_t *truth, struct verdict *out,
               struct err *err)
{
    return judge(answer, truth, false, out, err);
}

int judge_code_stdio(const struct answer *answer, const json_t *truth, struct verdict *out,
                     struct err *err)
{
    return judge(answer, truth, true, out, err);
}

bool code_same(const char *a, const char *b)
{
    return code_output_same(a, b);
}
