/* eval.h - model-eval's work: bits per byte, multiple choice, pass@k.
 *
 * Each operand is one task, NAME=FILE or FILE.  Results have the layout of
 * lm-evaluation-harness: results.TASK["METRIC,none"] and ["METRIC_stderr,none"].
 */
#ifndef TP_GEN_EVAL_H
#define TP_GEN_EVAL_H

#include "data/json.h"
#include "model/model.h"

enum eval_task { EVAL_BPB, EVAL_CHOICE, EVAL_PASS };
extern const struct opt_enum eval_task_names[];

enum { EVAL_MAX_K = 16 };

struct eval_options {
    int task;
    const char *model;
    int precision, device, weights, tpl;
    int64_t seq_len; /* positions of a window; 0 = the model's max_seq_len */
    int64_t batch_tokens;
    const char *delimiter; /* between context and choice, where neither brings a space */
    int n_k;
    int64_t k[EVAL_MAX_K];
    double threshold; /* a reward of this much is a success */
    int64_t resamples;
    uint64_t seed;
};
/* "1,4,16" to o->k. */
int eval_parse_k(struct eval_options *o, const char *list, struct err *err) WARN_UNUSED;
int eval_run(const struct eval_options *o, const char **operands, int n, struct err *err) WARN_UNUSED;

/* ---- shared by the tasks ---- */
struct tokenizer;
struct eval {
    const struct eval_options *o;
    struct model *model;         /* NULL for pass@k */
    struct tokenizer *tokenizer; /* or NULL */
    int64_t seq_len;
    int32_t prefix;              /* token before a text: bos, or eos; -1 = none */
    json_t *root;                /* the results */
};
/* error: standard error, NAN = not known. */
void eval_metric(struct eval *e, const char *task, const char *metric, double value, double error,
                 bool higher_is_better);
/* How much was measured: "original" and "effective" are the units, others are extra. */
void eval_samples(struct eval *e, const char *task, int64_t n);
void eval_count(struct eval *e, const char *task, const char *what, int64_t n);
int eval_bpb(struct eval *e, const char *task, const char *path, struct err *err) WARN_UNUSED;
int eval_choice(struct eval *e, const char *task, const char *path, struct err *err) WARN_UNUSED;
int eval_pass(struct eval *e, const char *task, const char *path, struct err *err) WARN_UNUSED;
/* Unbiased estimate of pass@k from n samples of which c are right (Chen et al., arXiv:2107.03374):
 * 1 - C(n - c, k) / C(n, k). */
double pass_at_k(int64_t n, int64_t c, int64_t k);
/* Wilson's 95% score interval of c successes in n. */
void wilson_interval(int64_t c, int64_t n, double *low, double *high);

#endif
