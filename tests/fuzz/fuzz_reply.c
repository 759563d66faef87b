/* fuzz_reply.c - any text as what a judging model or a program of `exec` says: no crash, scores in
 * range, and a reason when there is none.  Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/verifier_exec.h"
#include "reward/verifier_judge.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_judge(const char *text, size_t n, bool list)
{
    double scores[3] = {-1, -1, -1};
    char *reason = NULL;
    struct err err = {0};
    int rc = judge_read_reply(text, scores, n, list, &reason, &err);
    require(rc == 0 || (err.set && !reason));
    for (size_t i = 0; i < n && rc == 0; i++)
        require(scores[i] >= 0 && scores[i] <= 10);
    free(reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup((const char *)data, size);
    struct verdict v = {0};
    struct err err = {0};
    ask_judge(text, 1, false);
    ask_judge(text, 3, true);
    int rc = exec_read_reply(text, strlen(text), &v, &err);
    require(rc == 0 ? v.score >= 0 && v.score <= 1 : err.set && !v.extracted && !v.detail);
    verdict_release(&v);
    free(text);
    return 0;
}
