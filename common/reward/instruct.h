/* instruct.h - instructions whose following can be checked by rule, and what says yes or no.
 *
 *   25 kinds of IFEval (Zhou et al., arXiv:2311.07911),
 *   58 kinds of IFBench (Pyatkin et al., arXiv:2507.02833),
 *   29 kinds more that IFBench's training sets use (IFTrain, the same paper),
 *   25 constraints of an older training set, by the names of functions (instruct_old.c).
 *
 * A list of instructions is {"instruction_id_list" or "instruction_id": [kind, ...], "kwargs":
 * [{...}, ...]}: two lists of one length; arguments that are null are not there.  The older form
 * is one object, {"func_name": constraint, ARGUMENT: value, ...}.  Each kind says
 * what its arguments are; one that is missing is an error, never a guess.
 *
 * Strict: the text as it stands.  Loose: an instruction is followed if it is in one of eight texts:
 * with or without the first line, the last line, and asterisks (section 2.2 of the first paper).
 */
#ifndef TP_REWARD_INSTRUCT_H
#define TP_REWARD_INSTRUCT_H

#include "data/json.h"
#include "reward/verifier.h"
#include "reward/pieces.h"

/* A text that is not blank, and the arguments of an instruction. */
struct instruct {
    struct span text; /* text.start is NUL-terminated */
    const json_t *args;
};

/* 1 followed, 0 not, -1 unusable arguments. */
typedef int (*instruct_check)(const struct instruct *in, struct err *err);
struct instruct_kind {
    const char *id;
    instruct_check check;
};
/* Each ends with a NULL id. */
extern const struct instruct_kind instruct_ifeval[], instruct_ifbench_count[],
    instruct_ifbench_words[], instruct_ifbench_format[], instruct_ifbench_custom[],
    instruct_iftrain[], instruct_old[];

/* NULL if there is no such kind. */
const struct instruct_kind *instruct_find(const char *id);
/* 1 followed, 0 not, -1 unusable arguments.  Blank text follows nothing. */
int instruct_follows(const struct instruct_kind *kind, const char *text, const json_t *args,
                     bool loose, struct err *err);

/* Arguments.  -1 with a message that names the argument. */
int arg_number(const struct instruct *in, const char *name, double *out,
               struct err *err) WARN_UNUSED;
int arg_text(const struct instruct *in, const char *name, const char **out,
             struct err *err) WARN_UNUSED;
/* Characters n_start to n_end of the argument prompt_to_repeat, with or without the last. */
int arg_span(const struct instruct *in, bool with_last, struct span *out,
             struct err *err) WARN_UNUSED;
/* Token number m of sentence number n, both arguments, counted from 1; of length 0 if there is none.
 * plain: marks are no tokens. */
int arg_token(const struct instruct *in, bool plain, struct span *out, struct err *err) WARN_UNUSED;
int arg_list(const struct instruct *in, const char *name, const json_t **out,
             struct err *err) WARN_UNUSED;
/* "at least", "less than", "at most" or "exactly" n: does x satisfy it?  1, 0 or -1. */
int arg_relation(const struct instruct *in, const char *relation, const char *number, double x,
                 struct err *err) WARN_UNUSED;
/* How often the text `name` is found, whatever the case, within words, too.  -1: no such argument.
 */
long arg_matches(const struct instruct *in, const char *name, struct err *err) WARN_UNUSED;

/* The verifiers ifeval and ifbench (verifier.h) are one: the share of instructions followed, and
 * with _all 1 if all of them are, with _loose by the loose rule. */

#endif
