/* code_python.c - tests in Python: two sandboxes that talk, python/peer.py explains how. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/code_internal.h"

#define PYTHON "/usr/bin/python3"
/* As -I -S, but the environment counts, which is the sandbox's: strings hash alike in every run. */
#define ISOLATED "-sS"

/* A text file of the source tree as a string of the program. */
#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");      \
    extern const char name[]

EMBED(python_peer, "common/reward/python/peer.py");
EMBED(python_solution, "common/reward/python/solution.py");
EMBED(python_tests, "common/reward/python/tests.py");

static const char *const run_argv[] = {PYTHON, ISOLATED, "harness.pyc", NULL};

/* Reads a program, writes it compiled: the form in which Python keeps modules. */
static const char compile_script[] =
    "import sys, marshal, _frozen_importlib_external as e\n"
    "code = compile(open('harness.py').read(), 'harness.py', 'exec', optimize=0)\n"
    "sys.stdout.buffer.write(e.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))\n";

/* Once a process: compiling takes longer than all the rest of a run. */
static int compile_harness(const struct sandbox *s, const char *text, struct strbuf *out,
                           struct err *err)
{
    struct strbuf source = {0};
    struct sandbox_result r;
    struct sandbox_limits l = sandbox_default_limits;
    static const char *const argv[] = {PYTHON, ISOLATED, "-c", compile_script, NULL};
    if (out->len)
        return 0;
    strbuf_adds(&source, python_peer);
    strbuf_addc(&source, '\n');
    strbuf_adds(&source, text);
    struct sandbox_file file = {"harness.py", source.buf, source.len};
    struct sandbox_program p = {.argv = argv, .files = &file, .n_files = 1};
    int rc = sandbox_run(s, &l, &p, &r, 1, err);
    strbuf_release(&source);
    if (rc < 0)
        return NO_VERDICT;
    if (r.end == SANDBOX_EXITED && r.code == 0 && r.out.len > 0)
        strbuf_add(out, r.out.buf, r.out.len);
    else
        rc = err_set(err, "%s cannot compile the harness: %.*s", PYTHON, (int)r.err.len,
                     r.err.len ? r.err.buf : "");
    sandbox_result_release(&r);
    return rc < 0 ? NO_VERDICT : 0;
}

static void add_section(struct strbuf *out, const char *text)
{
    strbuf_addf(out, "%zu\n", strlen(text));
    strbuf_adds(out, text);
}

static void write_sections(const struct code_task *t, struct strbuf *out)
{
    add_section(out, t->entry);
    add_section(out, t->setup);
    add_section(out, t->prompt);
    for (int i = 0; i < t->n_tests; i++)
        add_section(out, t->tests[i]);
}

/* Where the solution's process ended, how it did is more to the point than that it did. */
static void note_failure(struct code_outcome *o, const char *decided, int test, const char *why,
                         const struct sandbox_result *solution)
{
    bool gone = strncmp(why, "Gone", 4) == 0 && solution->end != SANDBOX_STOPPED;
    if (gone && !code_ended_well(o, solution, test))
        return;
    if (test)
        code_failed(o, decided, "test %d: %s", test, why);
    else
        code_failed(o, decided, "%s", why);
}

/* From the process of the tests: "pass", "fail WHY", "not-loaded WHY", "bad-tests WHY", "end". */
static int read_report(const struct sandbox_result *tests, const struct sandbox_result *solution,
                       struct code_outcome *o, struct err *err)
{
    char *text = xstrndup(tests->out.len ? tests->out.buf : "", tests->out.len), *save = NULL;
    int rc = 0;
    bool ended = false;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *why = line + strcspn(line, " ");
        why += *why == ' ';
        if (strcmp(line, "end") == 0) {
            ended = true;
        } else if (strncmp(line, "bad-tests", 9) == 0) {
            rc = err_set(err, "'ground_truth': the tests are no Python: %s", why);
        } else if (strncmp(line, "not-loaded", 10) == 0) {
            note_failure(o, "not-loaded", 0, why, solution);
        } else {
            o->n_run++;
            if (strcmp(line, "pass") == 0)
                o->n_passed++;
            else
                note_failure(o, "tests", o->n_run, why, solution);
        }
    }
    if (rc == 0 && !ended && code_ended_well(o, tests, o->n_run + 1))
        code_failed(o, "tests", "the tests did not end");
    free(text);
    return rc;
}

static int open_channels(int tests[2], int solution[2], struct err *err)
{
    int there[2], back[2];
    if (pipe2(there, O_CLOEXEC) < 0) {
        err_errno(err, "cannot make a pipe");
        return NO_VERDICT;
    }
    if (pipe2(back, O_CLOEXEC) < 0) {
        err_errno(err, "cannot make a pipe");
        close(there[0]);
        close(there[1]);
        return NO_VERDICT;
    }
    tests[0] = back[0];
    tests[1] = there[1];
    solution[0] = there[0];
    solution[1] = back[1];
    return 0;
}

static struct strbuf tests_harness, solution_harness;

/* Also the check that Python is there and works. */
int code_check_python(const struct sandbox *s, struct err *err)
{
    int rc = compile_harness(s, python_tests, &tests_harness, err);
    if (rc == 0)
        rc = compile_harness(s, python_solution, &solution_harness, err);
    return rc;
}

int code_run_python(const struct sandbox *s, const struct code_task *t, const char *source,
                    struct code_outcome *out, struct err *err)
{
    struct strbuf sections = {0};
    struct sandbox_result r[2];
    int tests[2], solution[2];
    int rc = code_check_python(s, err);
    if (rc == 0)
        rc = open_channels(tests, solution, err);
    if (rc < 0)
        return rc;
    write_sections(t, &sections);
    struct sandbox_file tests_files[] = {
        {"harness.pyc", tests_harness.buf, tests_harness.len},
        {"tests", sections.buf, sections.len},
    };
    struct sandbox_file solution_files[] = {
        {"harness.pyc", solution_harness.buf, solution_harness.len},
        {"solution.py", source, strlen(source)},
        {"prompt.py", t->prompt, strlen(t->prompt)},
    };
    struct sandbox_program p[2] = {
        {.argv = run_argv, .files = tests_files, .n_files = 2, .channel = tests},
        {.argv = run_argv, .files = solution_files, .n_files = 3, .channel = solution},
    };
    rc = code_run(s, p, r, 2, out, err);
    strbuf_release(&sections);
    if (rc < 0)
        return rc;
    rc = read_report(&r[0], &r[1], out, err);
    sandbox_result_release(&r[0]);
    sandbox_result_release(&r[1]);
    return rc;
}
