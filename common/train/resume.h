/* resume.h - a training run's checkpoints: OUT/step-000100/, and OUT itself at the end.
 *
 * Each is a model directory with trainer_state.safetensors beside the weights:
 * `master`, `m` and `v` (F32, all parameters end to end) and, in the metadata,
 * one JSON string with the counters, the source's position and the options that
 * decide the result.  A step's directory is written aside and renamed; the final
 * files are written aside and moved up, model.safetensors last.  What could not
 * be written whole is removed.
 */
#ifndef TP_TRAIN_RESUME_H
#define TP_TRAIN_RESUME_H

#include "data/safetensors.h"
#include "model/checkpoint.h"
#include "train/optimizer.h"

struct train_state {
    int64_t step, updates, num_tokens, skipped_steps;
    bool done;
    json_t *source;  /* owned */
    json_t *options; /* owned */
};
void train_state_release(struct train_state *s);

struct checkpoint_save {
    const char *out;         /* the run's directory */
    const struct optimizer *optimizer;
    const struct train_state *state;
    const char *tokenizer_from;
    json_t *lineage;         /* borrowed */
    int64_t keep;            /* newest step directories kept; 0 = all */
};
/* Refuses weights that are not finite.  state->done: the final one, into out itself. */
int checkpoint_save(const struct checkpoint_save *c, struct err *err) WARN_UNUSED;

/* The newest whole step directory of a run (owned), or NULL when there is none. */
char *resume_find(const char *out);
/* The final checkpoint is there and whole, after at least min_steps. */
bool resume_is_done(const char *out, int64_t min_steps);
bool resume_has_checkpoints(const char *out); /* a step's or the final one, whole or not */
bool resume_has_run(const char *out);  /* anything of a run is there */
int resume_remove_run(const char *out, struct err *err) WARN_UNUSED;
/* Removes what a killed writer left behind. */
int resume_clean(const char *out, struct err *err) WARN_UNUSED;

/* Reads DIR's state, and the optimiser's arrays if o is not NULL. */
int train_state_load(const char *dir, struct train_state *s, struct optimizer *o,
                     struct err *err) WARN_UNUSED;
/* Refuses options that differ from the checkpoint's, naming the first. */
int train_state_check(const struct train_state *s, const char *dir, const json_t *options,
                      struct err *err) WARN_UNUSED;

#endif
