/* fuzz_verifier.c - any record before any verifier: its name in the first line, the record as JSON in
 * the rest.  Verifiers that ask others (code, exec, judge) read all they need and then have nobody to
 * ask.  No crash, no endless loop, and
 *   a score lies in [0, 1], and is the same twice
 *   where there is none, there is a reason
 *   an extracted answer is the same as itself
 *   a verdict survives the way to a worker and back
 * Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/response.h"
#include "reward/verifier.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const char *name, const struct verdict *v)
{
    json_t *obj = verdict_to_json(v), *again;
    struct verdict back = {0};
    struct err err = {0};
    require_that(verdict_from_json(obj, &back, &err) == 0, "%s: %s\n", name, err.text);
    again = verdict_to_json(&back);
    require_that(json_equal(obj, again), "%s: changed on its way\n", name);
    json_decref(obj);
    json_decref(again);
    verdict_release(&back);
}

static int judge(const struct verifier *v, const struct answer *a, const json_t *truth,
                 double *score)
{
    struct verdict out = {0};
    struct err err = {0};
    int rc = v->judge(a, truth, &out, &err);
    require_that(rc == 0 || (rc < 0 && err.set), "%s: no reason\n", v->name);
    require_that(rc < 0 || (out.score >= 0 && out.score <= 1), "%s: score\n", v->name);
    if (rc == 0)
        check_round_trip(v->name, &out);
    *score = rc == 0 ? out.score : -1;
    verdict_release(&out);
    return rc;
}

static void judge_record(const struct verifier *v, const json_t *record)
{
    struct response r;
    struct err err = {0};
    const json_t *truth = json_object_get(record, "ground_truth");
    if (response_read(record, &r, &err) < 0) {
        require_that(err.set, "response: no reason\n");
        return;
    }
    struct answer a = {r.answer, r.text, r.think_opened, record};
    double one, two;
    if (truth || !v->needs_truth) {
        int rc = judge(v, &a, truth, &one);
        require_that(rc == judge(v, &a, truth, &two) && one == two, "%s: another verdict\n", v->name);
    }
    response_release(&r);
}

/* Programs that are run are the sandbox's matter: tests/unit/test_sandbox.c. */
static bool runs_programs(const struct verifier *v)
{
    return strncmp(v->name, "code", 4) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = xstrndup((const char *)data, size), *rest = strchr(name, '\n');
    struct err err = {0};
    if (rest)
        *rest++ = '\0';
    const struct verifier *v = rest ? verifier_find(name) : NULL;
    json_t *record = v && !runs_programs(v) ? json_parse(rest, strlen(rest), &err) : NULL;
    if (json_is_object(record))
        judge_record(v, record);
    json_decref(record);
    free(name);
    return 0;
}
