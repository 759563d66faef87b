/* filter.h - rules for what is fit to learn from.
 *
 * The rules of Olmo 3's SFT data (technical report, A.7) and their like.  A rule looks
 * at the text that a model would learn: what the assistant says in `messages`,
 * `completion` or `response`, reasoning included; of a document all of its text.
 *
 *     repeated-sentences=10  a sentence of three words or more is there so often
 *     repeated-phrases=50    1 to 13 words follow themselves so often
 *     script=Han:0.05        at least this share of all characters but white space is of the script
 *     script-least=Latin:0.5 less than this share is
 *     incomplete             it was cut (finish_reason), its thinking or a block of code has no
 *                            end, the answer is empty, the last turn is not the assistant's
 *     ending                 the last character ends no sentence
 *     identity               it says which model it is or who made it
 *     keywords=FILE          it holds one of the phrases in FILE, one a line
 *     min-words=N max-words=N min-chars=N max-chars=N
 *     olmo3                  incomplete, repeated-sentences, repeated-phrases, script, identity
 */
#ifndef TP_DATA_FILTER_H
#define TP_DATA_FILTER_H

#include "base/opt.h"
#include "data/jsonl.h"

struct filter_options {
    struct opt_list rules;       /* as above */
    struct opt_list text_fields; /* see record_text.h; none: what a model would learn */
    bool mark;                   /* print all, those that would be dropped with a field 'filter' */
    const char *dropped;         /* file for what is dropped, with that field, or NULL */
    struct jsonl_shard shard;
};

struct filter;
struct filter *filter_open(const struct filter_options *o, struct err *err); /* NULL: a rule is wrong; err->status is
 * set if only its file cannot be read */
/* From files (none = stdin) to stdout. */
int filter_run(struct filter *f, const char **files, int n_files, struct err *err) WARN_UNUSED;
/* How many records rule i was the first to drop; its name, NULL behind the last. */
int64_t filter_count(const struct filter *f, int i, const char **name);
void filter_close(struct filter *f);

#endif
