/* pareto.h - what several metrics can reach together: the front between them.
 *
 * Each point is the best mixture for one way to weigh the goals; the weights go over a lattice of
 * the simplex.  Solved by search.h for smooth surrogates; trees choose from a pool of mixtures drawn
 * around the prior, the best runs and the laws' optima.  Beside them, the runs of the fit by what was
 * measured.
 */
#ifndef TP_MIX_PARETO_H
#define TP_MIX_PARETO_H

#include "mix/optimum.h"

/* JSON objects, new reference: {"kind":"solved","goal_weights",...mixture_json...,"front"} and
 * {"kind":"run","run","weights","measured","front"}; front: no other of its kind is as good in all goals
 * and better in one.  points: steps of the lattice plus one. */
json_t *mix_pareto(const struct mix_model *model, const struct solve_options *o, int64_t points,
                   struct err *err);
/* A picture of the first two metrics of the objective. */
int mix_pareto_svg(const struct mix_model *model, const struct solve_options *o, const json_t *points,
                   struct strbuf *svg, struct err *err) WARN_UNUSED;

#endif
