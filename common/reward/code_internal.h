/* code_internal.h - between the parts of the code verifiers. */
#ifndef TP_REWARD_CODE_INTERNAL_H
#define TP_REWARD_CODE_INTERNAL_H

#include "reward/code.h"
#include "reward/extract.h"
#include "reward/sandbox.h"

enum code_language { CODE_UNKNOWN, CODE_PYTHON, CODE_C };

/* The program in a response. */
struct code_block {
    struct span text;
    enum code_language language; /* by the fence's tag */
    const char *rule;
};
/* With a name, the last block that mentions it is preferred.  False if there is nothing. */
bool code_extract(const char *text, const char *name, struct code_block *out);

struct code_task {
    enum code_language language;
    const char *entry, *prompt, *setup; /* borrowed; "" = none */
    const char **tests;                 /* [n_tests], borrowed */
    char **inputs, **outputs;           /* [n_tests], owned; for code_stdio */
    int n_tests;
    json_t *parsed; /* owned: of a truth that was JSON in a string */
};
int code_task_read(const struct answer *a, const json_t *truth, bool stdio, struct code_task *out,
                   struct err *err) WARN_UNUSED;
void code_task_release(struct code_task *t);

/* What came of it. */
struct code_outcome {
    int n_passed, n_run;
    double seconds;
    const char *decided;  /* static */
    struct strbuf detail; /* what went wrong first */
};
/* Notes a failure, if it is the first. */
void code_failed(struct code_outcome *o, const char *decided, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Notes how a run ended, if it did not end well; test 0 = none in particular.  True if it did. */
bool code_ended_well(struct code_outcome *o, const struct sandbox_result *r, int test);

/* 0, -1 = the tests are unusable, NO_VERDICT. */
int code_run_python(const struct sandbox *s, const struct code_task *t, const char *source,
                    struct code_outcome *out, struct err *err);
int code_check_python(const struct sandbox *s, struct err *err);
int code_run_c(const struct sandbox *s, const struct code_task *t, const char *source,
               struct code_outcome *out, struct err *err);
int code_run_stdio(const struct sandbox *s, const struct code_task *t, const char *source,
                   struct code_outcome *out, struct err *err);

/* Tests in C. */

/* One assertion; spans into the tests' text. */
struct code_assertion {
    struct span left, right;
    bool texts; /* of strcmp(left, right) == 0 */
    int test;   /* which of the task's tests it belongs to */
};
struct code_assertions {
    struct code_assertion *items; /* owned */
    int n, cap;
};
/* A test is assertions and nothing else, else -1.  What was read before is in out all the same. */
int code_assertions_read(const struct code_task *t, struct code_assertions *out,
                         struct err *err) WARN_UNUSED;
/* Counts the tests that hold: got and want are the lines that both sides printed, as code_c.c's
 * printers write them; got may be anything. */
void code_assertions_compare(const struct code_task *t, const struct code_assertions *all,
                             const struct strbuf *got, const struct strbuf *want,
                             struct code_outcome *o);

struct sandbox_limits code_limits(void);
/* sandbox_run() whose failure is NO_VERDICT; adds the time. */
int code_run(const struct sandbox *s, const struct sandbox_program *p, struct sandbox_result *r,
             int n, struct code_outcome *o, struct err *err);
/* Compiles C.  binary is empty if it does not compile, and the outcome says why. */
int code_compile_c(const struct sandbox *s, const char *source, size_t n, struct strbuf *binary,
                   struct code_outcome *o, struct err *err);
bool code_output_same(const char *got, const char *want);

#endif
