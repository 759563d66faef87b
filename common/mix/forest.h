/* forest.h - a sum of regression trees: its text, and fast predictions.
 *
 *     value(x) = bias + scale * sum over trees of the leaf that x falls into
 *
 * A node sends x to its left if (float)x[feature] < threshold, as XGBoost does.
 * Many rows at once are predicted in the manner of QuickScorer (Lucchese et al.,
 * SIGIR 2015): each test that fails rules out the leaves to its left, and the
 * first leaf that is left is the answer.  Here the ruled-out leaves of all trees
 * are looked up by (feature, interval between two thresholds), so a row costs one
 * AND for each feature and tree.  Sums run over the trees in order, in double:
 * the same bits as walking down each tree.
 */
#ifndef TP_MIX_FOREST_H
#define TP_MIX_FOREST_H

#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

enum { MAX_LEAVES = 32, MAX_FEATURES = 4096 };

struct tree {
    int n_leaves;                            /* and n_leaves - 1 nodes, in preorder */
    int16_t feature[MAX_LEAVES - 1];
    int8_t left[MAX_LEAVES - 1], right[MAX_LEAVES - 1]; /* a node, or ~leaf */
    float threshold[MAX_LEAVES - 1];
    float leaf[MAX_LEAVES]; /* from left to right */
};

struct forest {
    double bias, scale;
    int64_t n_trees, cap;
    struct tree *trees;
};

struct forest *forest_new(void);
void forest_free(struct forest *f); /* NULL is fine */
struct tree *forest_add(struct forest *f); /* zeroed; valid until the next */

double forest_value(const struct forest *f, const double *x);
/* y [n] of x [n, m]; every feature is below m. */
void forest_values(const struct forest *f, const double *x, int64_t n, int64_t m, double *y);

/* A tree as text: a leaf is a number, a node FEATURE<THRESHOLD(LEFT,RIGHT). */
void tree_print(struct strbuf *s, const struct tree *t);
int tree_parse(struct tree *t, const char *text, int64_t m, struct err *err) WARN_UNUSED;

#endif
