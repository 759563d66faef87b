/* shape.h - a model's shape from the command line: a family's ladder of sizes, and changes to a config.
 *
 * A family is a list of published models.  Between two of them the number of layers, the feed-forward's
 * width and the queries' are interpolated linearly in the width of the model; below the smallest and
 * above the largest the layers go with the width.  Size of heads, queries to a key head and tying are
 * those of the next smaller model.  The ladder takes the width and depth that come closest to the size
 * and to these rules, then moves the feed-forward by up to a quarter to meet the size.
 */
#ifndef TP_MODEL_SHAPE_H
#define TP_MODEL_SHAPE_H

#include "base/opt.h"
#include "model/config.h"

struct shape_options {
    const char *like, *size;
    bool with_embeddings; /* size counts embedding and head, too */
    int64_t layers, dim, hidden_dim, heads, kv_heads, head_dim, vocab, positions, window;
    double theta;
    int qk_norm, tied, dtype;
};
extern struct shape_options shape_options;
/* --like --size --with-embeddings, and one row for each change */
extern const struct opt shape_option_table[];

/* The config.json of --like and --size with the changes applied, within SHAPE_TOLERANCE of the size; a
 * new reference, or NULL.  vocab: if not 0, instead of the family's. */
#define SHAPE_TOLERANCE 0.02
json_t *shape_from_ladder(int64_t vocab, struct err *err);
/* Applies the changes to a config.json. */
int shape_change(json_t *config, struct err *err) WARN_UNUSED;
/* Parameters outside the embedding and the head, or all of them. */
int64_t shape_parameters(const struct model_config *c, bool with_embeddings);

#endif
